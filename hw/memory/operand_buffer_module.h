// SystemC module of the activation buffer's operand side: collects A operands and hands them to the PE array when
// complete.
//
// Models: operands under a number, put together from chunks of the converter or of a DMA engine in any order of
// columns; capacity: a chunk waits while it does not fit; hand-over in the order of the descriptors, when the operand
// is complete; the read port's width. An operand's room is given back when the PE array answers, which it does when the
// last tile that uses it has ended; that of an operand which is read several times, after the last time, or behind a
// descriptor that reads none of its rows. Does not model: the contents' place in the banks, the vector unit's scratch
// half.
//
// Who may come in. Operands are used in the order of their descriptors; what comes from memory is read ahead of its
// use, what comes from the converter comes when it has been computed. The buffer never deadlocks, because operands
// that are needed later never take the room of those that are needed earlier:
//  - a chunk from memory is let in when, beside everything that is held, there is room for the rest of its operand and
//    for all that is missing of the operands before it. The foremost operand from memory therefore waits for operands
//    at the array only, and the array ends with those by itself;
//  - a chunk from the converter is let in when it fits. The plan (hw/program/step_program.h) sees to it that what the
//    converter brings before its turn fits beside every operand whose turn comes first.
//
// Source: our definition; capacity and width are configuration values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/memory/operand_buffer.h"
#include "harmonia/hw/memory/operand_descriptor.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/stream_block.h"

namespace harmonia::memory {

class OperandBuffer final : public bus::StreamBlock<OperandDescriptor> {
 public:
  OperandBuffer(sc_core::sc_module_name name, const BufferConfig& activation_buffer);

  bus::ChunkInput converter;  // target socket tsock_converter
  bus::ChunkInput dma;        // target socket tsock_dma
  bus::StreamSource<> isock{"isock"};

  /// Called when an operand is read; begin and end are those of the work, which may lie ahead of the simulated time.
  std::function<void(const bus::Work&)> observer;

  std::uint64_t peak_bytes() const { return peak_bytes_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  bool idle() const { return command.empty(); }
  /// What it holds and what it waits for, in one line.
  std::string state() const;

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    bus::Cycle complete = 0;
    std::vector<std::uint8_t> data;
  };

  bool step() override;
  std::string descriptor_fault(const OperandDescriptor& d) const;
  std::string input_fault(const tlm::tlm_generic_payload& payload, bool from_memory) const;
  bool take(bus::ChunkInput& input, bool from_memory);
  std::optional<std::uint64_t> room_needed(const bus::Chunk& chunk, std::uint64_t bytes, bool from_memory) const;
  std::optional<bus::Cycle> room_from(std::uint64_t bytes) const;
  bool send();
  void release(const OperandDescriptor& d, bus::Cycle when);
  void handed_over(bus::Cycle when);

  BufferConfig config_;
  std::uint64_t capacity_bytes_;
  bool blocked_ = false;
  std::map<std::uint32_t, Entry> entries_;
  std::multimap<std::uint32_t, OperandDescriptor> queued_;  // those in `command` by the number that comes, in order
  struct Departure {
    bus::Cycle when;
    std::uint64_t bytes;
  };
  std::uint64_t held_bytes_ = 0, peak_bytes_ = 0, bytes_read_ = 0;
  bus::Ring<std::uint64_t> given_back_;  // by the array's answer to each operand that it has; 0: it is kept here
  bus::Ring<Departure> departures_;      // given back, at times that may lie ahead; counted in held_bytes_ until then
};

}  // namespace harmonia::memory
