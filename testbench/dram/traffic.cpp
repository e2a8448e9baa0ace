#include "harmonia/testbench/dram/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <queue>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

using dram::Cycle;
using dram::Op;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// splitmix64 (Steele, Lea, Flood 2014).
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t state) : state_(state) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

class Sequence : public TrafficSource {
 public:
  Sequence(std::uint64_t count, std::uint64_t step, std::uint32_t length, std::uint64_t window)
      : left_(count), step_(step), window_(window), length_(length) {}
  bool next(TrafficRequest& r) override {
    if (left_ == 0) return false;
    --left_;
    r = {address_, length_, Op::kRead, 0};
    address_ = (address_ + step_) % window_;
    return true;
  }

 private:
  std::uint64_t left_, step_, window_, address_ = 0;
  std::uint32_t length_;
};

class Random : public TrafficSource {
 public:
  Random(std::uint64_t count, bool mixed, std::uint64_t window) : left_(count), places_(window / 64), mixed_(mixed) {}
  bool next(TrafficRequest& r) override {
    if (left_ == 0) return false;
    --left_;
    const std::uint64_t address = 64 * (generator_.next() % places_);
    const bool write = mixed_ && generator_.next() % 100 >= 70;
    r = {address, 64, write ? Op::kWrite : Op::kRead, 0};
    return true;
  }

 private:
  std::uint64_t left_, places_;
  bool mixed_;
  SplitMix generator_{1};
};

class Decode : public TrafficSource {
 public:
  Decode(std::uint64_t count, std::uint32_t chunk, std::uint32_t request, std::uint64_t window)
      : left_(count),
        unit_(window / 512),
        chunk_(chunk),
        request_(request),
        streams_{{{0, 256 * unit_, 0},
                  {256 * unit_, 64 * unit_, 0},
                  {320 * unit_, 64 * unit_, 0},
                  {384 * unit_, 64 * unit_, 0}}} {}
  bool next(TrafficRequest& r) override {
    if (left_ == 0) return false;
    --left_;
    if (appends_ > 0) {
      --appends_;
      std::uint64_t& offset = append_[appends_ == 1 ? 0 : 1];
      r = {(appends_ == 1 ? 448 : 480) * unit_ + offset, 64, Op::kWrite, 0};
      offset = (offset + 64) % (32 * unit_);
      return true;
    }
    // 16 weights, 1 scales, 2 K, 2 V.
    const std::size_t stream = chunk_index_ < 16 ? 0 : chunk_index_ < 17 ? 1 : chunk_index_ < 19 ? 2 : 3;
    Stream& s = streams_[stream];
    r = {s.base + s.offset, request_, Op::kRead, 0};
    s.offset = (s.offset + request_) % s.size;
    in_chunk_ += request_;
    if (in_chunk_ < chunk_) return true;
    in_chunk_ = 0;
    if (++chunk_index_ < 21) return true;
    chunk_index_ = 0;
    if (++group_ % 64 == 0) appends_ = 2;
    return true;
  }

 private:
  struct Stream {
    std::uint64_t base, size, offset;
  };
  std::uint64_t left_, unit_;  // 1 MiB of a window of 512
  std::uint32_t chunk_, request_, in_chunk_ = 0;
  int chunk_index_ = 0, appends_ = 0;
  std::uint64_t group_ = 0;
  std::array<Stream, 4> streams_;
  std::array<std::uint64_t, 2> append_{};
};

}  // namespace

std::vector<std::string> traffic_kinds() { return {"seq", "stride", "rand", "mix", "decode64", "decode4k"}; }

std::unique_ptr<TrafficSource> make_traffic(const std::string& kind, std::uint64_t requests,
                                            std::uint32_t request_bytes, std::uint64_t window) {
  if (window < kMiB || (window & (window - 1)) != 0)
    throw config::InputError(fmt::format("window of traffic {}: expected a power of two from 1 MiB on", window));
  if (request_bytes == 0 || (request_bytes & (request_bytes - 1)) != 0 || request_bytes > kMiB)
    throw config::InputError(fmt::format("request size {}: expected a power of two up to 1 MiB", request_bytes));
  const auto only_64 = [&] {
    if (request_bytes != 64) throw config::InputError("traffic '" + kind + "' has requests of 64 bytes");
  };
  if (kind == "seq") return std::make_unique<Sequence>(requests, request_bytes, request_bytes, window);
  if (kind == "stride") return only_64(), std::make_unique<Sequence>(requests, 4096, 64, window);
  if (kind == "rand") return only_64(), std::make_unique<Random>(requests, false, window);
  if (kind == "mix") return only_64(), std::make_unique<Random>(requests, true, window);
  if (kind == "decode64") return only_64(), std::make_unique<Decode>(requests, 64, 64, window);
  if (kind == "decode4k") {
    if (request_bytes > 4096) throw config::InputError("traffic 'decode4k' has requests of at most 4096 bytes");
    return std::make_unique<Decode>(requests, 4096, request_bytes, window);
  }
  throw config::InputError("unknown traffic '" + kind + "', expected seq, stride, rand, mix, decode64 or decode4k");
}

