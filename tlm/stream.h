// Streams between blocks: a chunk is a TLM write whose time is annotated, so that a chain of blocks is a chain of
// calls.
//
// Models: an in-order ready/valid channel. The chunk is offered at its ready time and taken at the accept time that the
// sink says; the next chunk is never offered earlier. A sink that cannot say yet holds one chunk and with it the
// channel. Does not model: beats within a chunk (axis_transactor.h does), arbitration, addresses.
//
// Both classes are ordinary TLM-2.0 base-protocol sockets (IEEE 1666-2011, 11 and 15.2), so any compliant block can
// stand at the other end: nb_transport with all its outcomes, and b_transport.
//
//   StreamSink<> tsock{"tsock"};      tsock.on_chunk([this](auto& payload, const sc_time& arrival) { ... return accept;
//   }); StreamSource<> isock{"isock"};    std::optional<sc_time> accepted = isock.send(payload, ready);
#pragma once

#include <optional>
#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/initiator_core.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/target_core.h"

namespace harmonia::bus {

/// Initiator side. BUSWIDTH in bits: it must match the sink's at binding and plays no part in timing.
template <unsigned BUSWIDTH = 32>
class StreamSource : public tlm::tlm_initiator_socket<BUSWIDTH> {
 public:
  using Callback = InitiatorCore::Callback;

  explicit StreamSource(const char* name) : tlm::tlm_initiator_socket<BUSWIDTH>(name), core_(*this, false) {
    static_cast<tlm::tlm_initiator_socket<BUSWIDTH>&>(*this).bind(static_cast<tlm::tlm_bw_transport_if<>&>(core_));
  }

  /// Offers a chunk at absolute time `ready` (earlier than now or than the arrival counts as that), after all chunks
  /// sent before it. Returns the absolute time at which the sink took it when that is known at once; otherwise the
  /// accepted callback tells, later.
  std::optional<sc_core::sc_time> send(PayloadPtr payload, const sc_core::sc_time& ready) {
    return core_.send(std::move(payload), ready);
  }
  /// Called with (payload, accept time) for every chunk whose send() returned nothing. The time may be in the future.
  void on_accepted(Callback callback) { core_.on_accepted(std::move(callback)); }
  /// Optional: called with (payload, time) when the response is in; without it an error response is an SC_REPORT_ERROR.
  void on_response(Callback callback) { core_.on_response(std::move(callback)); }

  void set_style(Style style) { core_.set_style(style); }
  /// No chunk waits here or at the sink, and every response is in.
  bool idle() const { return core_.idle(); }
  /// The sink holds a chunk whose accept time is not known.
  bool blocked() const { return core_.blocked(); }
  std::size_t queued() const { return core_.queued(); }
  /// The accept time of the last chunk: nothing is offered before it.
  const sc_core::sc_time& free_at() const { return core_.free_at(); }

 private:
  InitiatorCore core_;
};

/// Target side.
template <unsigned BUSWIDTH = 32>
class StreamSink : public tlm::tlm_target_socket<BUSWIDTH> {
 public:
  /// (payload, absolute arrival time, possibly in the future) -> absolute accept time >= arrival, or nothing when it is
  /// not known yet; then accept() must be called later and no further chunk arrives before.
  using OnChunk = TargetCore::OnRequest;

  explicit StreamSink(const char* name) : tlm::tlm_target_socket<BUSWIDTH>(name), core_(this->get_base_port(), true) {
    static_cast<tlm::tlm_target_socket<BUSWIDTH>&>(*this).bind(static_cast<tlm::tlm_fw_transport_if<>&>(core_));
  }

  void on_chunk(OnChunk callback) { core_.on_request(std::move(callback)); }
  /// Takes the pending chunk at absolute time `when` (earlier than now or than the arrival counts as that). Also
  /// allowed inside on_chunk.
  void accept(const sc_core::sc_time& when) { core_.accept(when); }
  /// The chunk that waits for accept(), or null.
  tlm::tlm_generic_payload* pending() const { return core_.pending(); }
  void on_debug(TargetCore::OnDebug callback) { core_.on_debug(std::move(callback)); }

 private:
  TargetCore core_;
};

}  // namespace harmonia::bus
