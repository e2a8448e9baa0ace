// DMA engines as SystemC modules: DmaReader moves memory to a stream, DmaWriter a stream to memory.
//
// Models: a command socket with a deep descriptor queue (a full queue withholds END_REQ), one memory request a cycle, a
// bounded number of transactions under way each with a buffer slot of its own, in-order delivery to the stream whatever
// the order of the memory's answers. Descriptors follow each other without a gap: the requests of the next operation
// are issued while the answers of the last are still coming. Back-pressure from the stream holds slots, and with all
// slots held no request is issued. A writer's slots are filled from the stream, chunk borders and transaction borders
// being independent. Does not model: reordering of requests by the engine, cancellation of descriptors, ordering
// between two engines.
//
// Time: requests are sent at their time (one event a request), so that several engines at one memory are served in the
// order of simulated time; answers and chunks are passed on at once with annotated times. A chunk's ready time is the
// answer's time, at the next clock edge, plus latency_cycles. Functional and timing-only transfers take the same time.
// Loosely timed (DmaTiming::kLoose): blocking calls from a thread that runs up to quantum_ps ahead; the same slots and
// the same recurrence, so the difference to the approximate timing is that of the memory's own b_transport.
//
// Commands: a TLM write of an encoded DmaDescriptor (dma.h). Its response comes when it is queued, or, on request, when
// the whole transfer is complete: for a reader when the stream took the last chunk, for a writer when the memory
// answered the last write. The port `completed` tells of every transfer either way. A descriptor with a field that is
// wrong, the direction included, is answered with TLM_GENERIC_ERROR_RESPONSE, and a report names the field (also in
// last_refusal()). A chunk to a writer that is more than its descriptor has left, or differs in data_valid from the rest
// of its transaction, is answered with TLM_BURST_ERROR_RESPONSE and a report, and moves nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/hw/memory/dma.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::memory {

/// A transfer is complete.
struct DmaCompletion {
  std::uint64_t tag = 0;
  std::uint32_t operation = 0;
  std::uint64_t bytes = 0;
  sc_core::sc_time when;  // may lie in the future of the call
};

/// Descriptor queue, clock and process of both engines.
class DmaBase : public sc_core::sc_module {
 public:
  bus::MemoryTarget<> command_tsock{"command_tsock"};
  tlm::tlm_analysis_port<DmaCompletion> completed{"completed"};

  const DmaConfig& config() const { return config_; }
  const DmaStatistics& statistics() const { return statistics_; }
  /// No descriptor is queued or under way.
  bool idle() const { return transfers_.empty(); }
  std::size_t queued_descriptors() const { return queue_.size(); }
  /// Why the last refused descriptor was refused.
  const std::string& last_refusal() const { return last_refusal_; }

 protected:
  DmaBase(sc_core::sc_module_name name, const DmaConfig& config, DmaDirection direction);

  bus::Style style() const {
    return config_.timing == DmaTiming::kLoose ? bus::Style::loosely_timed : bus::Style::approximately_timed;
  }
  sc_core::sc_time time_of(Cycle cycle) const { return sc_core::sc_time::from_value(cycle * period_value_); }
  Cycle edge_at_or_after(const sc_core::sc_time& time) const {
    return (time.value() + period_value_ - 1) / period_value_;
  }
  /// The latest cycle for which requests may be sent now.
  Cycle horizon() const { return edge_at_or_after(sc_core::sc_time_stamp()) + lookahead_; }
  /// Runs step() at that cycle (next delta cycle if that is past) unless it runs before.
  void run_at(Cycle cycle);

  /// Makes the next descriptor the current one; false when the queue is empty.
  bool next_plan();
  bool plan_active() const { return plan_active_; }
  void plan_finished() { plan_active_ = false; }
  void complete(std::size_t transfer, Cycle when);
  bus::PayloadPtr make_payload(tlm::tlm_command command, const DmaTransaction& transaction, bool data);
  void check_answer(const tlm::tlm_generic_payload& payload);

