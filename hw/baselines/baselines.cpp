#include "harmonia/hw/baselines/baselines.h"

#include <algorithm>

namespace harmonia::baselines {

namespace {

int exponent_of(formats::Fp16 x) { return std::max(1, x.bits >> 10 & 31); }

float tree(std::array<float, kLanes> terms) {
  for (std::size_t n = kLanes; n > 1; n /= 2)
    for (std::size_t i = 0; i < n / 2; ++i) terms[i] = terms[2 * i] + terms[2 * i + 1];
  return terms[0];
}

}  // namespace

Aligned align(const formats::Fp16* a, int bits) noexcept {
  Aligned aligned;
  for (std::size_t i = 0; i < kLanes; ++i) aligned.exponent = std::max(aligned.exponent, exponent_of(a[i]));
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::uint64_t significand = (a[i].bits & 0x3ffU) | (a[i].bits & 0x7c00U ? 0x400U : 0U);
    const int down = 11 + aligned.exponent - exponent_of(a[i]);
    aligned.magnitude[i] = static_cast<std::uint16_t>((significand << bits) >> down);
    aligned.sign |= static_cast<std::uint32_t>(a[i].bits >> 15) << i;
  }
  return aligned;
}

Partial aligned_group(const Aligned& a, int bits, const std::int8_t* w) noexcept {
  Partial partial{0, a.exponent - 14 - bits};
  for (std::size_t i = 0; i < kLanes; ++i) partial.sum += a.value(i) * w[i];
  return partial;
}

Partial ifpu_group(const Aligned& a, int bits, const std::uint8_t* codes) noexcept {
  Partial partial{0, a.exponent - 14 - bits};
  for (std::size_t i = 0; i < kLanes; ++i) partial.sum += a.value(i) * (2 * codes[i] - 15);
  return partial;
}

float fp_fp_group(const formats::Fp16* a, const formats::Fp16* w) noexcept {
  std::array<float, kLanes> terms;
  for (std::size_t i = 0; i < kLanes; ++i) terms[i] = formats::to_float(a[i]) * formats::to_float(w[i]);
  return tree(terms);
}

float fp_int_group(const formats::Fp16* a, const std::int8_t* w) noexcept {
  std::array<float, kLanes> terms;
  for (std::size_t i = 0; i < kLanes; ++i) terms[i] = formats::to_float(a[i]) * static_cast<float>(w[i]);
  return tree(terms);
}

void Accumulator::add(float group, const Place& place) noexcept {
  inner_ = place.group_first ? group : inner_ + group;
  if (!place.group_last) return;
  sum_ = (place.row_first ? 0.0f : sum_) + inner_ * place.scale;
}

}  // namespace harmonia::baselines
