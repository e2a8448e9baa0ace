// What the sequencer asks of the activation buffer: hand an A operand to the PE array when it is complete.
#pragma once

#include <cstdint>

namespace harmonia::memory {

struct OperandDescriptor {
  std::uint32_t operand = 0;  // number of the A operand
  std::uint32_t row_bytes = 0;
  std::uint32_t rows = 0;
  std::uint8_t from_memory = 0;  // 1: the bytes come through the DMA socket, otherwise from the converter
  bool keep = false;             // the operand stays for a descriptor that comes later and reads it again,
  bool again = false;            // which is one of these
  // From memory the operand comes as blocks of columns, one after the other, each with a piece of every row:
  std::uint32_t block_rows = 0;   // pieces in a block; of queries the tokens, the blocks being their heads
  std::uint32_t block_bytes = 0;  // of a piece; the last block's may be shorter

  // Rows of an operand that came from the converter, which others read too. Where they are not all of them, a table of their
  // numbers follows, 32 bits each, in ascending order. Where they are none, nothing is handed over, and the source's room is given back
  // with that of the operand before it:
  std::uint32_t source = 0;       // its number; 0: the operand is the one that came
  std::uint32_t source_rows = 0;  // all of its rows
  std::uint8_t keeps_source = 0;  // 1: it stays for a later descriptor; 0: its room is given back behind this use

  bool picks() const { return source != 0 && rows < source_rows; }
  bool releases() const { return source != 0 && rows == 0; }
  std::uint64_t bytes() const { return std::uint64_t(row_bytes) * rows; }
  /// What must have come before it can be handed over: under which number, and how much.
  std::uint32_t arrives_as() const { return source != 0 ? source : operand; }
  std::uint64_t arriving_bytes() const { return source != 0 ? std::uint64_t(row_bytes) * source_rows : bytes(); }
};

}  // namespace harmonia::memory
