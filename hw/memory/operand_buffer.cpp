#include "harmonia/hw/memory/operand_buffer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "harmonia/tlm/field_check.h"

namespace harmonia::memory {

std::uint64_t read_cycles(const BufferConfig& activation_buffer, std::uint64_t bytes) {
  const std::uint64_t width = activation_buffer.port_bytes_per_cycle();
  return (bytes + width - 1) / width;
}

std::string fault_of(const OperandDescriptor& d, std::uint64_t capacity_bytes) {
  bus::FieldCheck c;
  c.flag("from_memory", d.from_memory).within("row_bytes", d.row_bytes, 1, capacity_bytes);
  c.within("rows", d.rows, d.source != 0 && d.keeps_source == 0 ? 0 : 1,
           d.row_bytes == 0 ? 0 : capacity_bytes / d.row_bytes);
  c.flag("keep", d.keep);
  c.flag("again", d.again);
  c.flag("keeps_source", d.keeps_source);
  if (d.source != 0) {
    c.equal("from_memory", d.from_memory, 0, "rows are picked of what the converter sent");
    c.require(d.source != d.operand, "source", d.source, "another number than the operand's");
    c.require(d.source_rows >= d.rows && d.row_bytes != 0 && d.source_rows <= capacity_bytes / d.row_bytes,
              "source_rows", d.source_rows, "rows or more, as many as the buffer holds");
  }
  if (d.from_memory == 0 || d.block_rows == 0) return c.fault();
  c.require(d.bytes() % d.block_rows == 0, "block_rows", d.block_rows, "a divisor of the operand's bytes");
  return c.within("block_bytes", d.block_bytes, 1, capacity_bytes).fault();
}

namespace {

/// Rows that a descriptor picks.
std::vector<std::uint32_t> picked_rows(const OperandDescriptor& d, const std::vector<unsigned char>& table) {
  std::vector<std::uint32_t> rows(d.rows);
  std::memcpy(rows.data(), table.data(), rows.size() * sizeof(std::uint32_t));
  return rows;
}

}  // namespace

std::string table_fault(const OperandDescriptor& d, const std::vector<unsigned char>& table) {
  bus::FieldCheck c;
  c.equal("the table's length", table.size(), d.picks() ? std::uint64_t{4} * d.rows : 0,
          d.picks() ? "4 bytes for each row that is picked" : "only a descriptor that picks rows has one");
  if (!c.good() || !d.picks()) return c.fault();
  const std::vector<std::uint32_t> rows = picked_rows(d, table);
  for (std::size_t i = 0; i < rows.size(); ++i)
    c.require(rows[i] < d.source_rows && (i == 0 || rows[i] > rows[i - 1]), "picked row", rows[i],
              "rows in ascending order, below source_rows, ", d.source_rows);
  return c.fault();
}

void pick_rows(const OperandDescriptor& d, const std::vector<unsigned char>& table, const std::uint8_t* operand,
               std::uint8_t* rows) {
  for (const std::uint32_t row : picked_rows(d, table)) {
    std::memcpy(rows, operand + std::size_t{row} * d.row_bytes, d.row_bytes);
    rows += d.row_bytes;
  }
}

std::string piece_fault(const bus::OperandPiece& piece, std::uint64_t bytes, std::uint64_t operand_bytes,
                        std::uint64_t row_bytes) {
  bus::FieldCheck c;
  c.require(piece.rows != 0 && bytes % piece.rows == 0, "OperandPiece::rows", piece.rows,
            "a divisor of the chunk's bytes, ", bytes);
  c.within("OperandPiece::row_bytes", piece.row_bytes, 1, operand_bytes);
  if (row_bytes != 0) c.equal("OperandPiece::row_bytes", piece.row_bytes, row_bytes, "row_bytes of the descriptor");
  if (!c.good()) return c.fault();
  c.require(piece.column_bytes + bytes / piece.rows <= piece.row_bytes, "OperandPiece::column_bytes",
            piece.column_bytes, "a piece inside the row's ", piece.row_bytes, " bytes");
  const std::uint64_t rows = operand_bytes / piece.row_bytes;
  c.within("OperandPiece::row_begin", piece.row_begin, 0, rows - 1);
  c.require(piece.rows == 1 || piece.row_stride != 0, "OperandPiece::row_stride", piece.row_stride, "1 or more");
  c.require(piece.row_begin + (piece.rows - std::uint64_t{1}) * piece.row_stride < rows, "OperandPiece::row_stride",
            piece.row_stride, "all rows inside the operand's ", rows);
  return c.fault();
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
