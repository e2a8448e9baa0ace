// What the plan of a step has to know of the accelerator: room on chip, shape of the array, operand formats, orders.
// Models: the few numbers that decide about tiles, strips and spilling. Does not model: the accelerator's configuration
// (hw/accelerator makes an OnChip of it), time.
#pragma once

#include <array>
#include <cstdint>

#include "harmonia/hw/formats/operand_format.h"
#include "harmonia/hw/program/kernels.h"

namespace harmonia::accelerator {

/// Which matrix of a GEMM stays on chip while the other streams by: a strip of A (row_first), a strip of B
/// (column_first), or whichever moves fewer bytes.
enum class LoopOrder : std::uint8_t { fewest_bytes, row_first, column_first };

struct OnChip {
  std::uint64_t weight_tile_bytes = 0;  // largest tile of codes and scales
  std::uint64_t operand_bytes = 0;      // A operands in the activation buffer
  std::uint64_t scratch_bytes = 0;      // FP16 values of the vector unit in the activation buffer
  int pe_rows = 16, pe_cols = 8;
  bool online_smoothing = false;
  std::uint32_t growing_channels = 0;          // of V groups kept in the converter from strip to strip
  std::array<double, 17> weights_per_cycle{};  // of the decoder, by bits: how long a tile takes that is expanded again
  LoopOrder order = LoopOrder::fewest_bytes;
  bool fused_attention = true;     // scores and probabilities stay on chip
  std::uint64_t online_block = 0;  // keys of a block of online softmax; 0: softmax of whole rows
  formats::OperandFormat linear_operand = formats::OperandFormat::bfp8(),
                         attention_operand = formats::OperandFormat::bfp8();
  KernelConfig kernels;
  double macs_per_cycle = 0, clock_mhz = 0;  // of the array and of the machine, for the kernels
};

}  // namespace harmonia::accelerator
