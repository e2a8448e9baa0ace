// FP16 and BF16: every value there is, and every place where a rounding decision changes.
#include "harmonia/hw/formats/fp16.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <vector>

#include "harmonia/hw/formats/cpu.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;

namespace {

// The meaning of the bits, from IEEE 754's own table.
double value_of(Fp16 x) {
  const int e = (x.bits >> 10) & 31;
  const int f = x.bits & 1023;
  const double magnitude = e == 0 ? std::ldexp(f, -24) : std::ldexp(1024 + f, e - 25);
  return (x.bits & 0x8000u) != 0 ? -magnitude : magnitude;
}
Fp16 fp16(unsigned bits) { return {static_cast<std::uint16_t>(bits)}; }
Bf16 bf16(unsigned bits) { return {static_cast<std::uint16_t>(bits)}; }

}  // namespace

TEST_CASE("FP16: all 65536 values to FP32, FP64, BF16 and back") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const Fp16 x = fp16(bits);
    const float f = to_float(x);
    if (is_nan(x)) {
      REQUIRE(std::isnan(f));
      REQUIRE(std::signbit(f) == ((bits & 0x8000u) != 0));
      REQUIRE(to_fp16(f).bits == (bits | 0x200u));  // quiet, payload kept
      REQUIRE(is_nan(to_bf16(x)));
      continue;
    }
    if (is_infinite(x)) {
      REQUIRE(std::isinf(f));
      REQUIRE(to_bf16(x).bits == ((bits & 0x8000u) | 0x7f80u));
    } else {
      REQUIRE(static_cast<double>(f) == value_of(x));
      const Fp16Parts p = split(x);
      REQUIRE(std::ldexp(p.significand, p.exponent - 25) == std::fabs(value_of(x)));
      REQUIRE((p.exponent >= 1 && p.exponent <= 30));
    }
    REQUIRE(std::signbit(f) == ((bits & 0x8000u) != 0));
    REQUIRE(to_fp16(f) == x);
    REQUIRE(to_fp16(static_cast<double>(f)) == x);
  }
}

TEST_CASE("FP16: rounding is decided exactly at the midpoint of every two neighbours, ties to even") {
  for (unsigned bits = 0; bits < 0x7c00u; ++bits) {
    const double low = value_of(fp16(bits));
    // Above the largest finite value lies the 2^16 that would follow it: half-way there the infinity begins.
    const double high = bits == 0x7bffu ? 65536.0 : value_of(fp16(bits + 1));
    const double middle = (low + high) / 2;
    const unsigned even = (bits & 1u) == 0 ? bits : bits + 1;
    const auto middle32 = static_cast<float>(middle);
    REQUIRE(static_cast<double>(middle32) == middle);
    for (const unsigned sign : {0u, 0x8000u}) {
      const double s = sign == 0 ? 1.0 : -1.0;
      const float s32 = sign == 0 ? 1.0f : -1.0f;
      REQUIRE(to_fp16(s * middle).bits == (sign | even));
      REQUIRE(to_fp16(s * std::nextafter(middle, 0.0)).bits == (sign | bits));
      REQUIRE(to_fp16(s * std::nextafter(middle, 1e9)).bits == (sign | (bits + 1)));
      REQUIRE(to_fp16(s32 * middle32).bits == (sign | even));
      REQUIRE(to_fp16(s32 * std::nextafter(middle32, 0.0f)).bits == (sign | bits));
      REQUIRE(to_fp16(s32 * std::nextafter(middle32, 1e9f)).bits == (sign | (bits + 1)));
    }
  }
  REQUIRE(to_fp16(std::numeric_limits<float>::denorm_min()).bits == 0);
  REQUIRE(to_fp16(-std::numeric_limits<double>::denorm_min()).bits == 0x8000u);
  REQUIRE(to_fp16(std::numeric_limits<float>::max()).bits == 0x7c00u);
  REQUIRE(to_fp16(-std::numeric_limits<double>::infinity()).bits == 0xfc00u);
}

TEST_CASE("BF16: all 65536 values to FP32 and back, and every midpoint") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const Bf16 x = bf16(bits);
    const float f = to_float(x);
    REQUIRE(float_bits(f) == bits << 16);
    if (is_nan(x)) {
      REQUIRE(to_bf16(f).bits == (bits | 0x40u));
      REQUIRE(is_nan(to_fp16(x)));
      continue;
    }
    REQUIRE(to_bf16(f) == x);
    REQUIRE(to_fp16(x) == to_fp16(static_cast<double>(f)));
    if (is_infinite(x)) continue;
    const std::uint32_t middle = (bits << 16) | 0x8000u;
    REQUIRE(to_bf16(float_from_bits(middle)).bits == ((bits & 1u) == 0 ? bits : bits + 1));
    REQUIRE(to_bf16(float_from_bits(middle - 1)).bits == bits);
    REQUIRE(to_bf16(float_from_bits(middle + 1)).bits == bits + 1);
  }
}

TEST_CASE("FP16 subtraction rounds the exact difference once") {
  harmonia::test::Fp16Source source(7);
  for (int i = 0; i < 200000; ++i) {
    const auto pair = source.values(2, 2);
    REQUIRE(subtract(pair[0], pair[1]) == to_fp16(value_of(pair[0]) - value_of(pair[1])));
  }
}

TEST_CASE("FP16 arrays convert as their elements do, at any offset and length") {
  std::vector<Fp16> all(65536);
  for (unsigned bits = 0; bits < 65536; ++bits) all[bits] = fp16(bits);
  std::vector<float> wide(all.size());
  std::vector<Fp16> back(all.size());
  to_float(all.data(), all.size(), wide.data());
  for (unsigned bits = 0; bits < 65536; ++bits) REQUIRE(float_bits(wide[bits]) == float_bits(to_float(all[bits])));
  to_fp16(wide.data(), wide.size(), back.data());
  for (unsigned bits = 0; bits < 65536; ++bits) REQUIRE(back[bits] == to_fp16(wide[bits]));
  for (std::size_t n = 0; n < 40; ++n) {
    std::vector<float> out(n + 1, 42.0f);
    to_float(all.data() + 15 * 1024 + n, n, out.data());
    REQUIRE(out[n] == 42.0f);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(out[i] == to_float(all[15 * 1024 + n + i]));
  }
}

TEST_CASE("The scalar definitions can be forced") {
  {
    const ForceScalar scalar;
    const ForceScalar nested;
    REQUIRE(simd_level() == SimdLevel::kScalar);
  }
  INFO("processor: " << name(processor_simd_level()) << ", in use: " << name(simd_level()));
  REQUIRE((simd_level() == processor_simd_level() || std::getenv("HARMONIA_SCALAR") != nullptr));
}
