#include "harmonia/hw/pe/config.h"

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::pe {

const config::NameTable<PeKind>& pe_kind_names() {
  static const config::NameTable<PeKind> names = {
      {"harmonia", PeKind::harmonia}, {"fp16", PeKind::fp16},   {"fp_int", PeKind::fp_int},
      {"ifpu", PeKind::ifpu},         {"figna", PeKind::figna}, {"figna_m11", PeKind::figna_m11},
      {"figna_m8", PeKind::figna_m8}, {"anda", PeKind::anda},
  };
  return names;
}

void Config::describe(config::Fields& f) {
  f.add("kind", kind, pe_kind_names()).says("what a PE multiplies: BFP activations, or the design of a baseline");
  f.add("rows", rows)
      .range(1, 4096)
      .unit("PEs")
      .says("rows of the PE array: tokens of an output tile")
      .assumed(config::kUnpublished);
  f.add("cols", cols)
      .range(1, 4096)
      .unit("PEs")
      .says("columns of the PE array: output channels of a tile")
      .assumed(config::kUnpublished);
  f.add("lanes", lanes)
      .range(8, 128)
      .power_of_two()
      .unit("MACs")
      .says("dot-product length of a PE: one BFP group a cycle")
      .assumed("one group of 32 elements; array size unpublished");
  f.check("lanes", [this] {
    return lanes == static_cast<int>(formats::kBfpGroup)
               ? std::string()
               : "is " + std::to_string(lanes) +
                     ", expected 32: operands come in groups of 32, and a PE takes one of them a cycle; the " +
                     "array grows with rows and cols";
  });
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

}  // namespace harmonia::pe
