// An INT8 cache of the golden model and the rows that the converter writes: the same bytes and the same count of values
// that no code can hold, whatever the values are.
#include <cstdint>
#include <random>
#include <vector>

#include "harmonia/hw/converter/bfp_converter.h"
#include "harmonia/hw/golden/golden_kv_cache.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia;
using accelerator::GoldenKvCache;
using formats::Fp16;

/// Rows of one token's keys of one head of `values.size()` channels, from both.
void require_equal_rows(const std::vector<Fp16>& values, std::size_t nonfinite) {
  accelerator::ModelShape shape;
  shape.num_attention_heads = shape.num_key_value_heads = 1;
  shape.head_dim = static_cast<int>(values.size());
  accelerator::GoldenSettings settings;
  settings.kv = accelerator::KvFormat::kInt8;
  GoldenKvCache cache(shape, settings);
  const std::vector<Fp16> zeros(values.size());
  REQUIRE(cache.append(values.data(), zeros.data(), 1) == nonfinite);
  REQUIRE(cache.append(zeros.data(), values.data(), 1) == nonfinite);

  const auto require_row = [&](auto kind, const GoldenKvCache::Stored& stored) {
    kind.row = converter::PlainRow::int8;
    kind.rows = 1;
    kind.columns = static_cast<std::uint32_t>(values.size());
    std::vector<std::uint8_t> row;
    REQUIRE(converter::convert({0, kind}, values.data(), nullptr, row) == nonfinite);
    REQUIRE(row == std::vector<std::uint8_t>(stored.data, stored.data + stored.bytes));
  };
  require_row(converter::PlainKeys{}, cache.key_row(0, 0));
  require_row(converter::PlainValues{}, cache.value_row(0, 1));
}

}  // namespace

TEST_CASE("INT8 rows of converter and golden cache are equal for random values") {
  std::mt19937 random(3);
  std::normal_distribution<float> value;
  for (int i = 0; i < 200; ++i) {
    std::vector<Fp16> x(static_cast<std::size_t>(2 + 2 * (i % 70)));
    for (Fp16& v : x) v = formats::to_fp16(value(random) * static_cast<float>(i));
    require_equal_rows(x, 0);
  }
}

TEST_CASE("INT8 rows of converter and golden cache are equal for infinities, NaN, subnormals and zeros") {
  const Fp16 infinity{0x7C00}, minus_infinity{0xFC00}, not_a_number{0x7E01}, minus_not_a_number{0xFE00},
      largest{0x7BFF}, subnormal{0x0007}, one = formats::to_fp16(1.0F);
  require_equal_rows(std::vector<Fp16>(64), 0);
  require_equal_rows(std::vector<Fp16>(64, subnormal), 0);
  require_equal_rows({subnormal, Fp16{0x8001}, Fp16{0x03FF}, Fp16{}}, 0);
  require_equal_rows({one, infinity, one, Fp16{}}, 1);
  require_equal_rows({minus_infinity, one}, 1);
  require_equal_rows({not_a_number, one, minus_not_a_number, one}, 2);
  require_equal_rows({infinity, not_a_number, minus_infinity, minus_not_a_number}, 4);
  require_equal_rows({largest, Fp16{0xFBFF}, infinity, subnormal}, 1);
}

TEST_CASE("INT8 rows of converter and golden cache are equal for any bits") {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    std::vector<Fp16> x(32);
    std::size_t nonfinite = 0;
    for (Fp16& v : x) {
      v.bits = static_cast<std::uint16_t>(random());
      nonfinite += formats::is_finite(v) ? 0 : 1;
    }
    require_equal_rows(x, nonfinite);
  }
}
