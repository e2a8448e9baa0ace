#include "harmonia/tlm/target_core.h"

#include <algorithm>

namespace harmonia::bus {
namespace {

void complete_status(tlm::tlm_generic_payload& payload) {
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

sc_core::sc_time from_now(const sc_core::sc_time& when) {
  const sc_core::sc_time& now = sc_core::sc_time_stamp();
  return when < now ? sc_core::SC_ZERO_TIME : when - now;
}

}  // namespace

TargetCore::TargetCore(BackwardPort& port, bool accept_is_response)
    : port_(port),
      accept_is_response_(accept_is_response),
      wakeup_([this] { send_responses(); }),
      answered_(sc_core::sc_gen_unique_name("target_answered")),
      request_free_(sc_core::sc_gen_unique_name("target_request_free")) {}

tlm::tlm_sync_enum TargetCore::answer(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay,
                                      const std::optional<sc_core::sc_time>& accepted) {
  pending_ = nullptr;
  const std::optional<sc_core::sc_time> in_call = std::exchange(accepted_in_call_, std::nullopt);
  const std::optional<sc_core::sc_time> answered = std::exchange(answered_in_call_, std::nullopt);
  const std::optional<sc_core::sc_time> accept = accepted ? accepted : in_call;
  const bool response_channel_free = !in_response_ && responses_.empty();
  if (answered && !accept && response_channel_free) {  // answered without a separate acceptance: early completion
    complete_status(payload);
    delay = from_now(*answered);
    return tlm::TLM_COMPLETED;
  }
  if (accept_is_response_ && response_channel_free) {
    complete_status(payload);
    delay = from_now(*accept);
    return tlm::TLM_COMPLETED;
  }
  phase = tlm::END_REQ;
  delay = from_now(accept ? *accept : *answered);
  payload.acquire();
  if (accept_is_response_ || answered) {
    complete_status(payload);
    responses_.push({PayloadPtr::adopt(&payload), accept_is_response_ ? *accept : *answered});
    wakeup_.next_delta();
  }
  return tlm::TLM_UPDATED;
}

tlm::tlm_sync_enum TargetCore::other_phase(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                           sc_core::sc_time& delay) {
  if (!is_base_phase(phase)) return tlm::TLM_ACCEPTED;  // ignorable phase
  if (phase != tlm::END_RESP) {
    SC_REPORT_ERROR("/harmonia/bus/target", on_path(phase, "forward").c_str());
    return tlm::TLM_ACCEPTED;
  }
  if (in_response_ != &payload) {
    SC_REPORT_ERROR("/harmonia/bus/target", "END_RESP for a transaction that is not in its response phase");
    return tlm::TLM_COMPLETED;
  }
  response_free_at_ = sc_core::sc_time_stamp() + delay;
  in_response_ = nullptr;
  if (!sending_) payload.release();  // otherwise the sender still holds the reference
  if (!responses_.empty() && !sending_) wakeup_.next_delta();
  return tlm::TLM_COMPLETED;
}

tlm::tlm_sync_enum TargetCore::refuse(tlm::tlm_generic_payload& payload) {
  payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  SC_REPORT_ERROR("/harmonia/bus/target", pending_ ? "BEGIN_REQ before the previous request was accepted"
                                                   : "BEGIN_REQ with a payload that has no memory manager");
  return tlm::TLM_COMPLETED;
}

void TargetCore::free_request_channel() {
  pending_ = nullptr;
  pending_blocks_ = false;
  if (callers_waiting_ != 0) request_free_.notify(sc_core::SC_ZERO_TIME);
}

void TargetCore::accept(const sc_core::sc_time& earliest) {
  if (!pending_) {
    SC_REPORT_ERROR("/harmonia/bus/target", "accept() without a pending request");
    return;
  }
  if (in_call_) {
    accepted_in_call_ = std::max(earliest, pending_arrival_);
    return;
  }
  tlm::tlm_generic_payload& payload = *pending_;
  const sc_core::sc_time when = std::max(earliest, pending_arrival_);
  const bool by_blocking_call = pending_blocks_;
  free_request_channel();
  if (by_blocking_call) {
    if (accept_is_response_) answer_blocking(payload, when);
    return;
  }
  if (accept_is_response_) {
    const bool channel_free = !in_response_ && responses_.empty() && !sending_;
    responses_.push({PayloadPtr::adopt(&payload), when});
    if (channel_free) {
      send_responses();  // BEGIN_RESP implies END_REQ
      return;
    }
  }
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = from_now(when);
  backward()->nb_transport_bw(payload, phase, delay);
}

void TargetCore::respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  if (in_call_ && pending_ == &payload) {
    answered_in_call_ = when;
    return;
  }
  if (!waiting_.empty() && answer_blocking(payload, when)) {
    if (pending_ == &payload) free_request_channel();
    return;
  }
  complete_status(payload);
  responses_.push({PayloadPtr::adopt(&payload), when});
  if (in_call_)
    wakeup_.next_delta();  // the opposite path is not called from within a call
  else
    send_responses();
}

void TargetCore::send_responses() {
  if (sending_) return;
  while (!in_response_ && !responses_.empty()) {
    if (in_call_) {
      wakeup_.next_delta();
      return;
    }
    Response next = responses_.pop();
    tlm::tlm_generic_payload& payload = *next.payload;
    if (pending_ == &payload) free_request_channel();  // END_REQ skipped
    complete_status(payload);
    in_response_ = &payload;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = from_now(std::max(next.when, response_free_at_));
    const sc_core::sc_time begin = delay;
    sending_ = true;
    const tlm::tlm_sync_enum status = backward()->nb_transport_bw(payload, phase, delay);
    sending_ = false;
    if (status == tlm::TLM_UPDATED && phase != tlm::END_RESP)
      SC_REPORT_ERROR("/harmonia/bus/target",
                      ("TLM_UPDATED with " + on_path(phase, "return") + " of BEGIN_RESP").c_str());
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP)) {
      // Only an initiator that took time keeps the channel: answers known ahead may come in any order of their times.
      if (delay > begin) response_free_at_ = sc_core::sc_time_stamp() + delay;
      in_response_ = nullptr;
    }
    if (in_response_) next.payload.detach();  // the reference lives until END_RESP
  }
}

