#include "harmonia/hw/converter/config.h"

namespace harmonia::converter {

void Config::describe(config::Fields& f) {
  f.add("stages", stages)
      .range(1, 100)
      .unit("cycles")
      .says("pipeline depth of the FP16-to-BFP converter")
      .assumed("maximum, subtract, shift, pack");
  f.add("lanes", lanes)
      .range(1, 1024)
      .unit("groups/cycle")
      .says("groups of 32 elements converted a cycle")
      .assumed(config::kUnpublished);
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

}  // namespace harmonia::converter
