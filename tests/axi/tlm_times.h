// The times that the TLM channel gives to the requests of an AXI link, and what they say of when responses become valid.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/payload_pool.h"
#include "tests/axi/random_master.h"

namespace harmonia::test {

/// Sends each request to a TLM channel at the time of its arrival.
class Replay : public sc_core::sc_module {
 public:
  struct Ask {
    std::int64_t time_ps;
    axi::Range range;
    bool write;
    std::size_t number;
  };

  bus::MemoryInitiator<> isock{"isock"};
  std::map<std::size_t, std::int64_t> done_ps;

  Replay(sc_core::sc_module_name name, std::vector<Ask> asks) : sc_core::sc_module(name), asks_(std::move(asks)) {
    isock.on_response([this](auto& payload, const auto& when) {
      done_ps[bus::PayloadPool::chunk(payload).tag] = static_cast<std::int64_t>(when.value());
    });
    SC_THREAD(run);
  }

 private:
  SC_HAS_PROCESS(Replay);
  void run() {
    for (const Ask& ask : asks_) {
      const sc_core::sc_time when = sc_core::sc_time::from_value(static_cast<std::uint64_t>(ask.time_ps));
      if (when > sc_core::sc_time_stamp()) wait(when - sc_core::sc_time_stamp());
      bus::PayloadPtr payload = pool_.make(ask.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, ask.range.first,
                                           ask.range.bytes, bus::Data::scratch);
      bus::PayloadPool::chunk(payload).tag = ask.number;
      isock.send(std::move(payload), when);
    }
  }
  std::vector<Ask> asks_;
  bus::PayloadPool pool_;
};

struct Comparison {
  std::uint64_t compared = 0, at_once = 0;  // at_once: valid at the very edge of the channel's answer
  std::vector<std::string> differences;
};

/// Every response must become valid at the first edge at or after the TLM channel's answer, unless its channel is taken by
/// another response or one of the same id comes first.
inline void compare_direction(const std::vector<RandomMaster::Seen>& seen,
                              const std::map<std::size_t, std::int64_t>& done_ps, std::int64_t clock_ps,
                              const dram::Config& channel, bool write, Comparison& result) {
  const auto time_of = [&](std::int64_t edge) { return clock_ps != 0 ? edge * clock_ps : channel.time_ps(edge); };
  const auto edge_of = [&](std::int64_t ps) {
    if (clock_ps == 0) return channel.cycle_at(ps);
    return (ps + clock_ps - 1) / clock_ps;
  };
  std::int64_t end = 0;
  for (const RandomMaster::Seen& s : seen) end = std::max(end, s.last + 1);
  std::vector<std::uint32_t> busy(static_cast<std::size_t>(end) + 1, 0);  // busy edges before an edge
  for (const RandomMaster::Seen& s : seen)
    if (s.write == write)
      for (std::int64_t e = s.first; e <= s.last; ++e) busy[static_cast<std::size_t>(e) + 1] = 1;
  for (std::size_t e = 1; e < busy.size(); ++e) busy[e] += busy[e - 1];
  std::map<std::uint32_t, std::int64_t> before;  // first edge of the last response of an id
  for (std::size_t number = 0; number < seen.size(); ++number) {
    const RandomMaster::Seen& s = seen[number];
    if (s.write != write) continue;
    ++result.compared;
    const std::int64_t answer = edge_of(done_ps.at(number));
    std::int64_t from = answer;
    if (const auto earlier = before.find(s.burst.id); earlier != before.end()) from = std::max(from, earlier->second);
    before[s.burst.id] = s.first;
    if (s.first == answer) ++result.at_once;
    const bool early = time_of(s.first) < done_ps.at(number);
    const bool idle = !early && s.first > from &&
                      static_cast<std::int64_t>(busy[static_cast<std::size_t>(s.first)] -
                                                busy[static_cast<std::size_t>(from)]) != s.first - from;
    if ((early || idle || s.first < from) && result.differences.size() < 20)
      result.differences.push_back((write ? "write " : "read ") + std::to_string(number) + " valid at edge " +
                                   std::to_string(s.first) + ", the TLM channel answers at edge " +
                                   std::to_string(answer));
  }
}

/// Runs the kernel: once in a process.
inline Comparison compare_with_tlm(const std::vector<RandomMaster::Seen>& seen, const dram::Config& channel,
                                   std::int64_t clock_ps) {
  std::vector<Replay::Ask> asks;
  for (std::size_t i = 0; i < seen.size(); ++i)
    asks.push_back({clock_ps != 0 ? seen[i].arrival * clock_ps : channel.time_ps(seen[i].arrival),
                    axi::touched(seen[i].burst), seen[i].write, i});
  std::stable_sort(asks.begin(), asks.end(), [](const Replay::Ask& a, const Replay::Ask& b) {
    return a.time_ps != b.time_ps ? a.time_ps < b.time_ps : a.write < b.write;
  });
  dram::DramChannel<> target("target", channel, dram::Contents::kNone);
  Replay replay("replay", asks);
  replay.isock.bind(target.tsock);
  sc_core::sc_start();
  Comparison result;
  compare_direction(seen, replay.done_ps, clock_ps, channel, false, result);
  compare_direction(seen, replay.done_ps, clock_ps, channel, true, result);
  return result;
}

}  // namespace harmonia::test
