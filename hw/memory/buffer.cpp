#include "harmonia/hw/memory/buffer.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <stdexcept>

#include "harmonia/config/error.h"

namespace harmonia::memory {

StreamBufferTiming::StreamBufferTiming(const StreamBufferConfig& config)
    : capacity_bytes_(config.capacity_bytes),
      tiles_(config.mode == BufferMode::kSingleTile ? 1 : 2),
      tile_room_bytes_(config.capacity_bytes / tiles_),
      port_bytes_(config.port_bytes_per_cycle()),
      latency_(config.latency_cycles),
      streaming_(config.mode == BufferMode::kStreaming) {
  config::validate(config);
}

StreamBufferTiming::Refusal StreamBufferTiming::refusal(std::uint64_t bytes, bool first_of_tile) const {
  if (!streaming_ && first_of_tile != !in_tile_) return in_tile_ ? Refusal::kTileNotEnded : Refusal::kTileNotBegun;
  return bytes > most_bytes() ? Refusal::kTileTooLarge : Refusal::kNone;
}

bool StreamBufferTiming::room_from(std::uint64_t bytes, bool begins_tile, Cycle* from) const {
  *from = 0;
  if (!streaming_) {
    if (!begins_tile) return true;  // the tile has its room already
    *from = room_free_[write_room_];
    return tiles_held_ < tiles_;
  }
  // The ring's chunks leave in order, so the first departures that free enough decide.
  std::uint64_t held = held_bytes_;
  for (std::size_t i = 0; held + bytes > capacity_bytes_; ++i) {
    if (i == departures_.size()) return false;
    held -= departures_[i].bytes;
    *from = departures_[i].when;
  }
  return true;
}

std::optional<Cycle> StreamBufferTiming::admit(Cycle arrival, std::uint64_t bytes, bool last_of_tile) {
  assert(refusal(bytes, !in_tile_) == Refusal::kNone);
  const bool begins_tile = !in_tile_;
  Cycle room = 0;
  if (!room_from(bytes, begins_tile, &room)) return std::nullopt;

  const Cycle wanted = std::max(arrival, write_free_);
  const Cycle begin = std::max(wanted, room);
  const Cycle duration = (bytes + port_bytes_ - 1) / port_bytes_;
  const Cycle accept = begin + duration;
  statistics_.write_no_input += wanted - write_free_;
  statistics_.write_no_room += begin - wanted;
  statistics_.write_busy += duration;
  write_free_ = accept;

  while (!departures_.empty() && departures_.front().when <= begin) {
    held_bytes_ -= departures_.pop().bytes;
  }
  held_bytes_ += bytes;
  arrivals_seen_.push({begin, bytes});
  follow_occupancy();
  ++statistics_.chunks;
  statistics_.bytes += bytes;

  entries_.push({bytes, begin, accept, last_of_tile});
  if (begins_tile) ++tiles_held_;
  in_tile_ = !last_of_tile;
  tile_bytes_ = last_of_tile ? 0 : tile_bytes_ + bytes;
  if (last_of_tile) {
    ++statistics_.tiles;
    write_room_ = (write_room_ + 1) % tiles_;
    if (!streaming_) {
      for (std::size_t i = complete_chunks_; i < entries_.size(); ++i) entries_[i].readable = accept;
      complete_chunks_ = entries_.size();
    }
  }
  return accept;
}

Cycle StreamBufferTiming::present() {
  assert(can_present());
  const Entry& entry = entries_.front();
  const Cycle start = std::max(entry.readable, read_free_);
  const Cycle duration = (entry.bytes + port_bytes_ - 1) / port_bytes_;
  statistics_.read_no_data += start - read_free_;
  statistics_.read_busy += duration;
  read_free_ = start + duration;
  ready_ = read_free_ + latency_;
  presented_ = true;
  return ready_;
}

void StreamBufferTiming::taken(Cycle when) {
  assert(presented_ && when >= ready_);
  const Entry entry = entries_.pop();
  if (complete_chunks_ > 0) --complete_chunks_;
  presented_ = false;
  // The output register lets the port run on during the latency; a consumer that comes later holds it.
  const Cycle blocked = when - ready_;
  statistics_.read_blocked += blocked;
  read_free_ += blocked;
  statistics_.byte_cycles += entry.bytes * (when - entry.begin);
  departures_.push({when, entry.bytes});
  departures_seen_.push({when, entry.bytes});
  follow_occupancy();
  if (entry.last) {
    --tiles_held_;
    room_free_[read_room_] = when;
    read_room_ = (read_room_ + 1) % tiles_;
  }
}

void StreamBufferTiming::follow_occupancy() {
  while (!arrivals_seen_.empty() && !departures_seen_.empty()) {
    if (departures_seen_.front().when <= arrivals_seen_.front().when) {
      occupancy_bytes_ -= departures_seen_.pop().bytes;
    } else {
      occupancy_bytes_ += arrivals_seen_.pop().bytes;
      statistics_.peak_bytes = std::max(statistics_.peak_bytes, occupancy_bytes_);
    }
  }
}

StreamBufferStatistics StreamBufferTiming::statistics() const {
  StreamBufferStatistics counts = statistics_;
  std::uint64_t occupancy_bytes = occupancy_bytes_;
  for (std::size_t i = 0; i < arrivals_seen_.size(); ++i) occupancy_bytes += arrivals_seen_[i].bytes;
  counts.peak_bytes = std::max(counts.peak_bytes, occupancy_bytes);
  return counts;
}

}  // namespace harmonia::memory
