#include "harmonia/hw/accelerator/config.h"

#include <string>

namespace harmonia::accelerator {
namespace {

constexpr const char* kUnpublished = "no published account gives it";
constexpr const char* kAndaChip = "figure of the Anda chip (16 nm, 285 MHz), not scaled";

}  // namespace

const config::NameTable<PeKind>& pe_kind_names() {
  static const config::NameTable<PeKind> names = {
      {"harmonia", PeKind::harmonia}, {"fp16", PeKind::fp16},   {"fp_int", PeKind::fp_int},
      {"ifpu", PeKind::ifpu},         {"figna", PeKind::figna}, {"figna_m11", PeKind::figna_m11},
      {"figna_m8", PeKind::figna_m8}, {"anda", PeKind::anda},
  };
  return names;
}

void PeSection::describe(config::Fields& f) {
  f.add("kind", kind, pe_kind_names()).says("what a PE multiplies: BFP activations, or the design of a baseline");
  f.add("rows", rows)
      .range(1, 4096)
      .unit("PEs")
      .says("rows of the PE array: tokens of an output tile")
      .assumed(kUnpublished);
  f.add("cols", cols)
      .range(1, 4096)
      .unit("PEs")
      .says("columns of the PE array: output channels of a tile")
      .assumed(kUnpublished);
  f.add("lanes", lanes)
      .range(8, 128)
      .power_of_two()
      .unit("MACs")
      .says("dot-product length of a PE: one BFP group a cycle")
      .assumed("one group of 32 elements; array size unpublished");
  f.add("pipeline_cycles", pipeline_cycles)
      .range(1, 1000)
      .unit("cycles")
      .says("from operands to result")
      .assumed("multiply, five adder levels, FP32 accumulate");
  f.add("mantissa_bits", mantissa_bits)
      .range(4, 13)
      .unit("bits")
      .says(
          "activation mantissa of the kind `anda`: speed of its linears is 16/M of FP16's, energy M/8 of "
          "`energy.mac_pj`, "
          "(1 + M) bits a value in memory; attention stays FP16")
      .from("Anda paper: bit-serial, mantissa chosen per module");
  f.add("cycles_per_group", cycles_per_group)
      .more_than(0)
      .range(0, 64)
      .unit("cycles")
      .says("cycles of a one-pass group operation of the linears; below 1 for an array that is faster than FP16 lanes")
      .from("1 by definition of a lane; baselines take their published speed-ups over FP-FP");
  f.add("attention_cycles_per_group", attention_cycles_per_group)
      .more_than(0)
      .range(0, 64)
      .unit("cycles")
      .says("the same of attention over the cache, which baselines keep in FP16")
      .from("1 by definition of a lane");
  f.add("spread_idle_rows", spread_idle_rows)
      .says("with fewer tokens than rows, idle rows take more output channels")
      .assumed("batch 1 must be able to use every PE");
}

void ConverterSection::describe(config::Fields& f) {
  f.add("stages", stages)
      .range(1, 100)
      .unit("cycles")
      .says("pipeline depth of the FP16-to-BFP converter")
      .assumed("maximum, subtract, shift, pack");
  f.add("lanes", lanes)
      .range(1, 1024)
      .unit("groups/cycle")
      .says("groups of 32 elements converted a cycle")
      .assumed(kUnpublished);
  f.add("k_path_extra_cycles", k_path_extra_cycles)
      .range(0, 100)
      .unit("cycles")
      .says("additional latency of the K path in the converter itself")
      .assumed("demotion leaves a plane out when it packs; offsets are subtracted in the smoother's stages");
  f.add("growing_channels", growing_channels)
      .range(0, 65535)
      .unit("channels")
      .says(
          "channels whose growing V group the converter keeps from one strip of a step to the next; others grow "
          "through "
          "memory")
      .assumed("an output tile of 128 channels: 4.6 KiB");
}

void SmootherSection::describe(config::Fields& f) {
  f.add("online", online).says("subtract channel offsets, chosen after prefill, from K");
  f.add("channels_per_head", channels_per_head)
      .range(0, 1024)
      .unit("channels")
      .says("offsets held per kv head")
      .assumed("a small number of channels; the count is unpublished");
  f.add("lanes", lanes)
      .range(1, 4096)
      .unit("elements/cycle")
      .says("FP16 values that pass the smoother a cycle")
      .assumed("as wide as the converter: 2 groups of 32");
  f.add("stages", stages)
      .range(1, 100)
      .unit("cycles")
      .says("pipeline depth of the smoother: 3 cycles more on the K path")
      .assumed("look-up, FP16 subtract, merge, as its RTL has them");
}

void DecoderRate::describe(config::Fields& f) {
  f.add("bits", bits).range(1, 16).unit("bits").required().says("index width that the rate holds for");
  f.add("weights_per_cycle", weights_per_cycle)
      .more_than(0)
      .range(0, 1e7)
      .unit("weights/cycle")
      .required()
      .says("weights decoded a cycle at that width");
}

void DecoderSection::describe(config::Fields& f) {
  f.add("weights_per_cycle", weights_per_cycle)
      .more_than(0)
      .range(0, 1e7)
      .unit("weights/cycle")
      .says("weights that the K-means LUT decoder expands a cycle, at widths without an entry in `rates`")
      .assumed("not the bottleneck down to 1 bit at 64 B a cycle (409.6 weights)");
  f.add("rates", rates).says("decode rates of single index widths: a software decoder's measured rates");
  f.add("pipeline_cycles", pipeline_cycles)
      .range(1, 1000)
      .unit("cycles")
      .says("from index to weight")
      .assumed("unpack, look up, align");
  f.add("reload_cycles_per_entry", reload_cycles_per_entry)
      .range(0, 1000)
      .unit("cycles")
      .says("codebook registers are written at each tensor: 2^n entries")
      .assumed("one register a cycle");
}

void BufferSection::describe(config::Fields& f) {
  f.add("capacity_bytes", capacity_bytes)
      .range(1024, 1e12)
      .unit("bytes")
      .says("capacity; tiles use one half while the other fills")
      .assumed(kUnpublished);
  f.add("banks", banks)
      .range(2, 1024)
      .power_of_two()
      .unit("banks")
      .says("banks that can be accessed in the same cycle")
      .assumed(kUnpublished);
  f.add("bank_bytes_per_cycle", bank_bytes_per_cycle)
      .range(1, 4096)
      .unit("bytes")
      .says("width of a bank")
      .assumed("256-bit SRAM macros");
  f.add("latency_cycles", latency_cycles)
      .range(0, 100)
      .unit("cycles")
      .says("read latency")
      .assumed("registered address and data");
}

void DmaSection::describe(config::Fields& f) {
  f.add("outstanding", outstanding)
      .range(1, 4096)
      .unit("transactions")
      .says("transactions in flight of each DMA engine")
      .assumed("16 x 4 KiB cover the DRAM's latency at full rate");
  f.add("transaction_bytes", transaction_bytes)
      .range(32, 1 << 20)
      .power_of_two()
      .unit("bytes")
      .says("largest transaction; smaller ones resolve finer and simulate slower")
      .assumed("granularity at which results have converged");
  f.add("issue_cycles", issue_cycles)
      .range(1, 1000)
      .unit("cycles")
      .says("between two transactions of an engine")
      .assumed("one descriptor step a cycle");
  f.add("descriptors", descriptors)
      .range(1, 65536)
      .unit("descriptors")
      .says("depth of each engine's descriptor queue")
      .assumed("deep enough to read ahead across operations");
}

void InterconnectSection::describe(config::Fields& f) {
  f.add("interleave_bytes", interleave_bytes)
      .range(32, 1 << 20)
      .power_of_two()
      .unit("bytes")
      .says("consecutive bytes on one DRAM channel before the next channel's turn")
      .assumed(kUnpublished);
  f.add("hashed", hashed)
      .says(
          "permute the channels of each row of interleaved blocks, so that equal strides (the caches of a batch) meet "
          "all "
          "of them")
      .assumed("plain interleave unless an accelerator says otherwise");
  f.add("cycles_per_hop", cycles_per_hop)
      .range(0, 1000)
      .unit("cycles")
      .says("latency of one hop")
      .assumed(kUnpublished);
  f.add("hops", hops).range(0, 64).unit("hops").says("hops between an engine and a channel").assumed("one crossbar");
}

void VectorSection::describe(config::Fields& f) {
  f.add("lanes", lanes)
      .range(1, 65536)
      .unit("elements/cycle")
      .says("FP16 values that the vector unit takes a cycle")
      .assumed("as Anda's vector unit: 64 lanes");
  f.add("pipeline_cycles", pipeline_cycles)
      .range(1, 1000)
      .unit("cycles")
      .says("latency of one pass")
      .assumed(kUnpublished);
  f.add("exp_cycles_per_element", exp_cycles_per_element)
      .range(1, 100)
      .unit("cycles")
      .says("cycles that an exp occupies its lane")
      .assumed("pipelined polynomial");
}

void SequencerSection::describe(config::Fields& f) {
  f.add("cycles_per_decision", cycles_per_decision)
      .range(0, 100000)
      .unit("cycles")
      .says("to choose and write the descriptors of an operation")
      .assumed(kUnpublished);
  f.add("order", order,
        {{"fewest_bytes", LoopOrder::fewest_bytes},
         {"row_first", LoopOrder::row_first},
         {"column_first", LoopOrder::column_first}})
      .says("loop order of each GEMM: the one that moves fewest bytes outside, or a forced one");
  f.add("attention", attention, {{"fused", AttentionScores::fused}, {"unfused", AttentionScores::unfused}})
      .says("scores stay on chip, or pass through DRAM between QK^T, softmax and PV");
  f.add("double_buffer", double_buffer)
      .says("the next tile loads while the present one computes")
      .assumed("as every published design");
  f.add("layer_overhead_us", layer_overhead_us)
      .range(0, 1e6)
      .unit("us")
      .says("idle time added to each layer: kernel launches and the like of a software-driven machine");
}

void AddressMapSection::describe(config::Fields& f) {
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

void DramSection::describe(config::Fields& f) {
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

void EnergySection::describe(config::Fields& f) {
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
      .says("DRAM access, interface included")
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

void AreaSection::describe(config::Fields& f) {
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
  f.add("clock_mhz", clock_mhz).range(0.001, 100000).unit("MHz").says("clock of every block").assumed(kUnpublished);
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
  f.add("address_map", address_map).says("placement of tensors in DRAM");
  f.add("dram", dram).says("external memory");
  f.add("energy", energy).says("energy per event");
  f.add("area", area).says("silicon area");
}

}  // namespace harmonia::accelerator
