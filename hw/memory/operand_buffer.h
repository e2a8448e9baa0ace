// The activation buffer's operand side, without SystemC: how the bytes of an A operand stand, and how long reading one takes.
//
// Models: the order of an operand's bytes, rows one after the other, whichever way they came; the read port's width.
// Does not model: who may come in when (operand_buffer_module.h), the contents' place in the banks.
// Source: our definition; capacity and width are configuration values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/memory/buffer_config.h"
#include "harmonia/hw/memory/operand_descriptor.h"
#include "harmonia/tlm/stream_headers.h"

namespace harmonia::memory {

/// Bytes of A operands that the activation buffer holds: half of it, the other half is the vector unit's.
inline std::uint64_t operand_capacity_bytes(const BufferConfig& activation_buffer) {
  return activation_buffer.capacity_bytes / 2;
}

/// The first field of a descriptor that is wrong for a buffer of so many bytes, in words; empty: none.
std::string fault_of(const OperandDescriptor& d, std::uint64_t capacity_bytes);
/// The same of the table that follows a descriptor: the rows that it picks.
std::string table_fault(const OperandDescriptor& d, const std::vector<unsigned char>& table);
/// What is wrong with the header of a chunk of `bytes` bytes for an operand of `operand_bytes` bytes (the buffer's capacity
/// where that is not known yet), whose rows have `row_bytes` (0: not known); empty: nothing.
std::string piece_fault(const bus::OperandPiece& piece, std::uint64_t bytes, std::uint64_t operand_bytes,
                        std::uint64_t row_bytes);

/// Cycles that the read port is held by an operand of so many bytes.
std::uint64_t read_cycles(const BufferConfig& activation_buffer, std::uint64_t bytes);

/// Puts a chunk of `bytes` bytes, piece.rows pieces of equal length one after the other, into their rows of the operand,
/// which grows as far as the last of them needs.
void place_rows(const bus::OperandPiece& piece, const std::uint8_t* data, std::size_t bytes,
                std::vector<std::uint8_t>& operand);

/// Copies the rows of an operand that a descriptor picks by its table. rows: d.bytes().
void pick_rows(const OperandDescriptor& d, const std::vector<unsigned char>& table, const std::uint8_t* operand,
               std::uint8_t* rows);

/// Puts an operand that came from memory as blocks of columns (d.block_rows, d.block_bytes) into rows of d.row_bytes.
/// blocks, rows: d.bytes() each.
void gather_rows(const OperandDescriptor& d, const std::uint8_t* blocks, std::uint8_t* rows);

}  // namespace harmonia::memory
