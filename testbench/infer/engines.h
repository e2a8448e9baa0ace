// The paths of `harmonia infer`: names and how their engines are made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/step_engine.h"

namespace harmonia::testbench {

/// "fp32, golden, systemc": every path that there is.
std::string engine_names();
/// Whether the path simulates a machine, which EngineRequest::machine then has to name. Throws config::InputError for
/// an unknown path.
bool needs_machine(const std::string& path);

struct EngineRequest {
  std::shared_ptr<const ModelWeights> model;
  InferConfig config;
  std::vector<std::vector<int>> calibration;  ///< documents for offline smoothing
  const LoadedScenario* machine = nullptr;    ///< its accelerator and timing
  std::int64_t max_step_tokens = 1;           ///< of the machine
};

/// Makes the engine of a path. Throws config::InputError for an unknown path, when smoothing.offline_exponent > 0
/// without calibration documents, or when the machine cannot run the model.
std::unique_ptr<StepEngine> make_engine(const std::string& path, const EngineRequest& request);

}  // namespace harmonia::testbench
