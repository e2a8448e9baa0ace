// Smoothing: folding changes no score, offsets change no softmax, both respect RoPE's pairs and shared kv heads.
#include "harmonia/hw/formats/smoothing.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "harmonia/hw/vector/vector_math.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;
using harmonia::test::Fp16Source;

TEST_CASE("Smoothing: factors are the square root of the pair maximum, tied over each pair") {
  const float maxima[8] = {4.0f, 1.0f, 9.0f, 0.0f, 16.0f, 25.0f, 0.0f, 0.0f};
  float adjacent[8], split[8];
  smoothing_factors(maxima, 1, 8, RopePairing::kAdjacent, 0.5, adjacent);
  smoothing_factors(maxima, 1, 8, RopePairing::kHalfSplit, 0.5, split);
  const float expected_adjacent[8] = {2, 2, 3, 3, 5, 5, 1, 1};
  const float expected_split[8] = {4, 5, 3, 1, 4, 5, 3, 1};
  for (int c = 0; c < 8; ++c) {
    REQUIRE(adjacent[c] == expected_adjacent[c]);
    REQUIRE(split[c] == expected_split[c]);
  }
  float twice[8];
  smoothing_factors(maxima, 2, 4, RopePairing::kHalfSplit, 1.0, twice);  // each kv head by itself
  const float expected_twice[8] = {9, 1, 9, 1, 16, 25, 16, 25};
  for (int c = 0; c < 8; ++c) REQUIRE(twice[c] == expected_twice[c]);
}

TEST_CASE("Smoothing: maxima accumulate over calibration steps") {
  std::vector<float> maxima(2, 0.0f);
  const float first[] = {1.0f, -3.0f, 2.0f, 1.0f};
  const float second[] = {-5.0f, std::numeric_limits<float>::quiet_NaN()};
  update_key_maxima(first, 2, 2, maxima.data());
  update_key_maxima(second, 1, 2, maxima.data());
  REQUIRE(maxima == std::vector<float>{5.0f, 3.0f});
}

TEST_CASE("Smoothing: folded projections keep every score under RoPE, with shared kv heads") {
  Fp16Source source(11);
  const std::size_t heads = 4, kv_heads = 2, head_dim = 16, in = 24;
  for (const RopePairing pairing : {RopePairing::kAdjacent, RopePairing::kHalfSplit}) {
    std::vector<float> wq(heads * head_dim * in), wk(kv_heads * head_dim * in), xq(in), xk(in);
    for (auto* v : {&wq, &wk, &xq, &xk}) {
      for (float& w : *v) w = static_cast<float>(source.gaussian());
    }
    std::vector<float> maxima(kv_heads * head_dim), s(maxima.size());
    for (float& m : maxima) m = static_cast<float>(0.1 + 40 * source.uniform());
    smoothing_factors(maxima.data(), kv_heads, head_dim, pairing, 0.5, s.data());
    auto folded_q = wq, folded_k = wk;
    fold_into_query(folded_q.data(), heads, kv_heads, head_dim, in, s.data());
    fold_into_key(folded_k.data(), kv_heads, head_dim, in, s.data());
    REQUIRE(folded_q != wq);

    // FP64 projection, rotation by a position-dependent angle per pair, score.
    const auto project = [&](const std::vector<float>& w, const std::vector<float>& x, std::size_t head,
                             double position) {
      std::vector<double> y(head_dim), rotated(head_dim);
      for (std::size_t c = 0; c < head_dim; ++c) {
        for (std::size_t i = 0; i < in; ++i)
          y[c] += static_cast<double>(w[(head * head_dim + c) * in + i]) * static_cast<double>(x[i]);
      }
      for (std::size_t c = 0; c < head_dim; ++c) {
        const std::size_t partner = rope_partner(pairing, head_dim, c);
        const std::size_t pair = pairing == RopePairing::kAdjacent ? c / 2 : std::min(c, partner);
        const double angle = position * std::pow(10000.0, -2.0 * static_cast<double>(pair) / head_dim);
        rotated[c] = c < partner ? y[c] * std::cos(angle) - y[partner] * std::sin(angle)
                                 : y[partner] * std::sin(angle) + y[c] * std::cos(angle);
      }
      return rotated;
    };
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t kv = h / (heads / kv_heads);
      const auto q = project(wq, xq, h, 17), k = project(wk, xk, kv, 5);
      const auto q2 = project(folded_q, xq, h, 17), k2 = project(folded_k, xk, kv, 5);
      double score = 0.0, folded = 0.0, size = 0.0;
      for (std::size_t c = 0; c < head_dim; ++c) {
        score += q[c] * k[c];
        folded += q2[c] * k2[c];
        size += std::fabs(q[c] * k[c]);
      }
      REQUIRE(std::fabs(score - folded) < 1e-5 * size);
    }
  }
}

