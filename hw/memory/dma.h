// DMA engine: descriptors and the splitting of a descriptor into memory transactions; plain C++.
//
// Models: a descriptor of up to eight contiguous or strided segments, moved in memory transactions of a configurable
// size that never cross a multiple of that size (so that a transaction stays in one interleave block or one DRAM page
// where the sizes are chosen so); a transaction issued every issue_cycles; a bounded number outstanding; a deep
// descriptor queue that is read ahead across operations. Does not model: address translation, descriptor fetch from
// memory (the sequencer writes descriptors to the command socket), unaligned-access penalties other than those of the
// memory itself.
//
// Weights come as two streams, indices and block scales. One engine reads both: `paced` makes the last segment set the
// pace and each earlier segment is read so far ahead that, in proportion of the segments' lengths, it covers the last
// one's next transaction. A decoder that takes chunks in order so never waits for a scale that lies behind indices. Two
// engines, one for each stream, do as well where the decoder has two inputs.
//
// Units: bytes; cycles of the engine's own clock. A descriptor travels as the data of a TLM write to the command
// socket, in the byte order of the host (it is a modelling interface, not a register map).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harmonia/hw/memory/dma_config.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::memory {

using Cycle = std::uint64_t;

enum class DmaDirection : std::uint8_t { kRead = 0, kWrite = 1 };  // memory to stream, stream to memory

/// `rows` pieces of `row_bytes`, the first at `address`, `stride_bytes` from one beginning to the next.
struct DmaSegment {
  std::uint64_t address = 0;
  std::uint64_t stride_bytes = 0;
  std::uint32_t row_bytes = 0;
  std::uint32_t rows = 1;
  std::uint32_t group_bytes =
      1;  // the segment holds group_elements values in every group_bytes; 0 elements: not counted
  std::uint32_t group_elements = 0;
  std::uint32_t tensor = 0;
  std::uint16_t format = 0;
  bus::TrafficClass traffic = bus::TrafficClass::other;
  std::uint8_t reserved = 0;

  std::uint64_t bytes() const { return std::uint64_t{row_bytes} * rows; }
};

struct DmaDescriptor {
  static constexpr std::size_t kMaxSegments = 8;

  std::uint64_t tag = 0;        // returned in Chunk::tag of memory transactions and in the completion record
  std::uint32_t operation = 0;  // goes into the chunks
  DmaDirection direction = DmaDirection::kRead;
  std::uint8_t segment_count = 0;
  std::uint32_t transaction_bytes = 0;  // 0: the engine's
  float bytes_per_cycle = 0;            // reads: requested no faster than that; 0: no limit
  bool data_valid = true;               // reads: whether bytes are moved, or only time passes
  bool begins_tile = true;              // the first chunk is the first of a tile,
  bool ends_tile = true;                // the last one the last
  bool paced = false;                   // see above; otherwise one segment after the other
  bool respond_when_done = false;  // the command's response waits for the completion instead of the place in the queue
  std::array<std::uint8_t, 7> reserved = {};
  std::array<DmaSegment, kMaxSegments> segments = {};

  std::uint64_t bytes() const;
  /// Length of the descriptor as command data: only the segments that are used travel.
  std::size_t encoded_bytes() const { return offsetof(DmaDescriptor, segments) + segment_count * sizeof(DmaSegment); }
  DmaDescriptor& add(const DmaSegment& segment);  // throws std::length_error beyond kMaxSegments
};

/// Reads command data. Empty when it is a valid descriptor, otherwise which field is wrong, and what was expected.
std::string decode(const void* data, std::size_t length, DmaDescriptor* into);

/// One memory transaction of a descriptor.
struct DmaTransaction {
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::uint32_t elements = 0;
  std::uint8_t segment = 0;
  bool first = false;
  bool last = false;
};

/// The transactions of a descriptor, in the order of issue. Elements of the transactions of a segment add up to the
/// segment's count exactly (floor of the running sum).
class DmaPlan {
 public:
  DmaPlan() = default;
  /// The descriptor must be one that decode() accepts.
  DmaPlan(const DmaDescriptor& descriptor, std::uint32_t default_transaction_bytes);

  bool done() const { return left_bytes_ == 0; }
  std::uint64_t left_bytes() const { return left_bytes_; }
  const DmaDescriptor& descriptor() const { return descriptor_; }
  /// Only while !done().
  DmaTransaction next();

 private:
  struct Cursor {
    std::uint64_t row_address = 0;  // of the row under way
    std::uint32_t in_row = 0;
    std::uint64_t issued = 0;
    std::uint64_t total = 0;
  };

  std::uint32_t next_bytes(std::size_t segment) const;
  std::size_t choose() const;

  DmaDescriptor descriptor_;
  std::uint32_t transaction_bytes_ = 0;
  std::uint64_t left_bytes_ = 0;
  std::array<Cursor, DmaDescriptor::kMaxSegments> cursors_ = {};
  bool begun_ = false;
};

/// What an engine did and waited for, in cycles of its clock. The five cycle counts add up to the cycle in which the
/// port was last used: the issue port of a reader, the port at the stream of a writer. Of a wait with several causes at
/// once each cause, in the order below, counts for the part that the ones before it do not cover.
struct DmaStatistics {
  std::uint64_t descriptors = 0;  // completed
  std::uint64_t transactions = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, bus::traffic_class_count> bytes_by_class = {};
  Cycle busy = 0;                 // reader: issuing; writer: moving bytes in
  Cycle stall_no_descriptor = 0;  // nothing to do
  Cycle stall_memory = 0;         // reader: the memory had not accepted the previous request
  Cycle stall_outstanding = 0;    // every slot waited for the memory's answer
  Cycle stall_stream = 0;         // reader: every slot was held by data that the stream had not taken; writer: no chunk
  std::uint64_t errors = 0;       // transactions that the memory answered with an error
};

}  // namespace harmonia::memory
