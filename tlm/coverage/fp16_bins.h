// Bins of FP16 values: what a block must be shown of them.
//
// Models: the classes of IEEE 754 binary16, with the largest finite magnitude apart. Does not model: signs.
#pragma once

#include <cstdint>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::coverage {

enum class Fp16Class : std::int64_t { zero, subnormal, normal, largest, infinite, nan };

constexpr Fp16Class class_of(formats::Fp16 x) noexcept {
  if (formats::is_nan(x)) return Fp16Class::nan;
  if (formats::is_infinite(x)) return Fp16Class::infinite;
  const unsigned magnitude = x.bits & 0x7fffu;
  if (magnitude == 0) return Fp16Class::zero;
  if (magnitude < 0x400u) return Fp16Class::subnormal;
  return magnitude == 0x7bffu ? Fp16Class::largest : Fp16Class::normal;
}

inline Point& fp16_bins(Point& point) {
  const char* names[] = {"zero", "subnormal", "normal", "largest finite", "infinite", "NaN"};
  for (std::int64_t c = 0; c < 6; ++c) point.bin(names[c], c);
  return point;
}

}  // namespace harmonia::coverage
