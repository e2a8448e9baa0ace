// The PE array's function against hw/formats, and its timing worked by hand. No kernel.
#include "harmonia/hw/pe/pe_array.h"

#include <cstring>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/pe/kv_operand.h"
#include "harmonia/hw/pe/tile_check.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::pe;
using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::vector<Fp16> ramp(std::size_t n, float step = 0.125f) {
  std::vector<Fp16> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = formats::to_fp16(step * static_cast<float>(i % 61) - 3.0f);
  return x;
}

Descriptor tile(const Factor& b, std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  Descriptor d;
  d.b = b;
  d.m = m;
  d.n = n;
  d.k = k;
  return d;
}

Keys keys(std::uint32_t wide_initial, std::uint32_t wide_local) {
  Keys b;
  b.wide_initial = wide_initial;
  b.wide_local = wide_local;
  return b;
}

/// m rows of k values as BFP8 groups.
Bytes stored(const std::vector<Fp16>& x, std::size_t m, std::size_t k) {
  Bytes b(m * kBfp8.row_bytes(k));
  for (std::size_t r = 0; r < m; ++r)
    formats::encode_row(kBfp8, x.data() + r * k, k, b.data() + r * kBfp8.row_bytes(k));
  return b;
}

std::vector<float> product(const Descriptor& d, const Bytes& a, const Bytes& b, std::vector<float> sums = {}) {
  std::vector<Fp16> out(std::size_t{d.m} * d.n);
  multiply(d, a.data(), b.data(), sums, out.data());
  std::vector<float> values(out.size());
  formats::to_float(out.data(), out.size(), values.data());
  return values;
}

float rounded(float x) { return formats::to_float(formats::to_fp16(x)); }

}  // namespace

TEST_CASE("array function: codebook values with a scale for each block of 64") {
  const std::uint32_t m = 2, n = 3, k = 128;
  CodebookWeights weights;
  weights.scale = 0.03125f;
  const Descriptor d = tile(weights, m, n, k);
  const Bytes a = stored(ramp(m * k), m, k);
  Bytes b;
  std::vector<formats::Bf16> scales(2);
  const std::uint16_t raw[] = {0x3f80, 0x4000};  // 1.0, 2.0 as bf16
  std::memcpy(static_cast<void*>(scales.data()), raw, 4);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t i = 0; i < k; ++i) b.push_back(static_cast<std::uint8_t>(r * 31 + i * 7));
    const auto* p = reinterpret_cast<const std::uint8_t*>(raw);
    b.insert(b.end(), p, p + 4);
  }
  const std::vector<float> c = product(d, a, b);
  for (std::size_t t = 0; t < m; ++t)
    for (std::size_t r = 0; r < n; ++r)
      REQUIRE(c[t * n + r] ==
              rounded(formats::dot_codebook(kBfp8, a.data() + t * kBfp8.row_bytes(k),
                                            reinterpret_cast<const std::int8_t*>(b.data() + r * (k + 4)), scales.data(),
                                            weights.scale, k)));
}

TEST_CASE("array function: BFP8 rows; sums go on from tile to tile when k is split, and leave when they are complete") {
  const std::uint32_t m = 2, n = 4, k = 64;
  const std::vector<Fp16> x = ramp(m * 2 * k), y = ramp(n * 2 * k, 0.25f);
  const auto half = [&](const std::vector<Fp16>& v, std::size_t rows, std::size_t which) {
    std::vector<Fp16> part;
    for (std::size_t r = 0; r < rows; ++r)
      part.insert(part.end(), v.begin() + static_cast<std::ptrdiff_t>((2 * r + which) * k),
                  v.begin() + static_cast<std::ptrdiff_t>((2 * r + which + 1) * k));
    return stored(part, rows, k);
  };
  Descriptor first = tile(Bfp8Weights{}, m, n, k), second = first;
  first.emit = false;
  second.accumulate = true;
  std::vector<float> sums;
  multiply(first, half(x, m, 0).data(), half(y, n, 0).data(), sums, nullptr);
  const std::vector<float> c = product(second, half(x, m, 1), half(y, n, 1), sums);
  REQUIRE(c == product(tile(Bfp8Weights{}, m, n, 2 * k), stored(x, m, 2 * k), stored(y, n, 2 * k)));
}

