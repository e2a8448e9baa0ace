// Initiator socket for memory-mapped reads and writes with many transactions outstanding.
//
// Models: a request port that offers one request at a time and accepts every response at once (room is reserved before
// asking); a limit on outstanding transactions. AT with two to four phases as the target likes, or LT.
// Does not model: how the requests come about, splitting at page or interleave borders.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/initiator_core.h"
#include "harmonia/tlm/payload_pool.h"

namespace harmonia::bus {

template <unsigned BUSWIDTH = 32>
class MemoryInitiator : public tlm::tlm_initiator_socket<BUSWIDTH> {
 public:
  using Callback = InitiatorCore::Callback;

  explicit MemoryInitiator(const char* name) : tlm::tlm_initiator_socket<BUSWIDTH>(name), core_(*this, true) {
    static_cast<tlm::tlm_initiator_socket<BUSWIDTH>&>(*this).bind(static_cast<tlm::tlm_bw_transport_if<>&>(core_));
  }

  /// Requests the transaction at absolute time `ready`, in order. Returns the accept time when known at once, else
  /// on_accepted tells. In order of sending; responses come in any order.
  std::optional<sc_core::sc_time> send(PayloadPtr payload, const sc_core::sc_time& ready) {
    return core_.send(std::move(payload), ready);
  }
  void on_accepted(Callback callback) { core_.on_accepted(std::move(callback)); }
  /// (payload, absolute time at which the response is complete, possibly in the future). The status is the callee's to
  /// check. May be called before send() returns, when the target answers at once. Sending from within is fine.
  void on_response(Callback callback) { core_.on_response(std::move(callback)); }
  void on_invalidate_dmi(std::function<void(sc_dt::uint64, sc_dt::uint64)> callback) {
    core_.on_invalidate_dmi(std::move(callback));
  }

  /// Transactions between request and response; further ones wait here. 0: no limit.
  void set_max_outstanding(std::size_t limit) { core_.set_max_outstanding(limit); }
  void set_style(Style style) { core_.set_style(style); }
  std::size_t outstanding() const { return core_.outstanding(); }
  std::size_t queued() const { return core_.queued(); }
  bool idle() const { return core_.idle(); }
  bool blocked() const { return core_.blocked(); }
  const sc_core::sc_time& free_at() const { return core_.free_at(); }

 private:
  InitiatorCore core_;
};

}  // namespace harmonia::bus
