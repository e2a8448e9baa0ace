#include "harmonia/hw/vector/config.h"

namespace harmonia::vector {

void Config::describe(config::Fields& f) {
  f.add("lanes", lanes)
      .range(1, 65536)
      .unit("elements/cycle")
      .says("FP16 values that the vector unit takes a cycle")
      .assumed("as Anda's vector unit: 64 lanes");
  f.add("pipeline_cycles", pipeline_cycles)
      .range(1, 1000)
      .unit("cycles")
      .says("latency of one pass")
      .assumed(config::kUnpublished);
  f.add("exp_cycles_per_element", exp_cycles_per_element)
      .range(1, 100)
      .unit("cycles")
      .says("cycles that an exp occupies its lane")
      .assumed("pipelined polynomial");
}

}  // namespace harmonia::vector