TEST_CASE(
    "array function: parts of a codebook's products are added block by block, and the codebook's scale comes last") {
  const std::uint32_t m = 2, n = 3, k = 128;
  CodebookWeights weights;
  weights.scale = 0.03125f;
  Descriptor first = tile(weights, m, n, k), second = first;
  first.spill = true;
  second.resume = true;
  const Bytes a = stored(ramp(m * k), m, k);
  const std::uint16_t raw[] = {0x3f80, 0x4000};  // 1.0, 2.0 as bf16
  formats::Bf16 scales[2];
  std::memcpy(static_cast<void*>(scales), raw, 4);
  Bytes b;
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t i = 0; i < k; ++i) b.push_back(static_cast<std::uint8_t>(r * 31 + i * 7));
    const auto* p = reinterpret_cast<const std::uint8_t*>(raw);
    b.insert(b.end(), p, p + 4);
  }
  std::vector<float> sums;
  std::vector<Fp16> spilled(2 * m * n);
  multiply(first, a.data(), b.data(), sums, spilled.data());
  REQUIRE(std::memcmp(spilled.data(), static_cast<const void*>(sums.data()), 4 * m * n) == 0);
  const std::vector<float> c = product(second, a, b, sums);
  for (std::size_t t = 0; t < m; ++t)
    for (std::size_t r = 0; r < n; ++r) {
      float sum = 0;
      for (int part = 0; part < 2; ++part)
        for (std::size_t i = 0; i < 2; ++i)
          sum += formats::dot_codebook(kBfp8, a.data() + t * kBfp8.row_bytes(k) + i * kBfp8.row_bytes(64),
                                       reinterpret_cast<const std::int8_t*>(b.data() + r * (k + 4)) + 64 * i,
                                       &scales[i], 1.0f, 64);
      REQUIRE(c[t * n + r] == rounded(sum * weights.scale));
    }
}

TEST_CASE("array function: FP16 operands, groups ascending") {
  const std::uint32_t m = 2, n = 3, k = 40;
  const std::vector<Fp16> x = ramp(m * k), y = ramp(n * k, 0.5f);
  const auto bytes = [](const std::vector<Fp16>& v) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(v.data());
    return Bytes(p, p + 2 * v.size());
  };
  const std::vector<float> c = product(tile(Fp16Weights{}, m, n, k), bytes(x), bytes(y));
  for (std::size_t t = 0; t < m; ++t)
    for (std::size_t r = 0; r < n; ++r)
      REQUIRE(c[t * n + r] == rounded(formats::dot_fp16(x.data() + t * k, y.data() + r * k, k)));
}

TEST_CASE("array function: keys inside the windows are BFP8, the others BFP4") {
  const std::uint32_t m = 1, n = 6, k = 64;
  const Keys cached = keys(1, 4);  // tokens 0, 4 and 5 come with a low plane
  const Descriptor d = tile(cached, m, n, k);
  REQUIRE(wide_units(cached, n) == 3);
  const std::vector<Fp16> y = ramp(n * k, 0.375f);
  const Bytes a = stored(ramp(k), 1, k), rows = stored(y, n, k);
  Bytes b, low;
  for (std::size_t token = 0; token < n; ++token)
    for (std::size_t g = 0; g < 2; ++g) {
      const auto group = rows.begin() + static_cast<std::ptrdiff_t>((token * 2 + g) * 37);
      b.insert(b.end(), group, group + 21);
      if (token == 0 || token >= 4) low.insert(low.end(), group + 21, group + 37);
    }
  b.insert(b.end(), low.begin(), low.end());
  const std::vector<float> c = product(d, a, b);
  for (std::size_t token = 0; token < n; ++token) {
    const bool wide = token == 0 || token >= 4;
    Bytes narrow;
    for (std::size_t g = 0; g < 2; ++g) {
      const auto group = rows.begin() + static_cast<std::ptrdiff_t>((token * 2 + g) * 37);
      narrow.insert(narrow.end(), group, group + (wide ? 37 : 21));
    }
    REQUIRE(c[token] == rounded(formats::dot_bfp(kBfp8, a.data(), wide ? kBfp8 : kBfp4, narrow.data(), k)));
  }
}

TEST_CASE("array descriptor: where a tile begins in a row of A stays inside the row, of parts and of whole rows") {
  Descriptor whole = tile(CodebookWeights{}, 2, 3, 64);
  whole.load_a = true;
  REQUIRE(fault_of(whole, nullptr) == "");
  for (const std::uint32_t begin : {1u, 32u, 1u << 28, 1u << 31}) {
    whole.a_begin = begin;
    REQUIRE_THAT(fault_of(whole, nullptr), ContainsSubstring("a_begin"));
  }
  Descriptor part = tile(CodebookWeights{}, 2, 3, 64);
  part.load_a = part.spill = true;
  part.a_columns = 128;
  for (const std::uint32_t begin : {0u, 32u, 64u}) {
    part.a_begin = begin;
    REQUIRE(fault_of(part, nullptr) == "");
  }
  for (const std::uint32_t begin : {16u, 96u, 1u << 31}) {
    part.a_begin = begin;
    REQUIRE_THAT(fault_of(part, nullptr), ContainsSubstring("a_begin"));
  }
}

