// Group-wise integer weights, the W4A16-style baseline: INT2, INT3, INT4 and INT8 with one FP16 scale per group of
// consecutive input features of a row (128 unless told otherwise), with or without a zero-point.
// Source: number formats specification, sections 1 (INT4 with FP16 scale) and 5. Rounding and range are our choice, as
// in common round-to-nearest group quantisation.
//
// Models: values, codes, packing. Does not model: error-compensating methods (GPTQ, AWQ), activation quantisation.
//
//   symmetric   scale = fp16(max|w| / (2^(b-1) - 1))                q = clamp(RNE(w / scale), -2^(b-1), 2^(b-1) - 1)
//   zero-point  scale = fp16((max(w,0) - min(w,0)) / (2^b - 1))     z = clamp(RNE(-min(w,0) / scale), 0, 2^b - 1)
//                                                                   q = clamp(RNE(w / scale) + z, 0, 2^b - 1)
//   value       q * scale   or   (q - z) * scale                    one FP32 rounding
// Quotients are FP32. The scale is the stored FP16 one; a quotient below FP16's smallest positive value takes that
// value, one above 65504 takes 65504, so that a scale is always positive and finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

inline constexpr std::size_t kIntGroup = 128;

struct IntFormat {
  int bits = 4;                   ///< 2, 3, 4 or 8
  bool zero_point = false;        ///< codes are unsigned with a zero-point per group, instead of two's complement
  std::size_t group = kIntGroup;  ///< consecutive elements of a row that share a scale; at least 1
};

/// Throws std::invalid_argument when bits or group is not supported.
void validate(const IntFormat& format);

constexpr std::size_t int_groups(std::size_t cols, std::size_t group) { return cols / group + (cols % group != 0); }

/// Bytes of the packed codes of a row: a little-endian bit stream, element i in bits [i*b, (i+1)*b), rows start at a
/// byte. INT4 therefore has the even element in the low nibble.
constexpr std::size_t int_row_bytes(std::size_t cols, int bits) {
  const std::size_t b = static_cast<std::size_t>(bits);
  return cols / 8 * b + (cols % 8 * b + 7) / 8;
}

/// codes: `cols` bytes, of which the low `bits` bits are stored (two's complement or unsigned alike).
void int_pack(const std::uint8_t* codes, std::size_t cols, int bits, std::uint8_t* packed);
/// Unsigned codes, 0 .. 2^bits - 1.
void int_unpack_unsigned(const std::uint8_t* packed, std::size_t cols, int bits, std::uint8_t* codes);
/// Two's complement codes, sign-extended.
void int_unpack_signed(const std::uint8_t* packed, std::size_t cols, int bits, std::int8_t* codes);

/// Encodes one row. scales: int_groups Fp16. zeros: int_groups bytes with a zero-point, otherwise unused (may be
/// null). No allocation. A weight that is not finite is encoded as 0; returns how many there were.
std::size_t int_encode_row(const IntFormat& format, const float* weights, std::size_t cols, std::uint8_t* packed,
                           Fp16* scales, std::uint8_t* zeros);

/// out: `cols` floats.
void int_decode_row(const IntFormat& format, const std::uint8_t* packed, const Fp16* scales, const std::uint8_t* zeros,
                    std::size_t cols, float* out);

/// What a PE multiplies by: q, or q - z with a zero-point (for INT4 within sign + 4 bits). out: `cols` values. Bytes
/// hold every format but INT8 with a zero-point, whose differences need nine bits.
void int_decode_row_codes(const IntFormat& format, const std::uint8_t* packed, const std::uint8_t* zeros,
                          std::size_t cols, std::int16_t* out);
void int_decode_row_codes(const IntFormat& format, const std::uint8_t* packed, const std::uint8_t* zeros,
                          std::size_t cols, std::int8_t* out);

/// packed: [rows, int_row_bytes], scales: [rows, int_groups] Fp16, zeros: [rows, int_groups] bytes or empty.
struct IntTensor {
  std::size_t rows = 0;
  std::size_t cols = 0;
  IntFormat format;
  std::vector<std::uint8_t> packed;
  std::vector<Fp16> scales;
  std::vector<std::uint8_t> zeros;

  std::size_t row_bytes() const { return int_row_bytes(cols, format.bits); }
  std::size_t row_groups() const { return int_groups(cols, format.group); }
  const std::uint8_t* row_packed(std::size_t row) const { return packed.data() + row * row_bytes(); }
  const Fp16* row_scales(std::size_t row) const { return scales.data() + row * row_groups(); }
  const std::uint8_t* row_zeros(std::size_t row) const {
    return format.zero_point ? zeros.data() + row * row_groups() : nullptr;
  }
};

/// weights: row-major [rows, cols], all finite (std::invalid_argument names the first that is not).
IntTensor int_encode(const IntFormat& format, const float* weights, std::size_t rows, std::size_t cols);
std::vector<float> int_decode(const IntTensor& tensor);

/// Stored bits per weight with full groups: code, FP16 scale, and a `bits`-wide zero-point (kept in one byte by
/// IntTensor, packed in memory): 4.125 for INT4 g128, 4.15625 with a zero-point.
double int_bits_per_value(const IntFormat& format);

}  // namespace harmonia::formats
