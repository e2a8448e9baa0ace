#include "harmonia/hw/formats/kmeans.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/lloyd_max.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/weights/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

using namespace harmonia::formats;
namespace testbench = harmonia::testbench;

namespace {

std::vector<std::uint8_t> packed(const std::vector<std::uint8_t>& indices, int bits) {
  std::vector<std::uint8_t> bytes(kmeans_row_bytes(indices.size(), bits));
  kmeans_pack(indices.data(), indices.size(), bits, bytes.data());
  return bytes;
}

std::vector<std::uint8_t> unpacked(const KmeansTensor& t) {
  std::vector<std::uint8_t> indices(t.rows * t.cols);
  for (std::size_t r = 0; r < t.rows; ++r)
    kmeans_unpack(t.row_packed(r), t.cols, t.bits(), indices.data() + r * t.cols);
  return indices;
}

double snr_db(const std::vector<float>& reference, const std::vector<float>& value) {
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    signal += static_cast<double>(reference[i]) * reference[i];
    const double e = static_cast<double>(reference[i]) - value[i];
    noise += e * e;
  }
  return 10 * std::log10(signal / noise);
}

std::vector<float> gaussian(std::uint64_t seed, std::size_t n) {
  std::vector<float> w(n);
  fill_gaussian(seed, n, w.data());
  return w;
}

}  // namespace

TEST_CASE("K-means packing: the first element in the most significant bits") {
  CHECK(packed({3, 1, 1, 0}, 2) == std::vector<std::uint8_t>{0xD4});
  CHECK(packed({3, 10}, 4) == std::vector<std::uint8_t>{0x3A});
  CHECK(packed({1, 0, 1, 1, 0, 0, 0, 1}, 1) == std::vector<std::uint8_t>{0xB1});
  CHECK(packed({200, 7}, 8) == std::vector<std::uint8_t>{200, 7});
  // Three bit planes, the index's most significant bit first.
  CHECK(packed({7, 1, 2, 4, 0, 0, 0, 5}, 3) == std::vector<std::uint8_t>{0x91, 0xA0, 0xC1});
  CHECK(packed({1, 2, 3}, 2) == std::vector<std::uint8_t>{0x6C});
}

TEST_CASE("K-means storage: 1.25, 2.25, 3.25, 4.25 and 8.25 bits per weight") {
  for (const int bits : {1, 2, 3, 4, 8}) {
    CHECK(kmeans_row_bytes(512, bits) == 64U * static_cast<unsigned>(bits));
    const double stored = 8.0 * (static_cast<double>(kmeans_row_bytes(512, bits)) + 2 * kmeans_blocks(512)) / 512;
    CHECK(stored == bits + 0.25);
  }
  CHECK(kmeans_blocks(65) == 2);
  CHECK(kmeans_row_bytes(65, 3) == 27);
  CHECK(kmeans_row_bytes(65, 2) == 17);
}

TEST_CASE("K-means packing: unpacking returns the indices, for every length") {
  const std::uint64_t seed = 3;
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (const int bits : {1, 2, 3, 4, 8})
    for (std::size_t n = 0; n < 200; ++n) {
      std::vector<std::uint8_t> indices(n);
      for (auto& i : indices) i = static_cast<std::uint8_t>(random.next() & ((1U << bits) - 1));
      const std::vector<std::uint8_t> bytes = packed(indices, bits);
      std::vector<std::uint8_t> back(n);
      kmeans_unpack(bytes.data(), n, bits, back.data());
      REQUIRE(back == indices);
    }
}

TEST_CASE("K-means encode: the worked example") {
  const Codebook codebook = make_codebook({-1, -.2F, .2F, 1});
  const std::array<float, 4> x = {6, -2, -2, -10};
  std::uint8_t bytes = 0;
  Bf16 scale;
  CHECK(kmeans_encode_row(codebook, x.data(), 4, &bytes, &scale) == 0);
  CHECK(to_float(scale) == 5.0F);
  CHECK(bytes == 0xD4);
  std::array<float, 4> y;
  kmeans_decode_row_f32(codebook, &bytes, &scale, 4, y.data());
  CHECK(y == std::array<float, 4>{5, -1, -1, -5});
}

