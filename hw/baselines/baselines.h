// Golden functions of the designs that Harmonia's PE is compared with: FP-FP, FP-INT, iFPU, FIGNA with 14, 11 and 8 bits,
// Anda and a PE after BitMoD, each beside its RTL (*.sv) in this folder.
//
// Models: one group of 32 products and the sum over groups and scales, bit for bit as the RTL, by the papers' descriptions:
// FP16 times FP16 or integer in a tree of FP32 adders; activations aligned to the group's largest exponent, truncated to
// M bits and multiplied exactly (FIGNA in parallel, Anda bit by bit of the activation, BitMoD digit by digit of the weight:
// three ways to the same integer); ±1 planes (iFPU). One accumulator for all: FP32 sums of groups, times the scale, summed.
// Does not model: cycles, the published designs' other number formats. Infinities and NaNs: FP-FP only.
// Source: the papers' descriptions; widths of alignment and accumulator that they leave open are ours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::baselines {

inline constexpr std::size_t kLanes = 32;
/// Magnitude bits of an aligned activation: FIGNA's own, which lose nothing of FP16 values within 3 octaves, and iFPU's.
inline constexpr int kFignaBits = 14;

/// 32 activations under one exponent: |a_i| = magnitude_i * 2^(exponent - 15 - (bits - 1)), truncated toward zero.
struct Aligned {
  int exponent = 1;        ///< of the largest, as FP16 stores it; 1 when all are zero or subnormal
  std::uint32_t sign = 0;  ///< bit i: a_i is negative
  std::array<std::uint16_t, kLanes> magnitude{};
  int value(std::size_t i) const { return (sign >> i & 1) != 0 ? -int{magnitude[i]} : int{magnitude[i]}; }
};
/// a: 32 finite values; bits: 1..16.
Aligned align(const formats::Fp16* a, int bits) noexcept;

/// An exact sum: sum * 2^exponent.
struct Partial {
  std::int32_t sum = 0;
  int exponent = 0;
  float value() const { return static_cast<float>(sum) * formats::power_of_two(exponent); }
};

/// FIGNA (bits 14, 11, 8), Anda (any) and the PE after BitMoD (14, weights -8..7): sum a_i w_i, w_i in -15..15.
Partial aligned_group(const Aligned& a, int bits, const std::int8_t* w) noexcept;
/// iFPU: codes 0..15 stand for the weights 2c - 15, as four planes of +-1 that count 1, 2, 4, 8.
Partial ifpu_group(const Aligned& a, int bits, const std::uint8_t* codes) noexcept;
/// FP-FP: products exact in FP32, added as a binary tree, neighbours first.
float fp_fp_group(const formats::Fp16* a, const formats::Fp16* w) noexcept;
/// FP-INT: the same with integer weights of -15..15.
float fp_int_group(const formats::Fp16* a, const std::int8_t* w) noexcept;

/// Where a group stands in its row of weights.
struct Place {
  bool group_first = true;  ///< of those that share a scale
  bool group_last = true;
  bool row_first = true;  ///< belongs to the first scale of the row
  float scale = 1;        ///< an FP16 or bf16 value
};

/// The accumulator behind every PE: sum of the groups of a scale from the first on, times the scale, added to the row's sum.
/// Every step rounds to the nearest FP32, as formats::dot_int().
class Accumulator {
 public:
  void add(float group, const Place& place) noexcept;
  /// Complete behind a place with group_last.
  float sum() const { return sum_; }

 private:
  float inner_ = 0, sum_ = 0;
};

}  // namespace harmonia::baselines
