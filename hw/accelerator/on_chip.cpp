#include "harmonia/hw/accelerator/on_chip.h"

namespace harmonia::accelerator {

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
  chip.fused_attention = c.sequencer.attention == AttentionScores::fused;
  if (c.pe.kind == PeKind::anda)
    chip.linear_operand = OperandFormat::anda(c.pe.mantissa_bits);
  else if (!pe::takes_bfp(c.pe.kind))
    chip.linear_operand = OperandFormat::fp16();
  // Of the designs only this one has attention in BFP.
  if (c.pe.kind != PeKind::harmonia) chip.attention_operand = OperandFormat::fp16();
  return chip;
}

}  // namespace harmonia::accelerator
