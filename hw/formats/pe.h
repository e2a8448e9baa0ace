// Arithmetic of the processing elements: exact integer partials inside a group, FP32 accumulation across groups.
//
// Models: every dot product that a PE computes, bit for bit, with the order of rounding that is part of its definition:
// BFP x BFP, BFP x group-scaled integers (INT4/INT8, zero-point already subtracted), BFP x integer codebook with a bf16
// scale per 64 weights, the add/subtract-only 1-bit mode and the two-plane form of a symmetric 2-bit codebook; FP16 x
// FP16 of the baseline. Does not model: cycles, array shape and dataflow (hw/pe); how codes become integers (kmeans.h
// and the LUT decoder). Source: number formats section 1, "Dot products and accumulation", and section 3.
//
// Order: groups ascending. An integer partial becomes FP32 (exact up to 24 bits, which all modes at G = 32 stay within;
// beyond that nearest-even), is scaled by a power of two (exact), and added to the running FP32 sum with one
// nearest-even rounding. Activations and BFP operands are stored rows as encode_row() writes them (bfp.h), their tail
// padded with zeros. Weights are plain arrays of n values: a row function never reads beyond element n-1. Nothing here
// allocates. Every function of a row requires valid formats with equal group sizes and non-null pointers (n > 0);
// violations of the conditions stated at a function are undefined, for speed: hw/formats/harmonia_golden.h has the
// checked entry points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

// ---- Modes ----

/// M8: BFP8 first operand. Second operand W4: INT4, zero-point allowed; M4/M8: BFP; L5/L8: int5/int8 codebook; B1:
/// 1-bit codes.
enum class PeMode { kM8W4, kM8M4, kM8M8, kM8L5, kM8L8, kM8B1 };
inline constexpr int kPeModes = 6;

struct PeModeInfo {
  PeMode mode;
  const char* name;                    ///< "M8W4"
  const char* operands;                ///< "BFP8 x INT4"
  int passes;                          ///< passes of a 32-lane PE per group
  int max_second;                      ///< largest magnitude of the second operand (zero-point included for M8W4)
  std::int32_t max_abs_partial;        ///< at G = 32, with that magnitude
  std::int32_t max_abs_partial_plain;  ///< M8W4 without a zero-point (magnitude 8); else the same as max_abs_partial
};
const PeModeInfo& info(PeMode mode) noexcept;
/// Finds a mode by its name, in any case; null when there is none.
const PeModeInfo* find_pe_mode(std::string_view name) noexcept;

/// Weights that share a block scale in the K-means formats, and default scale group of INT4/INT8.
inline constexpr std::size_t kCodebookBlock = 64;
inline constexpr std::size_t kIntegerScaleGroup = 128;

// ---- One group: exact integers. a and b are stored groups; every weight array holds G elements. ----

/// sum a_i * b_i of two BFP groups of the same G. |result| < 2^31 for all supported M and G.
std::int32_t partial_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb,
                         const std::uint8_t* b) noexcept;
/// sum a_i * w_i with signed integer weights: INT4 (q or q - z), int5 or int8 codebook entries.
std::int32_t partial_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w) noexcept;
/// The same for wider integers (INT8 with a zero-point: q - z in -255..255); |w_i| <= 511.
std::int32_t partial_int(const BfpFormat& fa, const std::uint8_t* a, const std::int16_t* w) noexcept;
/// M8B1: A = sum a_i and T = sum sigma_i a_i, sigma = +1 where the code bit is 1. codes: G/8 bytes, first element in
/// the most significant bit.
struct AddSubtract {
  std::int32_t a = 0;
  std::int32_t t = 0;
};
AddSubtract add_subtract(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes) noexcept;
/// ((q0 + q1) A + (q1 - q0) T) / 2, always an integer: equals partial_int() on {q0, q1}[code].
constexpr std::int32_t partial_1bit(AddSubtract s, int q0, int q1) noexcept {
  return ((q0 + q1) * s.a + (q1 - q0) * s.t) / 2;
}
/// A symmetric 2-bit codebook {-outer, -inner, +inner, +outer} as two sign planes: with p = (outer + inner)/2 and
/// r = (inner - outer)/2, code 3 is p - r, code 2 is p + r, code 1 is -p - r, code 0 is -p + r. codes: G/4 bytes, first
/// element in the most significant bits. Equals partial_int() on the codebook's entries.
std::int32_t partial_2bit_planes(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int outer,
                                 int inner) noexcept;