bool TargetCore::answer_blocking(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  for (Waiting& call : waiting_) {
    if (call.payload != &payload || call.when) continue;
    call.when = when;
    answered_.notify(sc_core::SC_ZERO_TIME);
    return true;
  }
  return false;
}

void TargetCore::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (answered_at_once(payload)) return;
  if (blocking_) {
    blocking_(payload, delay);
    complete_status(payload);
    return;
  }
  while (pending_) {  // a request that came by another thread, or by nb_transport, is still being taken
    const sc_core::sc_time due = sc_core::sc_time_stamp() + delay;
    ++callers_waiting_;
    sc_core::wait(request_free_);
    --callers_waiting_;
    delay = from_now(due);
  }
  pending_ = &payload;
  pending_arrival_ = sc_core::sc_time_stamp() + delay;
  const std::optional<sc_core::sc_time> returned = ask_owner(payload);
  const std::optional<sc_core::sc_time> in_call = std::exchange(accepted_in_call_, std::nullopt);
  std::optional<sc_core::sc_time> answered = std::exchange(answered_in_call_, std::nullopt);
  const std::optional<sc_core::sc_time> accepted = returned ? returned : in_call;
  if (accepted || answered) pending_ = nullptr;
  if (accept_is_response_ && accepted) answered = accepted;
  if (!answered) {
    pending_blocks_ = pending_ != nullptr;
    waiting_.push_back({&payload, std::nullopt});
    for (;;) {
      const auto mine =
          std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& call) { return call.payload == &payload; });
      if (mine->when) {
        answered = mine->when;
        waiting_.erase(mine);
        break;
      }
      sc_core::wait(answered_);
    }
  }
  complete_status(payload);
  delay = from_now(*answered);
}

bool TargetCore::get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  if (dmi_) return dmi_(payload, dmi);
  dmi.init();
  dmi.set_start_address(0);
  dmi.set_end_address(~sc_dt::uint64{0});
  return false;
}

}  // namespace harmonia::bus
