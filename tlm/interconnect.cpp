#include "harmonia/tlm/interconnect.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {
namespace {

using sc_core::sc_time;

sc_time from_now(const sc_time& when) {
  const sc_time& now = sc_core::sc_time_stamp();
  return when < now ? sc_core::SC_ZERO_TIME : when - now;
}

/// The more serious of two statuses: an error stays.
tlm::tlm_response_status merged(tlm::tlm_response_status a, tlm::tlm_response_status b) {
  return a != tlm::TLM_OK_RESPONSE ? a : b;
}

/// An initiator's transaction on its way through.
struct Request {
  tlm::tlm_generic_payload* payload = nullptr;
  unsigned initiator = 0;
  unsigned pieces = 0;
  unsigned accepted = 0;
  unsigned answered = 0;
  bool in_call = false;  // the initiator's BEGIN_REQ call has not returned yet
  tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
  sc_time arrival;
  sc_time accepted_at;
  sc_time answered_at;
};

/// What a target sees of it. Carries the initiator's own extension objects while it is under way.
struct Child : tlm::tlm_generic_payload {
  Request* request = nullptr;
  const Region* region = nullptr;
  Interleave::Piece piece{};
  bool split = false;
  std::uint64_t extensions = 0;  // bit i: extension i is lent by the initiator's payload
  std::vector<unsigned char> data;
  std::vector<unsigned char> byte_enables;
};

/// Lives on its own, because targets may still hold children when the interconnect is gone.
class ChildPool final : public tlm::tlm_mm_interface {
 public:
  ChildPool() = default;
  ~ChildPool() override {
    for (Child* child : all_) delete child;
  }
  Child* take() {
    if (free_.empty()) {
      all_.push_back(new Child);
      free_.reserve(all_.size());
      all_.back()->set_mm(this);
      free_.push_back(all_.back());
    }
    Child* child = free_.back();
    free_.pop_back();
    child->acquire();
    return child;
  }
  void free(tlm::tlm_generic_payload* payload) override {
    payload->reset();
    free_.push_back(static_cast<Child*>(payload));
    if (orphan_ && free_.size() == all_.size()) delete this;
  }
  /// Ends the interconnect's own use of a child.
  static void give_up(Child& child) {
    for (unsigned i = 0; child.extensions != 0; ++i, child.extensions >>= 1)
      if (child.extensions & 1) child.set_extension(i, nullptr);
    child.request = nullptr;
    child.release();
  }
  void abandon() {
    for (Child* child : all_)
      if (child->request) give_up(*child);
    if (free_.size() == all_.size())
      delete this;
    else
      orphan_ = true;
  }

 private:
  std::vector<Child*> free_;
  std::vector<Child*> all_;
  bool orphan_ = false;
};

}  // namespace

class InterconnectCore::Impl {
 public:
  Impl(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
       std::vector<ForwardPort*> downstream)
      : map_(std::move(map)),
        request_latency_(config.cycle * config.request_cycles),
        response_latency_(config.cycle * config.response_cycles),
        issue_interval_(config.cycle * config.issue_cycles),
        wakeup_("interconnect_pump", [this] { pump(); }) {
    if (map_.targets() > downstream.size())
      throw std::invalid_argument("the address map names target " + std::to_string(map_.targets() - 1) +
                                  ", there are " + std::to_string(downstream.size()) + " targets");
    for (unsigned i = 0; i < upstream.size(); ++i)
      upstream_.push_back(std::make_unique<Upstream>(*this, *upstream[i], i));
    for (unsigned j = 0; j < downstream.size(); ++j)
      downstream_.push_back(std::make_unique<Downstream>(*this, *downstream[j], j, upstream.size()));
    statistics_.bytes_per_target.resize(downstream.size());
    statistics_.waited_per_initiator.resize(upstream.size());
  }

