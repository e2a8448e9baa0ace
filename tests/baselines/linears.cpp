// Whole matrices by the designs' arithmetic: worked by hand, and equal to their golden functions group by group.
#include "harmonia/hw/baselines/linears.h"

#include <cmath>
#include <vector>

#include "harmonia/hw/baselines/baselines.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"

namespace harmonia {
namespace {

using baselines::Design;
using baselines::kLanes;
using formats::ArrayRows;
using formats::Fp16;
using formats::to_float;
using formats::to_fp16;

/// One row of integers with a scale of 0.5, times the activations.
float product(Design design, int bits, const std::vector<float>& x, const std::vector<std::int8_t>& w) {
  ArrayRows rows;
  rows.rows = 1;
  rows.cols = w.size();
  rows.integers = w;
  rows.block = 128;
  rows.scales = {0.5f};
  std::vector<Fp16> a(x.size());
  formats::to_fp16(x.data(), x.size(), a.data());
  Fp16 out;
  baselines::arithmetic(design, bits)->matrix(rows)->multiply(a.data(), 1, 0, 1, &out);
  return to_float(out);
}

TEST_CASE("a linear worked by hand: bits below the group's exponent are lost where a design has none for them") {
  // 8 is 1.0 at the group's exponent; 1 + 2^-6 lies three octaves below and has six bits more.
  const std::vector<float> x = {8.0f, -1.015625f, 0.0f, 2.0f};
  const std::vector<std::int8_t> w = {1, 4, 7, -3};
  // 8 - 4.0625 - 6 = -2.0625; of 1.015625 are left: all with 14 bits and with 11, 1.0 with 8, and of 8 bits in steps of 1/16.
  CHECK(product(Design::fp_int, 8, x, w) == 0.5f * -2.0625f);
  CHECK(product(Design::figna, 8, x, w) == 0.5f * -2.0625f);
  CHECK(product(Design::ifpu, 8, x, w) == 0.5f * -2.0625f);
  CHECK(product(Design::bitmod, 8, x, w) == 0.5f * -2.0625f);
  CHECK(product(Design::figna_m11, 8, x, w) == 0.5f * -2.0625f);
  CHECK(product(Design::figna_m8, 8, x, w) == 0.5f * -2.0f);
  CHECK(product(Design::anda, 8, x, w) == 0.5f * -2.0f);
  // Four bits: 8 is 8, steps of 1; 2 stays. Three bits: steps of 2, and 1 is gone: 8 - 6.
  CHECK(product(Design::anda, 4, x, w) == 0.5f * -2.0f);
  CHECK(product(Design::anda, 3, x, w) == 0.5f * 2.0f);
}

TEST_CASE("a linear worked by hand: FP32 trees round at every adder, integer sums nowhere") {
  // 2^15 * 15 * 2^10 would be far beyond 24 bits of 2^-10 * 1: the tree swallows what its neighbour is too large for.
  std::vector<float> x(kLanes, 0.0f);
  std::vector<std::int8_t> w(kLanes, 1);
  x[0] = 32768.0f;
  x[1] = 0.0009765625f;
  x[2] = -32768.0f;
  CHECK(product(Design::fp_int, 8, x, w) == 0.0f);
  x[1] = 0.0f;
  x[8] = 0.0009765625f;
  CHECK(product(Design::fp_int, 8, x, w) == 0.5f * 0.0009765625f);
  // 25 octaves below the largest, FIGNA has no bit for it.
  CHECK(product(Design::figna, 8, x, w) == 0.0f);
}

/// What the golden functions make of row `r`.
Fp16 golden(Design design, int bits, const ArrayRows& of, std::size_t r, const Fp16* x) {
  const std::size_t groups = (of.cols + kLanes - 1) / kLanes, each = of.block / kLanes,
                    blocks = (of.cols + of.block - 1) / of.block;
  baselines::Accumulator accumulator;
  for (std::size_t g = 0; g < groups; ++g) {
    std::array<Fp16, kLanes> a{}, words{};
    std::array<std::int8_t, kLanes> w{};
    for (std::size_t i = 0; i < kLanes && g * kLanes + i < of.cols; ++i) {
      a[i] = x[g * kLanes + i];
      if (of.words.empty())
        w[i] = of.integers[r * of.cols + g * kLanes + i];
      else
        words[i] = of.words[r * of.cols + g * kLanes + i];
    }
    const baselines::Aligned aligned = baselines::align(a.data(), bits);
    float group = 0;
    if (design == Design::fp_fp) {
      group = baselines::fp_fp_group(a.data(), words.data());
    } else if (design == Design::fp_int) {
      group = baselines::fp_int_group(a.data(), w.data());
    } else if (design == Design::ifpu) {
      // The planes of code w + 8 stand for 2w + 1, those of code 8 for 1.
      std::array<std::uint8_t, kLanes> codes, ones;
      ones.fill(8);
      for (std::size_t i = 0; i < kLanes; ++i) codes[i] = static_cast<std::uint8_t>(w[i] + 8);
      const auto twice = baselines::ifpu_group(aligned, bits, codes.data());
      const auto sum = baselines::ifpu_group(aligned, bits, ones.data());
      group = baselines::Partial{(twice.sum - sum.sum) / 2, twice.exponent}.value();
    } else {
      group = baselines::aligned_group(aligned, bits, w.data()).value();
    }
    accumulator.add(
        group, {g % each == 0, g % each == each - 1 || g + 1 == groups, g < each, of.scales[r * blocks + g / each]});
  }
  return to_fp16(accumulator.sum() * of.last);
}

TEST_CASE("matrices of every design equal its golden functions, short groups and blocks included") {
  struct Case {
    Design design;
    int bits, least, largest;
  };
  const auto c = GENERATE(Case{Design::fp_fp, 8, 0, 0}, Case{Design::fp_int, 8, -15, 15}, Case{Design::ifpu, 14, -8, 7},
                          Case{Design::figna, 14, -15, 15}, Case{Design::figna_m11, 11, -15, 15},
                          Case{Design::figna_m8, 8, -15, 15}, Case{Design::bitmod, 14, -8, 7},
                          Case{Design::anda, 4, -15, 15}, Case{Design::anda, 13, -15, 15});
  test::Random random(static_cast<unsigned>(c.bits) + 100 * static_cast<unsigned>(c.design));
  for (const std::size_t block : {32, 64, 128}) {
    ArrayRows rows;
    rows.rows = 5;
    rows.cols = 300;  // nine groups and 12 columns
    rows.block = block;
    rows.last = 0.0078125f * 3;
    const std::size_t blocks = (rows.cols + block - 1) / block;
    for (std::size_t i = 0; i < rows.rows * rows.cols; ++i)
      if (c.design == Design::fp_fp)
        rows.words.push_back(to_fp16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f));
      else
        rows.integers.push_back(static_cast<std::int8_t>(
            c.least + static_cast<int>(random() % static_cast<unsigned>(c.largest - c.least + 1))));
    for (std::size_t i = 0; i < rows.rows * blocks; ++i)
      rows.scales.push_back(to_float(to_fp16(static_cast<float>(random() % 1000 + 1) / 4096.0f)));
    const auto matrix = baselines::arithmetic(c.design, c.bits)->matrix(rows);
    const std::size_t tokens = 40, first = 1, count = 3;
    std::vector<Fp16> x(tokens * rows.cols), out(tokens * count);
    for (std::size_t i = 0; i < x.size(); ++i) {
      // Twenty octaves, subnormals and zeros.
      const float magnitude = std::ldexp(static_cast<float>(random() % 2048), static_cast<int>(random() % 20) - 26);
      x[i] = to_fp16(random() % 2 != 0 ? magnitude : -magnitude);
    }
    matrix->multiply(x.data(), tokens, first, count, out.data());
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t r = 0; r < count; ++r) {
        CAPTURE(static_cast<int>(c.design), c.bits, block, t, r);
        REQUIRE(out[t * count + r].bits == golden(c.design, c.bits, rows, first + r, &x[t * rows.cols]).bits);
      }
  }
}

