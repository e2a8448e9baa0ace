#include "harmonia/hw/accelerator/read_path.h"

#include <algorithm>
#include <cmath>

#include "harmonia/hw/accelerator/accelerator.h"

namespace harmonia::accelerator {
namespace {

/// How often an engine with one request at a time is free for the next, whose requests a channel sees at its next edge and
/// takes at the one after: the mean over the edges of both clocks.
double taken_every_s(double engine_ps, double channel_ps) {
  constexpr int kRequests = 64;
  const auto next_edge = [](double time, double period) { return std::ceil(time / period - 1e-9) * period; };
  double at = 0;
  for (int i = 0; i < kRequests; ++i) at = next_edge(next_edge(at, channel_ps) + channel_ps, engine_ps);
  return at / kRequests * 1e-12;
}

ReadPath path(const AcceleratorConfig& c, const memory::BufferConfig& buffer, std::uint32_t transaction) {
  const dram::Config channel = channel_config(c);
  const double cycle_s = 1e-6 / c.clock_mhz, command_s = channel.tCK_ps * 1e-12;
  const auto channels = static_cast<std::uint64_t>(c.dram.channels);
  const std::uint64_t piece = std::min<std::uint64_t>(transaction, c.interconnect.interleave_bytes);
  const double port_bytes_per_s = static_cast<double>(buffer.port_bytes_per_cycle()) / cycle_s;

  // A transaction under way: there and back, the column access, its data from the channels that it lies on, and its
  // way through the engine into the buffer.
  const auto spread = static_cast<double>(std::min(channels, transaction / piece));
  const double data_s = transaction / (spread * channel.peak_GBs() * 1e9);
  const double least_latency_s = (2 * c.interconnect.latency_cycles() + c.dma.latency_cycles) * cycle_s +
                                 channel[dram::Param::CL] * command_s + data_s + transaction / port_bytes_per_s;
  const double engine =
      transaction / std::max({c.dma.issue_cycles * cycle_s, least_latency_s / c.dma.outstanding,
                              taken_every_s(1e6 / c.clock_mhz, channel.tCK_ps) / c.interconnect.queue_requests});
  const double ports =
      static_cast<double>(channels * piece) / std::max(c.interconnect.issue_cycles * cycle_s, command_s);
  return {std::min(engine, ports), port_bytes_per_s};
}

}  // namespace

std::uint32_t kv_transaction_bytes(const AcceleratorConfig& c) {
  std::uint32_t bytes = c.dma.transaction_bytes;
  while (bytes > c.kv_buffer.capacity_bytes) bytes /= 2;
  return bytes;
}

ReadPath weight_path(const AcceleratorConfig& c) { return path(c, c.weight_buffer, c.dma.transaction_bytes); }
ReadPath kv_path(const AcceleratorConfig& c) { return path(c, c.kv_buffer, kv_transaction_bytes(c)); }

}  // namespace harmonia::accelerator
