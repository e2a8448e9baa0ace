// Time and bytes of a collective, without SystemC: the schedule of every device over the links of a topology.
//
// Models: what CollectiveUnit and Link (collective_module.h, link_module.h) do, with the same LinkTiming, to the picosecond. Does not
//   model: values, the time that additions take (the unit that uses the sums counts that), contention at a switch's far side: only
//   the sender's wires and the receiver's order are.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/link/link_timing.h"
#include "harmonia/hw/link/reduction.h"
#include "harmonia/hw/link/schedule.h"

namespace harmonia::link {

/// Of a device's bandwidth, what each of its links has; links of a switch share one port. Every device of a shared path sends all the
/// time (a ring), so that each has an equal share.
double share_of(Topology topology, unsigned devices);

struct Cost {
  Ps time = 0;                      // until the last device is done
  std::uint64_t payload_bytes = 0;  // sent by all devices together
  std::uint64_t wire_bytes = 0;     // the same with headers
};

struct Request {
  Collective collective = Collective::all_reduce;
  Algorithm algorithm = Algorithm::ring;
  Topology topology = Topology::switched;
  unsigned devices = 2;
  std::uint64_t elements = 0;
  Reduction reduction = Reduction::fp16;
};

/// Elements of the largest message. At least 1: an element is at most as wide as the smallest buffer, or this throws
/// std::invalid_argument.
std::uint64_t message_elements(const Config& config, Reduction reduction);
/// Start of the collective on each device, rendezvous included.
Ps start_of(const Config& config, const Request& request);
/// All devices begin at the same time. Throws std::invalid_argument for what refusal() names, std::logic_error when devices wait for
/// each other for ever.
Cost cost_of(const Config& config, const Request& request);
/// The algorithm of an all-reduce that takes least time, of those that the topology has; the first of equal ones.
Algorithm fastest(const Config& config, Request request);

}  // namespace harmonia::link
