#include "harmonia/tlm/initiator_core.h"

#include <algorithm>
#include <sstream>

#include "harmonia/tlm/attributes.h"

namespace harmonia::bus {

InitiatorCore::InitiatorCore(ForwardPort& port, bool pipelined)
    : port_(port), pipelined_(pipelined), wakeup_([this] { pump(); }) {}

std::optional<sc_core::sc_time> InitiatorCore::issued(PayloadPtr payload, tlm::tlm_sync_enum status,
                                                      const tlm::tlm_phase& phase, const sc_core::sc_time& start,
                                                      const sc_core::sc_time& when) {
  if (answered_in_call_) {  // nobody needs the reference any more
    answered_in_call_ = false;
    if (status != tlm::TLM_ACCEPTED)
      SC_REPORT_ERROR("/harmonia/bus/initiator", "a target responded from within the call and by its return value");
    return std::nullopt;
  }
  if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
    free_at_ = std::max(start, when);
    current_ = nullptr;
    under_way_.push_back(payload.detach());  // the reference lives until the response
    return free_at_;
  }
  if (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP) {
    free_at_ = std::max(start, when);
    current_ = nullptr;
    tlm::tlm_phase end = tlm::END_RESP;
    sc_core::sc_time delay = free_at_ - sc_core::sc_time_stamp();
    forward()->nb_transport_fw(*payload, end, delay);
    finish(*payload, free_at_);
    return free_at_;
  }
  // ACCEPTED. A target that called back before it returned has already moved current_ on.
  under_way_.push_back(payload.detach());
  if (status == tlm::TLM_UPDATED)
    SC_REPORT_ERROR("/harmonia/bus/initiator",
                    ("TLM_UPDATED with " + on_path(phase, "return") + " of BEGIN_REQ").c_str());
  return std::nullopt;
}

std::optional<sc_core::sc_time> InitiatorCore::issue_blocking(PayloadPtr payload, const sc_core::sc_time& ready) {
  sc_core::sc_time start = std::max(ready, sc_core::sc_time_stamp());
  const auto later = [](const sc_core::sc_time& a, const sc_core::sc_time& b) { return b < a; };
  if (!pipelined_) {
    start = std::max(start, free_at_);
  } else if (max_outstanding_ != 0 && completions_.size() == max_outstanding_) {
    // Every place is taken: this request starts when the earliest of them is answered.
    std::pop_heap(completions_.begin(), completions_.end(), later);
    start = std::max(start, completions_.back());
    completions_.pop_back();
  }
  sc_core::sc_time delay = start - sc_core::sc_time_stamp();
  ++outstanding_;
  in_call_ = true;
  forward()->b_transport(*payload, delay);
  in_call_ = false;
  const sc_core::sc_time done = sc_core::sc_time_stamp() + delay;
  if (pipelined_ && max_outstanding_ != 0) {
    completions_.push_back(done);
    std::push_heap(completions_.begin(), completions_.end(), later);
  }
  const sc_core::sc_time accepted = pipelined_ ? start : done;
  free_at_ = accepted;
  finish(*payload, done);
  return accepted;
}

tlm::tlm_sync_enum InitiatorCore::nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                  sc_core::sc_time& delay) {
  if (!is_base_phase(phase)) return tlm::TLM_ACCEPTED;  // ignorable phase
  if (phase != tlm::END_REQ && phase != tlm::BEGIN_RESP) {
    SC_REPORT_ERROR("/harmonia/bus/initiator", on_path(phase, "backward").c_str());
    return tlm::TLM_ACCEPTED;
  }
  const bool in_its_call = calling_ == &payload && !answered_in_call_;
  if (phase == tlm::END_REQ && current_ != &payload) {
    SC_REPORT_ERROR("/harmonia/bus/initiator", "END_REQ for a transaction that is not in its request phase");
    return tlm::TLM_ACCEPTED;
  }
  if (phase == tlm::BEGIN_RESP && !in_its_call) {
    const auto known = std::find(under_way_.begin(), under_way_.end(), &payload);
    if (known == under_way_.end()) {
      SC_REPORT_ERROR("/harmonia/bus/initiator", "BEGIN_RESP for a transaction that is not under way");
      return tlm::TLM_COMPLETED;
    }
    under_way_.erase(known);
  }
  const bool nested = in_call_;
  const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
  in_call_ = true;  // what the callbacks send waits: the opposite path is not called from within this one
  if (current_ == &payload) {
    current_ = nullptr;
    free_at_ = std::max(free_at_, when);
    if (accepted_) accepted_(payload, when);
  }
  const bool response = phase == tlm::BEGIN_RESP;
  if (response) {
    if (in_its_call) answered_in_call_ = true;
    const PayloadPtr owned = in_its_call ? PayloadPtr(payload) : PayloadPtr::adopt(&payload);
    finish(payload, when);
  }
  in_call_ = nested;
  if (!queue_.empty() && !nested) wakeup_.next_delta();
  if (!response) return tlm::TLM_ACCEPTED;
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

void InitiatorCore::pump() {
  if (pumping_) return;
  pumping_ = true;
  while (!queue_.empty() && can_issue()) {
    Queued next = queue_.pop();
    const PayloadPtr payload = next.payload;
    const std::optional<sc_core::sc_time> accepted = issue(std::move(next.payload), next.ready);
    if (accepted && accepted_) accepted_(*payload, *accepted);
  }
  pumping_ = false;
}

void InitiatorCore::report(const tlm::tlm_generic_payload& payload) const {
  std::ostringstream text;
  text << payload.get_response_string() << " for " << (payload.is_read() ? "a read" : "a write") << " of "
       << payload.get_data_length() << " bytes at 0x" << std::hex << payload.get_address() << ", sent by "
       << port_.name();
  SC_REPORT_ERROR("/harmonia/bus/initiator", text.str().c_str());
}

}  // namespace harmonia::bus
