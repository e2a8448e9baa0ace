// How much of a model's and a workload's data the memory must have room for.
// Models: sequence slots, tokens and the rows of a step. Does not model: bytes (the address map counts them).
#pragma once

#include <cstdint>

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// Room that a workload needs.
struct Capacity {
  std::uint64_t slots = 1;
  std::uint64_t tokens_per_slot = 1;
  std::uint64_t max_step_tokens = 1;
  std::uint64_t sequence_step_tokens = 1;  // of these, of one sequence
  std::uint64_t kv_tokens = 0;             // of all slots together; 0: slots x tokens_per_slot
};

/// Room that a workload of fixed size needs. That of a request trace follows from its requests.
Capacity fixed_capacity(const WorkloadConfig& workload);

}  // namespace harmonia::testbench
