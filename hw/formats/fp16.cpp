#include "harmonia/hw/formats/fp16.h"

#include <algorithm>

#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/simd.h"

namespace harmonia::formats {

float to_float(Fp16 x) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t fraction = x.bits & 0x3ffu;
  if (is_infinite(x)) return float_from_bits(sign | 0x7f800000u);
  if (is_nan(x)) return float_from_bits(sign | 0x7fc00000u | (fraction << 13));
  const Fp16Parts p = split(x);
  const float magnitude = static_cast<float>(p.significand) * power_of_two(p.exponent - 25);
  return float_from_bits(sign | float_bits(magnitude));
}

namespace {

// Rounds significand * 2^exponent, 2^52 <= significand < 2^53, to the 15 low bits of an FP16. The FP16 encoding counts
// magnitudes upwards without gaps, so a carry out of the fraction lands where it belongs.
std::uint16_t round_to_fp16(std::uint64_t significand, int exponent) {
  const int lsb = std::max(exponent + 52 - 10, -24);  // weight of the last place; -24: gradual underflow
  const int shift = lsb - exponent;                   // bits to round away: 42..54
  std::uint64_t kept = significand >> shift;
  const std::uint64_t rest = significand & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // A normal number's kept has its hidden bit, which adds one to the biased exponent field lsb + 24.
  const std::uint64_t encoded = (static_cast<std::uint64_t>(lsb + 24) << 10) + kept;
  return encoded >= 0x7c00u ? std::uint16_t{0x7c00u} : static_cast<std::uint16_t>(encoded);
}

}  // namespace

Fp16 to_fp16(double x) noexcept {
  std::uint64_t u;
  std::memcpy(&u, &x, sizeof u);
  const auto sign = static_cast<std::uint16_t>((u >> 48) & 0x8000u);
  const int e = static_cast<int>((u >> 52) & 0x7ff);
  const std::uint64_t f = u & 0xfffffffffffffu;
  std::uint16_t magnitude;
  if (e == 0x7ff) {
    magnitude = static_cast<std::uint16_t>(f == 0 ? 0x7c00u : 0x7e00u | (f >> 42));
  } else if (e > 1023 + 16) {
    magnitude = 0x7c00u;  // at least 2^17
  } else if (e < 1023 - 26) {
    magnitude = 0;  // below half of the least subnormal, FP64's own subnormals among them
  } else {
    magnitude = round_to_fp16(f | (std::uint64_t{1} << 52), e - 1023 - 52);
  }
  return {static_cast<std::uint16_t>(sign | magnitude)};
}

// FP64 holds every FP32 value, so one definition serves both.
Fp16 to_fp16(float x) noexcept { return to_fp16(static_cast<double>(x)); }

Bf16 to_bf16(float x) noexcept {
  const std::uint32_t u = float_bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((u >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

namespace {

void to_float_scalar(const Fp16* in, std::size_t n, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_float(in[i]);
}
void to_fp16_scalar(const float* in, std::size_t n, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(in[i]);
}

}  // namespace

void to_float(const Fp16* in, std::size_t n, float* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (use_avx2()) return avx2::to_float(in, n, out);
#endif
  to_float_scalar(in, n, out);
}
void to_fp16(const float* in, std::size_t n, Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (use_avx2()) return avx2::to_fp16(in, n, out);
#endif
  to_fp16_scalar(in, n, out);
}

// Shifts and adds only: the compiler vectorises these two as they stand.
void to_float(const Bf16* in, std::size_t n, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_float(in[i]);
}
void to_bf16(const float* in, std::size_t n, Bf16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_bf16(in[i]);
}

}  // namespace harmonia::formats
