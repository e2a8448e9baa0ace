// The C API: the same results as the library, and every misuse refused with nothing written.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/harmonia_golden.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/formats/smoothing.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;
using harmonia::test::Fp16Source;

namespace {

std::vector<std::uint16_t> words(const std::vector<Fp16>& x) {
  std::vector<std::uint16_t> w(x.size());
  std::transform(x.begin(), x.end(), w.begin(), [](Fp16 v) { return v.bits; });
  return w;
}

constexpr std::uint64_t kN = 200;

struct Data {
  Fp16Source source{31};
  std::vector<Fp16> x = source.values(kN), y = source.values(kN);
  std::vector<std::uint16_t> xw = words(x), yw = words(y);
  std::vector<std::uint8_t> a = std::vector<std::uint8_t>(kBfp8.row_bytes(kN)),
                            b = std::vector<std::uint8_t>(kBfp4.row_bytes(kN));
  Data() {
    encode_row(kBfp8, x.data(), kN, a.data());
    encode_row(kBfp4, y.data(), kN, b.data());
  }
};

}  // namespace

TEST_CASE("C API: conversions and BFP rows equal the library") {
  Data d;
  std::vector<float> wide(kN), decoded(kN), expected(kN);
  REQUIRE(harmonia_fp16_to_fp32(d.xw.data(), kN, wide.data()) == HARMONIA_OK);
  std::vector<std::uint16_t> back(kN), bf(kN);
  REQUIRE(harmonia_fp32_to_fp16(wide.data(), kN, back.data()) == HARMONIA_OK);
  REQUIRE(back == d.xw);
  REQUIRE(harmonia_fp32_to_bf16(wide.data(), kN, bf.data()) == HARMONIA_OK);
  REQUIRE(bf[7] == to_bf16(wide[7]).bits);
  REQUIRE(harmonia_bf16_to_fp32(bf.data(), kN, decoded.data()) == HARMONIA_OK);
  REQUIRE(float_bits(decoded[7]) == static_cast<std::uint32_t>(bf[7]) << 16);

  std::uint64_t bytes = 0, nonfinite = 99;
  REQUIRE(harmonia_bfp_row_bytes(32, 8, kN, &bytes) == HARMONIA_OK);
  REQUIRE(bytes == kBfp8.row_bytes(kN));
  std::vector<std::uint8_t> stored(bytes);
  REQUIRE(harmonia_bfp_encode(32, 8, 0, d.xw.data(), kN, stored.data(), bytes, &nonfinite) == HARMONIA_OK);
  REQUIRE((stored == d.a && nonfinite == 0));
  REQUIRE(harmonia_bfp_decode_fp32(32, 8, stored.data(), bytes, kN, decoded.data()) == HARMONIA_OK);
  decode_row(kBfp8, d.a.data(), kN, expected.data());
  REQUIRE(decoded == expected);
  REQUIRE(harmonia_bfp_decode_fp16(32, 8, stored.data(), bytes, kN, back.data()) == HARMONIA_OK);
  REQUIRE(to_float(Fp16{back[3]}) == expected[3]);

  std::int32_t exponent = 0;
  std::uint8_t negative[32];
  std::uint16_t magnitude[32];
  REQUIRE(harmonia_bfp_unpack(32, 8, stored.data(), bytes, &exponent, negative, magnitude) == HARMONIA_OK);
  std::vector<std::uint8_t> packed(37), grown(37);
  REQUIRE(harmonia_bfp_pack(32, 8, exponent, negative, magnitude, packed.data(), 37) == HARMONIA_OK);
  REQUIRE(std::memcmp(packed.data(), stored.data(), 37) == 0);
  clear_stored(kBfp8, grown.data());
  for (int i = 0; i < 32; ++i) {
    REQUIRE(harmonia_bfp_append(32, 8, d.xw[static_cast<std::size_t>(i)], i, grown.data(), 37) == HARMONIA_OK);
  }
  REQUIRE(grown == packed);
  std::vector<std::uint8_t> dropped(21), direct(21);
  REQUIRE(harmonia_bfp_demote_8_to_4(32, packed.data(), 37, 1, dropped.data(), 21) == HARMONIA_OK);
  encode_row(kBfp4, d.x.data(), 32, direct.data());
  REQUIRE(dropped == direct);
}