std::uint64_t traffic_window(const dram::Config& channel) {
  const std::uint64_t capacity = channel.capacity_bytes();
  if (capacity < kMiB)
    throw config::InputError(
        fmt::format("the channel holds {} bytes, expected at least 1 MiB for generated traffic", capacity));
  std::uint64_t window = kTrafficWindow;
  while (window > capacity) window /= 2;
  return window;
}

TrafficResult run_traffic(dram::Engine& engine, TrafficSource& source, const TrafficLimits& limits,
                          const std::function<void(const RequestRecord&)>& on_done) {
  const dram::Config& config = engine.config();
  const auto burst_bytes = static_cast<std::uint32_t>(config.burst_bytes());
  if (limits.in_flight < 1) throw config::InputError("in-flight: expected at least 1");
  // Each request in flight has a slot; the tag carries slot and serial number, so that a response without a request is noticed.
  struct Slot {
    std::uint64_t serial = 0, address = 0;
    Cycle arrive = 0;
    bool busy = false;
  };
  std::vector<Slot> slots(static_cast<std::size_t>(limits.in_flight));
  std::vector<std::uint32_t> free_slots;
  for (std::size_t i = slots.size(); i-- > 0;) free_slots.push_back(static_cast<std::uint32_t>(i));
  std::priority_queue<std::pair<Cycle, std::uint32_t>, std::vector<std::pair<Cycle, std::uint32_t>>, std::greater<>>
      done;
  std::uint64_t answered = 0;

  const auto collect = [&] {
    for (const dram::Completion& c : engine.completions()) {
      const auto slot = static_cast<std::uint32_t>(c.tag & 0xffff);
      if (slot >= slots.size() || !slots[slot].busy || slots[slot].serial != c.tag >> 16)
        throw config::RunError("DRAM channel answered a request that is not outstanding");
      slots[slot].busy = false;
      ++answered;
      if (on_done)
        on_done({slots[slot].serial, c.op, slots[slot].address, slots[slot].arrive,
                 c.done - (limits.exclude_offer_cycle ? 1 : 0)});
      done.emplace(c.done, slot);
    }
    engine.completions().clear();
  };

  TrafficResult result;
  TrafficRequest r;
  Cycle t = 0, bus_free = 0;
  std::uint64_t serial = 0;
  bool first = true;
  while (source.next(r)) {
    t = std::max({t, bus_free, r.not_before});
    if (limits.gap_cycles > 0)
      t = std::max(t, static_cast<Cycle>(std::ceil(static_cast<double>(serial) * limits.gap_cycles - 1e-9)));
    while (true) {
      while (!done.empty() && done.top().first <= t) {
        free_slots.push_back(done.top().second);
        done.pop();
      }
      if (!free_slots.empty()) {
        engine.advance(t);
        collect();
        if (engine.can_accept(r.op)) break;
        t = std::max(t + 1, std::min(engine.next_wake(), dram::kNever - 1));
        continue;
      }
      // All slots are taken. What is still unknown cannot end before the next wake.
      const Cycle wake = engine.next_wake(false);
      if (!done.empty() && done.top().first <= wake) {
        t = std::max(t, done.top().first);
      } else {
        engine.advance(wake);
        collect();
      }
    }
    const std::uint32_t slot = free_slots.back();
    free_slots.pop_back();
    slots[slot] = {serial, r.address, t, true};
    engine.push({r.address, r.length, r.op, (serial << 16) | slot}, t);
    if (first) result.first_offer = t;
    first = false;
    ++serial;
    result.bytes += r.length;
    bus_free = t + std::max<Cycle>(
                       1, static_cast<Cycle>((r.address + r.length - 1) / burst_bytes - r.address / burst_bytes + 1));
  }
  result.last_done = engine.drain();
  collect();
  engine.finish(std::max(result.last_done, t));
  result.requests = serial;
  if (answered != serial || engine.in_flight() != 0)
    throw config::RunError(fmt::format("DRAM channel: {} requests offered and {} answered", serial, answered));
  result.statistics = engine.statistics();
  return result;
}

double bandwidth_ceiling(const dram::Config& c, double acts_per_request, std::uint32_t request_bytes) {
  using dram::Param;
  const double bursts = std::max(1.0, static_cast<double>(request_bytes) / c.burst_bytes());
  double share = 1.0;
  if (c.refresh == dram::RefreshPolicy::kAllBank) share -= static_cast<double>(c[Param::RFC]) / c[Param::REFI];
  const double spacing = std::max<double>(c[Param::RRD_S], c[Param::FAW] / 4.0) * acts_per_request;
  const double bus = bursts * c.burst_cycles();
  return spacing > bus ? share * bus / spacing : share;
}

}  // namespace harmonia::testbench
