// The activation buffer's operand side, without SystemC: how the bytes of an A operand stand, and how long reading one takes.
//
// Models: the order of an operand's bytes, rows one after the other, whichever way they came; the read port's width.
// Does not model: who may come in when (operand_buffer_module.h), the contents' place in the banks.
// Source: our definition; capacity and width are configuration values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/memory/buffer_config.h"
#include "harmonia/hw/memory/operand_descriptor.h"
#include "harmonia/tlm/stream_headers.h"

namespace harmonia::memory {

/// Bytes of A operands that the activation buffer holds: half of it, the other half is the vector unit's.
inline std::uint64_t operand_capacity_bytes(const BufferConfig& activation_buffer) {
  return activation_buffer.capacity_bytes / 2;
}

/// Cycles that the read port is held by an operand of so many bytes.
std::uint64_t read_cycles(const BufferConfig& activation_buffer, std::uint64_t bytes);

/// Puts a chunk of `bytes` bytes, piece.rows pieces of equal length one after the other, into their rows of the operand,
/// which grows as far as the last of them needs.
void place_rows(const bus::OperandPiece& piece, const std::uint8_t* data, std::size_t bytes,
                std::vector<std::uint8_t>& operand);

/// Puts an operand that came from memory as blocks of columns (d.block_rows, d.block_bytes) into rows of d.row_bytes.
/// blocks, rows: d.bytes() each.
void gather_rows(const OperandDescriptor& d, const std::uint8_t* blocks, std::uint8_t* rows);

}  // namespace harmonia::memory