TEST_CASE("C API: dot products of every mode equal the library") {
  Data d;
  float sum = 0.0f;
  std::uint16_t fp16 = 0;
  std::int32_t partial = 0;
  std::vector<std::int16_t> w(kN);
  std::vector<std::int8_t> q(kN);
  for (std::size_t i = 0; i < kN; ++i) {
    w[i] = static_cast<std::int16_t>(d.source.between(-15, 15));
    q[i] = static_cast<std::int8_t>(d.source.between(-127, 127));
  }
  std::vector<std::uint16_t> scales(4), blocks(4);
  for (auto& s : scales) s = to_fp16(d.source.uniform()).bits;
  for (auto& s : blocks) s = to_bf16(static_cast<float>(d.source.uniform())).bits;
  std::vector<std::uint8_t> codes(25);
  for (auto& c : codes) c = static_cast<std::uint8_t>(d.source.next());
  const auto* a = d.a.data();
  const auto* b = d.b.data();

  REQUIRE(harmonia_pe_dot_bfp(32, 8, a, d.a.size(), 4, b, d.b.size(), kN, &sum, &fp16) == HARMONIA_OK);
  REQUIRE(float_bits(sum) == float_bits(dot_bfp(kBfp8, a, kBfp4, b, kN)));
  REQUIRE(fp16 == to_fp16(sum).bits);
  REQUIRE(harmonia_pe_dot_int(32, 8, a, d.a.size(), w.data(), scales.data(), 2, 128, kN, &sum, nullptr) == HARMONIA_OK);
  REQUIRE(float_bits(sum) == float_bits(dot_int(kBfp8, a, w.data(), as_fp16(scales.data()), kN)));
  REQUIRE(harmonia_pe_dot_codebook(32, 8, a, d.a.size(), q.data(), blocks.data(), 4, 0.5f, kN, &sum, nullptr) ==
          HARMONIA_OK);
  REQUIRE(float_bits(sum) == float_bits(dot_codebook(kBfp8, a, q.data(), as_bf16(blocks.data()), 0.5f, kN)));
  REQUIRE(harmonia_pe_dot_1bit(32, 8, a, d.a.size(), codes.data(), 25, -100, 90, blocks.data(), 4, 0.5f, kN, &sum,
                               nullptr) == HARMONIA_OK);
  REQUIRE(float_bits(sum) ==
          float_bits(dot_codebook_1bit(kBfp8, a, codes.data(), -100, 90, as_bf16(blocks.data()), 0.5f, kN)));
  REQUIRE(harmonia_pe_dot_fp16(d.xw.data(), d.yw.data(), kN, &sum, nullptr) == HARMONIA_OK);
  REQUIRE(float_bits(sum) == float_bits(dot_fp16(d.x.data(), d.y.data(), kN)));

  REQUIRE(harmonia_pe_partial_bfp(32, 8, a, 37, 4, b, 21, &partial) == HARMONIA_OK);
  REQUIRE(partial == partial_bfp(kBfp8, a, kBfp4, b));
  REQUIRE(harmonia_pe_partial_int(32, 8, a, 37, w.data(), &partial) == HARMONIA_OK);
  REQUIRE(partial == partial_int(kBfp8, a, w.data()));
  REQUIRE(harmonia_pe_partial_1bit(32, 8, a, 37, codes.data(), 4, -3, 100, &partial) == HARMONIA_OK);
  REQUIRE(partial == partial_1bit(add_subtract(kBfp8, a, codes.data()), -3, 100));
}

