// SystemC module of one direction of one link.
//
// Models: link_timing.h between two TLM-2.0 streams: a write is one message, taken when its last byte has left, presented to the far side
//   when it has arrived. The far side's END_REQ frees the room that it had there. Bytes are copied on arrival. Does not model: what the
//   bytes mean; packets one by one.
//
// Back-pressure: END_REQ is withheld while the far side has no room. A message larger than its buffer is answered with
// TLM_BURST_ERROR_RESPONSE and a report, and dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <systemc>
#include <tlm>

#include "harmonia/hw/link/link_timing.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::link {

class Link final : public sc_core::sc_module {
 public:
  bus::StreamSink<> tsock{"tsock"};
  bus::StreamSource<> isock{"isock"};

  /// share: of the device's bandwidth (share_of).
  Link(sc_core::sc_module_name name, const Config& config, double share = 1.0);

  const LinkTiming& timing() const { return timing_; }
  std::uint64_t refused() const { return refused_; }

 private:
  std::optional<sc_core::sc_time> message(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  std::optional<sc_core::sc_time> pass(tlm::tlm_generic_payload& payload, const sc_core::sc_time& offered);
  void taken(const sc_core::sc_time& when);

  Config config_;
  LinkTiming timing_;
  bus::PayloadPool pool_;
  tlm::tlm_generic_payload* waiting_ = nullptr;
  sc_core::sc_time waiting_since_;
  bool passing_ = false;
  std::uint64_t refused_ = 0;
};

}  // namespace harmonia::link
