// Configuration of the sequencer: loop order, attention, how far it works ahead, what a decision costs.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"
#include "harmonia/hw/program/on_chip.h"

namespace harmonia::accelerator {

enum class AttentionScores : std::uint8_t { online, fused, unfused };

struct SequencerConfig {
  int cycles_per_decision = 1;
  LoopOrder order = LoopOrder::fewest_bytes;
  AttentionScores attention = AttentionScores::fused;
  std::uint64_t attention_block_tokens = 128;
  bool double_buffer = true;
  double layer_overhead_us = 0;
  unsigned layers_ahead = 2;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);
};

}  // namespace harmonia::accelerator
