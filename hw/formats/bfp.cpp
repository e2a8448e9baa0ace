#include "harmonia/hw/formats/bfp.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace harmonia::formats {

void BfpFormat::validate() const {
  if (group_size != 8 && group_size != 16 && group_size != 32 && group_size != 64 && group_size != 128) {
    throw std::invalid_argument("BFP group size is " + std::to_string(group_size) + ", expected 8, 16, 32, 64 or 128");
  }
  if (mantissa_bits < 1 || mantissa_bits > kMaxMantissaBits) {
    throw std::invalid_argument("BFP mantissa has " + std::to_string(mantissa_bits) + " bits, expected 1 to 11");
  }
  if (exponent_bits != 5 && exponent_bits != 8) {
    throw std::invalid_argument("BFP exponent has " + std::to_string(exponent_bits) + " bits, expected 5 or 8");
  }
  if (!valid()) throw std::invalid_argument("BFP rounding is neither truncation nor nearest-even");
}

namespace {

constexpr int kLargestExponent = 30;  // of a finite FP16

int shift_right(int h, int shift, Rounding rounding) {
  if (shift > 12) return 0;  // 11 bits: below half of the last place
  const int kept = h >> shift;
  if (rounding == Rounding::kTruncate || shift == 0) return kept;
  const int rest = h & ((1 << shift) - 1);
  const int half = 1 << (shift - 1);
  return kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
}

int mantissa_of(const BfpFormat& format, Fp16 x, int shared_exponent) {
  const int largest = (1 << format.mantissa_bits) - 1;
  if (!is_finite(x)) return largest;
  const Fp16Parts p = split(x);
  const int shift = shared_exponent - p.exponent + 11 - format.mantissa_bits;
  return std::min(largest, shift_right(p.significand, shift, format.rounding));
}

// The exponent that x asks for: 1 (the least) when it is a zero.
int exponent_of(Fp16 x) {
  if (!is_finite(x)) return kLargestExponent;
  const Fp16Parts p = split(x);
  return p.significand != 0 ? p.exponent : 1;
}

}  // namespace

int encode(const BfpFormat& format, const Fp16* x, int count, BfpGroup* group) noexcept {
  int nonfinite = 0;
  int e = 1;
  for (int i = 0; i < count; ++i) {
    nonfinite += is_finite(x[i]) ? 0 : 1;
    e = std::max(e, exponent_of(x[i]));
  }
  group->exponent = e;
  for (int i = 0; i < format.group_size; ++i) {
    const Fp16 value = i < count ? x[i] : Fp16{};
    const auto k = static_cast<std::size_t>(i);
    group->negative[k] = (value.bits & 0x8000u) != 0;
    group->magnitude[k] = static_cast<std::uint16_t>(mantissa_of(format, value, e));
  }
  return nonfinite;
}

float decode(const BfpFormat& format, const BfpGroup& group, int i) noexcept {
  const auto k = static_cast<std::size_t>(i);
  const float magnitude =
      static_cast<float>(group.magnitude[k]) * power_of_two(group.exponent - 14 - format.mantissa_bits);
  return group.negative[k] ? -magnitude : magnitude;
}

void pack(const BfpFormat& format, const BfpGroup& group, std::uint8_t* out) noexcept {
  const int planes = format.planes();
  const int align = 4 * planes - format.mantissa_bits;
  std::fill_n(out, format.group_bytes(), std::uint8_t{0});
  out[0] = static_cast<std::uint8_t>(group.exponent);
  std::uint8_t* signs = out + 1;
  std::uint8_t* plane = signs + format.sign_bytes();
  for (std::size_t i = 0; i < static_cast<std::size_t>(format.group_size); ++i) {
    if (group.negative[i]) signs[i / 8] = static_cast<std::uint8_t>(signs[i / 8] | (1u << (i % 8)));
    const unsigned m = static_cast<unsigned>(group.magnitude[i]) << align;
    for (int p = 0; p < planes; ++p) {
      const unsigned nibble = (m >> (4 * (planes - 1 - p))) & 15u;
      std::uint8_t& byte = plane[static_cast<std::size_t>(p) * format.plane_bytes() + i / 2];
      byte = static_cast<std::uint8_t>(byte | (nibble << (4 * (i % 2))));
    }
  }
}

void unpack(const BfpFormat& format, const std::uint8_t* in, BfpGroup* group) noexcept {
  const int planes = format.planes();
  const int align = 4 * planes - format.mantissa_bits;
  group->exponent = in[0];
  const std::uint8_t* signs = in + 1;
  const std::uint8_t* plane = signs + format.sign_bytes();
  for (std::size_t i = 0; i < static_cast<std::size_t>(format.group_size); ++i) {
    group->negative[i] = ((signs[i / 8] >> (i % 8)) & 1) != 0;
    unsigned m = 0;
    for (int p = 0; p < planes; ++p) {
      const unsigned byte = plane[static_cast<std::size_t>(p) * format.plane_bytes() + i / 2];
      m = (m << 4) | ((byte >> (4 * (i % 2))) & 15u);
    }
    group->magnitude[i] = static_cast<std::uint16_t>(m >> align);
  }
}

void demote(const BfpFormat& format, int to_bits, BfpGroup* group) noexcept {
  for (std::size_t i = 0; i < static_cast<std::size_t>(format.group_size); ++i) {
    group->magnitude[i] = static_cast<std::uint16_t>(group->magnitude[i] >> (format.mantissa_bits - to_bits));
  }
}

int append(const BfpFormat& format, Fp16 x, int count, BfpGroup* group) noexcept {
  const int e = exponent_of(x);
  if (e > group->exponent) {
    const int d = e - group->exponent;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      group->magnitude[i] = static_cast<std::uint16_t>(d > 15 ? 0 : group->magnitude[i] >> d);
    }
    group->exponent = e;
  }
  const auto k = static_cast<std::size_t>(count);
  group->negative[k] = (x.bits & 0x8000u) != 0;
  group->magnitude[k] = static_cast<std::uint16_t>(mantissa_of(format, x, group->exponent));
  return is_finite(x) ? 0 : 1;
}

}  // namespace harmonia::formats
