// Configuration of the memory interconnect, without SystemC.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"

namespace harmonia::bus {

struct InterconnectConfig {
  std::uint64_t interleave_bytes = 256;  // of the address map that the interconnect decodes with
  bool hashed = false;
  unsigned cycles_per_hop = 4;
  unsigned queue_requests = 8;  // of an initiator that are accepted before targets have taken them, the last included
  unsigned hops = 1;            // between an initiator and a target, the same way back
  unsigned issue_cycles = 1;    // a target port takes at most one request in so many cycles
  std::uint64_t clock_ps = 1000;

  void describe(config::Fields& f);

  /// From the initiator's port to the target's, and back.
  unsigned latency_cycles() const { return cycles_per_hop * hops; }
};

}  // namespace harmonia::bus
