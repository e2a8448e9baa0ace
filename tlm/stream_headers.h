// Typed headers of the streams between blocks, without SystemC: what a chunk says beyond the fields that every chunk has.
//
// Models: the side-band information that a hardware stream would hold in its user field.
// Does not model: any encoding of it in wires. A chunk without a header is the plain bytes that its stream carries.
//
//   stream                                      header
//   DMA -> weight buffer -> decoder             none: the traffic class tells codes from scales
//   decoder -> PE array                         DecodedRows
//   DMA -> KV buffer -> PE array                none
//   DMA, converter -> operand buffer            none (rows as they come, one after the other), or OperandPiece
//   operand buffer -> PE array                  none: Chunk::operation is the number of the A operand
//   PE array -> vector unit                     ResultTile
//   vector unit -> smoother -> converter        none: the descriptors say what the rows are
//   converter -> KV and out DMA                 none
//   vector unit -> host                         HostResult
#pragma once

#include <cstdint>
#include <variant>

namespace harmonia::bus {

/// Rows of a weight tile that a chunk completes, as decoder::decode_row() leaves them one after the other. With no rows the
/// chunk's bytes count for nothing.
struct DecodedRows {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
};

/// Where pieces of rows stand in an A operand: piece r goes to row row_begin + r * row_stride, at byte column_bytes of
/// the row, which has row_bytes.
struct OperandPiece {
  std::uint32_t rows = 0;
  std::uint32_t row_begin = 0;
  std::uint32_t row_stride = 1;
  std::uint32_t column_bytes = 0;
  std::uint32_t row_bytes = 0;
};

/// Output columns [column_begin, column_begin + columns) of a product, all its rows, row by row.
struct ResultTile {
  std::uint32_t column_begin = 0;
  std::uint32_t columns = 0;
};

/// What the host gets: logits, rows x columns FP16 values from (row_begin, column_begin) on, or a marker, which says that
/// everything before it is done, or a routing: numbers of the experts of each row, `columns` of them.
struct HostResult {
  enum class Kind : std::uint8_t { marker, logits, routing };
  Kind kind = Kind::marker;
  std::uint32_t row_begin = 0;
  std::uint32_t rows = 0;
  std::uint32_t column_begin = 0;
  std::uint32_t columns = 0;
};

using StreamHeader = std::variant<std::monostate, DecodedRows, OperandPiece, ResultTile, HostResult>;

}  // namespace harmonia::bus