  /// What can be done up to horizon(); calls run_at() for what cannot.
  virtual void step() = 0;

  DmaConfig config_;
  DmaStatistics statistics_;
  DmaPlan plan_;
  Cycle plan_from_ = 0;            // the current descriptor's first request is not before this
  std::uint64_t plan_number_ = 0;  // counts descriptors, from 1
  bus::PayloadPool pool_;

 private:
  SC_HAS_PROCESS(DmaBase);
  struct Queued {
    DmaDescriptor descriptor;
    Cycle from = 0;
  };
  struct Transfer {
    tlm::tlm_generic_payload* command = nullptr;  // to be answered on completion
    std::uint64_t tag = 0;
    std::uint32_t operation = 0;
    std::uint64_t bytes = 0;
    bool done = false;
  };

  std::optional<sc_core::sc_time> command(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  bool enqueue(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void run_method();
  void run_thread();

  const DmaDirection direction_;
  std::uint64_t period_value_;
  Cycle lookahead_;
  sc_core::sc_event woken_;  // of the thread
  bus::Wakeup wakeup_;
  sc_core::sc_time event_at_;
  bool event_set_ = false;
  sc_core::sc_time waiting_since_;  // arrival of the command that waits for a place
  bus::Ring<Queued> queue_;
  bus::Ring<Transfer> transfers_;     // accepted and not complete, oldest first
  std::uint64_t first_transfer_ = 1;  // number of the oldest
  bool plan_active_ = false;
  std::string last_refusal_;
};

/// Memory to stream, independent of the sockets' widths.
class DmaReaderBase : public DmaBase {
 protected:
  DmaReaderBase(sc_core::sc_module_name name, const DmaConfig& config);

  virtual std::optional<sc_core::sc_time> send_memory(bus::PayloadPtr payload, const sc_core::sc_time& when) = 0;
  virtual std::optional<sc_core::sc_time> send_stream(bus::PayloadPtr payload, const sc_core::sc_time& when) = 0;
  void memory_accepted(const sc_core::sc_time& when);
  void memory_answered(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  void stream_accepted(const sc_core::sc_time& when);

 private:
  struct Slot {
    bus::PayloadPtr payload;
    std::uint64_t transfer = 0;
    std::uint64_t offset = 0;  // of its first byte in the descriptor's bytes
    bool last = false;
    bool answered = false;
    bool begins_tile = false;
    bool ends_tile = false;
    Cycle ready = 0;  // data at the output
    Cycle free = 0;   // taken by the stream
  };

  void step() override;
  Cycle issue_cycles(const DmaDescriptor& descriptor, const DmaTransaction& transaction, Cycle start);
  void deliver();
  Slot& slot(std::uint64_t number) { return slots_[number % slots_.size()]; }

  std::vector<Slot> slots_;
  std::uint64_t issued_ = 0;     // transactions 0 .. issued_ - 1 were requested,
  std::uint64_t delivered_ = 0;  // .. delivered_ - 1 sent to the stream,
  std::uint64_t taken_ = 0;      // .. taken_ - 1 taken by it, as far as is known
  std::uint64_t offset_ = 0;
  bool awaiting_accept_ = false;
  bool delivering_ = false;
  bool stepping_ = false;
  Cycle port_free_ = 0;    // the issue port's next cycle
  double pace_next_ = 0;   // cycle from which the rate of a descriptor allows the next transaction
  Cycle memory_free_ = 0;  // the previous request was accepted
};

/// Stream to memory, independent of the sockets' widths.
class DmaWriterBase : public DmaBase {
 protected:
  DmaWriterBase(sc_core::sc_module_name name, const DmaConfig& config);

  virtual std::optional<sc_core::sc_time> send_memory(bus::PayloadPtr payload, const sc_core::sc_time& when) = 0;
  virtual void accept_chunk(const sc_core::sc_time& when) = 0;
  virtual const char* stream_name() const = 0;
  std::optional<sc_core::sc_time> chunk(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void memory_accepted(const sc_core::sc_time& when);
  void memory_answered(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);

 private:
  struct Filled {
    bus::PayloadPtr payload;
    Cycle ready = 0;
  };
  struct Progress {  // of one transfer
    std::uint64_t unanswered = 0;
    bool all_sent = false;
    Cycle last_answer = 0;
  };

  void step() override;
  std::string chunk_fault() const;
  bool take_chunk();
  void issue();
  Progress& progress(std::uint64_t transfer) { return progress_[transfer - first_progress_]; }

  bus::Ring<Filled> filled_;
  bus::Ring<Cycle> free_slots_;  // when each became free
  bus::Ring<Progress> progress_;
  std::uint64_t first_progress_ = 1;

  tlm::tlm_generic_payload* chunk_ = nullptr;  // being taken
  unsigned chunk_done_ = 0;                    // bytes of it that were taken
  Cycle chunk_arrival_ = 0;
  Cycle fill_free_ = 0;  // the port at the stream is free

  bus::PayloadPtr filling_;  // transaction under way
  unsigned filled_bytes_ = 0;

  bool awaiting_accept_ = false;
  Cycle issue_free_ = 0;
};

/// BUSWIDTH: of the memory socket; STREAMWIDTH: of the stream. In bits, without effect on timing.
template <unsigned BUSWIDTH = 32, unsigned STREAMWIDTH = 32>
class DmaReader final : public DmaReaderBase {
 public:
  bus::MemoryInitiator<BUSWIDTH> memory_isock{"memory_isock"};
  bus::StreamSource<STREAMWIDTH> stream_isock{"stream_isock"};

  DmaReader(sc_core::sc_module_name name, const DmaConfig& config) : DmaReaderBase(name, config) {
    memory_isock.set_style(style());
    memory_isock.on_accepted([this](auto&, const auto& when) { memory_accepted(when); });
    memory_isock.on_response([this](auto& payload, const auto& when) { memory_answered(payload, when); });
    stream_isock.set_style(style());
    stream_isock.on_accepted([this](auto&, const auto& when) { stream_accepted(when); });
  }

 private:
  std::optional<sc_core::sc_time> send_memory(bus::PayloadPtr payload, const sc_core::sc_time& when) override {
    return memory_isock.send(std::move(payload), when);
  }
  std::optional<sc_core::sc_time> send_stream(bus::PayloadPtr payload, const sc_core::sc_time& when) override {
    return stream_isock.send(std::move(payload), when);
  }
};

template <unsigned BUSWIDTH = 32, unsigned STREAMWIDTH = 32>
class DmaWriter final : public DmaWriterBase {
 public:
  bus::StreamSink<STREAMWIDTH> stream_tsock{"stream_tsock"};
  bus::MemoryInitiator<BUSWIDTH> memory_isock{"memory_isock"};

  DmaWriter(sc_core::sc_module_name name, const DmaConfig& config) : DmaWriterBase(name, config) {
    memory_isock.set_style(style());
    memory_isock.on_accepted([this](auto&, const auto& when) { memory_accepted(when); });
    memory_isock.on_response([this](auto& payload, const auto& when) { memory_answered(payload, when); });
    stream_tsock.on_chunk([this](auto& payload, const auto& arrival) { return chunk(payload, arrival); });
  }

 private:
  std::optional<sc_core::sc_time> send_memory(bus::PayloadPtr payload, const sc_core::sc_time& when) override {
    return memory_isock.send(std::move(payload), when);
  }
  void accept_chunk(const sc_core::sc_time& when) override { stream_tsock.accept(when); }
  const char* stream_name() const override { return stream_tsock.name(); }
};

}  // namespace harmonia::memory
