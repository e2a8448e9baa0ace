// Memory interconnect: N initiators, M targets, address decode, channel interleave, arbitration.
//
// Models: one request at a time per target port; requests of an initiator that wait in a queue of `queue_requests`, the
// last of them in its request phase; round-robin among the initiators that wait for a busy target; a request taken by
// each target at most once per issue interval; a fixed number of cycles per hop for requests and for responses;
// back-pressure (END_REQ comes back when the queue has room: with one place, when every piece has been taken); requests
// that touch several channels are split into one contiguous piece per channel and their responses merged; address error
// responses.
// Does not model: link width (bandwidth is limited by the targets and initiators), response back-pressure towards the
// targets (the response store holds what is outstanding), clock-edge alignment: latencies are added to the given times.
//
// Requests are ordered by the calls: a request annotated far into the future is arbitrated when the call is made.
// AT in all its variants, LT, debug, and DMI for regions that are not interleaved.
#pragma once

#include <cstdint>
#include <memory>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/address_map.h"
#include "harmonia/tlm/interconnect_config.h"

namespace harmonia::bus {

struct InterconnectStatistics {
  std::uint64_t requests = 0;        ///< from initiators, AT and LT
  std::uint64_t responses = 0;       ///< to initiators; equals requests when nothing is in flight
  std::uint64_t split_requests = 0;  ///< those that touched more than one channel
  std::uint64_t address_errors = 0;
  std::vector<std::uint64_t> bytes_per_target;
  std::vector<std::uint64_t> requests_per_target;       ///< AT: sent to the target
  std::vector<std::uint64_t> one_at_a_time_per_target;  ///< of them those that the target ended with their response
  std::vector<sc_core::sc_time> waited_per_initiator;   ///< AT: time from a request's arrival until it was taken
};

/// The machinery behind the sockets.
class InterconnectCore {
 public:
  using ForwardPort = sc_core::sc_port_b<tlm::tlm_fw_transport_if<>>;
  using BackwardPort = sc_core::sc_port_b<tlm::tlm_bw_transport_if<>>;

  InterconnectCore(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
                   std::vector<ForwardPort*> downstream);
  ~InterconnectCore();
  tlm::tlm_fw_transport_if<>& upstream_interface(std::size_t initiator);
  tlm::tlm_bw_transport_if<>& downstream_interface(std::size_t target);
  const InterconnectStatistics& statistics() const;
  const AddressMap& map() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

template <unsigned BUSWIDTH = 32>
class Interconnect : public sc_core::sc_module {
 public:
  /// targets must cover every target that the map names; throws std::invalid_argument otherwise.
  Interconnect(const sc_core::sc_module_name& name, unsigned initiators, unsigned targets, AddressMap map,
               InterconnectConfig config = {})
      : sc_core::sc_module(name),
        tsock("tsock", initiators),
        isock("isock", targets),
        core_(std::move(map), config, backward_ports(), forward_ports()) {
    for (unsigned i = 0; i < initiators; ++i) tsock[i].bind(core_.upstream_interface(i));
    for (unsigned j = 0; j < targets; ++j) isock[j].bind(core_.downstream_interface(j));
  }

  const InterconnectStatistics& statistics() const { return core_.statistics(); }
  const AddressMap& map() const { return core_.map(); }

  sc_core::sc_vector<tlm::tlm_target_socket<BUSWIDTH>> tsock;     ///< one per initiator
  sc_core::sc_vector<tlm::tlm_initiator_socket<BUSWIDTH>> isock;  ///< one per target

 private:
  std::vector<InterconnectCore::BackwardPort*> backward_ports() {
    std::vector<InterconnectCore::BackwardPort*> ports;
    for (auto& socket : tsock) ports.push_back(&socket.get_base_port());
    return ports;
  }
  std::vector<InterconnectCore::ForwardPort*> forward_ports() {
    std::vector<InterconnectCore::ForwardPort*> ports;
    for (auto& socket : isock) ports.push_back(&socket.get_base_port());
    return ports;
  }

  InterconnectCore core_;
};

}  // namespace harmonia::bus
