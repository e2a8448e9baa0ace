// What the sequencer asks of the K-means LUT decoder: one tile of weight rows to expand.
// Models: the fields that a command register file would hold. Does not model: register addresses or their encoding.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/operand.h"

namespace harmonia::decoder {

using DecodeKind = formats::Expansion;

struct Descriptor {
  std::uint32_t operation = 0;
  std::uint32_t tensor = 0;  // a change of tensor reloads the codebook registers
  std::uint32_t rows = 0;
  std::uint32_t row_elements = 0;
  float expansions = 1;  // how often each weight is expanded: a GPU's kernel does it for each block of rows
  DecodeKind kind = DecodeKind::codebook;
  std::uint8_t bits = 4;            // stored bits per code
  std::uint8_t bit_planes = 0;      // 1: codes are packed as bit planes
  std::uint8_t zero_point = 0;      // 1: integer codes with a zero-point byte per group
  std::uint16_t block = 64;         // elements that share a scale; 0: no scales
  std::uint16_t codebook_size = 0;  // bytes that follow in `codebook` (functional mode only)
  /// The registers: an int8 for each code, or an FP32 for codebook_fp16.
  alignas(4) std::int8_t codebook[1024] = {};

  bool to_fp16() const { return kind == DecodeKind::codebook_fp16 || kind == DecodeKind::integer_fp16; }
  bool uses_codebook() const { return kind == DecodeKind::codebook || kind == DecodeKind::codebook_fp16; }

  /// Only the registers in use travel.
  std::size_t encoded_bytes() const { return offsetof(Descriptor, codebook) + codebook_size; }
  std::uint64_t index_row_bytes() const {
    return bit_planes != 0 ? (std::uint64_t(row_elements) + 7) / 8 * bits
                           : (std::uint64_t(row_elements) * bits + 7) / 8;
  }
  std::uint64_t scale_bytes_per_block() const { return block == 0 ? 0 : 2u + zero_point; }
  std::uint64_t blocks_per_row() const { return block == 0 ? 0 : (std::uint64_t(row_elements) + block - 1) / block; }
  std::uint64_t index_bytes() const { return rows * index_row_bytes(); }
  std::uint64_t scale_bytes() const { return rows * blocks_per_row() * scale_bytes_per_block(); }
};

}  // namespace harmonia::decoder
