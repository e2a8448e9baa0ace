#include "harmonia/hw/smoother/config.h"

#include "harmonia/hw/formats/smoothing.h"

namespace harmonia::smoother {

void Config::describe(config::Fields& f) {
  f.add("online", online).says("subtract channel offsets, chosen after prefill, from K");
  f.add("channels_per_head", channels_per_head)
      .range(0, formats::kMaxOffsets)
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

}  // namespace harmonia::smoother
