// The initiator's half of the base protocol, shared by stream sources and memory initiators.
//
// Models: one request in the request phase at a time, any number of transactions between request and response,
// immediate acceptance of responses (the initiator has reserved the room before it asked). Every outcome that the base
// protocol allows (IEEE 1666-2011, 15.2) is handled: ACCEPTED, UPDATED with END_REQ or BEGIN_RESP, COMPLETED, END_REQ
// skipped. Does not model: data; back-pressure on responses.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {

/// How an initiator talks: nb_transport with phases, or b_transport with the same timing in the delay. In the loosely
/// timed style a send made outside a thread process is legal only when the target answers without waiting.
enum class Style { approximately_timed, loosely_timed };

class InitiatorCore final : public tlm::tlm_bw_transport_if<> {
 public:
  using ForwardPort = sc_core::sc_port_b<tlm::tlm_fw_transport_if<>>;
  using Callback = std::function<void(tlm::tlm_generic_payload&, const sc_core::sc_time&)>;

  /// pipelined: a loosely timed request may start before the previous one has been answered (memory); otherwise the
  /// answer is the acceptance (streams).
  InitiatorCore(ForwardPort& port, bool pipelined);

  std::optional<sc_core::sc_time> send(PayloadPtr payload, const sc_core::sc_time& ready) {
    if (queue_.empty() && can_issue() && !pumping_) {
      const std::optional<sc_core::sc_time> accepted = issue(std::move(payload), ready);
      if (!queue_.empty()) pump();
      return accepted;
    }
    queue_.push({std::move(payload), ready});
    return std::nullopt;
  }

  void set_style(Style style) { style_ = style; }
  Style style() const { return style_; }
  void set_max_outstanding(std::size_t limit) { max_outstanding_ = limit; }
  void on_accepted(Callback callback) { accepted_ = std::move(callback); }
  void on_response(Callback callback) { responded_ = std::move(callback); }
  void on_invalidate_dmi(std::function<void(sc_dt::uint64, sc_dt::uint64)> callback) {
    invalidate_ = std::move(callback);
  }

  std::size_t queued() const { return queue_.size(); }
  std::size_t outstanding() const { return outstanding_; }
  bool idle() const { return queue_.empty() && outstanding_ == 0; }
  bool blocked() const { return current_ != nullptr && !in_call_; }
  const sc_core::sc_time& free_at() const { return free_at_; }
  tlm::tlm_fw_transport_if<>* forward() {
    if (!forward_) forward_ = port_.operator->();
    return forward_;
  }

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    if (invalidate_) invalidate_(start, end);
  }

 private:
  struct Queued {
    PayloadPtr payload;
    sc_core::sc_time ready;
  };

  bool can_issue() const {
    return !current_ && !in_call_ &&
           (max_outstanding_ == 0 || outstanding_ < max_outstanding_ || style_ == Style::loosely_timed);
  }
  std::optional<sc_core::sc_time> issue(PayloadPtr payload, const sc_core::sc_time& ready) {
    if (style_ == Style::loosely_timed) return issue_blocking(std::move(payload), ready);
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    sc_core::sc_time start = ready < free_at_ ? free_at_ : ready;
    if (start < now) start = now;
    sc_core::sc_time delay = start - now;
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    current_ = payload.get();
    ++outstanding_;
    in_call_ = true;
    calling_ = current_;
    const tlm::tlm_sync_enum status = forward()->nb_transport_fw(*payload, phase, delay);
    in_call_ = false;
    calling_ = nullptr;
    if (status == tlm::TLM_COMPLETED && !answered_in_call_) {
      free_at_ = now + delay;
      current_ = nullptr;
      finish(*payload, free_at_);
      return free_at_;
    }
    return issued(std::move(payload), status, phase, start, now + delay);
  }
  std::optional<sc_core::sc_time> issued(PayloadPtr payload, tlm::tlm_sync_enum status, const tlm::tlm_phase& phase,
                                         const sc_core::sc_time& start, const sc_core::sc_time& when);
  std::optional<sc_core::sc_time> issue_blocking(PayloadPtr payload, const sc_core::sc_time& ready);
  void finish(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    --outstanding_;
    if (payload.get_response_status() != tlm::TLM_OK_RESPONSE && !responded_) report(payload);
    if (responded_) responded_(payload, when);
  }
  void report(const tlm::tlm_generic_payload& payload) const;
  void pump();

  ForwardPort& port_;
  tlm::tlm_fw_transport_if<>* forward_ = nullptr;
  const bool pipelined_;
  Style style_ = Style::approximately_timed;
  std::size_t max_outstanding_ = 0;
  std::size_t outstanding_ = 0;
  tlm::tlm_generic_payload* current_ = nullptr;       // in its request phase
  tlm::tlm_generic_payload* calling_ = nullptr;       // being passed to the target right now
  bool answered_in_call_ = false;                     // the target responded to it from within that call
  std::vector<tlm::tlm_generic_payload*> under_way_;  // passed to the target and not answered, oldest first
  bool in_call_ = false;                              // inside a transport call on this socket, either way
  bool pumping_ = false;
  sc_core::sc_time free_at_;  // when the last request was accepted: no request starts earlier
  Ring<Queued> queue_;
  std::vector<sc_core::sc_time>
      completions_;  // loosely timed: heap of the answers still in the future, earliest on top
  Callback accepted_;
  Callback responded_;
  std::function<void(sc_dt::uint64, sc_dt::uint64)> invalidate_;
  Wakeup wakeup_;
};

}  // namespace harmonia::bus
