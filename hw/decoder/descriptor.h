// What the sequencer asks of the K-means LUT decoder: one tile of weight rows to expand.
// Models: the fields that a command register file would hold. Does not model: register addresses or their encoding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harmonia::decoder {

/// What the decoder does with the codes.
enum class DecodeKind : std::uint8_t {
  codebook,       // n-bit codes through the codebook registers; int8 values and bf16 block scales leave
  integer,        // two's complement or zero-point integers; int8 values and FP16 group scales leave
  to_bfp8,        // FP16 words, converted on read to BFP8 groups along the row
  pass,           // FP16 words, as they are
  codebook_fp16,  // n-bit codes through FP32 codebook registers, times the block scale, rounded to FP16
  integer_fp16    // integers times the group scale, rounded to FP16
};

struct Descriptor {
  std::uint32_t operation = 0;
  std::uint32_t tensor = 0;  // a change of tensor reloads the codebook registers
  std::uint32_t rows = 0;
  std::uint32_t row_elements = 0;
  DecodeKind kind = DecodeKind::codebook;
  std::uint8_t bits = 4;            // stored bits per code
  std::uint8_t bit_planes = 0;      // 1: codes are packed as bit planes (n = 3)
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
