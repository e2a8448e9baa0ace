#include "harmonia/hw/formats/int8_row.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace harmonia::formats {
namespace {

constexpr float largest_finite = 65504.0F;  // of FP16
constexpr float largest_code = 127.0F;

float saturated(Fp16 x) {
  if (is_finite(x)) return to_float(x);
  return (x.bits & 0x8000U) != 0 ? -largest_finite : largest_finite;
}

}  // namespace

std::size_t encode_int8_row(const Fp16* x, std::size_t n, std::uint8_t* out) noexcept {
  std::size_t nonfinite = 0;
  float largest = 0.0F;
  for (std::size_t i = 0; i < n; ++i) {
    nonfinite += is_finite(x[i]) ? 0 : 1;
    largest = std::max(largest, std::fabs(saturated(x[i])));
  }
  const Fp16 stored = to_fp16(largest / largest_code);
  std::memcpy(out, &stored, 2);
  const float scale = to_float(stored);
  for (std::size_t i = 0; i < n; ++i) {
    const float code = scale > 0.0F ? std::nearbyint(saturated(x[i]) / scale) : 0.0F;
    out[2 + i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(std::clamp(code, -largest_code, largest_code)));
  }
  return nonfinite;
}

Fp16 decode_int8(const std::uint8_t* row, std::size_t i) noexcept {
  Fp16 scale;
  std::memcpy(static_cast<void*>(&scale), row, 2);
  const float value = static_cast<float>(static_cast<std::int8_t>(row[2 + i])) * to_float(scale);
  return to_fp16(std::clamp(value, -largest_finite, largest_finite));
}

void decode_int8_row(const std::uint8_t* row, std::size_t n, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = decode_int8(row, i);
}

}  // namespace harmonia::formats
