// One step of the machine as it is asked for: which sequences go on, by how many tokens.
// Models: prefill chunks and decode steps alike. Does not model: who decides on them (testbench).
#pragma once

#include <cstdint>
#include <vector>

namespace harmonia::accelerator {

/// One sequence's part of a step: `tokens` new ones after `cached`. Travels as it is in the step command.
struct SequenceStep {
  std::uint64_t slot = 0;
  std::uint64_t cached = 0;
  std::uint64_t tokens = 1;
  bool logits = true;  // the last token's logits are wanted

  /// Tokens in the cache when the step is done.
  std::uint64_t context() const { return cached + tokens; }
};

/// In place of a token whose row of the embedding is another device's.
inline constexpr std::uint32_t kAbsentToken = ~std::uint32_t{0};

struct StepWork {
  std::vector<SequenceStep> sequences;
  std::vector<std::uint32_t> token_ids;  // functional mode: the tokens of all sequences, in order

  std::uint64_t tokens() const {
    std::uint64_t sum = 0;
    for (const SequenceStep& s : sequences) sum += s.tokens;
    return sum;
  }
  /// Rows that the output head computes.
  std::uint64_t logit_rows() const {
    std::uint64_t sum = 0;
    for (const SequenceStep& s : sequences) sum += s.logits ? 1 : 0;
    return sum;
  }
};

}  // namespace harmonia::accelerator
