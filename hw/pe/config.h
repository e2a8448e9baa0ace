// Configuration of the PE array.
//
// Models: what a processing element multiplies, the array's size, its latency, and how long a group of 32 takes.
// Does not model: energy and area of a PE (hw/accelerator/config.h).
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"
#include "harmonia/hw/formats/operand_format.h"

namespace harmonia::pe {

/// What a processing element multiplies. The baselines follow the published designs of those names.
enum class PeKind : std::uint8_t { harmonia, fp16, fp_int, ifpu, figna, figna_m11, figna_m8, anda };
const config::NameTable<PeKind>& pe_kind_names();
/// Whether the array's linears take BFP activations; the others take FP16.
inline bool takes_bfp(PeKind kind) { return kind == PeKind::harmonia || kind == PeKind::anda; }

struct Config {
  PeKind kind = PeKind::harmonia;
  int rows = 16;   // tokens of an output tile
  int cols = 8;    // output channels of a tile
  int lanes = 32;  // elements of a dot product per PE and cycle
  int pipeline_cycles = 7;
  int mantissa_bits = 8;  // of the activations of `anda`, whose time per group is proportional to it
  double cycles_per_group = 1;
  double attention_cycles_per_group = 1;
  bool spread_idle_rows = true;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);

  /// Multiply-accumulates a cycle in one-pass modes at one cycle a group.
  std::uint64_t macs_per_cycle() const { return std::uint64_t(rows) * cols * lanes; }
  /// Cycles of a one-pass group operation of the linears: bit-serial `anda` takes M/16 of what FP16 takes.
  double linear_cycles_per_group() const {
    return cycles_per_group * (kind == PeKind::anda ? mantissa_bits / 16.0 : 1.0);
  }
  /// How A operands of the linears and of attention are stored. Of the designs only `harmonia` has attention in BFP.
  formats::OperandFormat linear_operand() const {
    if (kind == PeKind::anda) return formats::OperandFormat::anda(mantissa_bits);
    return takes_bfp(kind) ? formats::OperandFormat::bfp8() : formats::OperandFormat::fp16();
  }
  formats::OperandFormat attention_operand() const {
    return kind == PeKind::harmonia ? formats::OperandFormat::bfp8() : formats::OperandFormat::fp16();
  }
};

}  // namespace harmonia::pe