  ~Impl() { children_.abandon(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  struct Upstream final : tlm::tlm_fw_transport_if<> {
    Upstream(Impl& impl, BackwardPort& port, unsigned index) : impl_(impl), port_(port), index_(index) {}
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_time& delay) override {
      if (phase == tlm::BEGIN_REQ) return impl_.begin_request(*this, payload, phase, delay);
      if (phase == tlm::END_RESP) return impl_.end_response(*this, payload, delay);
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
    bool requesting_ = false;         // a request has not been taken yet
    Ring<Request*> responses_;        // answered, wait for the response channel
    Request* in_response_ = nullptr;  // BEGIN_RESP sent, END_RESP not yet received
    sc_time response_free_at_;
  };

  struct Downstream final : tlm::tlm_bw_transport_if<> {
    Downstream(Impl& impl, ForwardPort& port, unsigned index, std::size_t initiators)
        : impl_(impl), port_(port), index_(index), waiting_(initiators, nullptr) {}
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
    std::vector<Child*> waiting_;  // at most one per initiator
    std::size_t waiting_count_ = 0;
    std::size_t next_ = 0;  // round robin: the initiator that is asked first
  };

  tlm::tlm_sync_enum begin_request(Upstream& port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                   sc_time& delay) {
    ++statistics_.requests;
    if (port.requesting_) {
      SC_REPORT_ERROR("/harmonia/bus/interconnect", "BEGIN_REQ before the previous request was accepted");
      payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
      ++statistics_.responses;
      return tlm::TLM_COMPLETED;
    }
    const Region* region = decode(payload);
    if (!region) {
      delay += request_latency_ + response_latency_;
      ++statistics_.responses;
      return tlm::TLM_COMPLETED;
    }
    const sc_time now = sc_core::sc_time_stamp();
    Request& request = take_request();
    request.payload = &payload;
    request.initiator = port.index_;
    request.arrival = now + delay;
    request.in_call = true;
    port.requesting_ = true;
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
    if (request.accepted != request.pieces) {
      payload.acquire();
      return tlm::TLM_ACCEPTED;
    }
    taken(request);
    if (request.answered == request.pieces && !port.in_response_ && port.responses_.empty()) {
      payload.set_response_status(request.status);
      delay = from_now(request.answered_at);
      ++statistics_.responses;
      requests_free_.push_back(&request);
      return tlm::TLM_COMPLETED;
    }
    payload.acquire();
    phase = tlm::END_REQ;
    delay = from_now(upstream_accept(request));
    if (request.answered == request.pieces) {
      port.responses_.push(&request);
      wakeup_.next_delta();
    }
    return tlm::TLM_UPDATED;
  }

  tlm::tlm_sync_enum end_response(Upstream& port, tlm::tlm_generic_payload& payload, const sc_time& delay) {
    if (!port.in_response_ || port.in_response_->payload != &payload) {
      SC_REPORT_ERROR("/harmonia/bus/interconnect", "END_RESP for a transaction that is not in its response phase");
      return tlm::TLM_COMPLETED;
    }
    port.response_free_at_ = sc_core::sc_time_stamp() + delay;
    retire(*std::exchange(port.in_response_, nullptr));
    if (!port.responses_.empty()) wakeup_.next_delta();
    return tlm::TLM_COMPLETED;
  }

  tlm::tlm_sync_enum backward(Downstream& port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                              const sc_time& delay) {
    if (phase != tlm::END_REQ && phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;  // ignorable phase
    auto& child = static_cast<Child&>(payload);
    Request& request = *child.request;
    const sc_time when = sc_core::sc_time_stamp() + delay;
    const bool was_due = request.accepted != request.pieces;
    if (port.current_ == &child) {
      piece_accepted(port, child, when);
      if (port.waiting_count_ != 0) wakeup_.next_delta();  // the next request may not be sent from within this call
    }
    const bool response = phase == tlm::BEGIN_RESP;
    if (response) piece_answered(child, when);
    if (!request.in_call) {
      const bool answered = request.answered == request.pieces;
      if (was_due && request.accepted == request.pieces) {
        taken(request);
        if (!answered) {
          tlm::tlm_phase end = tlm::END_REQ;
          sc_time upstream_delay = from_now(upstream_accept(request));
          upstream_[request.initiator]->backward().nb_transport_bw(*request.payload, end, upstream_delay);
        }
      }
      if (response && answered) deliver(request);
    }
    if (!response) return tlm::TLM_ACCEPTED;
    phase = tlm::END_RESP;
    return tlm::TLM_COMPLETED;
  }

  void invalidate(Downstream& port, std::uint64_t start, std::uint64_t end) {
    for (const Region& region : map_.regions()) {
      if (region.interleave.channels() != 1 || region.first_target != port.index_) continue;
      const std::uint64_t last = region.local_base + (region.size_bytes - 1);
      if (end < region.local_base || start > last) continue;
      const std::uint64_t from = std::max(start, region.local_base) - region.local_base + region.base;
      const std::uint64_t to = std::min(end, last) - region.local_base + region.base;
      for (auto& upstream : upstream_) upstream->backward().invalidate_direct_mem_ptr(from, to);
    }
  }

  void blocking(tlm::tlm_generic_payload& payload, sc_time& delay) {
    ++statistics_.requests;
    const Region* region = decode(payload);
    if (!region) {
      delay += request_latency_ + response_latency_;
      ++statistics_.responses;
      return;
    }
    const std::uint64_t address = payload.get_address();
    const std::uint64_t offset = address - region->base;
    const unsigned length = payload.get_data_length();
    delay += request_latency_;
    if (region->interleave.whole(offset, length)) {
      const Interleave::Location at = region->interleave.locate(offset);
      Downstream& port = *downstream_[region->first_target + at.channel];
      statistics_.bytes_per_target[port.index_] += length;
      payload.set_address(at.local + region->local_base);
      port.forward().b_transport(payload, delay);
      payload.set_address(address);
      if (region->interleave.channels() != 1) payload.set_dmi_allowed(false);
    } else {
      // The pieces run side by side: each starts at the same time, the last to end ends the request.
      ++statistics_.split_requests;
      Request& request = take_request();
      request.payload = &payload;
      const sc_time start = sc_core::sc_time_stamp() + delay;
      sc_time end = start;
      region->interleave.split(offset, length, [&](const Interleave::Piece& piece) {
        Child& child = make_child(request, *region, piece, true);
        sc_time piece_delay = from_now(start);
        downstream_[region->first_target + piece.channel]->forward().b_transport(child, piece_delay);
        end = std::max(end, sc_core::sc_time_stamp() + piece_delay);
        collect(child);
      });
      payload.set_response_status(request.status);
      payload.set_dmi_allowed(false);
      requests_free_.push_back(&request);
      delay = from_now(end);
    }
    delay += response_latency_;
    ++statistics_.responses;
  }

  unsigned debug(tlm::tlm_generic_payload& payload) {
    const Region* region =
        payload.get_data_length() == 0 ? nullptr : map_.find(payload.get_address(), payload.get_data_length());
    if (!region) return 0;
    const std::uint64_t address = payload.get_address();
    const std::uint64_t offset = address - region->base;
    const unsigned length = payload.get_data_length();
    unsigned char* const data = payload.get_data_ptr();
    unsigned moved = 0;
    region->interleave.split(offset, length, [&](const Interleave::Piece& piece) {
      region->interleave.runs(piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
        payload.set_address(piece.local + in_piece + region->local_base);
        payload.set_data_ptr(data + in_request);
        payload.set_data_length(bytes);
        moved += downstream_[region->first_target + piece.channel]->forward().transport_dbg(payload);
      });
    });
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(length);
    return moved;
  }

  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    const std::uint64_t address = payload.get_address();
    const Region* region = map_.find(address, 1);
    if (!region) {  // no memory: the refusal holds for this address only
      dmi.init();
      dmi.set_start_address(address);
      dmi.set_end_address(address);
      return false;
    }
    const std::uint64_t region_end = region->base + (region->size_bytes - 1);
    if (region->interleave.channels() != 1) {  // no pointer can describe interleaved memory
      dmi.init();
      dmi.set_start_address(region->base);
      dmi.set_end_address(region_end);
      return false;
    }
    payload.set_address(address - region->base + region->local_base);
    const bool granted = downstream_[region->first_target]->forward().get_direct_mem_ptr(payload, dmi);
    payload.set_address(address);
    // Back into the initiator's addresses, and no further than the region.
    const std::uint64_t last_local = region->local_base + (region->size_bytes - 1);
    const std::uint64_t from = std::max<std::uint64_t>(dmi.get_start_address(), region->local_base);
    const std::uint64_t to = std::min<std::uint64_t>(dmi.get_end_address(), last_local);
    if (granted) {
      dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (from - dmi.get_start_address()));
      dmi.set_read_latency(dmi.get_read_latency() + request_latency_ + response_latency_);
      dmi.set_write_latency(dmi.get_write_latency() + request_latency_ + response_latency_);
    }
    dmi.set_start_address(from - region->local_base + region->base);
    dmi.set_end_address(to - region->local_base + region->base);
    return granted;
  }

