// Configuration of a DMA engine.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"

namespace harmonia::memory {

enum class DmaTiming : std::uint8_t { kApproximate, kLoose };  // nb_transport, b_transport

/// The largest transaction that an engine or a descriptor may ask for.
inline constexpr std::uint32_t kMostTransactionBytes = 1 << 20;

struct DmaConfig {
  std::uint32_t outstanding = 16;
  std::uint32_t transaction_bytes = 4096;
  std::uint32_t issue_cycles = 1;
  std::uint32_t descriptors = 64;
  std::uint32_t latency_cycles = 4;
  std::uint32_t stream_bytes_per_cycle = 128;  // writers only: a reader's chunks are paced by whoever takes them
  // What the machine sets: one clock for all blocks, and how closely it is simulated.
  std::uint64_t clock_ps = 2000;
  DmaTiming timing = DmaTiming::kApproximate;
  std::uint64_t quantum_ps = 200000;  // loose timing: how far the engine may run ahead of simulated time

  void describe(config::Fields& f);
};

}  // namespace harmonia::memory
