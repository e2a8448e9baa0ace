// Approximately timed transport through the interconnect: requests down, pieces to their targets, answers up.
#include <algorithm>
#include <functional>
#include <utility>

#include "harmonia/tlm/interconnect_impl.h"

namespace harmonia::bus {

using interconnect::from_now;
using sc_core::sc_time;

tlm::tlm_sync_enum InterconnectCore::Impl::begin_request(Upstream& port, tlm::tlm_generic_payload& payload,
                                                         tlm::tlm_phase& phase, sc_time& delay) {
  ++statistics_.requests;
  if (port.requesting_ || !payload.has_mm()) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    ++statistics_.responses;
    violation(port.requesting_ ? "BEGIN_REQ before the previous request was accepted"
                               : "BEGIN_REQ with a payload that has no memory manager");
    return tlm::TLM_COMPLETED;
  }
  const Region* region = decode(payload);
  if (!region) {
    delay += request_latency_ + response_latency_;
    ++statistics_.responses;
    return tlm::TLM_COMPLETED;
  }
  const sc_time now = sc_core::sc_time_stamp();
  Request& request = transactions_.take_request(payload, *region);
  request.initiator = port.index_;
  request.arrival = now + delay;
  request.in_call = true;
  port.requesting_ = true;
  ++port.untaken_;
  const std::uint64_t offset = payload.get_address() - region->base;
  const unsigned length = payload.get_data_length();
  if (region->interleave.whole(offset, length)) {
    const Interleave::Location at = region->interleave.locate(offset);
    request.pieces = 1;
    submit(make_child(request, *region, {at.channel, at.local, length}, false));
  } else {
    ++statistics_.split_requests;
    region->interleave.split(offset, length, [&](const Interleave::Piece& piece) {
      ++request.pieces;
      submit(make_child(request, *region, piece, true));
    });
  }
  request.in_call = false;
  if (request.accepted == request.pieces) {
    taken(request);
    if (request.answered == request.pieces && !port.in_response_ && port.responses_.empty()) {
      payload.set_response_status(request.status);
      delay = from_now(request.answered_at);
      port.requesting_ = false;
      ++statistics_.responses;
      transactions_.give_back(request);
      return tlm::TLM_COMPLETED;
    }
  }
  payload.acquire();
  if (!queue_has_room(port)) {
    port.held_ = &request;
    return tlm::TLM_ACCEPTED;
  }
  port.requesting_ = false;
  request.ended_at = room_from(port, request);
  phase = tlm::END_REQ;
  delay = from_now(request.ended_at);
  if (request.answered == request.pieces) {
    port.responses_.push(&request);
    wakeup_.next_delta();
  }
  return tlm::TLM_UPDATED;
}

tlm::tlm_sync_enum InterconnectCore::Impl::end_response(Upstream& port, tlm::tlm_generic_payload& payload,
                                                        const sc_time& delay) {
  if (!port.in_response_ || port.in_response_->payload != &payload) {
    violation("END_RESP for a transaction that is not in its response phase");
    return tlm::TLM_COMPLETED;
  }
  port.response_free_at_ = sc_core::sc_time_stamp() + delay;
  retire(*std::exchange(port.in_response_, nullptr));
  if (!port.responses_.empty()) wakeup_.next_delta();
  return tlm::TLM_COMPLETED;
}