TEST_CASE("K-means encode: a tie takes the lower centroid") {
  const Codebook codebook = make_codebook({-1, 0, .5F, 1});
  // absmean of these is 1, so z = w; midpoints are -0.5, 0.25, 0.75.
  const std::array<float, 4> w = {-.5F, .25F, .75F, 2.5F};
  std::uint8_t bytes = 0;
  Bf16 scale;
  kmeans_encode_row(codebook, w.data(), 4, &bytes, &scale);
  CHECK(to_float(scale) == 1.0F);
  CHECK(bytes == 0b00'01'10'11);
}

TEST_CASE("K-means encode: the index is chosen with the unrounded scale, the decode uses the rounded one") {
  const Codebook codebook = make_codebook({-1, -.2F, .2F, 1});
  // Scale 1.004 (bf16: 1.0078125): z = 0.6025 / 1.004 = 0.60009 lies above the midpoint 0.6, 0.6025 / 1.0078125 below
  // it.
  const std::array<float, 4> w = {.6025F, 1.4055F, 1.004F, 1.004F};
  std::uint8_t bytes = 0;
  Bf16 scale;
  kmeans_encode_row(codebook, w.data(), 4, &bytes, &scale);
  CHECK(kmeans_block_scale(w.data(), 4, ScaleStatistic::kAbsMean) == Approx(1.004F).epsilon(1e-6));
  CHECK(to_float(scale) == 1.0078125F);
  CHECK(bytes == 0xFF);
}

TEST_CASE("K-means block scale: statistic, rounding, smallest value") {
  const std::array<float, 4> w = {1, -3, 0, 2};
  CHECK(kmeans_block_scale(w.data(), 4, ScaleStatistic::kAbsMean) == 1.5F);
  CHECK(kmeans_block_scale(w.data(), 4, ScaleStatistic::kAbsMax) == 3.0F);
  const std::vector<float> zeros(64);
  for (const auto statistic : {ScaleStatistic::kAbsMean, ScaleStatistic::kAbsMax})
    for (const std::size_t n : {1U, 63U, 64U}) CHECK(kmeans_block_scale(zeros.data(), n, statistic) == 1e-5F);
  CHECK(kmeans_statistic(1) == ScaleStatistic::kAbsMean);
  CHECK(kmeans_statistic(2) == ScaleStatistic::kAbsMean);
  CHECK(kmeans_statistic(3) == ScaleStatistic::kAbsMax);
  // Double keeps what FP32 sums lose: 2^24 + 63 ones.
  std::vector<float> wide(64, 1.0F);
  wide[0] = 0x1p24F;
  CHECK(kmeans_block_scale(wide.data(), 64, ScaleStatistic::kAbsMean) == static_cast<float>((0x1p24 + 63) / 64));
}

TEST_CASE("K-means: weights that are not finite") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t n : {64U, 30U}) {
    std::vector<float> w(n, 1.0F);
    std::vector<float> zeroed = w;
    w[3] = inf;
    w[5] = nan;
    w[9] = -inf;
    zeroed[3] = zeroed[5] = zeroed[9] = 0;
    for (const int bits : {1, 2, 3, 4, 8}) {
      std::vector<std::uint8_t> a(kmeans_row_bytes(n, bits));
      std::vector<std::uint8_t> b(a.size());
      Bf16 sa;
      Bf16 sb;
      CHECK(kmeans_encode_row(default_codebook(bits), w.data(), n, a.data(), &sa) == 3);
      CHECK(kmeans_encode_row(default_codebook(bits), zeroed.data(), n, b.data(), &sb) == 0);
      CHECK(a == b);
      CHECK(sa == sb);
    }
    CHECK_THROWS_AS(kmeans_encode(default_codebook(4), w.data(), 1, n), std::invalid_argument);
    CHECK_THROWS_AS(kmeans_train(w.data(), 1, n, 4, 0), std::invalid_argument);
  }
}

TEST_CASE("K-means: codebooks and tensors that make no sense are refused") {
  CHECK_THROWS_AS(make_codebook({1, 2, 3}), std::invalid_argument);
  CHECK_THROWS_AS(make_codebook({}), std::invalid_argument);
  CHECK_THROWS_AS(make_codebook({2, 1}), std::invalid_argument);
  CHECK_THROWS_AS(make_codebook({1, std::numeric_limits<float>::infinity()}), std::invalid_argument);
  CHECK_THROWS_AS(default_codebook(5), std::invalid_argument);
  CHECK_THROWS_AS(kmeans_train(nullptr, 0, 0, 5, 0), std::invalid_argument);
  const std::vector<float> w(128, 1.0F);
  KmeansTensor t = kmeans_encode(default_codebook(2), w.data(), 2, 64);
  t.packed.pop_back();
  CHECK_THROWS_AS(kmeans_decode(t), std::invalid_argument);
}

