#include "harmonia/hw/accelerator/on_chip.h"

#include <cmath>

namespace harmonia::accelerator {

std::uint64_t clock_ps(const AcceleratorConfig& config) {
  return static_cast<std::uint64_t>(std::llround(1e6 / config.clock_mhz));
}

double clock_mhz(const AcceleratorConfig& config) { return 1e6 / static_cast<double>(clock_ps(config)); }

OnChip on_chip(const AcceleratorConfig& c) {
  OnChip chip;
  chip.weight_tile_bytes = c.weight_buffer.capacity_bytes / (c.sequencer.double_buffer ? 2 : 1);
  chip.operand_bytes = c.activation_buffer.capacity_bytes / 2;
  chip.scratch_bytes = c.activation_buffer.capacity_bytes - chip.operand_bytes;
  chip.pe_rows = c.pe.rows;
  chip.pe_cols = c.pe.cols;
  chip.growing_channels = c.converter.growing_channels;
  chip.online_smoothing = c.smoother.online;
  for (std::size_t bits = 0; bits < chip.weights_per_cycle.size(); ++bits)
    chip.weights_per_cycle[bits] = c.decoder.rate(static_cast<int>(bits));
  chip.order = c.sequencer.order;
  chip.fused_attention = c.sequencer.attention != AttentionScores::unfused;
  if (c.sequencer.attention == AttentionScores::online) chip.online_block = c.sequencer.attention_block_tokens;
  chip.linear_operand = c.pe.linear_operand();
  chip.attention_operand = c.pe.attention_operand();
  chip.kernels = c.kernels;
  chip.macs_per_cycle = static_cast<double>(c.pe.macs_per_cycle());
  chip.clock_mhz = clock_mhz(c);
  return chip;
}

}  // namespace harmonia::accelerator
