// The target's half of the base protocol, shared by stream sinks and memory targets.
//
// Models: one request at a time until it is accepted (END_REQ withheld is the back-pressure), responses in whatever
// order the owner gives them, one response at a time until the initiator ends it (IEEE 1666-2011, 15.2: the request and
// response exclusion rules). Short cuts taken: TLM_COMPLETED and TLM_UPDATED when the answer is known at once,
// BEGIN_RESP without END_REQ when it is not. Every answer of a foreign initiator is handled. A request whose attributes
// break a rule is answered at once and never comes to the owner; a call that breaks the protocol is an SC_REPORT_ERROR and
// has no other effect. Does not model: data; how long anything takes (the owner says so).
#pragma once

#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {

class TargetCore final : public tlm::tlm_fw_transport_if<> {
 public:
  using BackwardPort = sc_core::sc_port_b<tlm::tlm_bw_transport_if<>>;
  using OnRequest = std::function<std::optional<sc_core::sc_time>(tlm::tlm_generic_payload&, const sc_core::sc_time&)>;
  using OnBlocking = std::function<void(tlm::tlm_generic_payload&, sc_core::sc_time&)>;
  using OnDebug = std::function<unsigned(tlm::tlm_generic_payload&)>;
  using OnDmi = std::function<bool(tlm::tlm_generic_payload&, tlm::tlm_dmi&)>;

  /// accept_is_response: acceptance completes the transaction (streams).
  TargetCore(BackwardPort& port, bool accept_is_response);

  void on_request(OnRequest callback) { request_ = std::move(callback); }
  void on_blocking(OnBlocking callback) { blocking_ = std::move(callback); }
  void on_debug(OnDebug callback) { debug_ = std::move(callback); }
  void on_dmi(OnDmi callback) { dmi_ = std::move(callback); }
  /// The owner asks answer_to_attributes() itself, because it counts or times what it refuses.
  void owner_looks_at_attributes() { owner_looks_ = true; }

  void accept(const sc_core::sc_time& when);
  void respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  tlm::tlm_generic_payload* pending() const { return pending_; }
  tlm::tlm_bw_transport_if<>* backward() {
    if (!backward_) backward_ = port_.operator->();
    return backward_;
  }

  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (phase != tlm::BEGIN_REQ) return other_phase(payload, phase, delay);
    if (pending_ || !payload.has_mm()) return refuse(payload);
    if (answered_at_once(payload)) return tlm::TLM_COMPLETED;
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    pending_ = &payload;
    pending_arrival_ = now + delay;
    std::optional<sc_core::sc_time> accepted = ask_owner(payload);
    if (!accepted && !accepted_in_call_ && !answered_in_call_) {
      payload.acquire();
      return tlm::TLM_ACCEPTED;
    }
    if (accept_is_response_ && accepted && !accepted_in_call_ && !in_response_ && responses_.empty()) {
      pending_ = nullptr;
      if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
      delay = *accepted - now;
      return tlm::TLM_COMPLETED;
    }
    return answer(payload, phase, delay, accepted);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(tlm::tlm_generic_payload& payload) override {
    return debug_ && payload.get_data_ptr() != nullptr ? debug_(payload) : 0;
  }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;

 private:
  struct Response {
    PayloadPtr payload;
    sc_core::sc_time when;
  };
  struct Waiting {  // a blocking call that sleeps until it is answered
    tlm::tlm_generic_payload* payload;
    std::optional<sc_core::sc_time> when;
  };

  tlm::tlm_sync_enum answer(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay,
                            const std::optional<sc_core::sc_time>& accepted);
  tlm::tlm_sync_enum other_phase(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  tlm::tlm_sync_enum refuse(tlm::tlm_generic_payload& payload);
  /// Clears what an earlier use left in the response status. True: the attributes alone have answered the request.
  bool answered_at_once(tlm::tlm_generic_payload& payload) {
    const tlm::tlm_response_status status = owner_looks_ ? tlm::TLM_INCOMPLETE_RESPONSE : answer_to_attributes(payload);
    payload.set_response_status(status);
    return status != tlm::TLM_INCOMPLETE_RESPONSE;
  }
  std::optional<sc_core::sc_time> ask_owner(tlm::tlm_generic_payload& payload) {
    in_call_ = true;
    try {
      std::optional<sc_core::sc_time> accepted = request_(payload, pending_arrival_);
      in_call_ = false;
      return accepted;
    } catch (...) {
      in_call_ = false;
      pending_ = nullptr;
      throw;
    }
  }
  void free_request_channel();
  void send_responses();
  bool answer_blocking(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);

  BackwardPort& port_;
  tlm::tlm_bw_transport_if<>* backward_ = nullptr;
  const bool accept_is_response_;
  OnRequest request_;
  OnBlocking blocking_;
  OnDebug debug_;
  OnDmi dmi_;
  bool owner_looks_ = false;

  tlm::tlm_generic_payload* pending_ = nullptr;  // in its request phase
  sc_core::sc_time pending_arrival_;
  bool pending_blocks_ = false;  // it came by b_transport
  bool in_call_ = false;
  std::optional<sc_core::sc_time> accepted_in_call_;
  std::optional<sc_core::sc_time> answered_in_call_;  // respond() for the very request being passed in

  Ring<Response> responses_;
  tlm::tlm_generic_payload* in_response_ = nullptr;  // in its response phase
  bool sending_ = false;
  sc_core::sc_time response_free_at_;
  Wakeup wakeup_;

  std::vector<Waiting> waiting_;
  sc_core::sc_event answered_;
  unsigned callers_waiting_ = 0;  // blocking calls that wait for the request channel
  sc_core::sc_event request_free_;
};

}  // namespace harmonia::bus