TEST_CASE("Smoothing: the channels with the largest |mean|/std are chosen, ascending, with FP16 means") {
  Fp16Source source(12);
  const std::size_t tokens = 300, head_dim = 64, stride = 70;
  std::vector<Fp16> key(tokens * stride);
  for (Fp16& v : key) v = to_fp16(source.gaussian());
  const struct {
    std::size_t channel;
    double mean;
  } planted[] = {{40, 12.0}, {7, -30.0}, {63, 9.0}, {22, 15.0}, {30, 3.0}};
  for (const auto& p : planted) {
    for (std::size_t t = 0; t < tokens; ++t) key[t * stride + p.channel] = to_fp16(p.mean + source.gaussian());
  }
  const KeyOffsets chosen = choose_offsets(key.data(), tokens, stride, head_dim);
  REQUIRE(chosen.count == 4);
  const std::uint16_t channels[] = {7, 22, 40, 63};
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(chosen.channel[i] == channels[i]);
    double mean = 0.0;
    for (std::size_t t = 0; t < tokens; ++t) mean += static_cast<double>(to_float(key[t * stride + channels[i]]));
    REQUIRE(chosen.offset[i] == to_fp16(mean / tokens));
  }
}

TEST_CASE("Smoothing: ties, constant, zero and non-finite channels") {
  const std::size_t tokens = 4, head_dim = 6;
  std::vector<Fp16> key(tokens * head_dim);
  const double rows[4][6] = {{1, 2, 0, 5, 1, 1}, {3, 6, 0, 5, 3, 1}, {1, 2, 0, 5, 1, 1}, {3, 6, 0, 5, 3, 1}};
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < head_dim; ++c) key[t * head_dim + c] = to_fp16(rows[t][c]);
  }
  key[2 * head_dim + 5] = {0x7c00};
  // Channel 3 is constant, 0, 1 and 4 tie at mean/std = 2, 2 is zero, 5 has an infinity.
  KeyOffsets chosen = choose_offsets(key.data(), tokens, head_dim, head_dim, 3);
  REQUIRE((chosen.count == 3 && chosen.channel[0] == 0 && chosen.channel[1] == 1 && chosen.channel[2] == 3));
  REQUIRE(to_float(chosen.offset[2]) == 5.0f);
  chosen = choose_offsets(key.data(), tokens, head_dim, head_dim, 16);
  REQUIRE(chosen.count == 5);
  REQUIRE(choose_offsets(key.data(), 0, head_dim, head_dim).count == 0);
  REQUIRE(choose_offsets(key.data(), tokens, head_dim, head_dim, 0).count == 0);
}

TEST_CASE("Smoothing: subtracting offsets leaves softmax as it was") {
  Fp16Source source(13);
  const std::size_t tokens = 50, head_dim = 32;
  std::vector<Fp16> key(tokens * head_dim), q(head_dim);
  for (Fp16& v : q) v = to_fp16(source.gaussian());
  // Values on a grid of 1/8, so that the FP16 subtraction is exact and only the identity is tested.
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < head_dim; ++c) {
      key[t * head_dim + c] = to_fp16(std::nearbyint(8 * source.gaussian()) / 8 + (c == 5 ? 20 : 0));
    }
  }
  KeyOffsets offsets = choose_offsets(key.data(), tokens, head_dim, head_dim);
  for (std::size_t i = 0; i < offsets.count; ++i) {
    offsets.offset[i] = to_fp16(std::nearbyint(8 * to_float(offsets.offset[i])) / 8);
  }
  REQUIRE(std::find(offsets.channel.begin(), offsets.channel.begin() + 4, 5) != offsets.channel.begin() + 4);
  const auto probabilities = [&] {
    std::vector<double> p(tokens);
    double sum = 0.0;
    for (std::size_t t = 0; t < tokens; ++t) {
      double score = 0.0;
      for (std::size_t c = 0; c < head_dim; ++c) {
        score += static_cast<double>(to_float(q[c])) * static_cast<double>(to_float(key[t * head_dim + c]));
      }
      p[t] = std::exp(score / std::sqrt(32.0));
      sum += p[t];
    }
    for (double& v : p) v /= sum;
    return p;
  };
  const auto before = probabilities();
  for (std::size_t t = 0; t < tokens; ++t) {
    const auto untouched = key[t * head_dim + (offsets.channel[0] == 0 ? 31 : 0)];
    subtract_offsets(offsets, key.data() + t * head_dim);
    if (offsets.channel[0] != 0) REQUIRE(key[t * head_dim] == untouched);
  }
  const auto after = probabilities();
  for (std::size_t t = 0; t < tokens; ++t) REQUIRE(after[t] == Approx(before[t]).epsilon(1e-12));
}

TEST_CASE("Smoothing: settings that make no sense are refused") {
  float maxima[4] = {}, factors[4];
  Fp16 key[4] = {};
  REQUIRE_THROWS_AS(smoothing_factors(maxima, 1, 3, RopePairing::kAdjacent, 0.5, factors), std::invalid_argument);
  REQUIRE_THROWS_AS(smoothing_factors(maxima, 1, 0, RopePairing::kAdjacent, 0.5, factors), std::invalid_argument);
  REQUIRE_THROWS_AS(smoothing_factors(maxima, 1, 4, RopePairing::kAdjacent, 1.5, factors), std::invalid_argument);
  REQUIRE_THROWS_AS(smoothing_factors(maxima, 1, 4, RopePairing::kAdjacent, std::nan(""), factors),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(fold_into_query(maxima, 3, 2, 1, 1, factors), std::invalid_argument);
  REQUIRE_THROWS_AS(fold_into_query(maxima, 2, 0, 1, 1, factors), std::invalid_argument);
  REQUIRE_THROWS_AS(choose_offsets(key, 1, 4, 4, 17), std::invalid_argument);
  REQUIRE_THROWS_AS(choose_offsets(key, 1, 3, 4), std::invalid_argument);
}
