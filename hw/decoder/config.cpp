#include "harmonia/hw/decoder/config.h"

namespace harmonia::decoder {

void Rate::describe(config::Fields& f) {
  f.add("bits", bits).range(1, 16).unit("bits").required().says("index width that the rate holds for");
  f.add("weights_per_cycle", weights_per_cycle)
      .range(0.001, 1e7)
      .unit("weights/cycle")
      .required()
      .says("weights decoded a cycle at that width");
}

void Config::describe(config::Fields& f) {
  f.add("weights_per_cycle", weights_per_cycle)
      .range(0.001, 1e7)
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

}  // namespace harmonia::decoder
