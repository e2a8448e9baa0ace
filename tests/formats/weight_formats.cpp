// Baseline weight formats: group integers, NF4, FP4, ternary, microscaling.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/mx.h"
#include "harmonia/hw/formats/nf4.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/formats/ternary.h"
#include "harmonia/testbench/weights/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

using namespace harmonia::formats;

namespace {

constexpr std::size_t kRows = 512;
constexpr std::size_t kCols = 1024;

const std::vector<float>& gaussian() {
  static const std::vector<float> w = [] {
    std::vector<float> v(kRows * kCols);
    fill_gaussian(1, v.size(), v.data());
    return v;
  }();
  return w;
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

}  // namespace

TEST_CASE("Group integers: a little-endian bit stream") {
  const std::array<std::uint8_t, 8> codes = {1, 2, 3, 4, 5, 6, 7, 0};
  std::array<std::uint8_t, 8> bytes{};
  int_pack(codes.data(), 8, 4, bytes.data());
  CHECK(bytes == std::array<std::uint8_t, 8>{0x21, 0x43, 0x65, 0x07, 0, 0, 0, 0});
  int_pack(codes.data(), 8, 3, bytes.data());
  // 1 | 2<<3 | 3<<6 | 4<<9 | 5<<12 | 6<<15 | 7<<18
  const unsigned word = 1U | 2U << 3 | 3U << 6 | 4U << 9 | 5U << 12 | 6U << 15 | 7U << 18;
  CHECK(bytes[0] == (word & 255));
  CHECK(bytes[1] == (word >> 8 & 255));
  CHECK(bytes[2] == word >> 16);
  int_pack(codes.data(), 4, 2, bytes.data());
  CHECK(bytes[0] == (1 | 2 << 2 | 3 << 4));
  const std::uint64_t seed = 4;
  INFO("seed " << seed);
  SplitMix64 random(seed);
  for (const int bits : {2, 3, 4, 8})
    for (std::size_t n = 0; n < 100; ++n) {
      std::vector<std::uint8_t> in(n);
      for (auto& c : in) c = static_cast<std::uint8_t>(random.next() & ((1U << bits) - 1));
      std::vector<std::uint8_t> packed(int_row_bytes(n, bits), 0xFF);
      int_pack(in.data(), n, bits, packed.data());
      std::vector<std::uint8_t> out(n);
      int_unpack_unsigned(packed.data(), n, bits, out.data());
      REQUIRE(out == in);
      std::vector<std::int8_t> signs(n);
      int_unpack_signed(packed.data(), n, bits, signs.data());
      for (std::size_t i = 0; i < n; ++i) REQUIRE((signs[i] & ((1 << bits) - 1)) == in[i]);
      for (std::size_t i = 0; i < n; ++i) REQUIRE((signs[i] >= -(1 << (bits - 1)) && signs[i] < 1 << (bits - 1)));
    }
}

TEST_CASE("Group integers: worked groups") {
  // Symmetric: scale 7/7 = 1, ties to even.
  const std::array<float, 6> w = {7, -7, 2.5F, 3.5F, -0.5F, 0};
  IntFormat format;
  const IntTensor t = int_encode(format, w.data(), 1, 6);
  CHECK(to_float(t.scales[0]) == 1.0F);
  std::array<std::int8_t, 6> codes;
  int_decode_row_codes(format, t.row_packed(0), nullptr, 6, codes.data());
  CHECK(codes == std::array<std::int8_t, 6>{7, -7, 2, 4, 0, 0});
  // Zero-point: range -1..14, scale 1, z = 1.
  const std::array<float, 4> v = {-1, 14, 3.4F, 0};
  format.zero_point = true;
  const IntTensor u = int_encode(format, v.data(), 1, 4);
  CHECK(to_float(u.scales[0]) == 1.0F);
  CHECK(u.zeros[0] == 1);
  int_decode_row_codes(format, u.row_packed(0), u.row_zeros(0), 4, codes.data());
  CHECK(codes[0] == -1);
  CHECK(codes[1] == 14);
  CHECK(codes[2] == 3);
  CHECK(int_decode(u) == std::vector<float>{-1, 14, 3, 0});
  // A short last group has its own scale.
  format = {8, false, 4};
  const std::array<float, 5> x = {127, 0, 0, 0, 254};
  CHECK(int_decode(int_encode(format, x.data(), 1, 5)) == std::vector<float>{127, 0, 0, 0, 254});
}

TEST_CASE("Group integers: the error stays within half a step of the stored scale") {
  for (const bool zero_point : {false, true})
    for (const int bits : {2, 3, 4, 8}) {
      IntFormat format;
      format.bits = bits;
      format.zero_point = zero_point;
      const IntTensor t = int_encode(format, gaussian().data(), kRows, kCols);
      const std::vector<float> y = int_decode(t);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const float scale = to_float(t.scales[i / kIntGroup]);
        // The FP16 scale may be smaller than the range asks for by half an ulp, which adds up to steps * 2^-11;
        // zero-point rounding may cost another half step at the ends.
        const double slack = (zero_point ? 1.0 : 0.5) + std::ldexp(1 << bits, -11);
        REQUIRE(std::abs(y[i] - gaussian()[i]) <= scale * slack);
      }
    }
}

