// Injects one fault into any TLM connection.
//
// Models: the faults of tlm/fault.h, on the transaction that is asked for; otherwise it neither delays nor changes anything.
//   A bit that was flipped on the wires of a write is right again in the initiator's own buffer when the response is in.
// Does not model: several faults in one run; doubled and reordered responses of blocking calls, which have no phases (such a
//   fault stays armed, injected() stays false).
//
// The two sides see a protocol that is broken only as the fault says: a target whose response is lost or held back is told
// that the response was taken.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/fault.h"

namespace harmonia::bus {

template <unsigned BUSWIDTH = 32>
class FaultInjector : public sc_core::sc_module,
                      private tlm::tlm_fw_transport_if<>,
                      private tlm::tlm_bw_transport_if<> {
 public:
  SC_HAS_PROCESS(FaultInjector);
  explicit FaultInjector(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    tsock.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
    isock.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
    SC_METHOD(respond_again);
    sensitive << again_;
    dont_initialize();
  }
  ~FaultInjector() override {
    if (held_ != nullptr) held_->release();
  }

  tlm::tlm_target_socket<BUSWIDTH> tsock{"tsock"};
  tlm::tlm_initiator_socket<BUSWIDTH> isock{"isock"};

  /// Strikes transaction number fault.transaction of this socket; the fault's socket is not looked at.
  void arm(const Fault& fault) { fault_ = fault; }
  /// Sees every request before it goes on, with its number.
  void on_request(std::function<void(const tlm::tlm_generic_payload&, std::uint64_t)> callback) {
    observer_ = std::move(callback);
  }
  /// When the fault struck; nothing before that.
  const std::optional<sc_core::sc_time>& injected() const { return injected_; }

 private:
  using Payload = tlm::tlm_generic_payload;

  tlm::tlm_sync_enum nb_transport_fw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    if (phase == tlm::END_RESP && &payload == ended_) {
      ended_ = nullptr;
      return tlm::TLM_COMPLETED;
    }
    if (phase != tlm::BEGIN_REQ) return isock->nb_transport_fw(payload, phase, delay);
    request(payload);
    const tlm::tlm_sync_enum status = isock->nb_transport_fw(payload, phase, delay);
    const bool answered = status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP);
    if (&payload != victim_) {
      if (answered && held_ != nullptr) again_.notify(delay);
      return status;
    }
    if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) accepted_ = true;
    if (!answered) return status;
    strike_response(payload, delay);
    if (!takes_response_away()) {
      victim_ = nullptr;
      if (fault_->kind == FaultKind::doubled) hold(payload, delay);
      return status;
    }
    if (status == tlm::TLM_UPDATED) end_at_target(payload, delay);
    take_away(payload);
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }

  tlm::tlm_sync_enum nb_transport_bw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    if (&payload == victim_ && phase == tlm::END_REQ) accepted_ = true;
    if (phase != tlm::BEGIN_RESP) return tsock->nb_transport_bw(payload, phase, delay);
    if (&payload != victim_) {
      const tlm::tlm_sync_enum status = tsock->nb_transport_bw(payload, phase, delay);
      if (held_ != nullptr) again_.notify(delay);
      return status;
    }
    strike_response(payload, delay);
    if (takes_response_away()) {
      // BEGIN_RESP implies END_REQ: the request was taken, the response is what does not come.
      tlm::tlm_phase end_req = tlm::END_REQ;
      sc_core::sc_time when = delay;
      take_away(payload);
      if (!accepted_) tsock->nb_transport_bw(payload, end_req, when);
      phase = tlm::END_RESP;
      return tlm::TLM_COMPLETED;
    }
    victim_ = nullptr;
    if (fault_->kind != FaultKind::doubled) return tsock->nb_transport_bw(payload, phase, delay);
    payload.acquire();
    tlm::tlm_phase second = tlm::BEGIN_RESP;
    sc_core::sc_time when = delay;
    const tlm::tlm_sync_enum status = tsock->nb_transport_bw(payload, phase, delay);
    tsock->nb_transport_bw(payload, second, when);
    payload.release();
    return status;
  }

  void b_transport(Payload& payload, sc_core::sc_time& delay) override {
    request(payload);
    isock->b_transport(payload, delay);
    if (&payload != victim_) return;
    if (fault_->kind == FaultKind::doubled || fault_->kind == FaultKind::reordered) {
      injected_.reset();  // what has no phases is not answered twice, nor overtaken
      victim_ = nullptr;
      return;
    }
    strike_response(payload, delay);
    victim_ = nullptr;
    if (fault_->kind == FaultKind::lost) sc_core::wait(sc_core::sc_event());
  }
  unsigned transport_dbg(Payload& payload) override { return isock->transport_dbg(payload); }
  bool get_direct_mem_ptr(Payload& payload, tlm::tlm_dmi& dmi) override {
    return isock->get_direct_mem_ptr(payload, dmi);
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    tsock->invalidate_direct_mem_ptr(start, end);
  }

  void request(Payload& payload) {
    const std::uint64_t number = requests_++;
    if (observer_) observer_(payload, number);
    if (!fault_ || number != fault_->transaction) return;
    injected_ = sc_core::sc_time_stamp();
    victim_ = &payload;
    accepted_ = false;
    switch (fault_->kind) {
      case FaultKind::flipped_bit:
        if (payload.is_write()) flip(payload.get_data_ptr(), payload.get_data_length());
        break;
      case FaultKind::flipped_cell:
        flip_cell(payload);
        break;
      case FaultKind::wrong_length:
        length_ = payload.get_data_length();
        streaming_width_ = payload.get_streaming_width();
        payload.set_data_length(static_cast<unsigned>(length_ - std::min<std::uint64_t>(fault_->amount, length_ - 1)));
        payload.set_streaming_width(std::min(streaming_width_, payload.get_data_length()));
        break;
      default:
        break;
    }
  }
  void strike_response(Payload& payload, sc_core::sc_time& delay) {
    switch (fault_->kind) {
      case FaultKind::flipped_bit:
        // What was flipped on the way there is flipped back in the initiator's buffer.
        flip(payload.get_data_ptr(), payload.get_data_length());
        break;
      case FaultKind::wrong_length:
        payload.set_data_length(length_);
        payload.set_streaming_width(streaming_width_);
        break;
      case FaultKind::late:
        delay += sc_core::sc_time::from_value(fault_->amount);
        break;
      case FaultKind::error_status:
        payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
        break;
      default:
        break;
    }
  }
  bool takes_response_away() const { return fault_->kind == FaultKind::lost || fault_->kind == FaultKind::reordered; }
  void take_away(Payload& payload) {
    victim_ = nullptr;
    if (fault_->kind == FaultKind::reordered) hold(payload);
  }
  void hold(Payload& payload) {
    payload.acquire();
    held_ = &payload;
  }
  void hold(Payload& payload, const sc_core::sc_time& delay) {
    hold(payload);
    again_.notify(delay);
  }
  void end_at_target(Payload& payload, sc_core::sc_time delay) {
    tlm::tlm_phase phase = tlm::END_RESP;
    isock->nb_transport_fw(payload, phase, delay);
  }
  /// The response that was held back, or the second one.
  void respond_again() {
    if (held_ == nullptr) return;
    Payload& payload = *std::exchange(held_, nullptr);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay;
    if (tsock->nb_transport_bw(payload, phase, delay) == tlm::TLM_ACCEPTED) ended_ = &payload;
    payload.release();
  }
  void flip(unsigned char* data, unsigned length) const {
    if (data == nullptr || length == 0) return;
    const std::uint64_t bit = fault_->amount % (std::uint64_t{8} * length);
    data[bit / 8] = static_cast<unsigned char>(data[bit / 8] ^ (1u << bit % 8));
  }
  void flip_cell(const Payload& payload) {
    const std::uint64_t bit = fault_->amount % (std::uint64_t{8} * payload.get_data_length());
    unsigned char byte = 0;
    Payload cell;
    cell.set_address(payload.get_address() + bit / 8);
    cell.set_data_ptr(&byte);
    cell.set_data_length(1);
    cell.set_streaming_width(1);
    cell.set_command(tlm::TLM_READ_COMMAND);
    if (isock->transport_dbg(cell) != 1) {
      injected_.reset();  // there is no memory behind this socket
      return;
    }
    byte = static_cast<unsigned char>(byte ^ (1u << bit % 8));
    cell.set_command(tlm::TLM_WRITE_COMMAND);
    isock->transport_dbg(cell);
  }

  std::function<void(const Payload&, std::uint64_t)> observer_;
  std::optional<Fault> fault_;
  std::optional<sc_core::sc_time> injected_;
  std::uint64_t requests_ = 0;
  Payload* victim_ = nullptr;  // struck, and not answered
  Payload* held_ = nullptr;    // to be answered (again) by respond_again()
  Payload* ended_ = nullptr;   // the target knows that its response was taken: END_RESP does not go there
  bool accepted_ = false;
  unsigned length_ = 0, streaming_width_ = 0;
  sc_core::sc_event again_{"again"};
};

}  // namespace harmonia::bus
