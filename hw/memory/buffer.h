// Stream buffer: timing, without SystemC.
//
// StreamBufferTiming models the weight buffer and the KV buffer, which stand between a DMA engine and a consumer of chunks:
//  - tiles: the memory is two halves, and a tile fills one half while the consumer empties the other. A tile becomes readable
//    when its last byte is written; its half becomes writable when its last chunk was taken. A tile larger than a half does
//    not fit and is refused. With a single tile the memory is one room, which fills again when it has been emptied.
//  - streaming: the memory is one ring of bytes; a chunk becomes readable when its own last byte is written and its room is
//    given back when it was taken.
//  - one write port and one read port, each half of the banks wide (in tile mode a half is made of half of the banks, so the
//    ports never meet in a bank; in streaming mode the ring's two ends are kept in different banks by the address layout). A
//    chunk holds its port for ceil(bytes / width) cycles; the read port is also held until the consumer has taken it.
//  - every time is the maximum of sums of known times (a max-plus recurrence), so that nothing has to be waited for in
//    simulation: admit() and present() answer with cycles that may lie in the future.
//
// Does not model: the contents (the modules keep them), ECC, power gating, the column order of words within a bank.
//
// Units: bytes and cycles of the buffer's own clock.
#pragma once

#include <cstdint>
#include <optional>

#include "harmonia/hw/memory/buffer_config.h"
#include "harmonia/tlm/ring.h"

namespace harmonia::memory {

using Cycle = std::uint64_t;

/// Counts of one buffer. The write port's three counts add up to the time of its last use, and so do the read port's.
struct StreamBufferStatistics {
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tiles = 0;
  Cycle write_busy = 0;      // moving bytes in
  Cycle write_no_input = 0;  // room, but no chunk
  Cycle write_no_room = 0;   // a chunk, but no room
  Cycle read_busy = 0;       // moving bytes out
  Cycle read_no_data = 0;    // nothing readable
  Cycle read_blocked = 0;    // the consumer did not take the chunk
  std::uint64_t peak_bytes = 0;
  std::uint64_t byte_cycles = 0;  // occupancy summed over time; divided by the run time it is the mean occupancy
};

class StreamBufferTiming {
 public:
  enum class Refusal : std::uint8_t { kNone, kTileTooLarge, kTileNotEnded, kTileNotBegun };

  explicit StreamBufferTiming(const StreamBufferConfig& config);

  /// Why a chunk can never be taken; kNone if it can. To be asked before admit(). Tiles are marks for the consumer only
  /// in streaming mode, where a chunk just has to fit.
  Refusal refusal(std::uint64_t bytes, bool first_of_tile) const;
  /// The most bytes that a chunk may have now.
  std::uint64_t most_bytes() const { return streaming_ ? capacity_bytes_ : tile_room_bytes_ - tile_bytes_; }

  /// Takes the next chunk, which arrives at cycle `arrival` (not before the previous one was accepted): the cycle at
  /// which its last byte is written, which is when the next one may arrive. Nothing, and nothing changed, while that
  /// depends on a chunk that the consumer has not been heard of yet; then to be asked again after taken().
  std::optional<Cycle> admit(Cycle arrival, std::uint64_t bytes, bool last_of_tile);

  /// True if the oldest chunk that was not presented yet can be.
  bool can_present() const { return !presented_ && (streaming_ ? !entries_.empty() : complete_chunks_ > 0); }

  /// Reads the oldest chunk out: the cycle at which all of it is at the output.
  Cycle present();

  /// The consumer took (or will take) the presented chunk at cycle `when`, which is not before present()'s answer.
  void taken(Cycle when);

  /// peak_bytes and byte_cycles cover what was admitted and taken so far.
  StreamBufferStatistics statistics() const;
  /// Chunks in the buffer that were not taken as far as is known.
  std::size_t resident_chunks() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t bytes;
    Cycle begin;     // room held from here
    Cycle readable;  // in tile mode known once the tile is complete
    bool last;
  };

  struct Change {
    Cycle when;
    std::uint64_t bytes;
  };

  bool room_from(std::uint64_t bytes, bool begins_tile, Cycle* from) const;
  void follow_occupancy();

  std::uint64_t capacity_bytes_;
  unsigned tiles_;
  std::uint64_t tile_room_bytes_;
  std::uint64_t port_bytes_;
  Cycle latency_;
  bool streaming_;

  bus::Ring<Entry> entries_;      // admitted and not known to be taken
  bus::Ring<Change> departures_;  // taken, but at a cycle after the last admission
  // Occupancy is followed apart: a departure often becomes known after admissions that it precedes in time.
  bus::Ring<Change> arrivals_seen_;
  bus::Ring<Change> departures_seen_;
  std::uint64_t occupancy_bytes_ = 0;
  std::size_t complete_chunks_ = 0;  // of entries_, from the front: their tile is complete
  std::uint64_t held_bytes_ = 0;     // entries_ and departures_ together
  bool in_tile_ = false;
  bool presented_ = false;
  std::uint64_t tile_bytes_ = 0;  // written of the tile under way
  unsigned tiles_held_ = 0;       // complete or under way, last chunk not known to be taken
  Cycle room_free_[2] = {0, 0};   // when each tile's room was emptied last
  unsigned write_room_ = 0;
  unsigned read_room_ = 0;
  Cycle write_free_ = 0;
  Cycle read_free_ = 0;
  Cycle ready_ = 0;
  StreamBufferStatistics statistics_;
};

}  // namespace harmonia::memory
