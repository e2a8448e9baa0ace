#include "harmonia/hw/memory/operand_buffer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace harmonia::memory {

std::uint64_t read_cycles(const OperandBufferConfig& config, std::uint64_t bytes) {
  return (bytes + config.port_bytes_per_cycle - 1) / config.port_bytes_per_cycle;
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
