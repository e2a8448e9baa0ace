// Vector unit arithmetic: accuracy against a wider type, the stated order of operations, the same bits on every system.
#include "harmonia/hw/vector/vector_math.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;
using namespace harmonia::vector;
using harmonia::test::Fp16Source;

namespace {

// Distance in units of FP32's last place at `exact`.
double ulps(float got, long double exact) {
  const auto rounded = static_cast<float>(exact);
  if (!std::isfinite(rounded) || !std::isfinite(got)) return rounded == got ? 0.0 : 1e9;
  int e = 0;
  std::frexp(std::max(std::fabs(static_cast<double>(rounded)), 0x1p-126), &e);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / std::ldexp(1.0L, e - 24));
}

std::uint64_t hash(std::uint64_t h, float x) { return (h ^ float_bits(x)) * 0x100000001b3u; }

std::vector<Fp16> gaussian(Fp16Source& source, std::size_t n, double scale = 1.0) {
  std::vector<Fp16> x(n);
  for (Fp16& v : x) v = to_fp16(scale * source.gaussian());
  return x;
}
double wide(Fp16 x) { return static_cast<double>(to_float(x)); }

}  // namespace

TEST_CASE("exp: below 2 ulp of FP32 over its whole range") {
  double worst = 0.0;
  for (std::uint64_t bits = 0; bits < 0x100000000u; bits += 499) {
    const float x = float_from_bits(static_cast<std::uint32_t>(bits));
    if (!(x > -110.0f && x < 95.0f)) continue;
    worst = std::max(worst, ulps(exp_f32(x), std::exp(static_cast<long double>(x))));
  }
  INFO("worst " << worst << " ulp");
  REQUIRE(worst < 2.0);
  REQUIRE(worst > 0.5);
  const float inf = std::numeric_limits<float>::infinity();
  REQUIRE(exp_f32(0.0f) == 1.0f);
  REQUIRE(exp_f32(-0.0f) == 1.0f);
  REQUIRE(exp_f32(inf) == inf);
  REQUIRE(exp_f32(-inf) == 0.0f);
  REQUIRE(exp_f32(1e30f) == inf);
  REQUIRE(exp_f32(-1e30f) == 0.0f);
  REQUIRE(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("sine and cosine: below 2 ulp of FP32 up to the largest angle") {
  double worst = 0.0;
  for (std::uint64_t bits = 0; bits < 0x100000000u; bits += 997) {
    const float x = float_from_bits(static_cast<std::uint32_t>(bits));
    if (!(std::fabs(x) <= kMaxAngle)) continue;
    const SinCos sc = sincos_f32(x);
    worst = std::max({worst, ulps(sc.sin, std::sin(static_cast<long double>(x))),
                      ulps(sc.cos, std::cos(static_cast<long double>(x)))});
  }
  // Angles that lie as near to multiples of pi/2 as FP32 allows are where a range reduction fails.
  for (int k = 1; k < 2000000; k += 7) {
    const auto x = static_cast<float>(k * 1.57079632679489661923L);
    const SinCos sc = sincos_f32(x);
    worst = std::max({worst, ulps(sc.sin, std::sin(static_cast<long double>(x))),
                      ulps(sc.cos, std::cos(static_cast<long double>(x)))});
  }
  INFO("worst " << worst << " ulp");
  REQUIRE(worst < 2.0);
  REQUIRE(std::isnan(sincos_f32(1e8f).sin));
  REQUIRE(std::isnan(sincos_f32(std::numeric_limits<float>::infinity()).cos));
  REQUIRE(std::isnan(sincos_f32(std::numeric_limits<float>::quiet_NaN()).cos));
}

TEST_CASE("exp, sine, cosine and RoPE frequencies have the same bits on every system") {
  // The hashes were taken once; a compiler or library that changes an operation or its order changes them.
  std::uint64_t e = 0xcbf29ce484222325u, s = e, f = e;
  for (int i = -2000000; i <= 1800000; ++i) e = hash(e, exp_f32(static_cast<float>(i) * 0x1p-14f * 0.8f));
  for (int i = 0; i <= 1000000; ++i) {
    const SinCos sc = sincos_f32(static_cast<float>(i) * 0.37f);
    s = hash(hash(s, sc.sin), sc.cos);
  }
  for (const double theta : {10000.0, 500000.0, 1000000.0}) {
    for (std::size_t i = 0; i < 64; ++i) f = hash(f, rope_inverse_frequency(theta, 128, i));
  }
  REQUIRE(e == 0x1040ac830f149e44u);
  REQUIRE(s == 0x6f8e51c8d04af7e0u);
  REQUIRE(f == 0xd45d00f3ea7a3676u);
}

TEST_CASE("RoPE frequencies are theta^(-2i/d), rounded once") {
  for (const double theta : {10000.0, 500000.0, 1e6, 7.3}) {
    for (const std::size_t d : {std::size_t{8}, std::size_t{64}, std::size_t{128}, std::size_t{96}}) {
      for (std::size_t i = 0; i < d / 2; ++i) {
        const long double exact = std::pow(static_cast<long double>(theta),
                                           -2.0L * static_cast<long double>(i) / static_cast<long double>(d));
        REQUIRE(ulps(rope_inverse_frequency(theta, d, i), exact) < 0.5001);
      }
    }
  }
  REQUIRE(rope_inverse_frequency(10000.0, 128, 0) == 1.0f);
}

TEST_CASE("RMSNorm: FP32 sums in ascending order, two products, one FP16 rounding") {
  Fp16Source source(21);
  for (const std::size_t n : {1, 7, 64, 172, 4096}) {
    const auto x = gaussian(source, n, 3.0);
    std::vector<float> weight(n);
    for (float& w : weight) w = to_float(to_bf16(static_cast<float>(1.0 + 0.2 * source.gaussian())));
    std::vector<Fp16> y(n);
    rms_norm(x.data(), weight.data(), n, 1e-5f, y.data());
    float sum = 0.0f;
    double exact = 0.0;
    for (const Fp16 v : x) {
      const float square = to_float(v) * to_float(v);
      sum = sum + square;
      exact += wide(v) * wide(v);
    }
    const float mean = sum / static_cast<float>(n);
    const float r = 1.0f / std::sqrt(mean + 1e-5f);
    for (std::size_t i = 0; i < n; ++i) {
      const float scaled = to_float(x[i]) * r;
      REQUIRE(y[i] == to_fp16(scaled * weight[i]));
      const double ideal =
          wide(x[i]) / std::sqrt(exact / static_cast<double>(n) + 1e-5) * static_cast<double>(weight[i]);
      REQUIRE(wide(y[i]) == Approx(ideal).epsilon(1e-3).margin(1e-7));
    }
    auto in_place = x;
    rms_norm(in_place.data(), weight.data(), n, 1e-5f, in_place.data());
    REQUIRE(in_place == y);
  }
}

TEST_CASE("Softmax: row maximum first, ascending sum, exact division") {
  Fp16Source source(22);
  for (const std::size_t n : {1, 2, 31, 500}) {
    const auto s = gaussian(source, n, 40.0);
    const float scale = attention_scale(128);
    std::vector<Fp16> p(n);
    softmax(s.data(), n, scale, p.data());
    float largest = -std::numeric_limits<float>::infinity();
    for (const Fp16 v : s) largest = std::max(largest, to_float(v) * scale);
    float sum = 0.0f;
    double exact = 0.0;
    for (const Fp16 v : s) {
      sum = sum + exp_f32(to_float(v) * scale - largest);
      exact += std::exp(wide(v) / std::sqrt(128.0));
    }
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(p[i] == to_fp16(exp_f32(to_float(s[i]) * scale - largest) / sum));
      REQUIRE(wide(p[i]) == Approx(std::exp(wide(s[i]) / std::sqrt(128.0)) / exact).epsilon(2e-3).margin(1e-7));
    }
    auto in_place = s;
    softmax(in_place.data(), n, scale, in_place.data());
    REQUIRE(in_place == p);
  }
  softmax(nullptr, 0, 1.0f, nullptr);
  // The largest scores there are do not overflow.
  const std::vector<Fp16> top(3, Fp16{0x7bff});
  std::vector<Fp16> p(3);
  softmax(top.data(), 3, 1.0f, p.data());
  REQUIRE(p[0] == to_fp16(1.0f / 3.0f));
}

TEST_CASE("SiLU * up and residual add") {
  Fp16Source source(23);
  const auto gate = source.values(20000, 16), up = source.values(20000, 16);
  std::vector<Fp16> y(gate.size()), sum(gate.size());
  silu_mul(gate.data(), up.data(), y.size(), y.data());
  residual_add(gate.data(), up.data(), sum.size(), sum.data());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double g = wide(gate[i]);
    const double ideal = g / (1.0 + std::exp(-g)) * wide(up[i]);
    if (std::fabs(ideal) < 65000.0) REQUIRE(std::fabs(wide(y[i]) - ideal) <= std::fabs(ideal) * 0x1p-10 + 0x1p-24);
    REQUIRE(sum[i] == to_fp16(wide(gate[i]) + wide(up[i])));
  }
  REQUIRE(silu_f32(0.0f) == 0.0f);
  REQUIRE(silu_f32(-65504.0f) == 0.0f);
  REQUIRE(silu_f32(65504.0f) == 65504.0f);
  REQUIRE(silu_f32(1.0f) == Approx(0.7310586).epsilon(1e-6));
}

