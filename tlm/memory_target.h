// Target socket for memory-mapped requests.
//
// Models: a request port that takes one request at a time, withholds END_REQ as back-pressure, and answers in whatever
// order its owner likes, one response at a time until the initiator ends it.
// Does not model: storage, timing (the owner says when a request is accepted and when it is answered).
//
//   tsock.on_request([this](auto& payload, const sc_time& arrival) -> std::optional<sc_time> { ... });
//     return a time: END_REQ then, answer with respond(payload, when) later;
//     return nothing: END_REQ withheld until accept(when), or until respond(payload, when), which implies it;
//     call respond() inside and return nothing: early completion, the cheapest way when the answer is known at once.
#pragma once

#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/target_core.h"

namespace harmonia::bus {

template <unsigned BUSWIDTH = 32>
class MemoryTarget : public tlm::tlm_target_socket<BUSWIDTH> {
 public:
  explicit MemoryTarget(const char* name)
      : tlm::tlm_target_socket<BUSWIDTH>(name), core_(this->get_base_port(), false) {
    static_cast<tlm::tlm_target_socket<BUSWIDTH>&>(*this).bind(static_cast<tlm::tlm_fw_transport_if<>&>(core_));
  }

  void on_request(TargetCore::OnRequest callback) { core_.on_request(std::move(callback)); }
  /// Optional LT short cut (payload, delay in/out). Without it b_transport goes through on_request and waits until
  /// respond(), which needs a thread unless respond() is called inside on_request.
  void on_blocking(TargetCore::OnBlocking callback) { core_.on_blocking(std::move(callback)); }
  void on_debug(TargetCore::OnDebug callback) { core_.on_debug(std::move(callback)); }
  void on_dmi(TargetCore::OnDmi callback) { core_.on_dmi(std::move(callback)); }
  /// The owner asks answer_to_attributes() itself, because it counts or times what it refuses.
  void owner_looks_at_attributes() { core_.owner_looks_at_attributes(); }

  /// END_REQ for the pending request at absolute time `when` (earlier than now or than the arrival counts as that).
  void accept(const sc_core::sc_time& when) { core_.accept(when); }
  /// Answers at absolute time `when`, once for each request. The status is OK unless the owner has set another.
  /// Responses go out in the order of these calls.
  void respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { core_.respond(payload, when); }
  tlm::tlm_generic_payload* pending() const { return core_.pending(); }
  /// Withdraws DMI pointers given out for [start, end].
  void invalidate_dmi(sc_dt::uint64 start, sc_dt::uint64 end) {
    core_.backward()->invalidate_direct_mem_ptr(start, end);
  }

 private:
  TargetCore core_;
};

}  // namespace harmonia::bus
