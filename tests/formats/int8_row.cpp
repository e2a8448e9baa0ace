// Rows of an INT8 cache: the definition by hand, and what becomes of values that it cannot hold.
#include "harmonia/hw/formats/int8_row.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/catch.h"

namespace {

using namespace harmonia::formats;

constexpr Fp16 infinity{0x7C00}, minus_infinity{0xFC00}, not_a_number{0x7E00}, minus_not_a_number{0xFE00},
    largest{0x7BFF}, smallest_subnormal{0x0001};

struct Row {
  std::size_t nonfinite;
  float scale;
  std::vector<int> codes;
  std::vector<Fp16> back;
};

Row through(const std::vector<Fp16>& x) {
  std::vector<std::uint8_t> stored(int8_row_bytes(x.size()) + 1, 0xA5);
  Row row;
  row.nonfinite = encode_int8_row(x.data(), x.size(), stored.data());
  REQUIRE(stored.back() == 0xA5);
  row.scale = to_float(Fp16{static_cast<std::uint16_t>(stored[0] | stored[1] << 8)});
  for (std::size_t i = 0; i < x.size(); ++i) row.codes.push_back(static_cast<std::int8_t>(stored[2 + i]));
  row.back.resize(x.size());
  decode_int8_row(stored.data(), x.size(), row.back.data());
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(decode_int8(stored.data(), i) == row.back[i]);
  return row;
}

}  // namespace

TEST_CASE("INT8 row: the largest magnitude becomes code 127, the others follow to nearest-even") {
  const Row row = through({to_fp16(127.0F), to_fp16(-127.0F), to_fp16(2.5F), to_fp16(3.5F), to_fp16(-0.4F)});
  REQUIRE(row.scale == 1.0F);
  REQUIRE(row.codes == std::vector<int>{127, -127, 2, 4, 0});
  REQUIRE(row.nonfinite == 0);
  REQUIRE(to_float(row.back[3]) == 4.0F);
}

TEST_CASE("INT8 row: a row of zeros, or of subnormals whose scale vanishes, has scale 0 and codes 0") {
  for (const std::vector<Fp16>& x : {std::vector<Fp16>(7), std::vector<Fp16>(7, smallest_subnormal)}) {
    const Row row = through(x);
    REQUIRE(row.scale == 0.0F);
    REQUIRE(row.codes == std::vector<int>(7));
    for (const Fp16 v : row.back) REQUIRE(to_float(v) == 0.0F);
  }
}

TEST_CASE("INT8 row: codes of a subnormal scale stay within -127 and 127") {
  std::vector<Fp16> x;
  for (std::uint16_t bits = 1; bits < 0x0400; ++bits) {
    const Row row = through({Fp16{bits}, Fp16{static_cast<std::uint16_t>(bits | 0x8000)}});
    REQUIRE(row.codes[0] == -row.codes[1]);
    REQUIRE(row.codes[0] <= 127);
    REQUIRE(row.codes[0] >= 0);
  }
}

TEST_CASE("INT8 row: infinities and NaN become the largest finite value with their sign, and are counted") {
  const Row row =
      through({infinity, minus_infinity, not_a_number, minus_not_a_number, to_fp16(1000.0F), to_fp16(-20000.0F)});
  REQUIRE(row.nonfinite == 4);
  const Row finite = through({largest, Fp16{0xFBFF}, largest, Fp16{0xFBFF}, to_fp16(1000.0F), to_fp16(-20000.0F)});
  REQUIRE(finite.nonfinite == 0);
  REQUIRE(row.scale == finite.scale);
  REQUIRE(row.codes == finite.codes);
  REQUIRE(row.codes == std::vector<int>{127, -127, 127, -127, 2, -39});
  for (const Fp16 v : row.back) REQUIRE(is_finite(v));
  REQUIRE(row.back[0] == largest);
}

TEST_CASE("INT8 row: random rows come back within half a step") {
  std::mt19937 random(7);
  std::normal_distribution<float> value;
  for (int n = 1; n < 200; n += 3) {
    std::vector<Fp16> x(static_cast<std::size_t>(n));
    for (Fp16& v : x) v = to_fp16(value(random) * std::exp2(static_cast<float>(n % 20 - 10)));
    const Row row = through(x);
    // Half a step, the rounding of the product to FP16, and of the scale.
    for (std::size_t i = 0; i < x.size(); ++i)
      REQUIRE(std::fabs(to_float(row.back[i]) - to_float(x[i])) <=
              row.scale * 0.57F + std::fabs(to_float(x[i])) * 0x1p-10F);
  }
}
