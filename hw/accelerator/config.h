// Configuration of the whole accelerator: what an accelerator file (workloads/accelerators/*.yaml) says.
//
// Models: the blocks' own configurations (each described beside its block), the DRAM behind them, placement in memory,
// energy and area. Defaults are the machine `harmonia`; no published account gives its array size, clock, SRAM, DRAM,
// areas or powers, so that nearly every value is our assumption and says so in its description.
// Does not model: the run (formats of weights and KV, workload, fidelity): testbench/scenario.
#pragma once

#include <cstdint>
#include <string>

#include "harmonia/config/fields.h"
#include "harmonia/hw/accelerator/sequencer_config.h"
#include "harmonia/hw/converter/config.h"
#include "harmonia/hw/decoder/config.h"
#include "harmonia/hw/memory/buffer_config.h"
#include "harmonia/hw/memory/dma_config.h"
#include "harmonia/hw/pe/config.h"
#include "harmonia/hw/program/kernels.h"
#include "harmonia/hw/smoother/config.h"
#include "harmonia/hw/vector/config.h"
#include "harmonia/tlm/interconnect_config.h"

namespace harmonia::accelerator {

using pe::PeKind;

struct AddressMapConfig {
  std::uint64_t region_alignment_bytes = 1 << 20;
  std::uint64_t tensor_alignment_bytes = 4096;
  void describe(config::Fields& f);
};

struct DramConfig {
  std::string preset = "LPDDR5-6400";
  int channels = 5;
  config::Node channel;  // keys of the DRAM channel's own configuration, laid over the preset
  void describe(config::Fields& f);
};

/// Where figures of energy and area come from: the seeds of an accelerator file, which other designs published, or synthesis
/// of this project's RTL (hw/silicon).
enum class FigureSource : std::uint8_t { published, measured };
const config::NameTable<FigureSource>& figure_source_names();
/// The node that measured figures are scaled to.
enum class ProcessNode : std::uint8_t { nm28, nm16 };
const config::NameTable<ProcessNode>& node_names();

struct EnergyConfig {
  FigureSource source = FigureSource::measured;
  ProcessNode node = ProcessNode::nm28;
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

struct AreaConfig {
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
  pe::Config pe;
  converter::Config converter;
  smoother::Config smoother;
  decoder::Config decoder;
  memory::BufferConfig weight_buffer;
  memory::BufferConfig kv_buffer;
  memory::BufferConfig activation_buffer{512 * 1024};
  memory::DmaConfig dma;
  bus::InterconnectConfig interconnect;
  vector::Config vector;
  SequencerConfig sequencer;
  KernelConfig kernels;
  AddressMapConfig address_map;
  DramConfig dram;
  EnergyConfig energy;
  AreaConfig area;
  void describe(config::Fields& f);

  /// Multiply-accumulates a second in one-pass modes.
  double peak_macs_per_second() const { return clock_mhz * 1e6 * static_cast<double>(pe.macs_per_cycle()); }
};

}  // namespace harmonia::accelerator
