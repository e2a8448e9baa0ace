#include "harmonia/hw/memory/dma_config.h"

namespace harmonia::memory {

void DmaConfig::describe(config::Fields& f) {
  f.add("outstanding", outstanding)
      .range(1, 4096)
      .unit("transactions")
      .says("transactions in flight of each DMA engine")
      .assumed("16 x 4 KiB cover the DRAM's latency at full rate");
  f.add("transaction_bytes", transaction_bytes)
      .range(32, kMostTransactionBytes)
      .power_of_two()
      .unit("bytes")
      .says(
          "largest transaction; smaller ones resolve finer and simulate slower; those to the KV buffer are halved "
          "until it "
          "holds one")
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
  f.add("latency_cycles", latency_cycles)
      .range(0, 1000000)
      .unit("cycles")
      .says("from a descriptor to its first request, and from the last byte of a transaction to its departure")
      .assumed("address generation and buffer access");
  f.add("stream_bytes_per_cycle", stream_bytes_per_cycle)
      .range(1, 65536)
      .unit("bytes/cycle")
      .says("width of the port through which an engine that writes takes data")
      .assumed("as wide as the default DRAM's bandwidth");
}

}  // namespace harmonia::memory