  AddressMap map_;
  std::vector<std::unique_ptr<Upstream>> upstream_;
  std::vector<std::unique_ptr<Downstream>> downstream_;
  InterconnectStatistics statistics_;

 private:
  /// The region, or null after setting the error status.
  const Region* decode(tlm::tlm_generic_payload& payload) {
    const unsigned length = payload.get_data_length();
    const Region* region = map_.find(payload.get_address(), length);
    if (!region) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      ++statistics_.address_errors;
      return nullptr;
    }
    // A request that wraps within its streaming width has no contiguous pieces.
    const bool streams = payload.get_streaming_width() < length;
    if (length == 0 || (streams && !region->interleave.whole(payload.get_address() - region->base, length))) {
      payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
      return nullptr;
    }
    return region;
  }

  Request& take_request() {
    if (requests_free_.empty()) {
      requests_.push_back(std::make_unique<Request>());
      requests_free_.reserve(requests_.size());
      requests_free_.push_back(requests_.back().get());
    }
    Request& request = *requests_free_.back();
    requests_free_.pop_back();
    request = Request{};
    return request;
  }

  Child& make_child(Request& request, const Region& region, const Interleave::Piece& piece, bool split) {
    const tlm::tlm_generic_payload& parent = *request.payload;
    Child& child = *children_.take();
    child.request = &request;
    child.region = &region;
    child.piece = piece;
    child.split = split;
    child.set_command(parent.get_command());
    child.set_address(piece.local + region.local_base);
    child.set_data_length(piece.length_bytes);
    child.set_streaming_width(split ? piece.length_bytes : parent.get_streaming_width());
    child.set_gp_option(parent.get_gp_option());
    child.set_dmi_allowed(false);
    child.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    const unsigned extensions = std::min(tlm::max_num_extensions(), 64U);
    for (unsigned i = 0; i < extensions; ++i) {
      if (tlm::tlm_extension_base* extension = parent.get_extension(i)) {
        child.set_extension(i, extension);
        child.extensions |= std::uint64_t{1} << i;
      }
    }
    if (!split) {
      child.set_data_ptr(parent.get_data_ptr());
      child.set_byte_enable_ptr(parent.get_byte_enable_ptr());
      child.set_byte_enable_length(parent.get_byte_enable_length());
    } else {
      gather(child);
    }
    statistics_.bytes_per_target[region.first_target + piece.channel] += piece.length_bytes;
    return child;
  }

  void gather(Child& child) {
    const tlm::tlm_generic_payload& parent = *child.request->payload;
    child.set_byte_enable_ptr(nullptr);
    child.set_byte_enable_length(0);
    if (!chunk_of(parent).data_valid) {
      child.set_data_ptr(scratch_buffer(child.piece.length_bytes));
      return;
    }
    if (child.data.size() < child.piece.length_bytes) child.data.resize(child.piece.length_bytes);
    child.set_data_ptr(child.data.data());
    const std::uint64_t offset = parent.get_address() - child.region->base;
    if (parent.is_write()) {
      child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
        std::memcpy(&child.data[in_piece], parent.get_data_ptr() + in_request, bytes);
      });
    }
    if (const unsigned char* enables = parent.get_byte_enable_ptr()) {
      child.byte_enables.resize(child.piece.length_bytes);
      child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i)
          child.byte_enables[in_piece + i] = enables[(in_request + i) % parent.get_byte_enable_length()];
      });
      child.set_byte_enable_ptr(child.byte_enables.data());
      child.set_byte_enable_length(child.piece.length_bytes);
    }
  }

  /// Brings a child's answer home and gives the child up.
  void collect(Child& child) {
    Request& request = *child.request;
    tlm::tlm_generic_payload& parent = *request.payload;
    request.status = merged(request.status, child.get_response_status());
    if (!child.split) {
      parent.set_dmi_allowed(child.is_dmi_allowed() && child.region->interleave.channels() == 1);
    } else if (parent.is_read() && chunk_of(parent).data_valid && child.is_response_ok()) {
      const std::uint64_t offset = parent.get_address() - child.region->base;
      const unsigned char* enables = child.get_byte_enable_ptr();
      child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
        for (unsigned i = 0; enables && i < bytes; ++i)
          if (enables[in_piece + i] != TLM_BYTE_DISABLED)
            parent.get_data_ptr()[in_request + i] = child.data[in_piece + i];
        if (!enables) std::memcpy(parent.get_data_ptr() + in_request, &child.data[in_piece], bytes);
      });
    }
    ChildPool::give_up(child);
  }

  void submit(Child& child) {
    Downstream& port = *downstream_[child.region->first_target + child.piece.channel];
    if (port.current_ || port.waiting_count_ != 0) {
      port.waiting_[child.request->initiator] = &child;
      ++port.waiting_count_;
      return;
    }
    forward(port, child);
  }

  void forward(Downstream& port, Child& child) {
    port.next_ = (child.request->initiator + 1) % port.waiting_.size();
    const sc_time begin = std::max(child.request->arrival + request_latency_, port.free_at_);
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_time delay = from_now(begin);
    port.free_at_ = sc_core::sc_time_stamp() + delay + issue_interval_;
    port.current_ = &child;
    child.acquire();  // the target may answer from within the call
    const tlm::tlm_sync_enum status = port.forward().nb_transport_fw(child, phase, delay);
    const sc_time when = sc_core::sc_time_stamp() + delay;
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)) {
      if (status == tlm::TLM_UPDATED) {
        tlm::tlm_phase end = tlm::END_RESP;
        port.forward().nb_transport_fw(child, end, delay);
      }
      piece_accepted(port, child, when);
      piece_answered(child, when);
    } else if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
      piece_accepted(port, child, when);
    }
    child.release();
  }

  void piece_accepted(Downstream& port, Child& child, const sc_time& when) {
    Request& request = *child.request;
    port.current_ = nullptr;
    port.free_at_ = std::max(port.free_at_, when);
    ++request.accepted;
    request.accepted_at = std::max(request.accepted_at, when);
  }

  void piece_answered(Child& child, const sc_time& when) {
    Request& request = *child.request;
    ++request.answered;
    request.answered_at = std::max(request.answered_at, when + response_latency_);
    collect(child);
  }

  /// The hop is a pipeline: the initiator is free one hop earlier than the target takes the request.
  sc_time upstream_accept(const Request& request) const {
    return request.accepted_at < request.arrival + request_latency_ ? request.arrival
                                                                    : request.accepted_at - request_latency_;
  }

  void taken(Request& request) {
    upstream_[request.initiator]->requesting_ = false;
    statistics_.waited_per_initiator[request.initiator] += upstream_accept(request) - request.arrival;
  }

  /// Sends BEGIN_RESP, now or when the response channel is free.
  void deliver(Request& request) {
    Upstream& port = *upstream_[request.initiator];
    port.responses_.push(&request);
    if (port.responses_.size() == 1) send_responses(port);
  }

  void send_responses(Upstream& port) {
    while (!port.in_response_ && !port.responses_.empty()) {
      Request& request = *port.responses_.pop();
      request.payload->set_response_status(request.status);
      tlm::tlm_phase phase = tlm::BEGIN_RESP;
      sc_time delay = from_now(std::max(request.answered_at, port.response_free_at_));
      const sc_time begin = delay;
      port.in_response_ = &request;
      const tlm::tlm_sync_enum status = port.backward().nb_transport_bw(*request.payload, phase, delay);
      if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP)) {
        // Only an initiator that took time keeps the channel: answers known ahead may come in any order of their times.
        if (delay > begin) port.response_free_at_ = sc_core::sc_time_stamp() + delay;
        port.in_response_ = nullptr;
        retire(request);
      }
    }
  }

  void retire(Request& request) {
    ++statistics_.responses;
    request.payload->release();
    requests_free_.push_back(&request);
  }

  void pump() {
    for (auto& port : downstream_) {
      while (!port->current_ && port->waiting_count_ != 0) {
        const std::size_t ports = port->waiting_.size();
        std::size_t i = port->next_;
        while (!port->waiting_[i]) i = i + 1 == ports ? 0 : i + 1;
        Child& child = *std::exchange(port->waiting_[i], nullptr);
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

  void pass_on(Request& request) {
    if (request.accepted != request.pieces) return;
    taken(request);
    if (request.answered == request.pieces) {
      deliver(request);
      return;
    }
    tlm::tlm_phase end = tlm::END_REQ;
    sc_time delay = from_now(upstream_accept(request));
    upstream_[request.initiator]->backward().nb_transport_bw(*request.payload, end, delay);
  }

  const sc_time request_latency_;
  const sc_time response_latency_;
  const sc_time issue_interval_;
  ChildPool& children_ = *new ChildPool;  // deletes itself after abandon()
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> requests_free_;
  Wakeup wakeup_;
};

InterconnectCore::InterconnectCore(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
                                   std::vector<ForwardPort*> downstream)
    : impl_(std::make_unique<Impl>(std::move(map), config, std::move(upstream), std::move(downstream))) {}
InterconnectCore::~InterconnectCore() = default;
tlm::tlm_fw_transport_if<>& InterconnectCore::upstream_interface(std::size_t initiator) {
  return *impl_->upstream_.at(initiator);
}
tlm::tlm_bw_transport_if<>& InterconnectCore::downstream_interface(std::size_t target) {
  return *impl_->downstream_.at(target);
}
const InterconnectStatistics& InterconnectCore::statistics() const { return impl_->statistics_; }
const AddressMap& InterconnectCore::map() const { return impl_->map_; }

}  // namespace harmonia::bus
