// Timing of one direction of one link, without data: when a message leaves, arrives, and what room its receiver has.
//
// Models: messages in order; each takes the wires for its start and its bytes with the headers of its packets, and arrives a latency
//   after its last byte left. It leaves only when the receiver's buffer has room for all of it, as far as the sender knows: news of
//   room takes a latency too. Does not model: packets one by one, cut-through of what a receiver passes on.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "harmonia/hw/link/config.h"

namespace harmonia::link {

using Ps = std::uint64_t;

class LinkTiming {
 public:
  /// share: of the device's bandwidth, that this link has.
  LinkTiming(const Config& config, double share);

  struct Message {
    Ps left, arrival;  // last byte left; the receiver can use it
  };
  /// A message offered at `offered`. Nothing: the receiver has no room and it is not known when it will; to be asked again after consumed().
  std::optional<Message> send(Ps offered, std::uint64_t bytes);
  /// The receiver took the oldest message that it had not taken, at `when`.
  void consumed(Ps when);

  /// Time that a message of so many bytes takes the wires.
  Ps occupation(std::uint64_t bytes) const;
  std::uint64_t payload_bytes() const { return payload_; }
  std::uint64_t wire_bytes() const { return wire_; }
  std::uint64_t most_buffered_bytes() const { return most_buffered_; }

 private:
  struct Buffered {
    std::uint64_t bytes;
    std::optional<Ps> free_at;
  };
  Config config_;
  double ps_per_byte_;
  Ps latency_, start_;
  Ps free_ = 0;
  std::deque<Buffered> buffered_;
  std::uint64_t used_ = 0, most_buffered_ = 0, payload_ = 0, wire_ = 0;
};

}  // namespace harmonia::link
