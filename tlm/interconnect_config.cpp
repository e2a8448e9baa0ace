#include "harmonia/tlm/interconnect_config.h"

namespace harmonia::bus {

void InterconnectConfig::describe(config::Fields& f) {
  f.add("interleave_bytes", interleave_bytes)
      .range(32, 1 << 20)
      .power_of_two()
      .unit("bytes")
      .says("consecutive bytes on one DRAM channel before the next channel's turn")
      .assumed(config::kUnpublished);
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
      .assumed(config::kUnpublished);
  f.add("queue_requests", queue_requests)
      .range(1, 4096)
      .unit("requests")
      .says(
          "requests of an engine that may wait for channels; with 1 the next is accepted when every piece of the one "
          "before was taken")
      .assumed("covers the two command clocks in which a channel takes a request, at one request a cycle");
  f.add("hops", hops).range(0, 64).unit("hops").says("hops between an engine and a channel").assumed("one crossbar");
}

}  // namespace harmonia::bus
