// Microscaling formats: blocks of 32 values that share a power-of-two scale of 8 bits (E8M0): MXINT8, MXINT4 and MXFP4
// (E2M1 elements). 8.25 and 4.25 bits per value.
// Source: OCP Microscaling Formats (MX) Specification v1.0; rounding names and the symmetric integer range as in its
// authors' emulation library.
//
// Models: X = floor(log2(max|v|)) - emax with emax = 0 (integers) or 2 (E2M1), kept in -127..127; each element v / 2^X
// rounded to the element format, values beyond its largest saturate. Integers are q * 2^-(b-2) with |q| <= 2^(b-1) - 1.
// A block with an infinity or NaN stores the NaN scale and decodes to NaN. A block of zeros stores X = -127.
// Does not model: the 6- and 8-bit float elements, flushing of subnormal inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace harmonia::formats {

inline constexpr std::size_t kMxBlock = 32;

enum class MxElement { kInt8, kInt4, kFp4 };

/// kNearest: half away from zero. kEven: half to even. kFloor: towards zero (of the magnitude).
enum class MxRounding { kNearest, kEven, kFloor };

struct MxFormat {
  MxElement element = MxElement::kFp4;
  MxRounding rounding = MxRounding::kNearest;
};

/// E8M0: 2^(code - 127), code 255 is NaN.
inline constexpr std::uint8_t kMxNanScale = 255;
float mx_scale(std::uint8_t code);

constexpr int mx_element_bits(MxElement element) { return element == MxElement::kInt8 ? 8 : 4; }
constexpr double mx_bits_per_value(MxElement element) { return mx_element_bits(element) + 8.0 / kMxBlock; }
constexpr std::size_t mx_blocks(std::size_t cols) { return cols / kMxBlock + (cols % kMxBlock != 0); }
/// Bytes of the elements of a row; 4-bit elements: the even one in the low nibble (our choice).
constexpr std::size_t mx_row_bytes(std::size_t cols, MxElement element) {
  return element == MxElement::kInt8 ? cols : cols / 2 + cols % 2;
}

/// One element: two's complement integer, or E2M1 bits (sign in bit 3). `scaled` is v / 2^X, finite.
std::uint8_t mx_encode_element(const MxFormat& format, double scaled);
/// The value of an element before its scale.
float mx_decode_element(MxElement element, std::uint8_t code);

/// Encodes one row; no allocation. elements: mx_row_bytes, scales: mx_blocks E8M0 codes. Returns how many values were
/// not finite.
std::size_t mx_encode_row(const MxFormat& format, const float* values, std::size_t cols, std::uint8_t* elements,
                          std::uint8_t* scales);
/// out: `cols` floats, exact unless they leave FP32's range.
void mx_decode_row(MxElement element, const std::uint8_t* elements, const std::uint8_t* scales, std::size_t cols,
                   float* out);

/// elements: [rows, mx_row_bytes], scales: [rows, mx_blocks].
struct MxTensor {
  std::size_t rows = 0;
  std::size_t cols = 0;
  MxFormat format;
  std::vector<std::uint8_t> elements;
  std::vector<std::uint8_t> scales;
};

/// values: row-major [rows, cols].
MxTensor mx_encode(const MxFormat& format, const float* values, std::size_t rows, std::size_t cols);
/// Throws std::invalid_argument when the arrays do not fit the shape.
std::vector<float> mx_decode(const MxTensor& tensor);

}  // namespace harmonia::formats
