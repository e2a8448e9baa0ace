// The `devices` section of a scenario: how many devices share the model, how it is divided, and what is between them.
//
// Models: tensor parallelism over equal devices, of which one is simulated, or all. Does not model: pipeline parallelism, which is
//   refused by name.
#pragma once

#include <string>

#include "harmonia/config/fields.h"
#include "harmonia/hw/link/config.h"
#include "harmonia/hw/link/reduction.h"
#include "harmonia/hw/link/schedule.h"

namespace harmonia::testbench {

struct Scenario;

inline constexpr const char* kFastestAlgorithm = "fastest";

struct DevicesConfig {
  int tensor = 1;
  int pipeline = 1;
  bool fold = true;
  bool overlap = false;
  link::Topology topology = link::Topology::switched;
  std::string algorithm = kFastestAlgorithm;
  link::Reduction reduction = link::Reduction::fp16;
  link::Config link;
  void describe(config::Fields& f);

  /// Of an algorithm that is named. Throws std::logic_error for the fastest.
  link::Algorithm named_algorithm() const;
};

/// Why the scenario cannot run on its devices, as "devices.KEY: what is wrong, what was expected"; empty when it can. link_given:
/// whether the scenario names a link.
std::string devices_problem(const Scenario& scenario, bool link_given);

}  // namespace harmonia::testbench