TEST_CASE("RoPE: both pairings rotate the same pairs, laid out differently") {
  Fp16Source source(24);
  const std::size_t head_dim = 64, heads = 3, pairs = head_dim / 2;
  const RopeTable adjacent(head_dim, 10000.0, RopePairing::kAdjacent);
  const RopeTable split(head_dim, 10000.0, RopePairing::kHalfSplit);
  std::vector<float> cos(pairs), sin(pairs);
  for (const std::size_t position : {0, 1, 17, 4095, 131071}) {
    adjacent.angles(position, cos.data(), sin.data());
    const auto x = gaussian(source, heads * head_dim);
    std::vector<Fp16> reordered(x.size());
    const auto half_split_of = [&](const std::vector<Fp16>& v) {
      std::vector<Fp16> r(v.size());
      for (std::size_t h = 0; h < heads; ++h) {
        for (std::size_t i = 0; i < pairs; ++i) {
          r[h * head_dim + i] = v[h * head_dim + 2 * i];
          r[h * head_dim + pairs + i] = v[h * head_dim + 2 * i + 1];
        }
      }
      return r;
    };
    auto a = x, b = half_split_of(x);
    adjacent.rotate(cos.data(), sin.data(), heads, a.data());
    split.rotate(cos.data(), sin.data(), heads, b.data());
    REQUIRE(half_split_of(a) == b);
    for (std::size_t k = 0; k < x.size(); k += 2) {
      const std::size_t i = k % head_dim / 2;
      const double angle =
          static_cast<double>(static_cast<float>(position) * rope_inverse_frequency(10000.0, head_dim, i));
      const double first = wide(x[k]) * std::cos(angle) - wide(x[k + 1]) * std::sin(angle);
      const double second = wide(x[k]) * std::sin(angle) + wide(x[k + 1]) * std::cos(angle);
      REQUIRE(std::fabs(wide(a[k]) - first) < 4e-3);
      REQUIRE(std::fabs(wide(a[k + 1]) - second) < 4e-3);
      const float p = to_float(x[k]) * cos[i], q = to_float(x[k + 1]) * sin[i];
      REQUIRE(a[k] == to_fp16(p - q));
      if (position == 0) REQUIRE((a[k] == x[k] && a[k + 1] == x[k + 1]));
    }
  }
}

