#include "harmonia/hw/formats/int_quant.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace harmonia::formats {
namespace {

constexpr Fp16 kSmallestFp16{0x0001};
constexpr Fp16 kLargestFp16{0x7BFF};

Fp16 positive_scale(double range, int steps) {
  const Fp16 scale = to_fp16(static_cast<float>(range / steps));
  if (scale.bits == 0) return kSmallestFp16;
  return is_finite(scale) ? scale : kLargestFp16;
}

// Nearest integer to an FP32 quotient, ties to even, saturated to [low, high] first so that it fits an int.
int nearest_even(float quotient, int low, int high) {
  if (quotient <= static_cast<float>(low)) return low;
  if (quotient >= static_cast<float>(high)) return high;
  const float down = std::floor(quotient);
  const float rest = quotient - down;
  const int below = static_cast<int>(down);
  if (rest != 0.5F) return rest < 0.5F ? below : below + 1;
  return below % 2 == 0 ? below : below + 1;
}

float finite_or_zero(float w) { return std::isfinite(w) ? w : 0.0F; }

unsigned mask_of(int bits) { return (1U << bits) - 1; }

// Code i of a little-endian bit stream. A code spans at most two bytes.
unsigned read_code(const std::uint8_t* packed, std::size_t i, int bits) {
  const std::size_t bit = i * static_cast<std::size_t>(bits);
  const std::size_t offset = bit % 8;
  unsigned word = packed[bit / 8];
  if (offset + static_cast<std::size_t>(bits) > 8) word |= static_cast<unsigned>(packed[bit / 8 + 1]) << 8;
  return word >> offset & mask_of(bits);
}

// Into bytes that were cleared before.
void write_code(std::uint8_t* packed, std::size_t i, int bits, unsigned code) {
  const std::size_t bit = i * static_cast<std::size_t>(bits);
  const std::size_t offset = bit % 8;
  const unsigned word = (code & mask_of(bits)) << offset;
  packed[bit / 8] = static_cast<std::uint8_t>(packed[bit / 8] | word);
  if (offset + static_cast<std::size_t>(bits) > 8)
    packed[bit / 8 + 1] = static_cast<std::uint8_t>(packed[bit / 8 + 1] | word >> 8);
}

int sign_extend(unsigned code, int bits) {
  const int value = static_cast<int>(code);
  return value >= 1 << (bits - 1) ? value - (1 << bits) : value;
}

// q, or q - z.
template <typename Code>
void decode_codes(const IntFormat& format, const std::uint8_t* packed, const std::uint8_t* zeros, std::size_t cols,
                  Code* out) {
  for (std::size_t i = 0; i < cols; ++i) {
    const unsigned code = read_code(packed, i, format.bits);
    const int value =
        format.zero_point ? static_cast<int>(code) - zeros[i / format.group] : sign_extend(code, format.bits);
    out[i] = static_cast<Code>(value);
  }
}

}  // namespace

void validate(const IntFormat& format) {
  if (format.bits != 2 && format.bits != 3 && format.bits != 4 && format.bits != 8)
    throw std::invalid_argument("integer weights of " + std::to_string(format.bits) + " bits, expected 2, 3, 4 or 8");
  if (format.group == 0) throw std::invalid_argument("integer weights in groups of 0, expected at least 1");
}

void int_pack(const std::uint8_t* codes, std::size_t cols, int bits, std::uint8_t* packed) {
  std::fill(packed, packed + int_row_bytes(cols, bits), std::uint8_t{0});
  for (std::size_t i = 0; i < cols; ++i) write_code(packed, i, bits, codes[i]);
}

void int_unpack_unsigned(const std::uint8_t* packed, std::size_t cols, int bits, std::uint8_t* codes) {
  for (std::size_t i = 0; i < cols; ++i) codes[i] = static_cast<std::uint8_t>(read_code(packed, i, bits));
}

void int_unpack_signed(const std::uint8_t* packed, std::size_t cols, int bits, std::int8_t* codes) {
  for (std::size_t i = 0; i < cols; ++i)
    codes[i] = static_cast<std::int8_t>(sign_extend(read_code(packed, i, bits), bits));
}