TEST_CASE("weights reach a design with their scales; those that it does not multiply are named") {
  test::Random random(5);
  const std::size_t rows = 3, cols = 192;
  std::vector<float> w(rows * cols);
  for (float& v : w) v = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  std::vector<Fp16> x(cols), out(rows), expected(rows);
  for (Fp16& v : x) v = to_fp16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
  const auto m8 = baselines::arithmetic(Design::figna_m8);
  // FIGNA-M8 is this project's BFP8 array on FP16 activations: what both multiply has the same result.
  std::vector<std::uint8_t> groups(formats::kBfp8.row_bytes(cols));
  formats::encode_row(formats::kBfp8, x.data(), cols, groups.data());
  for (const char* format : {"int4", "int4z", "kmeans4", "kmeans2", "kmeans1", "nf4"}) {
    auto weights = formats::LinearWeights::encode(formats::weight_format(format), w.data(), rows, cols,
                                                  formats::CodebookKind::kInt5);
    weights.prepare(formats::ActivationFormat::bfp8);
    weights.multiply(groups.data(), 1, expected.data());
    weights.prepare(*m8);
    weights.multiply(x.data(), 1, out.data());
    for (std::size_t r = 0; r < rows; ++r) {
      CAPTURE(format, r);
      REQUIRE(out[r].bits == expected[r].bits);
    }
  }
  const auto refuses = [&](const char* format, Design design, const char* words) {
    auto weights = formats::LinearWeights::encode(formats::weight_format(format), w.data(), rows, cols);
    REQUIRE_THROWS_WITH(weights.prepare(*baselines::arithmetic(design)), ContainsSubstring(words));
  };
  refuses("int8", Design::figna, "expected -15 to 15, which the PEs of figna multiply");
  refuses("kmeans4", Design::anda, "which the PEs of anda multiply");  // an int8 codebook
  refuses("int4z", Design::bitmod, "expected -8 to 7");
  refuses("fp16", Design::fp_int, "weights are 16-bit words");
  // A tree of FP16 products takes all of them, decoded.
  auto words = formats::LinearWeights::encode(formats::weight_format("int8"), w.data(), rows, cols);
  words.prepare(*baselines::arithmetic(Design::fp_fp));
  words.multiply(x.data(), 1, out.data());
  REQUIRE(std::abs(to_float(out[0])) > 0.0f);
}

}  // namespace
}  // namespace harmonia
