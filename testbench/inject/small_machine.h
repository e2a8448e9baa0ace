// A small functional machine whose runs take milliseconds: what faults are injected into.
//
// Models: a decoder model with a few random weights on the machine of a scenario: a prompt, then single tokens, and what the
//   golden model says about each step. Does not model: any trained model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {

struct SmallWork {
  std::uint64_t seed = 1;  // of weights and tokens
  int prompt_tokens = 6, decode_steps = 2;
  int hidden = 64, layers = 1, heads = 2, kv_heads = 1, head_dim = 32, intermediate = 96, vocab = 48;
};

/// Gaussian weights in the formats of the scenario, whose model becomes theirs. Throws config::InputError when the
/// formats cannot be encoded so.
std::shared_ptr<accelerator::GoldenModelWeights> small_weights(Scenario& scenario, const SmallWork& work);

/// The steps of the work, the same for machine and golden model.
std::vector<std::vector<int>> small_steps(const accelerator::GoldenModelWeights& weights, const SmallWork& work);

}  // namespace harmonia::testbench