/// The FP32 value of a partial: P * 2^(Ea + Eb - 30 - (Ma-1) - (Mb-1)).
inline float scale_bfp(std::int32_t partial, const BfpFormat& fa, int ea, const BfpFormat& fb, int eb) noexcept {
  return static_cast<float>(partial) * power_of_two(ea + eb - 28 - fa.mantissa_bits - fb.mantissa_bits);
}
/// P * 2^(Ea - 15 - (Ma-1)).
inline float scale_int(std::int32_t partial, const BfpFormat& fa, int ea) noexcept {
  return static_cast<float>(partial) * power_of_two(ea - 14 - fa.mantissa_bits);
}

// ---- Rows: n products. The FP32 sum before the final rounding to FP16 (to_fp16()). ----

/// BFP x BFP. `sum` is the running sum so far, so that a row whose groups change format can be continued piece by
/// piece.
float dot_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b, std::size_t n,
              float sum = 0.0f) noexcept;
/// BFP x integers with one FP16 scale per scale_group weights: the group partials of a scale group are summed in FP32
/// from the first on, multiplied by the scale in FP32, added to the running sum in FP32. scale_group is a multiple of
/// G; a short scale group may end the row.
float dot_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group = kIntegerScaleGroup) noexcept;
float dot_int(const BfpFormat& fa, const std::uint8_t* a, const std::int16_t* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group = kIntegerScaleGroup) noexcept;
/// BFP x integer codebook entries q (M8L8, M8L5; NF4 and ternary likewise): per block of 64 the group partials are
/// summed in FP32 from the first on, multiplied by the bf16 block scale in FP32, added to the running sum in FP32;
/// after the last block the sum is multiplied by codebook_scale in FP32. 64 is a multiple of G; a short block may end
/// the row.
float dot_codebook(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales,
                   float codebook_scale, std::size_t n) noexcept;
/// M8B1 on packed 1-bit codes (ceil(n/8) bytes, first element in the most significant bit) and the integer codebook
/// {q0, q1}: equals dot_codebook() on the expanded entries.
float dot_codebook_1bit(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                        const Bf16* block_scales, float codebook_scale, std::size_t n) noexcept;
/// FP16 x FP16 of a plain FP16 PE: products exact in FP32, added ascending with one rounding each.
float dot_fp16(const Fp16* a, const Fp16* b, std::size_t n, float sum = 0.0f) noexcept;

// ---- Matrix times vector: out[r] = to_fp16(dot(a, row r)), r < rows. Faster than `rows` calls; the same bits. ----

/// Row r of b begins at b + r * stride_bytes, stride_bytes >= fb.row_bytes(n).
void gemv_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b,
              std::size_t stride_bytes, std::size_t rows, std::size_t n, Fp16* out) noexcept;
/// w is [rows][n], scales [rows][ceil(n / scale_group)].
void gemv_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t rows,
              std::size_t n, std::size_t scale_group, Fp16* out) noexcept;
/// q is [rows][n], block_scales [rows][ceil(n / 64)].
void gemv_codebook(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales,
                   float codebook_scale, std::size_t rows, std::size_t n, Fp16* out) noexcept;
/// codes is [rows][ceil(n / 8)], block_scales [rows][ceil(n / 64)].
void gemv_codebook_1bit(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                        const Bf16* block_scales, float codebook_scale, std::size_t rows, std::size_t n,
                        Fp16* out) noexcept;

}  // namespace harmonia::formats