TEST_CASE("C API: smoothing and K-means decoding equal the library") {
  Data d;
  const std::uint16_t channels[] = {3, 9};
  const std::uint16_t offsets[] = {to_fp16(1.5f).bits, to_fp16(-2.25f).bits};
  auto key = d.xw;
  REQUIRE(harmonia_smoothing_subtract(channels, offsets, 2, key.data(), 64) == HARMONIA_OK);
  for (std::size_t c = 0; c < kN; ++c) {
    const std::uint16_t expected = c == 3   ? subtract(d.x[3], Fp16{offsets[0]}).bits
                                   : c == 9 ? subtract(d.x[9], Fp16{offsets[1]}).bits
                                            : d.xw[c];
    REQUIRE(key[c] == expected);
  }

  for (const int bits : {1, 2, 3, 4, 8}) {
    std::uint64_t bytes = 0, n_scales = 0;
    REQUIRE(harmonia_kmeans_row_size(bits, kN, &bytes, &n_scales) == HARMONIA_OK);
    REQUIRE(n_scales == 4);
    const Codebook& codebook = default_codebook(bits);
    std::vector<float> weights(kN);
    for (float& v : weights) v = static_cast<float>(d.source.gaussian());
    std::vector<std::uint8_t> packed(bytes);
    std::vector<Bf16> scales(n_scales), expected(kN);
    std::vector<std::uint16_t> scale_words(n_scales), got(kN);
    kmeans_encode_row(codebook, weights.data(), kN, packed.data(), scales.data());
    kmeans_decode_row_bf16(codebook, packed.data(), scales.data(), kN, expected.data());
    for (std::size_t i = 0; i < n_scales; ++i) scale_words[i] = scales[i].bits;
    REQUIRE(harmonia_kmeans_decode_bf16(bits, codebook.centroids.data(), packed.data(), bytes, scale_words.data(),
                                        n_scales, kN, got.data()) == HARMONIA_OK);
    for (std::size_t i = 0; i < kN; ++i) REQUIRE(got[i] == expected[i].bits);
    std::vector<std::int8_t> table(std::size_t{1} << bits), q(kN), q_expected(kN);
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int8_t>(static_cast<int>(i) - 127);
    kmeans_decode_row_int8(table.data(), bits, packed.data(), kN, q_expected.data());
    REQUIRE(harmonia_kmeans_decode_int8(bits, table.data(), packed.data(), bytes, kN, q.data()) == HARMONIA_OK);
    REQUIRE(q == q_expected);
    REQUIRE(harmonia_kmeans_decode_int8(bits, table.data(), packed.data(), bytes - 1, kN, q.data()) ==
            HARMONIA_BAD_LENGTH);
  }
}

