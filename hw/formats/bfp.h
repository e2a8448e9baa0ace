// Block floating point: groups of FP16 values that share one exponent.
//
// Models: conversion of FP16 to groups (truncation or nearest-even), the stored byte planes, demotion by dropping
// planes, growth of a group in place, exact decoding, sizes. Does not model: when a converter does any of this
// (hw/converter), dot products (pe.h), which tokens keep 8 bits (hw/kv_cache). Source: number formats section 1, "Block
// floating point" and its three truncation properties.
//
// With h_i the 11-bit significand and e_i the biased exponent of FP16 element i (see Fp16Parts):
//   E     = max e_i over the elements with h_i != 0            (1 when all are zero)
//   m_i   = h_i >> (E - e_i + 11 - M)                          truncation
//   value = (-1)^s_i * m_i * 2^(E - 15 - (M - 1))
// Nearest-even rounds the same quotient and saturates at 2^M - 1: E stays the largest FP16 exponent.
// An infinity or NaN becomes E = 30, m = 2^M - 1 with its sign, and is counted.
//
// Stored group, byte-aligned: exponent (1 byte) | sign plane (G/8 bytes, element i in bit i%8 of byte i/8) | nibble
// planes of G/2 bytes each, from the top bits of the mantissa downwards (element i in byte i/2, even i in the low
// nibble). M = 8 has two planes and M = 4 one; any other M is left-aligned in its ceil(M/4) planes, so that dropping
// planes always truncates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

enum class Rounding { kTruncate, kNearestEven };

inline constexpr int kMaxGroupSize = 128;
inline constexpr int kMaxMantissaBits = 11;

struct BfpFormat {
  int group_size = 32;    ///< G: 8, 16, 32, 64 or 128 elements
  int mantissa_bits = 8;  ///< M: 1..11, the sign not counted
  Rounding rounding = Rounding::kTruncate;
  int exponent_bits = 8;  ///< bits that a stored exponent counts for: 5 (unpadded) or 8; values are the same

  constexpr bool valid() const noexcept {
    return (group_size == 8 || group_size == 16 || group_size == 32 || group_size == 64 || group_size == 128) &&
           mantissa_bits >= 1 && mantissa_bits <= kMaxMantissaBits && (exponent_bits == 5 || exponent_bits == 8) &&
           (rounding == Rounding::kTruncate || rounding == Rounding::kNearestEven);
  }
  /// Throws std::invalid_argument that names the field.
  void validate() const;

  constexpr int planes() const noexcept { return (mantissa_bits + 3) / 4; }
  constexpr std::size_t sign_bytes() const noexcept { return static_cast<std::size_t>(group_size) / 8; }
  constexpr std::size_t plane_bytes() const noexcept { return static_cast<std::size_t>(group_size) / 2; }
  /// Bytes of one stored group in the byte-aligned layout (21 for BFP4, 37 for BFP8 at G = 32).
  constexpr std::size_t group_bytes() const noexcept {
    return 1 + sign_bytes() + static_cast<std::size_t>(planes()) * plane_bytes();
  }
  /// Groups of a row of n values; the last one is padded with zeros.
  constexpr std::size_t groups(std::size_t n) const noexcept {
    const auto g = static_cast<std::size_t>(group_size);
    return n / g + (n % g != 0 ? 1 : 0);
  }
  /// Bytes of a row of n values in the byte-aligned layout.
  constexpr std::size_t row_bytes(std::size_t n) const noexcept { return groups(n) * group_bytes(); }
  /// Bits of one group without padding: exponent_bits + G * (1 + M).
  constexpr std::size_t group_bits() const noexcept {
    return static_cast<std::size_t>(exponent_bits) +
           static_cast<std::size_t>(group_size) * static_cast<std::size_t>(1 + mantissa_bits);
  }
  /// 5.15625 / 5.25 (BFP4 with a 5-/8-bit exponent), 9.15625 / 9.25 (BFP8), at G = 32.
  constexpr double bits_per_value() const noexcept { return static_cast<double>(group_bits()) / group_size; }
  /// Bytes of a row of n values whose exponents take exponent_bits each: the size of compact_row()'s output.
  constexpr std::size_t compact_row_bytes(std::size_t n) const noexcept {
    return (groups(n) * static_cast<std::size_t>(exponent_bits) + 7) / 8 + groups(n) * (group_bytes() - 1);
  }
};
constexpr bool operator==(const BfpFormat& a, const BfpFormat& b) noexcept {
  return a.group_size == b.group_size && a.mantissa_bits == b.mantissa_bits && a.rounding == b.rounding &&
         a.exponent_bits == b.exponent_bits;
}
constexpr bool operator!=(const BfpFormat& a, const BfpFormat& b) noexcept { return !(a == b); }

