// Configuration of a link between devices, and of what a collective spends on it beside bytes.
//
// Models: one direction of what one device has towards the others: bandwidth, latency, packets, the start of a message, the largest
//   message, the receiver's buffer. Does not model: bit errors and their repeats, other traffic on the link.
#pragma once

#include <cstdint>
#include <string>

#include "harmonia/config/fields.h"

namespace harmonia::link {

struct Config {
  std::string name = "link";
  std::string description;
  double bandwidth_gb_per_s = 64;
  double latency_ns = 100;
  std::uint64_t payload_bytes = 256;
  std::uint64_t header_bytes = 16;
  double message_ns = 0;
  std::uint64_t message_bytes = 1 << 20;
  std::uint64_t buffer_bytes = 4 << 20;
  double collective_us = 0;
  std::uint64_t eager_bytes = 1 << 20;
  double rendezvous_us = 0;
  double pj_per_bit = 5;
  double phy_mm2 = 0;
  void describe(config::Fields& f);

  /// Bytes on the wires for `payload` bytes of one message: a header for each packet begun.
  std::uint64_t wire_bytes(std::uint64_t payload) const {
    return payload + (payload + payload_bytes - 1) / payload_bytes * header_bytes;
  }
};

}  // namespace harmonia::link
