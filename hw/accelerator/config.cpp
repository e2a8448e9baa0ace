#include "harmonia/hw/accelerator/config.h"

#include <string>

namespace harmonia::accelerator {
namespace {

constexpr const char* kAndaChip = "figure of the Anda chip (16 nm, 285 MHz), not scaled";

}  // namespace

const config::NameTable<FigureSource>& figure_source_names() {
  static const config::NameTable<FigureSource> names = {{"published", FigureSource::published},
                                                        {"measured", FigureSource::measured}};
  return names;
}

const config::NameTable<ProcessNode>& node_names() {
  static const config::NameTable<ProcessNode> names = {{"28nm", ProcessNode::nm28}, {"16nm", ProcessNode::nm16}};
  return names;
}

void AddressMapConfig::describe(config::Fields& f) {
  f.add("region_alignment_bytes", region_alignment_bytes)
      .range(64, 1e12)
      .power_of_two()
      .unit("bytes")
      .says("alignment of the weight, scale, KV and activation regions")
      .assumed("our choice");
  f.add("tensor_alignment_bytes", tensor_alignment_bytes)
      .range(32, 1e9)
      .power_of_two()
      .unit("bytes")
      .says("alignment of each tensor in its region")
      .assumed("our choice");
}

void DramConfig::describe(config::Fields& f) {
  f.add("preset", preset)
      .says("DRAM standard and speed (`harmonia list drams`), or a file")
      .assumed("64 GB/s total is our choice; 5 x16 channels of LPDDR5-6400 give it");
  f.add("channels", channels)
      .range(1, 1024)
      .unit("channels")
      .says("channels behind the interleave")
      .assumed("with the preset: 64.0 GB/s");
  f.add("channel", channel).says("keys of the DRAM channel's own configuration, laid over the preset");
}

void EnergyConfig::describe(config::Fields& f) {
  f.add("source", source, figure_source_names())
      .says(
          "figures that totals of energy and area are counted with: measured on this project's RTL and following the "
          "machine's sizes, or those of this section and of `area`, which other designs published; results list both")
      .assumed("one flow for all designs and sizes, beside published figures of mixed nodes; docs/silicon.md");
  f.add("node", node, node_names())
      .says("process that measured figures are scaled to")
      .assumed("our choice; the published figures are mostly of 28 nm");
  f.add("mac_pj", mac_pj)
      .range(0, 1e6)
      .unit("pJ")
      .says("one multiply-accumulate in a one-pass mode")
      .assumed("28 nm lane estimate, beside BitMoD's 0.77 pJ of an FP16 MAC");
  f.add("mac_two_pass_pj", mac_two_pass_pj)
      .range(0, 1e6)
      .unit("pJ")
      .says("one multiply-accumulate in M8M8 or M8L8")
      .assumed("twice the one-pass energy");
  f.add("sram_read_pj_per_bit", sram_read_pj_per_bit)
      .range(0, 1e3)
      .unit("pJ/bit")
      .says("on-chip buffer read")
      .assumed("middle of 0.10-0.15 pJ/bit, 28 nm");
  f.add("sram_write_pj_per_bit", sram_write_pj_per_bit)
      .range(0, 1e3)
      .unit("pJ/bit")
      .says("on-chip buffer write")
      .assumed("as a read");
  f.add("dram_pj_per_bit", dram_pj_per_bit)
      .range(0, 1e3)
      .unit("pJ/bit")
      .says(
          "DRAM access, interface included, of a channel that states no currents; refused beside currents, from which "
          "the energy of the DRAM follows")
      .assumed("18.75 of a DDR-class interface, 3.9 of HBM2, as used in related simulators");
  f.add("decoder_pj_per_weight", decoder_pj_per_weight)
      .range(0, 1e3)
      .unit("pJ")
      .says("look-up of one weight")
      .assumed("a 16-entry register read and multiplexer, our estimate");
  f.add("converter_pj_per_element", converter_pj_per_element)
      .range(0, 1e3)
      .unit("pJ")
      .says("conversion of one FP16 value")
      .assumed("Anda's converter: 1.06 mW at 285 MHz over 32 values a cycle");
  f.add("vector_pj_per_element", vector_pj_per_element)
      .range(0, 1e3)
      .unit("pJ")
      .says("one vector-unit operation on one value")
      .assumed("our estimate for FP32 add and multiply in 28 nm");
  f.add("static_mw", static_mw)
      .range(0, 1e6)
      .unit("mW")
      .says("leakage and clock of the whole chip")
      .assumed("not included");
}

void AreaConfig::describe(config::Fields& f) {
  f.add("lane_um2", lane_um2)
      .range(0, 1e9)
      .unit("um2")
      .says("one MAC lane of a PE")
      .assumed("28 nm lane estimate, beside BitMoD's 1968.7 um2 of an FP16 MAC");
  f.add("sram_mm2_per_mib", sram_mm2_per_mib)
      .range(0, 1e3)
      .unit("mm2/MiB")
      .says("on-chip buffers")
      .assumed("middle of 2-2.5 mm2/MB, 28 nm");
  f.add("converter_mm2", converter_mm2).range(0, 1e4).unit("mm2").says("FP16-to-BFP converter").assumed(kAndaChip);
  f.add("vector_mm2", vector_mm2).range(0, 1e4).unit("mm2").says("vector unit").assumed(kAndaChip);
  f.add("decoder_um2_per_lane", decoder_um2_per_lane)
      .range(0, 1e6)
      .unit("um2")
      .says("decoder, per weight decoded a cycle")
      .assumed("16-entry register file share and an 8-bit multiplexer, our estimate");
}

void AcceleratorConfig::describe(config::Fields& f) {
  f.add("name", name).says("name that results carry");
  f.add("description", description).says("one line for `harmonia list accelerators`");
  f.add("clock_mhz", clock_mhz)
      .range(1, 100000)
      .unit("MHz")
      .says("clock of every block; its period is rounded to a whole number of picoseconds")
      .assumed(config::kUnpublished);
  f.add("pe", pe).says("PE array");
  f.add("converter", converter).says("FP16-to-BFP converter");
  f.add("smoother", smoother).says("outlier smoother on the K path");
  f.add("decoder", decoder).says("K-means LUT decoder");
  f.add("weight_buffer", weight_buffer).says("between the weight DMA and the decoder");
  f.add("kv_buffer", kv_buffer).says("between the KV read DMA and the PE array");
  f.add("activation_buffer", activation_buffer).says("BFP activations and partial sums");
  f.add("dma", dma).says("each DMA engine");
  f.add("interconnect", interconnect).says("from the engines to the DRAM channels");
  f.add("vector", vector).says("RMSNorm, RoPE, softmax, SiLU, residual add");
  f.add("sequencer", sequencer).says("turns a step into operations and their loop order");
  f.add("kernels", kernels).says("of a machine that stands for a GPU: what its kernels spend");
  f.add("address_map", address_map).says("placement of tensors in DRAM");
  f.add("dram", dram).says("external memory");
  f.add("energy", energy).says("energy per event");
  f.add("area", area).says("silicon area");
}

}  // namespace harmonia::accelerator