tlm::tlm_sync_enum InterconnectCore::Impl::backward(Downstream& port, tlm::tlm_generic_payload& payload,
                                                    tlm::tlm_phase& phase, const sc_time& delay) {
  if (!is_base_phase(phase)) return tlm::TLM_ACCEPTED;  // ignorable phase
  if (phase != tlm::END_REQ && phase != tlm::BEGIN_RESP) {
    violation(on_path(phase, "backward"));
    return tlm::TLM_ACCEPTED;
  }
  Child* const known = transactions_.find(payload);
  const bool begun = known != nullptr && known->region->first_target + known->piece.channel == port.index_ &&
                     known->stage != interconnect::Stage::waiting;
  if (!begun || (phase == tlm::END_REQ && known->stage != interconnect::Stage::requesting)) {
    violation(std::string(phase.get_name()) + " for a transaction that " +
              (begun ? "is not in its request phase" : "is not under way"));
    return phase == tlm::BEGIN_RESP ? tlm::TLM_COMPLETED : tlm::TLM_ACCEPTED;
  }
  Child& child = *known;
  Request& request = *child.request;
  const sc_time when = sc_core::sc_time_stamp() + delay;
  const bool was_due = request.accepted != request.pieces;
  if (port.current_ == &child) {
    if (phase == tlm::BEGIN_RESP) ++statistics_.one_at_a_time_per_target[port.index_];
    piece_accepted(port, child, when);
    if (port.waiting_count_ != 0) wakeup_.next_delta();  // the next request may not be sent from within this call
  }
  const bool response = phase == tlm::BEGIN_RESP;
  if (response) piece_answered(child, when);
  if (!request.in_call) {
    const bool answered = request.answered == request.pieces;
    if (was_due && request.accepted == request.pieces) taken(request);
    if (response && answered) deliver(request);
  }
  if (!response) return tlm::TLM_ACCEPTED;
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

void InterconnectCore::Impl::submit(Child& child) {
  Downstream& port = *downstream_[child.region->first_target + child.piece.channel];
  if (port.current_ || port.waiting_count_ != 0) {
    port.waiting_[child.request->initiator].push(&child);
    ++port.waiting_count_;
    return;
  }
  forward(port, child);
}

void InterconnectCore::Impl::forward(Downstream& port, Child& child) {
  port.next_ = (child.request->initiator + 1) % port.waiting_.size();
  const sc_time begin = std::max(child.request->arrival + request_latency_, port.free_at_);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_time delay = from_now(begin);
  port.free_at_ = sc_core::sc_time_stamp() + delay + issue_interval_;
  port.current_ = &child;
  child.stage = interconnect::Stage::requesting;
  ++statistics_.requests_per_target[port.index_];
  child.acquire();  // the target may answer from within the call
  const tlm::tlm_sync_enum status = port.forward().nb_transport_fw(child, phase, delay);
  const sc_time when = sc_core::sc_time_stamp() + delay;
  if (status != tlm::TLM_ACCEPTED && child.stage != interconnect::Stage::requesting) {
    // It has called back already: what it returns is too late.
    violation("a target answered from within the call and by its return value");
  } else if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)) {
    if (status == tlm::TLM_UPDATED) {
      tlm::tlm_phase end = tlm::END_RESP;
      port.forward().nb_transport_fw(child, end, delay);
    }
    ++statistics_.one_at_a_time_per_target[port.index_];
    piece_accepted(port, child, when);
    piece_answered(child, when);
  } else if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
    piece_accepted(port, child, when);
  } else if (status == tlm::TLM_UPDATED) {
    violation("TLM_UPDATED with " + on_path(phase, "return") + " of BEGIN_REQ");
  }
  child.release();
}

void InterconnectCore::Impl::piece_accepted(Downstream& port, Child& child, const sc_time& when) {
  Request& request = *child.request;
  port.current_ = nullptr;
  child.stage = interconnect::Stage::accepted;
  port.free_at_ = std::max(port.free_at_, when);
  ++request.accepted;
  request.accepted_at = std::max(request.accepted_at, when);
}

void InterconnectCore::Impl::piece_answered(Child& child, const sc_time& when) {
  Request& request = *child.request;
  ++request.answered;
  request.answered_at = std::max(request.answered_at, when + response_latency_);
  transactions_.collect(child);
}

/// The hop is a pipeline: the initiator is free one hop earlier than the target takes the request.
sc_time InterconnectCore::Impl::upstream_accept(const Request& request) const {
  return request.accepted_at < request.arrival + request_latency_ ? request.arrival
                                                                  : request.accepted_at - request_latency_;
}

