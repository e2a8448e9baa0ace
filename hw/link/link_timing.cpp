#include "harmonia/hw/link/link_timing.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace harmonia::link {

LinkTiming::LinkTiming(const Config& config, double share)
    : config_(config),
      ps_per_byte_(1e3 / (config.bandwidth_gb_per_s * share)),
      latency_(static_cast<Ps>(std::llround(1e3 * config.latency_ns))),
      start_(static_cast<Ps>(std::llround(1e3 * config.message_ns))) {}

Ps LinkTiming::occupation(std::uint64_t bytes) const {
  return start_ + static_cast<Ps>(std::llround(static_cast<double>(config_.wire_bytes(bytes)) * ps_per_byte_));
}

std::optional<LinkTiming::Message> LinkTiming::send(Ps offered, std::uint64_t bytes) {
  if (bytes > config_.buffer_bytes)
    throw std::invalid_argument("a message of " + std::to_string(bytes) +
                                " bytes, expected at most the receiver's buffer of " +
                                std::to_string(config_.buffer_bytes));
  Ps begin = std::max(offered, free_);
  // Room that is known to be free by then, and, when that is not enough, the next that is known to become free.
  while (!buffered_.empty() && buffered_.front().free_at &&
         (*buffered_.front().free_at <= begin || used_ + bytes > config_.buffer_bytes)) {
    begin = std::max(begin, *buffered_.front().free_at);
    used_ -= buffered_.front().bytes;
    buffered_.pop_front();
  }
  if (used_ + bytes > config_.buffer_bytes) return std::nullopt;
  buffered_.push_back({bytes, std::nullopt});
  used_ += bytes;
  most_buffered_ = std::max(most_buffered_, used_);
  payload_ += bytes;
  wire_ += config_.wire_bytes(bytes);
  free_ = begin + occupation(bytes);
  return Message{free_, free_ + latency_};
}

void LinkTiming::consumed(Ps when) {
  const auto oldest = std::find_if(buffered_.begin(), buffered_.end(), [](const Buffered& b) { return !b.free_at; });
  if (oldest == buffered_.end()) throw std::logic_error("a receiver took more messages than were sent");
  oldest->free_at = when + latency_;
}

}  // namespace harmonia::link
