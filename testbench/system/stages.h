// The stages of a scenario's pipeline: which layers each has, and which of them are alike.
// Models: groups of layers on devices of their own. Does not model: time (testbench/runs/pipeline_steps.h).
#pragma once

#include <string>
#include <vector>

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// Stages that are alike, of which one is simulated.
struct StageKind {
  Scenario scenario;        // whose model is a stage's
  std::vector<int> stages;  // in ascending order
};

/// In the order of their first stages. Without a pipeline one kind, which is the scenario itself; of a pipeline whose stages are all
/// simulated together (devices.fold: false) each stage is a kind.
std::vector<StageKind> stage_kinds(const Scenario& scenario);

/// What of the model a device of these stages has, by which axis it is divided; empty where nothing is divided.
std::string share_of_device(const StageKind& kind);

}  // namespace harmonia::testbench
