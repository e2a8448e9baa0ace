// Small machines and steps for tests of the plan: a shape, room on chip, the address map that goes with them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "harmonia/hw/program/conservation.h"
#include "harmonia/hw/program/step_program.h"

namespace plan_test {

using namespace harmonia;
using namespace harmonia::accelerator;

/// Two kv heads of two query heads, 64 channels a head.
inline ModelShape small_shape() {
  ModelShape s;
  s.hidden_size = 256;
  s.num_hidden_layers = 2;
  s.num_attention_heads = 4;
  s.num_key_value_heads = 2;
  s.head_dim = 64;
  s.intermediate_size = 512;
  s.vocab_size = 1000;
  s.tie_word_embeddings = false;
  return s;
}

inline OnChip small_chip(std::uint64_t activation_bytes) {
  OnChip chip;
  chip.weight_tile_bytes = 128 * 1024;
  chip.operand_bytes = activation_bytes / 2;
  chip.scratch_bytes = activation_bytes - chip.operand_bytes;
  chip.growing_channels = 128;
  chip.online_smoothing = true;
  chip.weights_per_cycle.fill(1024);
  return chip;
}

struct Machine {
  ModelShape shape = small_shape();
  OnChip chip = small_chip(1 << 20);
  WeightFormat weights = formats::weight_format("kmeans4");
  WeightFormat lm_head = formats::weight_format("fp16");
  KvPolicy kv;
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;

  MemoryMap map(const StepWork& work) const {
    MapRequest r;
    r.shape = shape;
    r.weights = weights;
    r.lm_head = lm_head;
    r.kv = kv;
    r.linear_operand = chip.linear_operand;
    r.attention_operand = chip.attention_operand;
    r.slots = work.sequences.size();
    r.max_step_tokens = work.tokens();
    std::uint64_t longest = 0;
    for (const SequenceStep& s : work.sequences) longest = std::max(longest, s.context());
    r.kv_capacity_tokens = longest;
    if (!chip.fused_attention)
      r.score_bytes =
          std::max(chip.scratch_bytes, static_cast<std::uint64_t>(shape.queries_per_kv_head()) * (2 * longest + 64));
    r.partial_sum_bytes = partial_sum_bytes(r, chip);
    return MemoryMap::build(r);
  }
};

inline StepWork one_sequence(std::uint64_t cached, std::uint64_t tokens) {
  StepWork work;
  work.sequences.push_back({0, cached, tokens, true});
  return work;
}

}  // namespace plan_test
