// DRAM channel as a SystemC module: a thin TLM-2.0 target around dram::Engine, with optional storage behind it.
//
// Models: the request port of a memory controller. It takes one request per command-clock cycle, of any length, and
// withholds END_REQ while the engine's queue for that kind of request is full; answers leave in the order in which the
// engine finishes them (IEEE 1666-2011, 15.2: base protocol; short cuts taken: UPDATED with END_REQ, BEGIN_RESP without
// END_REQ, END_RESP by return value, COMPLETED for errors). Storage, when there is one, is read and written in the
// order of acceptance, so that a read after a write, or a write after a read, of the same bytes sees what program order
// says however the commands are reordered. Payloads whose chunk fields say data_valid == false move no bytes and take
// the same time. Does not model: the bus between initiator and controller (the width of the socket plays no part in
// timing), responses stalled by the initiator as a load on the channel (its read buffer is taken to be large enough).
//
// Time: a request that arrives between two clock edges is seen at the later one. Requests on one socket arrive in time
// order, also when their delay is annotated, so the engine may be driven ahead of simulated time without harm. The time
// of an answer is known when its last column command is issued, CL + burst before the data ends: BEGIN_RESP is then
// sent early with the rest as delay. Initiators that ignore annotated delays must not be connected.
//
// b_transport answers with the same engine's time: the engine is driven until the last column command of the request.
// It cannot wait for requests that have not been made, so a request that arrives (in annotated time) before that
// command is taken at that cycle, the latest known time. Loosely timed streams of row hits keep their bandwidth; the
// overlap of opening a row with the transfers of the request before is lost, which makes random loosely timed traffic
// slower than it is with nb_transport. Both kinds of call may be mixed.
//
// DMI: pages of the storage are lent out on request; accesses through them take no modelled time beyond the latency
// stated (an unloaded row hit) and are invisible to all statistics.
//
// Units: socket times are sc_time; addresses are bytes within the channel, from 0 to capacity_bytes() - 1.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <systemc>
#include <tlm>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/memory/storage.h"
#include "harmonia/tlm/analysis.h"
#include "harmonia/tlm/chunk.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::dram {

/// What the shell adds to the engine's counts.
struct ChannelCounts {
  std::uint64_t requests = 0;      // accepted, by either transport
  std::uint64_t responses = 0;     // answered; equal to requests + errors when nothing is under way
  std::uint64_t errors = 0;        // refused: address, command, byte enables or streaming width
  std::uint64_t late = 0;          // blocking requests that were taken later than they arrived
  sc_core::sc_time back_pressure;  // summed time for which END_REQ was withheld for want of room
  /// Bytes that move over the data pins (whole bursts), and bytes asked for, by traffic class.
  std::array<std::uint64_t, bus::traffic_class_count> pin_bytes = {};
  std::array<std::uint64_t, bus::traffic_class_count> request_bytes = {};
  /// Of pin_bytes, those of requests that are answered: what to sample for a bandwidth over time.
  std::array<std::uint64_t, bus::traffic_class_count> answered_pin_bytes = {};
};

enum class Contents : std::uint8_t { kNone, kStored };

/// Everything of the module that does not depend on the socket's width.
class DramChannelBase : public sc_core::sc_module, private CommandObserver {
 public:
  /// Every command as it is issued. Costs nothing unbound; bind before simulation starts.
  bus::AnalysisPort<Command> commands{"commands"};

  ~DramChannelBase() override;

  const Config& config() const { return engine_.config(); }
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  const ChannelCounts& counts() const { return counts_; }
  /// Requests accepted and not yet answered.
  std::size_t in_flight() const {
    return static_cast<std::size_t>(counts_.requests + counts_.errors - counts_.responses);
  }
  /// The engine's statistics, with the books closed at the present time.
  const Statistics& statistics();
  /// Latency from offer to last data beat of finished requests: share p (0 to 1) of them took no longer.
  sc_core::sc_time latency_percentile(Op op, double p);
  /// Null when the channel is timing only.
  memory::Storage* storage() { return storage_.get(); }
  Engine& engine() { return engine_; }

 protected:
  DramChannelBase(sc_core::sc_module_name name, const Config& config, Contents contents);

  std::optional<sc_core::sc_time> request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void blocking(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(tlm::tlm_generic_payload& payload);
  bool direct(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);

  virtual void accept_pending(const sc_core::sc_time& when) = 0;
  virtual void respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) = 0;

 private:
  void end_of_elaboration() override;
  void on_command(const Command& command) override { commands.write(command); }

  bool refuse(tlm::tlm_generic_payload& payload) const;
  void take(tlm::tlm_generic_payload& payload, Cycle at);
  std::uint64_t pin_bytes_of(const tlm::tlm_generic_payload& payload) const;
  void answered(const tlm::tlm_generic_payload& payload);
  void wake();
  void deliver_and_accept(Cycle at);
  void deliver();
  void schedule();

  sc_core::sc_time time_of(Cycle cycle) const {
    return sc_core::sc_time::from_value(static_cast<std::uint64_t>(config().time_ps(cycle)) * ps_value_);
  }
  Cycle edge_at_or_after(const sc_core::sc_time& time) const {
    const std::uint64_t ps = ps_value_ == 1 ? time.value() : (time.value() + ps_value_ - 1) / ps_value_;
    return config().cycle_at(static_cast<std::int64_t>(ps));
  }

  Engine engine_;
  std::unique_ptr<memory::Storage> storage_;
  std::uint64_t capacity_bytes_;
  int burst_shift_;         // log2 of the bytes of a burst
  Cycle tail_;              // least distance from a column command to the end of its data
  std::uint64_t ps_value_;  // a picosecond in units of the time resolution

  bus::Wakeup wakeup_;
  Cycle wake_at_ = kNever;                       // when it is due
  Cycle now_ = 0;                                // the engine's time: the latest cycle it was told
  tlm::tlm_generic_payload* waiting_ = nullptr;  // END_REQ withheld
  Cycle waiting_since_ = 0;
  bool delivering_ = false;
  ChannelCounts counts_;
};

/// BUSWIDTH in bits must match what is bound; it plays no part in timing.
template <unsigned BUSWIDTH = 32>
class DramChannel final : public DramChannelBase {
 public:
  bus::MemoryTarget<BUSWIDTH> tsock{"tsock"};

  /// The configuration must have been completed by Config::finish(). Throws config::InputError when the clock period is
  /// no multiple of the time resolution.
  DramChannel(sc_core::sc_module_name name, const Config& config, Contents contents)
      : DramChannelBase(name, config, contents) {
    tsock.owner_looks_at_attributes();
    tsock.on_request([this](auto& payload, const auto& arrival) { return request(payload, arrival); });
    tsock.on_blocking([this](auto& payload, auto& delay) { blocking(payload, delay); });
    tsock.on_debug([this](auto& payload) { return debug(payload); });
    tsock.on_dmi([this](auto& payload, auto& dmi) { return direct(payload, dmi); });
  }

 private:
  void accept_pending(const sc_core::sc_time& when) override { tsock.accept(when); }
  void respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) override {
    tsock.respond(payload, when);
  }
};

}  // namespace harmonia::dram