TEST_CASE("RoPE: scores depend on the distance of positions only") {
  Fp16Source source(25);
  const std::size_t head_dim = 32;
  const RopeTable rope(head_dim, 500000.0, RopePairing::kHalfSplit);
  const auto q = gaussian(source, head_dim), k = gaussian(source, head_dim);
  std::vector<float> cos(head_dim / 2), sin(head_dim / 2);
  const auto score = [&](std::size_t pq, std::size_t pk) {
    auto a = q, b = k;
    rope.angles(pq, cos.data(), sin.data());
    rope.rotate(cos.data(), sin.data(), 1, a.data());
    rope.angles(pk, cos.data(), sin.data());
    rope.rotate(cos.data(), sin.data(), 1, b.data());
    double sum = 0.0;
    for (std::size_t i = 0; i < head_dim; ++i) sum += wide(a[i]) * wide(b[i]);
    return sum;
  };
  REQUIRE(std::fabs(score(100, 90) - score(10, 0)) < 0.03);
  REQUIRE(std::fabs(score(100, 90) - score(100, 80)) > 0.03);
}

TEST_CASE("RoPE: shapes that make no sense are refused") {
  REQUIRE_THROWS_AS(RopeTable(7, 10000.0, RopePairing::kAdjacent), std::invalid_argument);
  REQUIRE_THROWS_AS(RopeTable(0, 10000.0, RopePairing::kAdjacent), std::invalid_argument);
  REQUIRE_THROWS_AS(RopeTable(8, 0.0, RopePairing::kAdjacent), std::invalid_argument);
  REQUIRE_THROWS_AS(RopeTable(8, std::nan(""), RopePairing::kAdjacent), std::invalid_argument);
  REQUIRE_THROWS_AS(RopeTable(std::vector<float>{}, RopePairing::kAdjacent), std::invalid_argument);
}
