// The `devices` section of a scenario: how many devices share the model, how it is divided, and what is between them.
//
// Models: tensor parallelism over equal devices, of which one is simulated, or all; pipeline parallelism of groups of such. Does not
//   model: what devices_problem() refuses by name.
#pragma once

#include <string>

#include "harmonia/config/fields.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/link/config.h"
#include "harmonia/hw/link/reduction.h"
#include "harmonia/hw/link/schedule.h"
#include "harmonia/hw/model/model_split.h"

namespace harmonia::testbench {

struct Scenario;
struct WorkloadConfig;

inline constexpr const char* kFastestAlgorithm = "fastest";

struct DevicesConfig {
  int tensor = 1;
  int pipeline = 1;
  int micro_batches = 0;
  accelerator::ExpertSplit experts = accelerator::ExpertSplit::divided;
  bool fold = true;
  bool overlap = false;
  link::Topology topology = link::Topology::switched;
  std::string algorithm = kFastestAlgorithm;
  link::Reduction reduction = link::Reduction::fp16;
  link::Config link;
  void describe(config::Fields& f);

  int count() const { return tensor * pipeline; }
  /// Of an algorithm that is named. Throws std::logic_error for the fastest.
  link::Algorithm named_algorithm() const;
};

const config::NameTable<accelerator::ExpertSplit>& expert_split_names();

/// Sequences that the workload has at a time, of which each micro-batch has one at least.
int most_micro_batches(const WorkloadConfig& workload);
/// Why the scenario cannot run on its devices, as "devices.KEY: what is wrong, what was expected"; empty when it can. link_given:
/// whether the scenario names a link.
std::string devices_problem(const Scenario& scenario, bool link_given);
/// The first key of the section that has no effect beside the others; empty when there is none. given: the section.
std::string idle_devices_key(const DevicesConfig& devices, const config::Node& given);

}  // namespace harmonia::testbench