/// Elements that share an exponent in the machine: what a processing element and a lane of the converter take at once.
inline constexpr std::uint32_t kBfpGroup = 32;
/// Groups that hold so many elements.
constexpr std::uint64_t bfp_groups(std::uint64_t elements) noexcept { return (elements + kBfpGroup - 1) / kBfpGroup; }
/// The formats of the machine's default configuration: G = 32, truncation, 8-bit stored exponent.
inline constexpr BfpFormat kBfp8{static_cast<int>(kBfpGroup), 8, Rounding::kTruncate, 8};
inline constexpr BfpFormat kBfp4{static_cast<int>(kBfpGroup), 4, Rounding::kTruncate, 8};

/// The two parts of a stored BFP8 group, which the KV cache keeps apart: the planes that make a BFP4 group (exponent,
/// signs, high nibbles), and the low nibbles that make it BFP8. Bytes.
inline constexpr std::size_t kBfpMainBytes = kBfp4.group_bytes();
inline constexpr std::size_t kBfpLowBytes = kBfp8.group_bytes() - kBfp4.group_bytes();
static_assert(kBfpMainBytes == 1 + 4 + 16 && kBfpLowBytes == 16);

/// One group, unpacked. Elements beyond the format's group size are meaningless.
struct BfpGroup {
  int exponent = 1;  ///< E, 1..30 (a stored byte may hold any 0..255 when it does not come from an encoder)
  std::array<std::uint16_t, kMaxGroupSize> magnitude{};
  std::array<bool, kMaxGroupSize> negative{};
};

// ---- One group: the scalar definition. `format` must be valid. ----

/// Converts `count` values, 0 <= count <= G, padding the rest with zeros. Returns how many were infinite or NaN.
int encode(const BfpFormat& format, const Fp16* x, int count, BfpGroup* group) noexcept;
/// The value of element i. Exact; FP16 holds every value that encode() can produce.
float decode(const BfpFormat& format, const BfpGroup& group, int i) noexcept;
/// Writes format.group_bytes() bytes.
void pack(const BfpFormat& format, const BfpGroup& group, std::uint8_t* out) noexcept;
/// Reads format.group_bytes() bytes.
void unpack(const BfpFormat& format, const std::uint8_t* in, BfpGroup* group) noexcept;
/// Shortens the mantissas to to_bits <= M bits, dropping the low ones.
void demote(const BfpFormat& format, int to_bits, BfpGroup* group) noexcept;
/// Puts x at position `count` (elements count..G-1 are zero so far), raising E and shifting the older mantissas right
/// when x needs it. With truncation the result equals encode() of all elements at once. Returns 1 when x was infinite
/// or NaN, else 0.
int append(const BfpFormat& format, Fp16 x, int count, BfpGroup* group) noexcept;

// ---- Stored rows: n values in format.groups(n) consecutive stored groups. Vectorised; no allocation. ----

/// FP16 to stored groups, the last one zero-padded. Writes format.row_bytes(n). Returns the number of infinities and
/// NaNs.
std::size_t encode_row(const BfpFormat& format, const Fp16* x, std::size_t n, std::uint8_t* out) noexcept;
/// Stored groups to n FP32 values, exact.
void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, float* out) noexcept;
/// Stored groups to n FP16 values (exact for everything that encode_row() writes).
void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, Fp16* out) noexcept;
/// Drops low planes: `groups` stored groups of `from` become groups of `to` (same G, to.planes() <= from.planes(), both
/// mantissa_bits a multiple of 4). in == out is allowed.
void demote_row(const BfpFormat& from, const BfpFormat& to, const std::uint8_t* in, std::size_t groups,
                std::uint8_t* out) noexcept;

/// A stored group of zeros: E = 1.
void clear_stored(const BfpFormat& format, std::uint8_t* group) noexcept;
/// append() on a stored group in place. Returns 1 when x was infinite or NaN, else 0.
int append_stored(const BfpFormat& format, Fp16 x, int count, std::uint8_t* group) noexcept;
/// One new token for the residual V groups of `channels` channels: x[c] goes to position `count` of the stored group c
/// at groups + c * format.group_bytes(). Returns the number of infinities and NaNs.
std::size_t append_row(const BfpFormat& format, const Fp16* x, std::size_t channels, int count,
                       std::uint8_t* groups) noexcept;

/// The same row with exponents of format.exponent_bits: all exponents first (little-endian bit stream, padded to a byte
/// at its end), then sign and nibble planes of each group. Sizes: row_bytes(n) in, compact_row_bytes(n) out. Exponents
/// must be < 32 when exponent_bits is 5, as encode_row() writes them.
void compact_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, std::uint8_t* out) noexcept;
/// The inverse of compact_row().
void expand_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, std::uint8_t* out) noexcept;

}  // namespace harmonia::formats