std::size_t int_encode_row(const IntFormat& format, const float* weights, std::size_t cols, std::uint8_t* packed,
                           Fp16* scales, std::uint8_t* zeros) {
  std::fill(packed, packed + int_row_bytes(cols, format.bits), std::uint8_t{0});
  const int steps = (1 << format.bits) - 1;
  const int half = 1 << (format.bits - 1);
  std::size_t nonfinite = 0;
  for (std::size_t first = 0, g = 0; first < cols; first += format.group, ++g) {
    const std::size_t end = std::min(cols, first + format.group);
    double low = 0;
    double high = 0;
    for (std::size_t i = first; i < end; ++i) {
      if (!std::isfinite(weights[i])) ++nonfinite;
      const double w = finite_or_zero(weights[i]);
      low = std::min(low, w);
      high = std::max(high, w);
    }
    scales[g] = format.zero_point ? positive_scale(high - low, steps) : positive_scale(std::max(high, -low), half - 1);
    const float scale = to_float(scales[g]);
    int zero = 0;
    if (format.zero_point) {
      zero = nearest_even(static_cast<float>(-low) / scale, 0, steps);
      zeros[g] = static_cast<std::uint8_t>(zero);
    }
    const int lowest = format.zero_point ? -zero : -half;
    const int highest = format.zero_point ? steps - zero : half - 1;
    for (std::size_t i = first; i < end; ++i) {
      const int q = nearest_even(finite_or_zero(weights[i]) / scale, lowest, highest) + zero;
      write_code(packed, i, format.bits, static_cast<unsigned>(q));
    }
  }
  return nonfinite;
}

void int_decode_row(const IntFormat& format, const std::uint8_t* packed, const Fp16* scales, const std::uint8_t* zeros,
                    std::size_t cols, float* out) {
  decode_codes(format, packed, zeros, cols, out);
  for (std::size_t i = 0; i < cols; ++i) out[i] *= to_float(scales[i / format.group]);
}

void int_decode_row_codes(const IntFormat& format, const std::uint8_t* packed, const std::uint8_t* zeros,
                          std::size_t cols, std::int16_t* out) {
  decode_codes(format, packed, zeros, cols, out);
}

void int_decode_row_codes(const IntFormat& format, const std::uint8_t* packed, const std::uint8_t* zeros,
                          std::size_t cols, std::int8_t* out) {
  decode_codes(format, packed, zeros, cols, out);
}

IntTensor int_encode(const IntFormat& format, const float* weights, std::size_t rows, std::size_t cols) {
  validate(format);
  for (std::size_t i = 0; i < rows * cols; ++i)
    if (!std::isfinite(weights[i]))
      throw std::invalid_argument("weight [" + std::to_string(i / cols) + ", " + std::to_string(i % cols) +
                                  "] is not finite");
  IntTensor tensor;
  tensor.rows = rows;
  tensor.cols = cols;
  tensor.format = format;
  tensor.packed.resize(rows * tensor.row_bytes());
  tensor.scales.resize(rows * tensor.row_groups());
  if (format.zero_point) tensor.zeros.resize(rows * tensor.row_groups());
  for (std::size_t r = 0; r < rows; ++r)
    int_encode_row(format, weights + r * cols, cols, tensor.packed.data() + r * tensor.row_bytes(),
                   tensor.scales.data() + r * tensor.row_groups(),
                   format.zero_point ? tensor.zeros.data() + r * tensor.row_groups() : nullptr);
  return tensor;
}

std::vector<float> int_decode(const IntTensor& tensor) {
  validate(tensor.format);
  if (tensor.packed.size() != tensor.rows * tensor.row_bytes() ||
      tensor.scales.size() != tensor.rows * tensor.row_groups() ||
      tensor.zeros.size() != (tensor.format.zero_point ? tensor.rows * tensor.row_groups() : 0))
    throw std::invalid_argument("an integer tensor whose codes, scales or zero-points do not fit its shape");
  std::vector<float> out(tensor.rows * tensor.cols);
  for (std::size_t r = 0; r < tensor.rows; ++r)
    int_decode_row(tensor.format, tensor.row_packed(r), tensor.row_scales(r), tensor.row_zeros(r), tensor.cols,
                   out.data() + r * tensor.cols);
  return out;
}

double int_bits_per_value(const IntFormat& format) {
  return format.bits + (16.0 + (format.zero_point ? format.bits : 0)) / static_cast<double>(format.group);
}

}  // namespace harmonia::formats