TEST_CASE("Group integers: bits per value, signal-to-noise ratio, bad input") {
  CHECK(int_bits_per_value({4, false, 128}) == 4.125);
  CHECK(int_bits_per_value({4, true, 128}) == 4.15625);
  CHECK(int_bits_per_value({8, false, 128}) == 8.125);
  const auto snr = [](IntFormat f) {
    return snr_db(gaussian(), int_decode(int_encode(f, gaussian().data(), kRows, kCols)));
  };
  CHECK(std::abs(snr({4, false, 64}) - 19.35) < 0.1);
  CHECK(snr({4, true, 128}) > snr({4, false, 128}));
  CHECK(snr({8, false, 128}) > 40);

  std::vector<float> w(4, 1.0F);
  CHECK_THROWS_AS(int_encode({5, false, 128}, w.data(), 1, 4), std::invalid_argument);
  CHECK_THROWS_AS(int_encode({4, false, 0}, w.data(), 1, 4), std::invalid_argument);
  w[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(int_encode({}, w.data(), 1, 4), std::invalid_argument);
  std::array<std::uint8_t, 2> packed;
  Fp16 scale;
  CHECK(int_encode_row({}, w.data(), 4, packed.data(), &scale, nullptr) == 1);
  CHECK(packed == std::array<std::uint8_t, 2>{0x77, 0x70});
  // Scales stay positive and finite: zeros, the tiniest and the largest weights.
  for (const float extreme : {0.0F, 1e-45F, std::numeric_limits<float>::max()}) {
    const std::array<float, 2> e = {extreme, -extreme};
    for (const bool zero_point : {false, true})
      for (const int bits : {2, 3, 4, 8}) {
        const IntTensor t = int_encode({bits, zero_point, 128}, e.data(), 1, 2);
        CHECK(is_finite(t.scales[0]));
        CHECK(to_float(t.scales[0]) > 0);
      }
  }
  IntTensor t = int_encode({4, true, 128}, std::vector<float>(256, 1).data(), 2, 128);
  t.zeros.pop_back();
  CHECK_THROWS_AS(int_decode(t), std::invalid_argument);
}

TEST_CASE("NF4, FP4 and ternary: signal-to-noise ratios on Gaussian weights") {
  const auto& w = gaussian();
  CHECK(std::abs(snr_db(w, kmeans_decode(kmeans_encode(nf4_codebook(), w.data(), kRows, kCols))) - 20.73) < 0.1);
  CHECK(std::abs(snr_db(w, kmeans_decode(kmeans_encode(fp4_codebook(), w.data(), kRows, kCols))) - 19.54) < 0.1);
  CHECK(std::abs(snr_db(w, kmeans_decode(kmeans_encode(ternary_codebook(), w.data(), kRows, kCols))) - 5.85) < 0.1);
}

TEST_CASE("Ternary: the nearest of -1, 0, 1 times the mean of absolute values") {
  // Mean 1; a tie takes the lower value.
  const std::array<float, 6> w = {.5F, -.5F, .75F, -2, 2, .25F};
  const KmeansTensor t = kmeans_encode(ternary_codebook(), w.data(), 1, 6);
  CHECK(to_float(t.scales[0]) == 1.0F);
  CHECK(kmeans_decode(t) == std::vector<float>{0, -1, 1, -1, 1, 0});
}

TEST_CASE("Microscaling: every E2M1 value and midpoint in each rounding") {
  const std::array<double, 8> value = {0, .5, 1, 1.5, 2, 3, 4, 6};
  for (const auto rounding : {MxRounding::kNearest, MxRounding::kEven, MxRounding::kFloor}) {
    const MxFormat format{MxElement::kFp4, rounding};
    for (std::uint8_t code = 0; code < 8; ++code) {
      CHECK(mx_encode_element(format, value[code]) == code);
      CHECK(mx_decode_element(MxElement::kFp4, code) == value[code]);
      CHECK(mx_decode_element(MxElement::kFp4, code | 8) == -value[code]);
      if (code > 0) CHECK(mx_encode_element(format, -value[code]) == (code | 8));
      if (code == 7) continue;
      const double middle = (value[code] + value[code + 1U]) / 2;
      const int up = rounding == MxRounding::kNearest || (rounding == MxRounding::kEven && code % 2 == 1);
      CHECK(mx_encode_element(format, middle) == code + up);
      CHECK(mx_encode_element(format, std::nextafter(middle, 9.0)) == code + (rounding != MxRounding::kFloor));
      CHECK(mx_encode_element(format, std::nextafter(middle, 0.0)) == code);
    }
    CHECK(mx_encode_element(format, 100) == 7);
    CHECK(mx_encode_element(format, -7.99) == 15);
  }
}

TEST_CASE("Microscaling: integers, scales, values that are not finite") {
  CHECK(mx_bits_per_value(MxElement::kInt8) == 8.25);
  CHECK(mx_bits_per_value(MxElement::kFp4) == 4.25);
  CHECK(mx_encode_element({MxElement::kInt8, MxRounding::kNearest}, -1.999) == 0x81);  // saturates at -127
  CHECK(mx_encode_element({MxElement::kInt4, MxRounding::kNearest}, 0.125) == 1);
  CHECK(mx_encode_element({MxElement::kInt4, MxRounding::kEven}, 0.125) == 0);
  CHECK(mx_decode_element(MxElement::kInt4, 9) == -1.75F);
  CHECK(mx_scale(127) == 1.0F);
  CHECK(mx_scale(0) == 0x1p-127F);
  CHECK(std::isnan(mx_scale(kMxNanScale)));

  std::vector<float> x(70, 0.0F);
  x[33] = 5.0F;
  x[69] = std::numeric_limits<float>::max();
  MxTensor t = mx_encode({MxElement::kFp4, MxRounding::kNearest}, x.data(), 1, 70);
  CHECK(t.scales == std::vector<std::uint8_t>{0, 127, 252});
  CHECK(mx_decode(t)[33] == 6.0F);  // 5 is halfway between 4 and 6
  x[0] = std::numeric_limits<float>::infinity();
  t = mx_encode({MxElement::kFp4, MxRounding::kNearest}, x.data(), 1, 70);
  CHECK(t.scales[0] == kMxNanScale);
  CHECK(std::isnan(mx_decode(t)[31]));
  CHECK(mx_decode(t)[33] == 6.0F);
  t.scales.pop_back();
  CHECK_THROWS_AS(mx_decode(t), std::invalid_argument);
  // The smallest scale is 2^-127, so the finest MXINT8 step is 2^-133: subnormal inputs round to multiples of it.
  const std::vector<float> tiny = {0x1p-134F, -0x1p-140F};
  CHECK(mx_decode(mx_encode({MxElement::kInt8, MxRounding::kNearest}, tiny.data(), 1, 2)) ==
        std::vector<float>{0x1p-133F, 0});
}

TEST_CASE("Microscaling: every value of an independent library, in each rounding") {
  HARMONIA_REQUIRE_DATA(data);
  const harmonia::testbench::SafetensorsFile file(data / "reference" / "mx" / "mx_block32.safetensors");
  const std::size_t rows = 64;
  const std::size_t cols = 512;
  const std::vector<float> x = to_float(file.at("input", harmonia::testbench::Dtype::kF32, {rows, cols}));
  const struct {
    const char* name;
    MxElement element;
  } elements[] = {{"int8", MxElement::kInt8}, {"int4", MxElement::kInt4}, {"fp4_e2m1", MxElement::kFp4}};
  const struct {
    const char* name;
    MxRounding rounding;
  } roundings[] = {{"nearest", MxRounding::kNearest}, {"even", MxRounding::kEven}, {"floor", MxRounding::kFloor}};
  for (const auto& e : elements)
    for (const auto& r : roundings) {
      INFO(e.name << ' ' << r.name);
      const std::vector<float> theirs = to_float(file.at(std::string(e.name) + '_' + r.name));
      CHECK(mx_decode(mx_encode({e.element, r.rounding}, x.data(), rows, cols)) == theirs);
    }
}