TEST_CASE("K-means: signal-to-noise ratios on Gaussian weights") {
  const std::size_t rows = 512;
  const std::size_t cols = 1024;
  const std::vector<float> w = gaussian(1, rows * cols);
  const struct {
    int bits;
    double snr;
    double int5;
  } table[] = {{1, 4.45, 0}, {2, 9.34, 9.30}, {3, 15.0, 14.79}, {4, 21.16, 20.02}};
  for (const auto& row : table) {
    const Codebook& codebook = default_codebook(row.bits);
    const double snr = snr_db(w, kmeans_decode(kmeans_encode(codebook, w.data(), rows, cols)));
    INFO("n = " << row.bits << ": " << snr << " dB");
    CHECK(std::abs(snr - row.snr) < 0.1);
    const auto integer_snr = [&](CodebookKind kind) {
      // Indices of the real codebook, values of the integer one.
      KmeansTensor t = kmeans_encode(codebook, w.data(), rows, cols);
      t.codebook = dequantised_codebook(make_integer_codebook(codebook, kind));
      return snr_db(w, kmeans_decode(t));
    };
    CHECK(snr - integer_snr(CodebookKind::kInt8) < 0.03);
    if (row.int5 > 0) CHECK(std::abs(integer_snr(CodebookKind::kInt5) - row.int5) < 0.1);
    // Training on the data itself is at least as good as the default.
    const Codebook trained = kmeans_train(w.data(), rows, cols, row.bits, 1);
    CHECK(snr_db(w, kmeans_decode(kmeans_encode(trained, w.data(), rows, cols))) > snr - 0.01);
  }
}

TEST_CASE("K-means: training begins where its seed says") {
  const std::size_t rows = 4, cols = 64;
  const std::vector<float> w = gaussian(5, rows * cols);
  std::vector<float> z(rows * cols);
  kmeans_normalise(w.data(), rows, cols, kmeans_statistic(4), z.data());
  bool seeds_differ = false;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    LloydMaxOptions options;
    options.seed = seed;
    const Codebook trained = kmeans_train(w.data(), rows, cols, 4, seed);
    CHECK(trained.centroids == make_codebook(lloyd_max(z.data(), z.size(), 16, options).centroids).centroids);
    seeds_differ |= trained.centroids != kmeans_train(w.data(), rows, cols, 4, 0).centroids;
  }
  CHECK(seeds_differ);
}

TEST_CASE("K-means: the deferred decode agrees with scale-first to 1e-2") {
  const std::size_t rows = 256;
  const std::size_t cols = 1024;
  const std::vector<float> w = gaussian(2, rows * cols);
  const std::vector<float> a = gaussian(3, cols);
  for (const int bits : {1, 2, 3, 4, 8}) {
    const KmeansTensor t = kmeans_encode(default_codebook(bits), w.data(), rows, cols);
    double difference = 0;
    double size = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      const double g1 = kmeans_dot_deferred(t.codebook, t.row_packed(r), t.row_scales(r), cols, a.data());
      const double g2 = kmeans_dot_scale_first(t.codebook, t.row_packed(r), t.row_scales(r), cols, a.data());
      difference += (g1 - g2) * (g1 - g2);
      size += g2 * g2;
    }
    INFO("n = " << bits << ": normalised RMS " << std::sqrt(difference / size));
    CHECK(difference > 0);
    CHECK(std::sqrt(difference / size) < 1e-2);
  }
}

