// A DRAM channel behind an AXI4 slave, cycle by cycle: what a memory controller with an AXI port is to a test bench.
//
// Models: the pins of pins.h; bursts INCR, WRAP and FIXED, narrow and unaligned; reads and writes with ids, answered in order
//   within an id and in order of completion between ids; data before their address; back-pressure of either side. Behind it
//   one dram::Engine and storage, with the rules of dram::DramChannel: one request per DRAM clock in order of arrival, one
//   that finds no room waits and holds those behind it. A burst is one request for the bytes that it touches. So for the same
//   requests at the same times both give the same times, to the clock.
// Does not model: interleaved data of several reads, exclusive accesses (answered OKAY), interleaving over channels.
//
// Time: rising edge k is at k clocks. A read arrives with its AR handshake, a write with the later one of its AW handshake and
// its last data; of a read and a write that arrive together the read is first. Storage is read and written when the channel
// takes the request. Of a request that the channel finishes at time t, R or B is valid at the first edge at or after t, when
// its channel is free. Outputs are registers: no output depends on an input of the same edge, so valid never waits for ready.
// During reset everything under way is dropped; the contents, the rows that are open and the edge count stay.
//
// Errors: a burst outside the capacity is answered DECERR, a burst that AXI forbids or whose data have another length SLVERR,
// both at the next edge; reads of either kind give zeros.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "harmonia/hw/axi/pins.h"
#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/memory/storage.h"

namespace harmonia::axi {

struct AxiMemoryConfig {
  unsigned bus_bytes = 8;     // a power of two up to 128
  std::int64_t clock_ps = 0;  // period of ACLK; 0: the DRAM's command clock
  unsigned outstanding = 64;  // reads and writes each, from the address to the last response; at least 1
};

/// The channel's configuration from "PRESET" or "PRESET key=value key=value": keys of docs/dram.md. Throws
/// config::InputError.
dram::Config channel_of(const std::string& text);

class AxiMemory {
 public:
  /// Throws config::InputError when a value of `config` is not usable. `channel` is finished.
  AxiMemory(const dram::Config& channel, const AxiMemoryConfig& config);

  /// The pins as sampled at the next rising edge; returns what the slave drives after it.
  const SlavePins& clock(bool resetn, const MasterPins& master);
  const SlavePins& pins() const { return out_; }

  std::uint64_t edges() const { return static_cast<std::uint64_t>(edge_); }
  std::int64_t time_ps(std::int64_t edge) const {
    return config_.clock_ps != 0 ? edge * config_.clock_ps : channel_.time_ps(edge);
  }
  memory::Storage& storage() { return storage_; }
  dram::Engine& engine() { return engine_; }

 private:
  using Cycle = dram::Cycle;
  struct Request {
    Burst burst;
    bool write = false;
    Response response = kOkay;
    std::uint64_t tag = 0;
    std::vector<std::uint8_t> data;     // of the bytes touched; of a FIXED write, of its last beat with strobes
    std::vector<std::uint8_t> enables;  // writes
    std::int64_t done_ps = -1;          // unknown
  };
  struct DataBeat {
    std::array<std::uint8_t, kMaxBusBytes> data;
    std::array<std::uint64_t, 2> strobes;
  };
  using Beats = std::vector<DataBeat>;

  void reset();
  void take(const MasterPins& master);
  void take_data(const MasterPins& master);
  void pair_writes();
  void arrive(Request request);
  void fill(Request& write, const Beats& beats) const;
  void offer();
  bool push_first(Cycle at);
  void collect();
  Request* next_response(std::deque<Request>& requests);
  void drive();
  void drive_read_beat();
  static void remove(std::deque<Request>& requests, std::uint64_t tag);
  Request* find(std::uint64_t tag);

  dram::Config channel_;
  AxiMemoryConfig config_;
  dram::Engine engine_;
  memory::Storage storage_;
  std::int64_t edge_ = 0;
  Cycle wake_ = dram::kNever;
  std::uint64_t last_tag_ = 0;

  SlavePins out_;
  std::deque<Burst> addresses_;  // writes without their data
  std::deque<Beats> bursts_;     // data without their address, the last may be incomplete
  bool data_open_ = false;
  unsigned open_reads_ = 0, open_writes_ = 0;
  std::deque<std::uint64_t> waiting_;   // tags in order of arrival, for the channel
  std::deque<Request> reads_, writes_;  // not answered, in order of their addresses
  std::uint64_t read_tag_ = 0;          // of the read on R, 0: none
  unsigned read_beat_ = 0;
};

}  // namespace harmonia::axi
