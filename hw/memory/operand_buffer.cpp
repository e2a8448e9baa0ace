#include "harmonia/hw/memory/operand_buffer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace harmonia::memory {

std::uint64_t read_cycles(const BufferConfig& activation_buffer, std::uint64_t bytes) {
  const std::uint64_t width = activation_buffer.port_bytes_per_cycle();
  return (bytes + width - 1) / width;
}

void place_rows(const bus::OperandPiece& piece, const std::uint8_t* data, std::size_t bytes,
                std::vector<std::uint8_t>& operand) {
  if (piece.rows == 0) return;
  const std::size_t length = bytes / piece.rows, stride = piece.row_stride, row_bytes = piece.row_bytes;
  const std::size_t end = (piece.row_begin + (piece.rows - 1) * stride + 1) * row_bytes;
  if (operand.size() < end) operand.resize(end);
  for (std::size_t r = 0; r < piece.rows; ++r)
    std::memcpy(operand.data() + (piece.row_begin + r * stride) * row_bytes + piece.column_bytes, data + r * length,
                length);
}

void gather_rows(const OperandDescriptor& d, const std::uint8_t* blocks, std::uint8_t* rows) {
  const std::size_t row_bytes = d.bytes() / d.block_rows;
  for (std::size_t column = 0; column < row_bytes; column += d.block_bytes) {
    const std::size_t piece = std::min<std::size_t>(d.block_bytes, row_bytes - column);
    for (std::size_t r = 0; r < d.block_rows; ++r, blocks += piece)
      std::memcpy(rows + r * row_bytes + column, blocks, piece);
  }
}

}  // namespace harmonia::memory
