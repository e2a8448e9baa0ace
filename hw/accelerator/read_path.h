// What the way from the channels to an on-chip buffer lets through at most: the DMA engine, the interconnect, the buffer.
//
// Models: upper bounds of bytes a second, as formulas of the configuration, for the two engines that bring weights and the
//   KV cache. Of the engine: one transaction in `issue_cycles`, and `outstanding` of them under way, each for no less than
//   the unloaded latency. Of the interconnect: `queue_requests` wait for channels that take one a command clock; each channel's port takes one piece of a transaction in a cycle and in a
//   command clock of the channel. Of the buffer: the width of its port, half of its banks.
// Does not model: queueing at the channels, rows, refresh (that is simulated); the engines of residual stream, spilled
//   activations and new cache entries, which move few bytes.
#pragma once

#include <cstdint>

#include "harmonia/hw/accelerator/config.h"

namespace harmonia::accelerator {

struct ReadPath {
  double interconnect_bytes_per_s = 0;  // the least of engine and interconnect
  double buffer_bytes_per_s = 0;
};

ReadPath weight_path(const AcceleratorConfig& config);
ReadPath kv_path(const AcceleratorConfig& config);

/// Of the engine that fills the KV buffer, which takes in a whole transaction: none may be larger than the buffer.
std::uint32_t kv_transaction_bytes(const AcceleratorConfig& config);

}  // namespace harmonia::accelerator