TEST_CASE("C API: null pointers are refused, each") {
  float f[64] = {};
  std::uint16_t h[64] = {};
  std::uint8_t s[128] = {1};
  std::int16_t w[64] = {};
  std::int8_t q[64] = {};
  std::int32_t p = 0;
  std::uint64_t n = 0, m = 0;
  const std::int32_t null = HARMONIA_NULL_POINTER;
  CHECK(harmonia_fp16_to_fp32(nullptr, 1, f) == null);
  CHECK(harmonia_fp16_to_fp32(h, 1, nullptr) == null);
  CHECK(harmonia_fp32_to_fp16(nullptr, 1, h) == null);
  CHECK(harmonia_fp32_to_fp16(f, 1, nullptr) == null);
  CHECK(harmonia_bf16_to_fp32(nullptr, 1, f) == null);
  CHECK(harmonia_bf16_to_fp32(h, 1, nullptr) == null);
  CHECK(harmonia_fp32_to_bf16(nullptr, 1, h) == null);
  CHECK(harmonia_fp32_to_bf16(f, 1, nullptr) == null);
  CHECK(harmonia_bfp_row_bytes(32, 8, 1, nullptr) == null);
  CHECK(harmonia_bfp_encode(32, 8, 0, nullptr, 1, s, 128, nullptr) == null);
  CHECK(harmonia_bfp_encode(32, 8, 0, h, 1, nullptr, 128, nullptr) == null);
  CHECK(harmonia_bfp_decode_fp16(32, 8, nullptr, 128, 1, h) == null);
  CHECK(harmonia_bfp_decode_fp16(32, 8, s, 128, 1, nullptr) == null);
  CHECK(harmonia_bfp_decode_fp32(32, 8, nullptr, 128, 1, f) == null);
  CHECK(harmonia_bfp_decode_fp32(32, 8, s, 128, 1, nullptr) == null);
  CHECK(harmonia_bfp_pack(32, 8, 1, nullptr, h, s, 128) == null);
  CHECK(harmonia_bfp_pack(32, 8, 1, s, nullptr, s, 128) == null);
  CHECK(harmonia_bfp_pack(32, 8, 1, s, h, nullptr, 128) == null);
  CHECK(harmonia_bfp_unpack(32, 8, nullptr, 128, &p, s, h) == null);
  CHECK(harmonia_bfp_unpack(32, 8, s, 128, nullptr, s, h) == null);
  CHECK(harmonia_bfp_unpack(32, 8, s, 128, &p, nullptr, h) == null);
  CHECK(harmonia_bfp_unpack(32, 8, s, 128, &p, s, nullptr) == null);
  CHECK(harmonia_bfp_demote_8_to_4(32, nullptr, 128, 1, s, 128) == null);
  CHECK(harmonia_bfp_demote_8_to_4(32, s, 128, 1, nullptr, 128) == null);
  CHECK(harmonia_bfp_append(32, 8, 0, 0, nullptr, 128) == null);
  CHECK(harmonia_pe_partial_bfp(32, 8, nullptr, 128, 8, s, 128, &p) == null);
  CHECK(harmonia_pe_partial_bfp(32, 8, s, 128, 8, nullptr, 128, &p) == null);
  CHECK(harmonia_pe_partial_bfp(32, 8, s, 128, 8, s, 128, nullptr) == null);
  CHECK(harmonia_pe_partial_int(32, 8, nullptr, 128, w, &p) == null);
  CHECK(harmonia_pe_partial_int(32, 8, s, 128, nullptr, &p) == null);
  CHECK(harmonia_pe_partial_int(32, 8, s, 128, w, nullptr) == null);
  CHECK(harmonia_pe_partial_1bit(32, 8, nullptr, 128, s, 8, 0, 1, &p) == null);
  CHECK(harmonia_pe_partial_1bit(32, 8, s, 128, nullptr, 8, 0, 1, &p) == null);
  CHECK(harmonia_pe_partial_1bit(32, 8, s, 128, s, 8, 0, 1, nullptr) == null);
  CHECK(harmonia_pe_dot_bfp(32, 8, nullptr, 128, 8, s, 128, 32, f, h) == null);
  CHECK(harmonia_pe_dot_bfp(32, 8, s, 128, 8, nullptr, 128, 32, f, h) == null);
  CHECK(harmonia_pe_dot_bfp(32, 8, s, 128, 8, s, 128, 32, nullptr, h) == null);
  CHECK(harmonia_pe_dot_int(32, 8, nullptr, 128, w, h, 1, 128, 32, f, h) == null);
  CHECK(harmonia_pe_dot_int(32, 8, s, 128, nullptr, h, 1, 128, 32, f, h) == null);
  CHECK(harmonia_pe_dot_int(32, 8, s, 128, w, nullptr, 1, 128, 32, f, h) == null);
  CHECK(harmonia_pe_dot_int(32, 8, s, 128, w, h, 1, 128, 32, nullptr, h) == null);
  CHECK(harmonia_pe_dot_codebook(32, 8, nullptr, 128, q, h, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_codebook(32, 8, s, 128, nullptr, h, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_codebook(32, 8, s, 128, q, nullptr, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_codebook(32, 8, s, 128, q, h, 1, 1.0f, 32, nullptr, h) == null);
  CHECK(harmonia_pe_dot_1bit(32, 8, nullptr, 128, s, 8, 0, 1, h, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_1bit(32, 8, s, 128, nullptr, 8, 0, 1, h, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_1bit(32, 8, s, 128, s, 8, 0, 1, nullptr, 1, 1.0f, 32, f, h) == null);
  CHECK(harmonia_pe_dot_1bit(32, 8, s, 128, s, 8, 0, 1, h, 1, 1.0f, 32, nullptr, h) == null);
  CHECK(harmonia_pe_dot_fp16(nullptr, h, 1, f, h) == null);
  CHECK(harmonia_pe_dot_fp16(h, nullptr, 1, f, h) == null);
  CHECK(harmonia_pe_dot_fp16(h, h, 1, nullptr, h) == null);
  CHECK(harmonia_smoothing_subtract(nullptr, h, 1, h, 64) == null);
  CHECK(harmonia_smoothing_subtract(h, nullptr, 1, h, 64) == null);
  CHECK(harmonia_smoothing_subtract(h, h, 1, nullptr, 64) == null);
  CHECK(harmonia_kmeans_row_size(4, 1, nullptr, &m) == null);
  CHECK(harmonia_kmeans_row_size(4, 1, &n, nullptr) == null);
  CHECK(harmonia_kmeans_decode_bf16(4, nullptr, s, 8, h, 1, 2, h) == null);
  CHECK(harmonia_kmeans_decode_bf16(4, f, nullptr, 8, h, 1, 2, h) == null);
  CHECK(harmonia_kmeans_decode_bf16(4, f, s, 8, nullptr, 1, 2, h) == null);
  CHECK(harmonia_kmeans_decode_bf16(4, f, s, 8, h, 1, 2, nullptr) == null);
  CHECK(harmonia_kmeans_decode_int8(4, nullptr, s, 8, 2, q) == null);
  CHECK(harmonia_kmeans_decode_int8(4, q, nullptr, 8, 2, q) == null);
  CHECK(harmonia_kmeans_decode_int8(4, q, s, 8, 2, nullptr) == null);
}

TEST_CASE("C API: wrong lengths, formats and values are refused, and nothing is written") {
  Data d;
  std::vector<std::uint8_t> out(300, 0x5a);
  const auto untouched = out;
  float sum = 42.0f;
  std::int32_t partial = 42;
  const auto* a = d.a.data();
  std::vector<std::int16_t> w(kN, 1);
  std::vector<std::int8_t> q(kN, 1);
  std::vector<std::uint16_t> scales(4, 0x3f80);
  const std::uint64_t bytes = d.a.size();

  CHECK(harmonia_bfp_encode(32, 8, 0, d.xw.data(), kN, out.data(), bytes - 1, nullptr) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_encode(33, 8, 0, d.xw.data(), kN, out.data(), 300, nullptr) == HARMONIA_BAD_FORMAT);
  CHECK(harmonia_bfp_encode(32, 12, 0, d.xw.data(), kN, out.data(), 300, nullptr) == HARMONIA_BAD_FORMAT);
  CHECK(harmonia_bfp_encode(32, 0, 0, d.xw.data(), kN, out.data(), 300, nullptr) == HARMONIA_BAD_FORMAT);
  CHECK(harmonia_bfp_encode(32, 8, 2, d.xw.data(), kN, out.data(), 300, nullptr) == HARMONIA_BAD_FORMAT);
  CHECK(harmonia_bfp_encode(32, 8, 0, d.xw.data(), UINT64_MAX, out.data(), 300, nullptr) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_append(32, 8, 0, 32, out.data(), 300) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_append(32, 8, 0, -1, out.data(), 300) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_append(32, 8, 0, 0, out.data(), 300) == HARMONIA_BAD_VALUE);  // exponent byte 0x5a
  CHECK(harmonia_bfp_demote_8_to_4(32, a, bytes, 8, out.data(), 300) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_demote_8_to_4(32, a, bytes, 7, out.data(), 146) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_demote_8_to_4(32, a, bytes, UINT64_MAX, out.data(), 300) == HARMONIA_BAD_LENGTH);
  const std::uint8_t negative[32] = {2};
  const std::uint16_t magnitude[32] = {256};
  const std::uint8_t positive[32] = {};
  CHECK(harmonia_bfp_pack(32, 8, 1, negative, scales.data(), out.data(), 36) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_bfp_pack(32, 8, 0, positive, magnitude, out.data(), 300) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_bfp_pack(32, 8, 1, positive, magnitude, out.data(), 300) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_bfp_pack(32, 9, 1, negative, magnitude, out.data(), 300) == HARMONIA_BAD_VALUE);
  CHECK(out == untouched);

  CHECK(harmonia_pe_dot_bfp(32, 8, a, bytes, 4, d.b.data(), d.b.size(), 0, &sum, nullptr) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_bfp(32, 8, a, bytes, 4, d.b.data(), d.b.size() - 1, kN, &sum, nullptr) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_int(32, 8, a, bytes, w.data(), scales.data(), 2, 100, kN, &sum, nullptr) ==
        HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_int(32, 8, a, bytes, w.data(), scales.data(), 2, 0, kN, &sum, nullptr) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_int(32, 8, a, bytes, w.data(), scales.data(), 1, 128, kN, &sum, nullptr) ==
        HARMONIA_BAD_LENGTH);
  w[5] = 512;
  CHECK(harmonia_pe_dot_int(32, 8, a, bytes, w.data(), scales.data(), 2, 128, kN, &sum, nullptr) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_pe_partial_int(32, 8, a, bytes, w.data(), &partial) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_pe_dot_codebook(128, 8, a, bytes, q.data(), scales.data(), 4, 1, kN, &sum, nullptr) ==
        HARMONIA_BAD_FORMAT);
  CHECK(harmonia_pe_dot_codebook(32, 8, a, bytes, q.data(), scales.data(), 3, 1, kN, &sum, nullptr) ==
        HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_1bit(32, 8, a, bytes, a, 24, 0, 1, scales.data(), 4, 1, kN, &sum, nullptr) ==
        HARMONIA_BAD_LENGTH);
  CHECK(harmonia_pe_dot_1bit(32, 8, a, bytes, a, 25, 0, 128, scales.data(), 4, 1, kN, &sum, nullptr) ==
        HARMONIA_BAD_VALUE);
  CHECK(harmonia_pe_partial_1bit(32, 8, a, bytes, a, 3, 0, 1, &partial) == HARMONIA_BAD_LENGTH);
  auto broken = d.a;
  broken[37] = 0;
  CHECK(harmonia_pe_dot_bfp(32, 8, broken.data(), bytes, 4, d.b.data(), d.b.size(), kN, &sum, nullptr) ==
        HARMONIA_BAD_VALUE);
  CHECK(sum == 42.0f);
  CHECK(partial == 42);

  auto key = d.xw;
  const std::uint16_t channels[] = {1, 64};
  CHECK(harmonia_smoothing_subtract(channels, scales.data(), 2, key.data(), 64) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_smoothing_subtract(channels, scales.data(), 17, key.data(), 64) == HARMONIA_BAD_LENGTH);
  CHECK(key == d.xw);
  std::uint64_t n = 0, m = 0;
  CHECK(harmonia_kmeans_row_size(5, 64, &n, &m) == HARMONIA_BAD_FORMAT);
  const float falling[] = {1.0f, -1.0f};
  CHECK(harmonia_kmeans_decode_bf16(1, falling, a, 8, scales.data(), 1, 64, key.data()) == HARMONIA_BAD_VALUE);
  CHECK(harmonia_kmeans_decode_bf16(1, falling, a, 7, scales.data(), 1, 64, key.data()) == HARMONIA_BAD_LENGTH);
  CHECK(harmonia_kmeans_decode_bf16(6, falling, a, 99, scales.data(), 1, 64, key.data()) == HARMONIA_BAD_FORMAT);
}

TEST_CASE("C API: every code has a text") {
  for (std::int32_t code = HARMONIA_OK; code <= HARMONIA_FAILED; ++code) {
    REQUIRE(std::string(harmonia_error_text(code)).rfind("HARMONIA_", 0) == 0);
  }
  REQUIRE(harmonia_error_text(-1) == std::string("unknown code"));
}
