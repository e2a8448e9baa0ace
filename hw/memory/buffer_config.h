// Configuration of an on-chip buffer of SRAM banks.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"

namespace harmonia::memory {

struct BufferConfig {
  std::uint64_t capacity_bytes = 256 * 1024;
  std::uint32_t banks = 8;
  std::uint32_t bank_bytes_per_cycle = 32;
  std::uint32_t latency_cycles = 2;
  std::uint64_t clock_ps = 2000;  // set by the machine, one clock for all blocks

  void describe(config::Fields& f);

  /// Width of the write port and of the read port: each has half of the banks.
  std::uint64_t port_bytes_per_cycle() const { return std::uint64_t{banks} * bank_bytes_per_cycle / 2; }
};

enum class BufferMode : std::uint8_t {
  kTiles,       // two halves: a tile fills one while the other empties
  kSingleTile,  // one tile after the other, as large as the buffer
  kStreaming    // a ring of chunks
};

/// Of the buffers between a DMA engine and a consumer of chunks. The mode belongs to the place of the buffer in the
/// machine and is no key.
struct StreamBufferConfig : BufferConfig {
  BufferMode mode = BufferMode::kTiles;
};

}  // namespace harmonia::memory
