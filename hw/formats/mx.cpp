#include "harmonia/hw/formats/mx.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace harmonia::formats {
namespace {

constexpr std::array<float, 8> kE2m1 = {0, .5F, 1, 1.5F, 2, 3, 4, 6};
constexpr int kScaleBias = 127;

// A non-negative number to an integer.
double rounded(double x, MxRounding rounding) {
  const double down = std::floor(x);
  const double rest = x - down;
  switch (rounding) {
    case MxRounding::kFloor:
      return down;
    case MxRounding::kEven:
      if (rest == 0.5) return std::fmod(down, 2.0) == 0 ? down : down + 1;
      [[fallthrough]];
    case MxRounding::kNearest:
      break;
  }
  return rest >= 0.5 ? down + 1 : down;
}

std::uint8_t encode_integer(double scaled, int bits, MxRounding rounding) {
  const double largest = (1 << (bits - 1)) - 1;
  const double q = std::min(rounded(std::ldexp(std::abs(scaled), bits - 2), rounding), largest);
  const int value = static_cast<int>(scaled < 0 ? -q : q);
  return static_cast<std::uint8_t>(value & ((1 << bits) - 1));
}

std::uint8_t encode_e2m1(double scaled, MxRounding rounding) {
  const double magnitude = std::min(std::abs(scaled), 8.0);
  // One fraction bit beside the element's own power of two; below 1 the subnormal spacing of 0.5.
  const int exponent = magnitude < 1 ? 0 : std::ilogb(magnitude);
  const double value = std::ldexp(rounded(std::ldexp(magnitude, 1 - exponent), rounding), exponent - 1);
  std::uint8_t code = 0;
  while (code < 7 && kE2m1[code] < value) ++code;
  return static_cast<std::uint8_t>(scaled < 0 ? code | 8 : code);
}

// X of a block, or the NaN scale.
std::uint8_t block_scale(MxElement element, const float* values, std::size_t n, std::size_t* nonfinite) {
  float largest = 0;
  std::size_t bad = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isfinite(values[i]))
      largest = std::max(largest, std::abs(values[i]));
    else
      ++bad;
  }
  *nonfinite += bad;
  if (bad > 0) return kMxNanScale;
  if (largest == 0) return 0;
  const int exponent = std::ilogb(largest) - (element == MxElement::kFp4 ? 2 : 0);
  return static_cast<std::uint8_t>(std::max(exponent, -kScaleBias) + kScaleBias);
}

}  // namespace

float mx_scale(std::uint8_t code) {
  if (code == kMxNanScale) return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0F, code - kScaleBias);
}

std::uint8_t mx_encode_element(const MxFormat& format, double scaled) {
  if (format.element == MxElement::kFp4) return encode_e2m1(scaled, format.rounding);
  return encode_integer(scaled, mx_element_bits(format.element), format.rounding);
}

float mx_decode_element(MxElement element, std::uint8_t code) {
  if (element == MxElement::kFp4) return (code & 8) != 0 ? -kE2m1[code & 7] : kE2m1[code & 7];
  const int bits = mx_element_bits(element);
  const int value = code >= 1 << (bits - 1) ? code - (1 << bits) : code;
  return std::ldexp(static_cast<float>(value), 2 - bits);
}

std::size_t mx_encode_row(const MxFormat& format, const float* values, std::size_t cols, std::uint8_t* elements,
                          std::uint8_t* scales) {
  std::size_t nonfinite = 0;
  for (std::size_t first = 0; first < cols; first += kMxBlock) {
    const std::size_t n = std::min(kMxBlock, cols - first);
    const std::uint8_t scale = block_scale(format.element, values + first, n, &nonfinite);
    scales[first / kMxBlock] = scale;
    for (std::size_t i = first; i < first + n; ++i) {
      const double scaled = scale == kMxNanScale ? 0 : std::ldexp(static_cast<double>(values[i]), kScaleBias - scale);
      const std::uint8_t code = mx_encode_element(format, scaled);
      if (format.element == MxElement::kInt8)
        elements[i] = code;
      else if (i % 2 == 0)
        elements[i / 2] = code;
      else
        elements[i / 2] = static_cast<std::uint8_t>(elements[i / 2] | code << 4);
    }
  }
  return nonfinite;
}

void mx_decode_row(MxElement element, const std::uint8_t* elements, const std::uint8_t* scales, std::size_t cols,
                   float* out) {
  for (std::size_t i = 0; i < cols; ++i) {
    const int code = element == MxElement::kInt8 ? elements[i] : elements[i / 2] >> (i % 2 * 4) & 15;
    out[i] = mx_decode_element(element, static_cast<std::uint8_t>(code)) * mx_scale(scales[i / kMxBlock]);
  }
}

MxTensor mx_encode(const MxFormat& format, const float* values, std::size_t rows, std::size_t cols) {
  MxTensor tensor;
  tensor.rows = rows;
  tensor.cols = cols;
  tensor.format = format;
  const std::size_t row_bytes = mx_row_bytes(cols, format.element);
  tensor.elements.resize(rows * row_bytes);
  tensor.scales.resize(rows * mx_blocks(cols));
  for (std::size_t r = 0; r < rows; ++r)
    mx_encode_row(format, values + r * cols, cols, tensor.elements.data() + r * row_bytes,
                  tensor.scales.data() + r * mx_blocks(cols));
  return tensor;
}

std::vector<float> mx_decode(const MxTensor& tensor) {
  const std::size_t row_bytes = mx_row_bytes(tensor.cols, tensor.format.element);
  if (tensor.elements.size() != tensor.rows * row_bytes || tensor.scales.size() != tensor.rows * mx_blocks(tensor.cols))
    throw std::invalid_argument("a microscaling tensor whose elements or scales do not fit its shape");
  std::vector<float> out(tensor.rows * tensor.cols);
  for (std::size_t r = 0; r < tensor.rows; ++r)
    mx_decode_row(tensor.format.element, tensor.elements.data() + r * row_bytes,
                  tensor.scales.data() + r * mx_blocks(tensor.cols), tensor.cols, out.data() + r * tensor.cols);
  return out;
}

}  // namespace harmonia::formats