TEST_CASE("Integer codebooks: nearest-even of c * Q / max|c|") {
  const IntegerCodebook a = make_integer_codebook(make_codebook({-1, -.2F, .2F, 1}), CodebookKind::kInt8);
  CHECK(a.q == std::vector<std::int8_t>{-127, -25, 25, 127});
  CHECK(a.scale == 1.0F / 127);
  const IntegerCodebook b = make_integer_codebook(make_codebook({-2, -.5F, .3F, 4}), CodebookKind::kInt5);
  CHECK(b.q == std::vector<std::int8_t>{-8, -2, 1, 15});  // -7.5 -> -8, -1.875, 1.125
  CHECK(b.scale == 4.0F / 15);
  // Ties: 2.5 -> 2, 3.5 -> 4, -0.5 -> 0.
  CHECK(make_integer_codebook(make_codebook({-1, 5, 7, 30}), CodebookKind::kInt5).q ==
        std::vector<std::int8_t>{0, 2, 4, 15});
  const IntegerCodebook zero = make_integer_codebook(make_codebook({0, 0}), CodebookKind::kInt8);
  CHECK(zero.q == std::vector<std::int8_t>{0, 0});
  CHECK(zero.scale == 0.0F);
  CHECK_THROWS_AS(make_integer_codebook(make_codebook({0, 0}), CodebookKind::kBf16), std::invalid_argument);
  CHECK(bf16_codebook(make_codebook({-1.00390625F, 1.01171875F})).centroids == std::vector<float>{-1, 1.015625F});
  for (const int bits : {1, 2, 3, 4, 8})
    for (const auto kind : {CodebookKind::kInt8, CodebookKind::kInt5}) {
      const IntegerCodebook q = make_integer_codebook(default_codebook(bits), kind);
      CHECK(std::is_sorted(q.q.begin(), q.q.end()));
      CHECK(std::max(std::abs(q.q.front()), std::abs(q.q.back())) == integer_codebook_limit(kind));
    }
}

TEST_CASE("Lloyd-Max: equals a pass over the data for every step") {
  const std::vector<float> w = gaussian(5, 5000);
  const LloydMaxResult result = lloyd_max(w.data(), w.size(), 16);
  REQUIRE(result.converged);
  REQUIRE(result.centroids.size() == 16);
  std::vector<double> sum(16);
  std::vector<std::size_t> count(16);
  double error = 0;
  for (const float x : w) {
    std::size_t j = 0;
    while (j < 15 && (static_cast<double>(result.centroids[j]) + result.centroids[j + 1]) / 2 < x) ++j;
    sum[j] += x;
    ++count[j];
    error += (x - static_cast<double>(result.centroids[j])) * (x - static_cast<double>(result.centroids[j]));
  }
  // A fixed point: every centroid is the mean of its cell.
  for (std::size_t j = 0; j < 16; ++j) {
    REQUIRE(count[j] > 0);
    CHECK(result.centroids[j] == Approx(sum[j] / static_cast<double>(count[j])).epsilon(1e-6).margin(1e-7));
  }
  CHECK(result.mean_squared_error == Approx(error / 5000).epsilon(1e-9));
}

TEST_CASE("Lloyd-Max: reaches the known optimum for a Gaussian") {
  // Max 1960, table I: mean squared error of the optimum quantiser with 2, 4, 8, 16 levels.
  const std::vector<float> w = gaussian(6, 1U << 20);
  const std::array<double, 4> optimum = {0.3634, 0.1175, 0.03454, 0.009497};
  for (int bits = 1; bits <= 4; ++bits) {
    const LloydMaxResult result = lloyd_max(w.data(), w.size(), std::size_t{1} << bits);
    INFO(bits << " bits after " << result.iterations << " iterations");
    CHECK(result.mean_squared_error == Approx(optimum[static_cast<std::size_t>(bits - 1)]).epsilon(0.01));
  }
}

