#include "harmonia/hw/memory/buffer_config.h"

namespace harmonia::memory {

void BufferConfig::describe(config::Fields& f) {
  f.add("capacity_bytes", capacity_bytes)
      .range(1024, 1e12)
      .unit("bytes")
      .says("capacity; tiles use one half while the other fills")
      .assumed(config::kUnpublished);
  f.add("banks", banks)
      .range(2, 1024)
      .power_of_two()
      .unit("banks")
      .says("banks that can be accessed in the same cycle")
      .assumed(config::kUnpublished);
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

}  // namespace harmonia::memory