/// From when an initiator's latest request leaves the queue fit for the next. Asked while fewer requests than the queue's
/// places wait for targets: of those whose time is known, that many may still wait then as there are places left.
sc_time InterconnectCore::Impl::room_from(const Upstream& port, const Request& latest) const {
  const std::size_t places = queue_requests_ - port.untaken_;
  return port.taken_at_.size() < places ? latest.arrival : std::max(latest.arrival, port.taken_at_[places - 1]);
}

/// Every piece of a request was taken, so that it leaves the queue. That may end the request phase of the one that is held.
void InterconnectCore::Impl::taken(Request& request) {
  Upstream& port = *upstream_[request.initiator];
  const sc_time accept = upstream_accept(request);
  statistics_.waited_per_initiator[request.initiator] += accept - request.arrival;
  --port.untaken_;
  std::vector<sc_time>& times = port.taken_at_;
  times.insert(std::upper_bound(times.begin(), times.end(), accept, std::greater<sc_time>()), accept);
  if (times.size() > queue_requests_) times.pop_back();
  if (port.held_ == nullptr) return;
  Request& held = *std::exchange(port.held_, nullptr);
  port.requesting_ = false;
  held.ended_at = room_from(port, held);
  if (&held == &request && request.answered == request.pieces) return;  // its response says that it is accepted
  tlm::tlm_phase end = tlm::END_REQ;
  sc_time delay = from_now(held.ended_at);
  port.backward().nb_transport_bw(*held.payload, end, delay);
}

/// Sends BEGIN_RESP, now or when the response channel is free.
void InterconnectCore::Impl::deliver(Request& request) {
  Upstream& port = *upstream_[request.initiator];
  port.responses_.push(&request);
  if (port.responses_.size() == 1) send_responses(port);
}

void InterconnectCore::Impl::send_responses(Upstream& port) {
  while (!port.in_response_ && !port.responses_.empty()) {
    Request& request = *port.responses_.pop();
    request.payload->set_response_status(request.status);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_time delay = from_now(std::max({request.answered_at, request.ended_at, port.response_free_at_}));
    const sc_time begin = delay;
    port.in_response_ = &request;
    const tlm::tlm_sync_enum status = port.backward().nb_transport_bw(*request.payload, phase, delay);
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP)) {
      // Only an initiator that took time keeps the channel: answers known ahead may come in any order of their times.
      if (delay > begin) port.response_free_at_ = sc_core::sc_time_stamp() + delay;
      port.in_response_ = nullptr;
      retire(request);
    } else if (status == tlm::TLM_UPDATED) {
      violation("TLM_UPDATED with " + on_path(phase, "return") + " of BEGIN_RESP");
    }
  }
}

void InterconnectCore::Impl::retire(Request& request) {
  ++statistics_.responses;
  request.payload->release();
  transactions_.give_back(request);
}

void InterconnectCore::Impl::pump() {
  for (auto& port : downstream_) {
    while (!port->current_ && port->waiting_count_ != 0) {
      const std::size_t ports = port->waiting_.size();
      std::size_t i = port->next_;
      while (port->waiting_[i].empty()) i = i + 1 == ports ? 0 : i + 1;
      Child& child = *port->waiting_[i].pop();
      --port->waiting_count_;
      Request& request = *child.request;
      request.in_call = true;  // what the target answers at once is passed on below, in order
      forward(*port, child);
      request.in_call = false;
      pass_on(request);
    }
  }
  for (auto& port : upstream_) send_responses(*port);
}

void InterconnectCore::Impl::pass_on(Request& request) {
  if (request.accepted != request.pieces) return;
  // Asked before anyone is told: an initiator that goes on from within END_REQ may bring the answer.
  const bool answered = request.answered == request.pieces;
  taken(request);
  if (answered) deliver(request);
}

}  // namespace harmonia::bus
