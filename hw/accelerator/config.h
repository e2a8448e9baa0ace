// Configuration of the whole accelerator: what an accelerator file (workloads/accelerators/*.yaml) says.
//
// Models: sizes, rates and latencies of every block, the DRAM behind it, energy and area seeds. Defaults are the
// machine
//   `harmonia`; no published account gives its array size, clock, SRAM, DRAM, areas or powers, so that nearly every
//   value is our assumption and says so in its description.
// Does not model: the run (formats of weights and KV, workload, fidelity): testbench/scenario.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"

namespace harmonia::accelerator {

/// What a processing element multiplies. The baselines follow the published designs of those names.
enum class PeKind : std::uint8_t { harmonia, fp16, fp_int, ifpu, figna, figna_m11, figna_m8, anda };
const config::NameTable<PeKind>& pe_kind_names();

struct PeSection {
  PeKind kind = PeKind::harmonia;
  int rows = 16;   // tokens of an output tile
  int cols = 8;    // output channels of a tile
  int lanes = 32;  // elements of a dot product per PE and cycle
  int pipeline_cycles = 7;
  int mantissa_bits = 8;  // of the activations of `anda`, whose time per group is proportional to it
  double cycles_per_group = 1;
  double attention_cycles_per_group = 1;
  bool spread_idle_rows = true;
  void describe(config::Fields& f);

  /// Multiply-accumulates a cycle in one-pass modes at one cycle a group.
  std::uint64_t macs_per_cycle() const { return std::uint64_t(rows) * cols * lanes; }
  /// Cycles of a one-pass group operation of the linears: bit-serial `anda` takes M/16 of what FP16 takes.
  double linear_cycles_per_group() const {
    return cycles_per_group * (kind == PeKind::anda ? mantissa_bits / 16.0 : 1.0);
  }
};

struct ConverterSection {
  int stages = 4;
  int lanes = 2;
  int k_path_extra_cycles = 0;
  std::uint32_t growing_channels = 128;
  void describe(config::Fields& f);
};

struct SmootherSection {
  bool online = true;
  int channels_per_head = 4;
  int lanes = 64;
  int stages = 3;
  void describe(config::Fields& f);
};

/// A decode rate that holds for one index width: how a software decoder that slows down with more bits is described.
struct DecoderRate {
  int bits = 4;
  double weights_per_cycle = 1024;
  void describe(config::Fields& f);
};

struct DecoderSection {
  double weights_per_cycle = 1024;
  std::vector<DecoderRate> rates;
  int pipeline_cycles = 3;
  int reload_cycles_per_entry = 1;
  void describe(config::Fields& f);

  /// Weights a cycle at an index width.
  double rate(int bits) const {
    for (const DecoderRate& r : rates)
      if (r.bits == bits) return r.weights_per_cycle;
    return weights_per_cycle;
  }
};

struct BufferSection {
  std::uint64_t capacity_bytes = 256 * 1024;
  int banks = 8;
  int bank_bytes_per_cycle = 32;
  int latency_cycles = 2;
  void describe(config::Fields& f);
};

struct DmaSection {
  int outstanding = 16;
  std::uint64_t transaction_bytes = 4096;
  int issue_cycles = 1;
  int descriptors = 64;
  void describe(config::Fields& f);
};

struct InterconnectSection {
  std::uint64_t interleave_bytes = 256;
  bool hashed = false;
  int cycles_per_hop = 4;
  int hops = 1;
  void describe(config::Fields& f);
};

struct VectorSection {
  int lanes = 64;
  int pipeline_cycles = 8;
  int exp_cycles_per_element = 1;
  void describe(config::Fields& f);
};

enum class LoopOrder : std::uint8_t { fewest_bytes, row_first, column_first };
enum class AttentionScores : std::uint8_t { fused, unfused };

struct SequencerSection {
  int cycles_per_decision = 1;
  LoopOrder order = LoopOrder::fewest_bytes;
  AttentionScores attention = AttentionScores::fused;
  bool double_buffer = true;
  double layer_overhead_us = 0;
  void describe(config::Fields& f);
};

struct AddressMapSection {
  std::uint64_t region_alignment_bytes = 1 << 20;
  std::uint64_t tensor_alignment_bytes = 4096;
  void describe(config::Fields& f);
};

struct DramSection {
  std::string preset = "LPDDR5-6400";
  int channels = 5;
  config::Node channel;  // keys of the DRAM channel's own configuration, laid over the preset
  void describe(config::Fields& f);
};

struct EnergySection {
  double mac_pj = 0.145;          // one-pass modes
  double mac_two_pass_pj = 0.29;  // M8M8, M8L8
  double sram_read_pj_per_bit = 0.125;
  double sram_write_pj_per_bit = 0.125;
  double dram_pj_per_bit = 18.75;
  double decoder_pj_per_weight = 0.02;
  double converter_pj_per_element = 0.12;
  double vector_pj_per_element = 0.5;
  double static_mw = 0;
  void describe(config::Fields& f);
};

struct AreaSection {
  double lane_um2 = 440;
  double sram_mm2_per_mib = 2.25;
  double converter_mm2 = 0.07;
  double vector_mm2 = 0.05;
  double decoder_um2_per_lane = 60;
  void describe(config::Fields& f);
};

struct AcceleratorConfig {
  std::string name = "harmonia";
  std::string description;
  double clock_mhz = 500;
  PeSection pe;
  ConverterSection converter;
  SmootherSection smoother;
  DecoderSection decoder;
  BufferSection weight_buffer;
  BufferSection kv_buffer;
  BufferSection activation_buffer{512 * 1024, 8, 32, 2};
  DmaSection dma;
  InterconnectSection interconnect;
  VectorSection vector;
  SequencerSection sequencer;
  AddressMapSection address_map;
  DramSection dram;
  EnergySection energy;
  AreaSection area;
  void describe(config::Fields& f);

  /// Multiply-accumulates a second in one-pass modes.
  double peak_macs_per_second() const { return clock_mhz * 1e6 * static_cast<double>(pe.macs_per_cycle()); }
};

}  // namespace harmonia::accelerator
