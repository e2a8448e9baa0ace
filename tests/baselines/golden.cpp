// The golden functions of the baselines against plain arithmetic and against this project's formats.
#include <cmath>
#include <random>
#include <vector>

#include "harmonia/hw/baselines/baselines.h"
#include "harmonia/hw/formats/pe.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"

namespace harmonia {
namespace {

using baselines::kLanes;
using formats::Fp16;

std::array<Fp16, kLanes> finite_group(test::Random& random) {
  std::array<Fp16, kLanes> x;
  test::random_fp16(random, x.data(), kLanes);
  for (Fp16& v : x)
    if (!formats::is_finite(v)) v.bits = static_cast<std::uint16_t>(v.bits & 0xbfff);
  return x;
}

TEST_CASE("alignment to 8 and 4 bits is BFP8's and BFP4's") {
  test::Random random(1);
  for (const auto& format : {formats::kBfp8, formats::kBfp4}) {
    for (int n = 0; n < 2000; ++n) {
      const auto x = finite_group(random);
      std::array<std::uint8_t, 37> stored;
      formats::encode_row(format, x.data(), kLanes, stored.data());
      std::vector<float> expected(kLanes);
      formats::decode_row(format, stored.data(), kLanes, expected.data());
      const baselines::Aligned a = baselines::align(x.data(), format.mantissa_bits);
      for (std::size_t i = 0; i < kLanes; ++i) {
        const float value =
            static_cast<float>(a.value(i)) * formats::power_of_two(a.exponent - 14 - format.mantissa_bits);
        CAPTURE(format.mantissa_bits, n, i);
        REQUIRE(value == expected[i]);
      }
    }
  }
}

TEST_CASE("14 bits hold values within three octaves of the largest exactly") {
  std::array<Fp16, kLanes> x{};
  x[0] = formats::to_fp16(8.0f);
  x[1] = formats::to_fp16(-1.0009765625f);  // the smallest step above one, three octaves below
  const baselines::Aligned a = baselines::align(x.data(), 14);
  REQUIRE(a.value(0) == 8192);
  REQUIRE(a.value(1) == -1025);
  const baselines::Aligned narrow = baselines::align(x.data(), 11);
  REQUIRE(narrow.value(1) == -128);  // truncated toward zero
}

TEST_CASE("a group of FIGNA-M8 and its accumulator are this project's M8W4") {
  test::Random random(2);
  for (int n = 0; n < 500; ++n) {
    std::vector<Fp16> x, scales(2);
    std::vector<std::int8_t> w(256);
    for (int g = 0; g < 8; ++g) {
      const auto group = finite_group(random);
      x.insert(x.end(), group.begin(), group.end());
    }
    for (auto& v : w) v = static_cast<std::int8_t>(static_cast<int>(random() % 31) - 15);
    for (auto& s : scales) s = formats::to_fp16(static_cast<float>(random() % 1000 + 1) / 512.0f);
    std::vector<std::uint8_t> stored(formats::kBfp8.row_bytes(256));
    formats::encode_row(formats::kBfp8, x.data(), 256, stored.data());
    baselines::Accumulator accumulator;
    for (std::size_t g = 0; g < 8; ++g) {
      const auto partial = baselines::aligned_group(baselines::align(&x[32 * g], 8), 8, &w[32 * g]);
      accumulator.add(partial.value(), {g % 4 == 0, g % 4 == 3, g < 4, formats::to_float(scales[g / 4])});
    }
    REQUIRE(accumulator.sum() == formats::dot_int(formats::kBfp8, stored.data(), w.data(), scales.data(), 256, 128));
  }
}

TEST_CASE("iFPU's planes are the odd integers -15..15") {
  std::array<Fp16, kLanes> x{};
  x[0] = formats::to_fp16(1.0f);
  std::array<std::uint8_t, kLanes> codes{};
  for (int code = 0; code < 16; ++code) {
    codes[0] = static_cast<std::uint8_t>(code);
    REQUIRE(baselines::ifpu_group(baselines::align(x.data(), 14), 14, codes.data()).value() ==
            static_cast<float>(2 * code - 15));
  }
}

TEST_CASE("the floating-point trees add neighbours first") {
  std::array<Fp16, kLanes> x{}, one;
  std::array<std::int8_t, kLanes> w;
  one.fill(formats::to_fp16(1.0f));
  w.fill(1);
  // 2^15 * 2^10 swallows a neighbour of 1; the pair behind it cancels first and keeps its 1.
  x[0] = formats::to_fp16(32768.0f);
  one[0] = formats::to_fp16(1024.0f);
  x[1] = formats::to_fp16(1.0f);
  x[2] = formats::to_fp16(-32768.0f);
  one[2] = formats::to_fp16(1024.0f);
  x[3] = formats::to_fp16(0.0f);
  x[4] = formats::to_fp16(1.0f);
  REQUIRE(baselines::fp_fp_group(x.data(), one.data()) == 1.0f);
  REQUIRE(baselines::fp_int_group(x.data(), w.data()) == 2.0f);
}

}  // namespace
}  // namespace harmonia