TEST_CASE("array timing: idle rows take further columns") {
  Config config;                                                               // 16 x 8
  REQUIRE(tile_cycles(config, tile(CodebookWeights{}, 1, 128, 64)) == 2);      // 128 columns at once, two groups
  REQUIRE(tile_cycles(config, tile(CodebookWeights{}, 5, 128, 64)) == 6 * 2);  // 24 columns at once
  REQUIRE(tile_cycles(config, tile(CodebookWeights{}, 16, 128, 64)) == 16 * 2);
  REQUIRE(tile_cycles(config, tile(CodebookWeights{}, 20, 128, 64)) == 16 * 2 * 2);  // two rounds of rows
  config.spread_idle_rows = false;
  REQUIRE(tile_cycles(config, tile(CodebookWeights{}, 1, 128, 64)) == 16 * 2);
}

TEST_CASE("array timing: passes, unfinished groups, and cycles of a bit-serial pass") {
  Config config;
  CodebookWeights weights;
  weights.passes = 2;
  Descriptor d = tile(weights, 1, 128, 64);
  REQUIRE(tile_cycles(config, d) == 4);
  REQUIRE(tile_slots(d) == 128 * 2 * 2);
  d.k = 65;
  REQUIRE(tile_cycles(config, d) == 6);
  config.cycles_per_group = 2.5;
  REQUIRE(tile_cycles(config, d) == 15);
}

TEST_CASE("array timing: a tile of the cache takes at least its share of a GPU kernel's time") {
  Config config;
  Keys b = keys(0, 64);
  const std::uint64_t own = tile_cycles(config, tile(b, 4, 64, 64));
  b.least_cycles = own + 5;
  REQUIRE(tile_cycles(config, tile(b, 4, 64, 64)) == own + 5);
  b.least_cycles = own - 1;
  REQUIRE(tile_cycles(config, tile(b, 4, 64, 64)) == own);
}

TEST_CASE("array timing: a low plane of keys or values is one pass more") {
  Config config;
  const Descriptor scores = tile(keys(4, 60), 4, 64, 64);  // 32 columns at once
  REQUIRE(tile_cycles(config, scores) == (2 + 1) * 2);     // 8 tokens in one round more
  REQUIRE(tile_slots(scores) == 4 * 2 * (64 + 8));
  REQUIRE(tile_elements(scores) == 64 * (64 + 8));
  Values cached;
  cached.wide_initial = 1;
  cached.wide_local = 3;
  Descriptor values = tile(cached, 4, 64, 128);  // four groups of tokens, two of them wide
  REQUIRE(tile_cycles(config, values) == 2 * (4 + 2));
  REQUIRE(tile_slots(values) == 4 * 64 * (4 + 2));
  REQUIRE(tile_elements(values) == 32 * 64 * (4 + 2));
  cached.bfp_a = false;
  values.b = cached;  // decoded to FP16 there is no second pass
  REQUIRE(tile_cycles(config, values) == 2 * 4);
  config.attention_cycles_per_group = 3;
  REQUIRE(tile_cycles(config, values) == 2 * 4 * 3);
}

TEST_CASE(
    "array timing: a plain cache becomes BFP8 on a BFP array, in two passes; every byte of it counts as it comes") {
  const Config config;
  PlainKeys keys;
  keys.int8 = true;
  REQUIRE(tile_cycles(config, tile(keys, 4, 64, 64)) == 2 * 2 * 2);
  REQUIRE(tile_slots(tile(keys, 4, 64, 64)) == 4 * 64 * 2 * 2);
  REQUIRE(tile_elements(tile(keys, 4, 64, 64)) == 64 * (64 + 2));
  PlainValues values;
  values.bfp_a = false;
  REQUIRE(tile_cycles(config, tile(values, 4, 64, 128)) == 2 * 4);
  REQUIRE(tile_elements(tile(values, 4, 64, 128)) == 128 * 2 * 64);
}

TEST_CASE("array: A operands take the groups of the design") {
  Config config;
  const Descriptor linear = tile(IntegerWeights{}, 3, 64, 128), cached = tile(Keys{}, 3, 64, 128);
  REQUIRE(tile_a_bytes(config, linear) == 3 * 4 * 37);
  REQUIRE(tile_a_bytes(config, cached) == 3 * 4 * 37);
  config.kind = PeKind::anda;  // 64 values of a sign and 6 bits, and an exponent
  config.mantissa_bits = 6;
  REQUIRE(tile_a_bytes(config, linear) == 3 * 2 * 57);
  REQUIRE(tile_a_bytes(config, tile(Fp16Weights{}, 3, 64, 128)) == 3 * 2 * 128);
}
