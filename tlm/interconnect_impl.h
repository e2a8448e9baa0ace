// The inside of an interconnect, whose parts are three files: interconnect_at.cpp (approximately timed transport),
// interconnect_blocking.cpp (blocking and debug transport, direct memory access), interconnect_pool.cpp (the payloads).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/interconnect.h"
#include "harmonia/tlm/interconnect_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {

namespace interconnect {

/// A call that the protocol forbids; it has no effect.
inline void violation(const std::string& what) { SC_REPORT_ERROR("/harmonia/bus/interconnect", what.c_str()); }

inline sc_time from_now(const sc_time& when) {
  const sc_time& now = sc_core::sc_time_stamp();
  return when < now ? sc_core::SC_ZERO_TIME : when - now;
}

}  // namespace interconnect

class InterconnectCore::Impl {
 public:
  using sc_time = sc_core::sc_time;
  using Request = interconnect::Request;
  using Child = interconnect::Child;
  static void violation(const std::string& what) { interconnect::violation(what); }

  Impl(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
       std::vector<ForwardPort*> downstream);

  struct Upstream final : tlm::tlm_fw_transport_if<> {
    Upstream(Impl& impl, BackwardPort& port, unsigned index) : impl_(impl), port_(port), index_(index) {}
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_time& delay) override {
      if (phase == tlm::BEGIN_REQ) return impl_.begin_request(*this, payload, phase, delay);
      if (phase == tlm::END_RESP) return impl_.end_response(*this, payload, delay);
      if (is_base_phase(phase)) violation(on_path(phase, "forward"));
      return tlm::TLM_ACCEPTED;  // ignorable phase
    }
    void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) override { impl_.blocking(payload, delay); }
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override { return impl_.debug(payload); }
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override {
      return impl_.direct_memory(payload, dmi);
    }
    tlm::tlm_bw_transport_if<>& backward() {
      if (!backward_) backward_ = port_.operator->();
      return *backward_;
    }

    Impl& impl_;
    BackwardPort& port_;
    tlm::tlm_bw_transport_if<>* backward_ = nullptr;
    const unsigned index_;
    bool requesting_ = false;         // a request has not been accepted yet
    Request* held_ = nullptr;         // in its request phase until the queue has room for the next
    unsigned untaken_ = 0;            // requests of which targets have not taken every piece, as far as is known
    std::vector<sc_time> taken_at_;   // when the others were or will be taken: the latest, as many as the queue holds
    Ring<Request*> responses_;        // answered, wait for the response channel
    Request* in_response_ = nullptr;  // BEGIN_RESP sent, END_RESP not yet received
    sc_time response_free_at_;
  };

  struct Downstream final : tlm::tlm_bw_transport_if<> {
    Downstream(Impl& impl, ForwardPort& port, unsigned index, std::size_t initiators)
        : impl_(impl), port_(port), index_(index), waiting_(initiators) {}
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_time& delay) override {
      return impl_.backward(*this, payload, phase, delay);
    }
    void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
      impl_.invalidate(*this, start, end);
    }
    tlm::tlm_fw_transport_if<>& forward() {
      if (!forward_) forward_ = port_.operator->();
      return *forward_;
    }

    Impl& impl_;
    ForwardPort& port_;
    tlm::tlm_fw_transport_if<>* forward_ = nullptr;
    const unsigned index_;
    Child* current_ = nullptr;  // in its request phase
    sc_time free_at_;
    std::vector<Ring<Child*>> waiting_;  // by initiator, oldest first
    std::size_t waiting_count_ = 0;
    std::size_t next_ = 0;  // round robin: the initiator that is asked first
  };

  tlm::tlm_sync_enum begin_request(Upstream& port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                   sc_time& delay);
  tlm::tlm_sync_enum end_response(Upstream& port, tlm::tlm_generic_payload& payload, const sc_time& delay);
  tlm::tlm_sync_enum backward(Downstream& port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                              const sc_time& delay);
  void blocking(tlm::tlm_generic_payload& payload, sc_time& delay);
  unsigned debug(tlm::tlm_generic_payload& payload);
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  void invalidate(Downstream& port, std::uint64_t start, std::uint64_t end);

  AddressMap map_;
  std::vector<std::unique_ptr<Upstream>> upstream_;
  std::vector<std::unique_ptr<Downstream>> downstream_;
  InterconnectStatistics statistics_;

 private:
  /// The region, or null after setting the error status.
  const Region* decode(tlm::tlm_generic_payload& payload);
  Child& make_child(Request& request, const Region& region, const Interleave::Piece& piece, bool split) {
    statistics_.bytes_per_target[region.first_target + piece.channel] += piece.length_bytes;
    return transactions_.make_child(request, region, piece, split);
  }
  void submit(Child& child);
  void forward(Downstream& port, Child& child);
  void piece_accepted(Downstream& port, Child& child, const sc_time& when);
  void piece_answered(Child& child, const sc_time& when);
  sc_time upstream_accept(const Request& request) const;
  bool queue_has_room(const Upstream& port) const { return port.untaken_ < queue_requests_; }
  sc_time room_from(const Upstream& port, const Request& latest) const;
  void taken(Request& request);
  void deliver(Request& request);
  void send_responses(Upstream& port);
  void retire(Request& request);
  /// What may not be sent from within a target's call: the next requests of freed targets, and responses.
  void pump();
  void pass_on(Request& request);

  const sc_time request_latency_;
  const sc_time response_latency_;
  const sc_time issue_interval_;
  const unsigned queue_requests_;
  interconnect::Transactions transactions_;
  Wakeup wakeup_;
};

}  // namespace harmonia::bus
