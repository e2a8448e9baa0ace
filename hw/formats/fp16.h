// IEEE 754 binary16 (FP16) and bfloat16 (BF16) as bit patterns, and their conversions.
//
// Models: every conversion between FP16, BF16, FP32 and FP64 with one rounding to nearest, ties to even, gradual
// underflow, signed zeros, infinities and quiet NaNs (a NaN keeps its sign and the top bits of its payload and becomes
// quiet, which is also what the F16C instructions do). FP16 subtraction, the only FP16 arithmetic that the machine has
// of its own. Does not model: other rounding modes, exception flags, signalling NaNs. Source: IEEE 754-2019; number
// formats section 1 (FP16 operands) and section 2 (bf16 block scales).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace harmonia::formats {

/// A binary16 value by its bits. A type of its own, so that it cannot be mixed with BF16 or with an integer.
struct Fp16 {
  std::uint16_t bits = 0;
};
/// A bfloat16 value by its bits.
struct Bf16 {
  std::uint16_t bits = 0;
};
static_assert(sizeof(Fp16) == 2 && sizeof(Bf16) == 2, "arrays of FP16/BF16 are read straight from files and memory");

/// Views of raw 16-bit words, as they come from files, memory and tensors that keep plain integers.
inline const Fp16* as_fp16(const std::uint16_t* words) noexcept { return reinterpret_cast<const Fp16*>(words); }
inline const Bf16* as_bf16(const std::uint16_t* words) noexcept { return reinterpret_cast<const Bf16*>(words); }

/// Equality of the bits: +0 and -0 differ, a NaN equals itself.
constexpr bool operator==(Fp16 a, Fp16 b) noexcept { return a.bits == b.bits; }
constexpr bool operator!=(Fp16 a, Fp16 b) noexcept { return a.bits != b.bits; }
constexpr bool operator==(Bf16 a, Bf16 b) noexcept { return a.bits == b.bits; }
constexpr bool operator!=(Bf16 a, Bf16 b) noexcept { return a.bits != b.bits; }

constexpr bool is_finite(Fp16 x) noexcept { return (x.bits & 0x7c00u) != 0x7c00u; }
constexpr bool is_nan(Fp16 x) noexcept { return (x.bits & 0x7fffu) > 0x7c00u; }
constexpr bool is_infinite(Fp16 x) noexcept { return (x.bits & 0x7fffu) == 0x7c00u; }
constexpr bool is_finite(Bf16 x) noexcept { return (x.bits & 0x7f80u) != 0x7f80u; }
constexpr bool is_nan(Bf16 x) noexcept { return (x.bits & 0x7fffu) > 0x7f80u; }
constexpr bool is_infinite(Bf16 x) noexcept { return (x.bits & 0x7fffu) == 0x7f80u; }

/// x = (-1)^negative * significand * 2^(exponent - 15 - 10) for finite x: the 11-bit significand with its hidden bit,
/// and the biased exponent; a subnormal or zero has exponent 1 and no hidden bit. Infinities and NaNs: exponent 31.
struct Fp16Parts {
  bool negative = false;
  int exponent = 1;
  int significand = 0;
};
constexpr Fp16Parts split(Fp16 x) noexcept {
  const int e = (x.bits >> 10) & 31;
  const int f = x.bits & 1023;
  return {(x.bits & 0x8000u) != 0, e == 0 ? 1 : e, e == 0 ? f : f | 1024};
}

inline std::uint32_t float_bits(float x) noexcept {
  std::uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
inline float float_from_bits(std::uint32_t u) noexcept {
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
/// 2^e as FP32, exact; -126 <= e <= 127.
inline float power_of_two(int e) noexcept { return float_from_bits(static_cast<std::uint32_t>(e + 127) << 23); }

/// Exact (a signalling NaN becomes quiet).
float to_float(Fp16 x) noexcept;
/// Exact.
inline float to_float(Bf16 x) noexcept { return float_from_bits(static_cast<std::uint32_t>(x.bits) << 16); }

/// One rounding, nearest-even. Overflow gives an infinity.
Fp16 to_fp16(float x) noexcept;
Fp16 to_fp16(double x) noexcept;
Bf16 to_bf16(float x) noexcept;
/// FP16 to BF16 and back, one nearest-even rounding each.
inline Bf16 to_bf16(Fp16 x) noexcept { return to_bf16(to_float(x)); }
inline Fp16 to_fp16(Bf16 x) noexcept { return to_fp16(to_float(x)); }

/// a - b in FP16, nearest-even. (FP32 has more than 2*11+1 bits, so rounding its difference again changes nothing.)
/// A NaN result is 0x7e00 whatever the operands were: processors differ in the sign and payload they give it, and a
/// converter keeps that sign.
inline Fp16 subtract(Fp16 a, Fp16 b) noexcept {
  const float difference = to_float(a) - to_float(b);
  return difference != difference ? Fp16{0x7e00} : to_fp16(difference);
}

/// Arrays of n values; vectorised where the processor allows, equal to the functions above bit for bit. No alignment is
/// needed. in and out must not overlap.
void to_float(const Fp16* in, std::size_t n, float* out) noexcept;
void to_float(const Bf16* in, std::size_t n, float* out) noexcept;
void to_fp16(const float* in, std::size_t n, Fp16* out) noexcept;
void to_bf16(const float* in, std::size_t n, Bf16* out) noexcept;

}  // namespace harmonia::formats
