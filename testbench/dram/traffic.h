// Request streams for one bare DRAM channel and the closed loop that feeds them: the unit to hold against other
// simulators.
//
// Models: the reference patterns seq, stride, rand, mix, decode64, decode4k over a 512 MiB window (less in
// a smaller channel); address traces; at most one burst offered per clock, k requests in flight, an optional pacing gap. Does not model: a processor's caches
// or dependences between requests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/dram/engine.h"

namespace harmonia::testbench {

struct TrafficRequest {
  std::uint64_t address = 0;
  std::uint32_t length = 64;
  dram::Op op = dram::Op::kRead;
  /// Not before this cycle (a trace's own time), 0 when the source has none.
  dram::Cycle not_before = 0;
};

/// A stream of requests. next() returns false at its end.
class TrafficSource {
 public:
  virtual ~TrafficSource() = default;
  virtual bool next(TrafficRequest& r) = 0;
};

constexpr std::uint64_t kTrafficWindow = std::uint64_t{512} << 20;

/// `kind` is one of seq, stride, rand, mix, decode64, decode4k:
///   seq     address 64 i
///   stride  address 4096 i
///   rand    address 64 (r mod 2^23), r from splitmix64 started at state 1
///   mix     as rand with a second draw per request; a write when it is >= 70 modulo 100
///   decodeN groups of 21 chunks of N bytes: 16 weights (base 0), 1 scales (256 MiB), 2 K (320 MiB), 2 V (384 MiB),
///   each
///           sequential in a region of 256, 64, 64 and 64 MiB; after every 64 groups a 64-byte write at 448 MiB and at
///           480 MiB
/// all within a window of 512 MiB. A smaller window, a power of two from 1 MiB on, scales bases and regions; rand and mix
/// take the draw modulo as much less. In requests of `request_bytes` (64 in the reference; larger ones cover the same addresses in
/// fewer requests: seq and decode only). Throws config::InputError on an unknown kind or size.
std::unique_ptr<TrafficSource> make_traffic(const std::string& kind, std::uint64_t requests,
                                            std::uint32_t request_bytes = 64, std::uint64_t window = kTrafficWindow);
/// The window of a channel: 512 MiB or, when it holds less, the largest power of two that it holds. Throws
/// config::InputError below 1 MiB.
std::uint64_t traffic_window(const dram::Config& channel);
std::vector<std::string> traffic_kinds();

struct TrafficLimits {
  int in_flight = 64;
  double gap_cycles = 0;  // request i is offered not before i * gap_cycles
  /// Ramulator 2.1 does not count the cycle of the offer as latency and offers again one cycle after the last; the
  /// other simulators count to the end of the last beat. Only what is reported changes.
  bool exclude_offer_cycle = false;
};

struct RequestRecord {
  std::uint64_t index;
  dram::Op op;
  std::uint64_t address;
  dram::Cycle arrive, done;
};

struct TrafficResult {
  dram::Cycle first_offer = 0, last_done = 0;
  std::uint64_t requests = 0, bytes = 0;
  dram::Statistics statistics;
  double seconds(const dram::Config& c) const {
    return static_cast<double>(last_done - first_offer) * c.tCK_ps * 1e-12;
  }
  double bandwidth_GBs(const dram::Config& c) const {
    return last_done > first_offer ? static_cast<double>(bytes) / seconds(c) * 1e-9 : 0.0;
  }
  double utilisation(const dram::Config& c) const { return bandwidth_GBs(c) / c.peak_GBs(); }
};

/// Feeds the engine until the source ends and all requests are answered. `on_done`, when given, sees every request
/// once, in order of discovery. Throws config::RunError when a request is lost or answered twice.
TrafficResult run_traffic(dram::Engine& engine, TrafficSource& source, const TrafficLimits& limits,
                          const std::function<void(const RequestRecord&)>& on_done = {});

/// Upper bound of the share of the peak: (1 - RFC/REFI) x min(1, data time / ACT spacing), ACT spacing being
/// max(RRD_S, FAW / 4) x activates per request. acts_per_request 0: every request hits an open row.
double bandwidth_ceiling(const dram::Config& c, double acts_per_request, std::uint32_t request_bytes = 64);

}  // namespace harmonia::testbench