TEST_CASE("Lloyd-Max: the same for a seed, and defined for awkward values") {
  const std::vector<float> w = gaussian(7, 20000);
  std::vector<float> shuffled = w;
  std::reverse(shuffled.begin(), shuffled.end());
  LloydMaxOptions options;
  options.seed = 42;
  const auto a = lloyd_max(w.data(), w.size(), 8, options).centroids;
  CHECK(a == lloyd_max(w.data(), w.size(), 8, options).centroids);
  CHECK(a == lloyd_max(shuffled.data(), shuffled.size(), 8, options).centroids);

  const std::vector<float> constant(100, 2.5F);
  CHECK(lloyd_max(constant.data(), constant.size(), 4).centroids == std::vector<float>(4, 2.5F));
  const std::vector<float> two = {1, 1, -1, 1, -1};
  const LloydMaxResult both = lloyd_max(two.data(), two.size(), 4);
  CHECK(both.mean_squared_error == 0);
  CHECK(both.centroids.front() == -1);
  CHECK(both.centroids.back() == 1);
  const float one = 3;
  CHECK(lloyd_max(&one, 1, 2).centroids == std::vector<float>{3, 3});
  const std::vector<float> bad = {1, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS_AS(lloyd_max(bad.data(), 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(lloyd_max(&one, 0, 2), std::invalid_argument);
  CHECK_THROWS_AS(lloyd_max(&one, 1, 0), std::invalid_argument);
}

TEST_CASE("Random numbers: published SplitMix64 values, portable logarithm, moments") {
  SplitMix64 random(1234567);
  CHECK(random.next() == 6457827717110365317U);
  CHECK(random.next() == 3203168211198807973U);
  for (double x = 1e-300; x < 1e300; x *= 1.37) CHECK(portable_log(x) == Approx(std::log(x)).epsilon(1e-14));
  for (double x = 0.5; x < 2; x += 0.001) CHECK(std::abs(portable_log(x) - std::log(x)) < 1e-15);
  const std::vector<float> g = gaussian(8, 1U << 20);
  double mean = 0;
  double square = 0;
  double fourth = 0;
  for (const double x : g) {
    mean += x;
    square += x * x;
    fourth += x * x * x * x;
  }
  const double n = static_cast<double>(g.size());
  CHECK(std::abs(mean / n) < 0.005);
  CHECK(square / n == Approx(1).epsilon(0.005));
  CHECK(fourth / n == Approx(3).epsilon(0.02));
}

TEST_CASE("K-means: the released quantiser's packed bytes, scales and decoded values") {
  HARMONIA_REQUIRE_DATA(data);
  for (const char* name : {"gauss", "outlier"})
    for (const int bits : {1, 2, 4, 8}) {
      const auto path =
          data / "reference" / "kmeans" / (std::string(name) + '_' + std::to_string(bits) + "bit.safetensors");
      INFO(path.string());
      const testbench::SafetensorsFile file(path);
      const std::size_t rows = 48;
      const std::size_t cols = 512;
      const auto weight = to_float(file.at("weight", testbench::Dtype::kF32, {rows, cols}));
      const auto& bytes = file.at("weight_packed", testbench::Dtype::kU8, {rows, kmeans_row_bytes(cols, bits)});
      const auto scales = to_float(file.at("scales", testbench::Dtype::kBf16, {rows, kmeans_blocks(cols)}));
      const auto decoded = to_float(file.at("dequant_f32", testbench::Dtype::kF32, {rows, cols}));
      const Codebook codebook = make_codebook(to_float(file.at("centroids")));
      REQUIRE(codebook.bits == bits);

      const KmeansTensor ours = kmeans_encode(codebook, weight.data(), rows, cols);
      for (std::size_t b = 0; b < scales.size(); ++b) REQUIRE(to_float(ours.scales[b]) == scales[b]);

      // Indices: equal, except where z lies within one FP32 ulp of a midpoint.
      KmeansTensor theirs = ours;
      theirs.packed.assign(bytes.data, bytes.data + bytes.bytes);
      const auto our_index = unpacked(ours);
      const auto their_index = unpacked(theirs);
      std::vector<float> z(rows * cols);
      kmeans_normalise(weight.data(), rows, cols, kmeans_statistic(bits), z.data());
      std::vector<float> midpoints(codebook.centroids.size() - 1);
      kmeans_midpoints(codebook, midpoints.data());
      std::size_t excused = 0;
      for (std::size_t i = 0; i < our_index.size(); ++i) {
        if (our_index[i] == their_index[i]) continue;
        REQUIRE(std::abs(our_index[i] - their_index[i]) == 1);
        const float m = midpoints[std::min(our_index[i], their_index[i])];
        REQUIRE(std::abs(z[i] - m) <= std::nextafter(std::abs(m), 1e30F) - std::abs(m));
        ++excused;
      }
      INFO("indices within one ulp of a midpoint that differ: " << excused);
      CHECK(excused <= 2);
      if (excused == 0) CHECK(ours.packed == theirs.packed);

      // Decoded values of their indices: every one equal.
      CHECK(kmeans_decode(theirs) == decoded);

      // Training: their mean squared error or better.
      const double stored = std::stod(file.metadata().at("kmeans_mse"));
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        LloydMaxOptions options;
        options.seed = seed;
        const LloydMaxResult trained = lloyd_max(z.data(), z.size(), codebook.centroids.size(), options);
        INFO("seed " << seed << ": " << trained.mean_squared_error << " against " << stored << ", "
                     << trained.iterations << " iterations");
        CHECK(trained.mean_squared_error <= 1.005 * stored);
      }
    }
}
