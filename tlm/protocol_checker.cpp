#include "harmonia/tlm/protocol_checker.h"

#include <algorithm>
#include <array>
#include <sstream>

namespace harmonia::bus {

const char* name_of(Rule rule) {
  constexpr std::array<const char*, 13> names = {"phase on the wrong path", "phase order",        "unknown transaction",
                                                 "request exclusion",       "response exclusion", "time backwards",
                                                 "payload changed",         "payload reused",     "request attributes",
                                                 "response status",         "return value",       "memory management",
                                                 "lost transaction"};
  return names[static_cast<std::size_t>(rule)];
}

void ProtocolRules::violate(Rule rule, const tlm::tlm_generic_payload& payload, const char* what) {
  ++violations_;
  std::ostringstream text;
  text << name_ << ": " << name_of(rule) << ": " << what << " ("
       << (payload.is_read()    ? "read"
           : payload.is_write() ? "write"
                                : "ignore")
       << " of " << payload.get_data_length() << " bytes at 0x" << std::hex << payload.get_address() << ", "
       << sc_core::sc_time_stamp() << ")";
  if (handler_)
    handler_(rule, text.str());
  else
    SC_REPORT_ERROR("/harmonia/bus/protocol", text.str().c_str());
}

ProtocolRules::Open* ProtocolRules::find(const tlm::tlm_generic_payload& payload) {
  for (Open& open : open_)
    if (open.payload == &payload) return &open;
  return nullptr;
}

void ProtocolRules::close(const tlm::tlm_generic_payload& payload) {
  if (requesting_ == &payload) requesting_ = nullptr;
  if (responding_ == &payload) responding_ = nullptr;
  if (Open* open = find(payload)) {
    *open = open_.back();
    open_.pop_back();
    ++completed_;
  }
}

void ProtocolRules::check_request(const tlm::tlm_generic_payload& payload) {
  const bool moves_data = payload.get_command() != tlm::TLM_IGNORE_COMMAND;
  if (moves_data && payload.get_data_length() == 0) violate(Rule::request_attributes, payload, "data length 0");
  if (moves_data && !payload.get_data_ptr()) violate(Rule::request_attributes, payload, "no data pointer");
  if (payload.get_streaming_width() == 0) violate(Rule::request_attributes, payload, "streaming width 0");
  if (payload.get_address() + std::min(payload.get_data_length(), payload.get_streaming_width()) <
      payload.get_address() + (payload.get_data_length() != 0 ? 1 : 0))
    violate(Rule::request_attributes, payload, "runs past the end of the address space");
  if (const unsigned char* enables = payload.get_byte_enable_ptr()) {
    if (payload.get_byte_enable_length() == 0)
      violate(Rule::request_attributes, payload, "byte enables of length 0");
    else if (!std::all_of(enables, enables + payload.get_byte_enable_length(), [](unsigned char enable) {
               return enable == TLM_BYTE_DISABLED || enable == TLM_BYTE_ENABLED;
             }))
      violate(Rule::request_attributes, payload, "a byte enable that is neither 0 nor 0xff");
  }
  if (payload.get_response_status() != tlm::TLM_INCOMPLETE_RESPONSE)
    violate(Rule::request_attributes, payload, "the response status is not INCOMPLETE");
  if (payload.is_dmi_allowed()) violate(Rule::request_attributes, payload, "the DMI hint is set");
}

void ProtocolRules::check_unchanged(const Open& open) {
  const tlm::tlm_generic_payload& payload = *open.payload;
  if (payload.get_command() != open.command || payload.get_data_ptr() != open.data ||
      payload.get_data_length() != open.length || payload.get_streaming_width() != open.streaming_width ||
      payload.get_byte_enable_ptr() != open.byte_enables ||
      (open.byte_enables && payload.get_byte_enable_length() != open.byte_enable_length) ||
      (!address_may_change_ && payload.get_address() != open.address))
    violate(Rule::payload_changed, payload, "an attribute changed after BEGIN_REQ");
}

void ProtocolRules::check_time(Open& open, const sc_core::sc_time& when) {
  if (when < open.last) violate(Rule::time_backwards, *open.payload, "earlier than the phase before");
  open.last = std::max(open.last, when);
}

void ProtocolRules::advance(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase,
                            const sc_core::sc_time& when) {
  Open* open = find(payload);
  if (!open) {
    violate(Rule::unknown_transaction, payload, phase.get_name());
    return;
  }
  check_unchanged(*open);
  check_time(*open, when);
  if (phase == tlm::END_REQ) {
    if (open->state != State::requesting) violate(Rule::phase_order, payload, "END_REQ after the request phase");
    if (open->state == State::requesting) open->state = State::accepted;
    if (requesting_ == &payload) requesting_ = nullptr;
  } else if (phase == tlm::BEGIN_RESP) {
    if (open->state == State::responding) violate(Rule::phase_order, payload, "a second BEGIN_RESP");
    if (responding_ && responding_ != &payload)
      violate(Rule::response_exclusion, payload, "BEGIN_RESP before the END_RESP of another response");
    if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
      violate(Rule::response_status, payload, "BEGIN_RESP with status INCOMPLETE");
    if (requesting_ == &payload) requesting_ = nullptr;
    open->state = State::responding;
    responding_ = &payload;
  } else if (phase == tlm::END_RESP) {
    if (open->state != State::responding) violate(Rule::phase_order, payload, "END_RESP before BEGIN_RESP");
    close(payload);
  }
}

void ProtocolRules::before(bool forward, const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase,
                           const sc_core::sc_time& delay) {
  const unsigned id = phase;
  if (id > tlm::END_RESP) return;  // ignorable
  const bool goes_forward = id == tlm::BEGIN_REQ || id == tlm::END_RESP;
  if (id == tlm::UNINITIALIZED_PHASE || goes_forward != forward) {
    violate(Rule::phase_on_wrong_path, payload, phase.get_name());
    return;
  }
  if (!payload.has_mm() || payload.get_ref_count() < 1)
    violate(Rule::memory_management, payload, "nb_transport needs a memory manager and a reference");
  const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
  if (id != tlm::BEGIN_REQ) {
    advance(payload, phase, when);
    return;
  }
  ++begun_;
  if (find(payload)) {
    violate(Rule::payload_reused, payload, "BEGIN_REQ while the payload is under way");
    return;
  }
  if (requesting_) violate(Rule::request_exclusion, payload, "BEGIN_REQ before the END_REQ of another request");
  check_request(payload);
  requesting_ = &payload;
  open_.push_back({&payload, State::requesting, when, payload.get_command(), payload.get_address(),
                   payload.get_data_ptr(), payload.get_data_length(), payload.get_streaming_width(),
                   payload.get_byte_enable_ptr(), payload.get_byte_enable_length()});
}

void ProtocolRules::after(bool forward, const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& called,
                          const tlm::tlm_phase& phase, tlm::tlm_sync_enum status, const sc_core::sc_time& delay) {
  const unsigned id = called;
  if (id > tlm::END_RESP || id == tlm::UNINITIALIZED_PHASE) return;
  if (forward != (id == tlm::BEGIN_REQ || id == tlm::END_RESP)) return;  // reported before the call
  const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
  if (status == tlm::TLM_ACCEPTED) {
    if (phase != called) violate(Rule::return_value, payload, "TLM_ACCEPTED with a changed phase");
    return;
  }
  if (status == tlm::TLM_UPDATED) {
    const bool legal = (id == tlm::BEGIN_REQ && (phase == tlm::END_REQ || phase == tlm::BEGIN_RESP)) ||
                       (id == tlm::BEGIN_RESP && phase == tlm::END_RESP);
    if (!legal)
      violate(Rule::return_value, payload, "TLM_UPDATED with a phase that may not follow");
    else
      advance(payload, phase, when);
    return;
  }
  // TLM_COMPLETED
  if (id == tlm::END_RESP) return;
  if (id == tlm::END_REQ) {
    violate(Rule::return_value, payload, "TLM_COMPLETED for END_REQ");
    return;
  }
  Open* open = find(payload);
  if (!open) return;  // reported already
  check_unchanged(*open);
  check_time(*open, when);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
    violate(Rule::response_status, payload, "completed with status INCOMPLETE");
  close(payload);
}

void ProtocolRules::before_blocking(const tlm::tlm_generic_payload& payload, const sc_core::sc_time&) {
  ++begun_;
  check_request(payload);
}

void ProtocolRules::after_blocking(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& started) {
  ++completed_;
  if (started == sc_core::sc_max_time()) violate(Rule::time_backwards, payload, "b_transport ended before it began");
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
    violate(Rule::response_status, payload, "b_transport returned with status INCOMPLETE");
}

void ProtocolRules::finish() {
  for (const Open& open : open_) violate(Rule::lost_transaction, *open.payload, "not answered");
}

}  // namespace harmonia::bus
