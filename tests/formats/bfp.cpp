// Block floating point: the worked group, the three properties that truncation buys, layout, growth, sizes.
#include "harmonia/hw/formats/bfp.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;
using harmonia::test::Fp16Source;

namespace {

constexpr int kGroupSizes[] = {8, 16, 32, 64, 128};
constexpr std::uint64_t kSeed = 20240612;

bool same(const BfpFormat& format, const BfpGroup& a, const BfpGroup& b) {
  const auto n = static_cast<std::ptrdiff_t>(format.group_size);
  return a.exponent == b.exponent && std::equal(a.magnitude.begin(), a.magnitude.begin() + n, b.magnitude.begin()) &&
         std::equal(a.negative.begin(), a.negative.begin() + n, b.negative.begin());
}

BfpFormat format_of(int group, int mantissa, Rounding rounding = Rounding::kTruncate) {
  return {group, mantissa, rounding, 8};
}

const double kWorked[] = {1.0, -0.5, 3.14159, 0.001, -7.9, 0.0625};
std::vector<Fp16> worked_group() {
  std::vector<Fp16> x(32);
  for (std::size_t i = 0; i < 6; ++i) x[i] = to_fp16(kWorked[i]);
  return x;
}

}  // namespace

TEST_CASE("BFP: the worked group") {
  const auto x = worked_group();
  BfpGroup g;
  REQUIRE(encode(kBfp8, x.data(), 32, &g) == 0);
  REQUIRE(g.exponent == 17);
  const int m8[] = {32, 16, 100, 0, 252, 2};
  const bool negative[] = {false, true, false, false, true, false};
  const float v8[] = {1.0f, -0.5f, 3.125f, 0.0f, -7.875f, 0.0625f};
  const int m4[] = {2, 1, 6, 0, 15, 0};
  const float v4[] = {1.0f, -0.5f, 3.0f, 0.0f, -7.5f, 0.0f};
  BfpGroup dropped = g;
  demote(kBfp8, 4, &dropped);
  for (int i = 0; i < 32; ++i) {
    const auto k = static_cast<std::size_t>(i);
    REQUIRE(g.magnitude[k] == (i < 6 ? m8[i] : 0));
    REQUIRE(g.negative[k] == (i < 6 && negative[i]));
    REQUIRE(decode(kBfp8, g, i) == (i < 6 ? v8[i] : 0.0f));
    REQUIRE(dropped.magnitude[k] == (i < 6 ? m4[i] : 0));
    REQUIRE(decode(kBfp4, dropped, i) == (i < 6 ? v4[i] : 0.0f));
  }
  std::uint8_t stored[37];
  encode_row(kBfp8, x.data(), 32, stored);
  // exponent | signs of elements 1 and 4 | high nibbles 2,1 6,0 15,0 | low nibbles 0,0 4,0 12,2
  const std::uint8_t expected[37] = {17, 0x12, 0, 0, 0, 0x12, 0x06, 0x0f, 0, 0,    0,    0,
                                     0,  0,    0, 0, 0, 0,    0,    0,    0, 0x00, 0x04, 0x2c};
  REQUIRE(std::memcmp(stored, expected, sizeof stored) == 0);
}

TEST_CASE("BFP: dropping low bits equals converting directly, on 20000 random groups; nearest-even breaks it") {
  Fp16Source source(kSeed);
  int broken = 0;
  for (int trial = 0; trial < 24000; ++trial) {
    const int size = kGroupSizes[trial % 5];
    const auto x = source.values(static_cast<std::size_t>(size), 32, true);
    const int from = trial % 2 == 0 ? 8 : source.between(2, 11);
    const int to = trial % 2 == 0 ? 4 : source.between(1, from - 1);
    for (const Rounding rounding : {Rounding::kTruncate, Rounding::kNearestEven}) {
      BfpGroup wide, narrow;
      encode(format_of(size, from, rounding), x.data(), size, &wide);
      encode(format_of(size, to, rounding), x.data(), size, &narrow);
      demote(format_of(size, from), to, &wide);
      const bool equal = same(format_of(size, to), wide, narrow);
      if (rounding == Rounding::kTruncate) {
        REQUIRE(equal);
      } else {
        broken += equal ? 0 : 1;
      }
    }
  }
  INFO("seed " << kSeed);
  REQUIRE(broken > 12000);
}

TEST_CASE(
    "BFP: a group grown in place equals converting from scratch, on 20000 random groups; nearest-even breaks it") {
  Fp16Source source(kSeed + 1);
  int broken = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const int size = trial % 4 == 0 ? kGroupSizes[source.below(5)] : 32;
    const int bits = trial % 2 == 0 ? 8 : source.between(1, 11);
    const auto x = source.values(static_cast<std::size_t>(size), 32, true);
    const int count = source.between(1, size);
    for (const Rounding rounding : {Rounding::kTruncate, Rounding::kNearestEven}) {
      const BfpFormat format = format_of(size, bits, rounding);
      BfpGroup grown, fresh;
      std::vector<std::uint8_t> stored(format.group_bytes()), expected(format.group_bytes());
      clear_stored(format, stored.data());
      int nonfinite = 0;
      for (int i = 0; i < count; ++i) {
        nonfinite += append(format, x[static_cast<std::size_t>(i)], i, &grown);
        append_stored(format, x[static_cast<std::size_t>(i)], i, stored.data());
      }
      const int at_once = encode(format, x.data(), count, &fresh);
      REQUIRE(nonfinite == at_once);
      pack(format, grown, expected.data());
      REQUIRE(stored == expected);
      const bool equal = same(format, grown, fresh);
      if (rounding == Rounding::kTruncate) {
        REQUIRE(equal);
      } else {
        broken += equal ? 0 : 1;
      }
    }
  }
  INFO("seed " << kSeed + 1);
  REQUIRE(broken > 2000);
}

TEST_CASE("BFP: a zero merged into bytes that nobody wrote makes the group of zeros that an encoder makes") {
  for (const int size : kGroupSizes) {
    const BfpFormat format = format_of(size, 8, Rounding::kTruncate);
    std::vector<std::uint8_t> stored(format.group_bytes(), 0), cleared(format.group_bytes());
    clear_stored(format, cleared.data());
    REQUIRE(append_stored(format, Fp16{0}, size - 1, stored.data()) == 0);
    REQUIRE(stored == cleared);
  }
}

TEST_CASE("BFP: the largest element fills its mantissa, on 20000 random groups; nearest-even overflows it") {
  Fp16Source source(kSeed + 2);
  int overflowing = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const int size = kGroupSizes[trial % 5];
    const int bits = source.between(1, 10);
    const auto x = source.values(static_cast<std::size_t>(size), 32);
    BfpGroup g;
    encode(format_of(size, bits), x.data(), size, &g);
    const int largest = *std::max_element(g.magnitude.begin(), g.magnitude.begin() + size);
    if (g.exponent > 1) REQUIRE((largest >> (bits - 1)) == 1);
    // Rounded to nearest, the largest quotient may need one bit more than there is; encode() saturates it.
    double top = 0.0;
    for (const Fp16 v : x) top = std::max(top, std::fabs(static_cast<double>(to_float(v))));
    const double quotient = std::nearbyint(std::ldexp(top, 15 + (bits - 1) - g.exponent));
    BfpGroup nearest;
    encode(format_of(size, bits, Rounding::kNearestEven), x.data(), size, &nearest);
    const int limit = (1 << bits) - 1;
    REQUIRE(*std::max_element(nearest.magnitude.begin(), nearest.magnitude.begin() + size) ==
            std::min(static_cast<int>(quotient), limit));
    overflowing += quotient > limit ? 1 : 0;
  }
  INFO("seed " << kSeed + 2);
  REQUIRE(overflowing > 1000);
}

TEST_CASE("BFP: every FP16 value through every mantissa width, alone and beside every exponent") {
  for (int bits = 1; bits <= 11; ++bits) {
    for (const Rounding rounding : {Rounding::kTruncate, Rounding::kNearestEven}) {
      const BfpFormat format = format_of(8, bits, rounding);
      for (unsigned word = 0; word < 65536; ++word) {
        // The second element fixes the shared exponent: 2^(e-15), or nothing.
        const unsigned e = word % 31;
        const Fp16 x[2] = {{static_cast<std::uint16_t>(word)}, {static_cast<std::uint16_t>(e << 10)}};
        BfpGroup g;
        const int nonfinite = encode(format, x, 2, &g);
        const int limit = (1 << bits) - 1;
        REQUIRE(g.negative[0] == (word >= 0x8000u));
        if (!is_finite(x[0])) {
          REQUIRE((nonfinite == 1 && g.exponent == 30 && g.magnitude[0] == limit));
          continue;
        }
        REQUIRE(nonfinite == 0);
        const Fp16Parts p = split(x[0]);
        const int expected_e = std::max({1, p.significand != 0 ? p.exponent : 1, static_cast<int>(e)});
        REQUIRE(g.exponent == expected_e);
        const double quotient =
            std::ldexp(std::fabs(static_cast<double>(to_float(x[0]))), 15 + (bits - 1) - expected_e);
        const double rounded = rounding == Rounding::kTruncate ? std::floor(quotient) : std::nearbyint(quotient);
        REQUIRE(g.magnitude[0] == std::min(static_cast<int>(rounded), limit));
        const double value = std::ldexp(static_cast<double>(g.magnitude[0]), expected_e - 15 - (bits - 1));
        REQUIRE(std::fabs(static_cast<double>(decode(format, g, 0))) == value);
        if (bits == 11 && expected_e == p.exponent) REQUIRE(decode(format, g, 0) == to_float(x[0]));
        for (std::size_t i = 2; i < 8; ++i) REQUIRE((g.magnitude[i] == 0 && !g.negative[i]));
      }
    }
  }
}

TEST_CASE("BFP: infinities and NaNs saturate with their sign and are counted") {
  std::vector<Fp16> x(70, to_fp16(1.0f));
  x[3] = {0x7c00};
  x[4] = {0xfc00};
  x[40] = {0xfe01};
  x[69] = {0x7e00};
  for (const int bits : {4, 8}) {
    const BfpFormat format = format_of(32, bits);
    std::vector<std::uint8_t> stored(format.row_bytes(x.size()));
    REQUIRE(encode_row(format, x.data(), x.size(), stored.data()) == 4);
    std::vector<float> y(x.size());
    decode_row(format, stored.data(), y.size(), y.data());
    const auto top = static_cast<float>(std::ldexp((1 << bits) - 1, 30 - 15 - (bits - 1)));
    REQUIRE((y[3] == top && y[4] == -top && y[40] == -top && y[69] == top));
    REQUIRE((y[0] == 0.0f && y[39] == 0.0f && y[68] == 0.0f));  // far below the shared exponent
    REQUIRE((stored[0] == 30 && stored[format.group_bytes()] == 30));
  }
}

TEST_CASE("BFP: pack and unpack are inverse for every format, and the planes lie where the layout says") {
  Fp16Source source(kSeed + 3);
  for (const int size : kGroupSizes) {
    for (int bits = 1; bits <= 11; ++bits) {
      const BfpFormat format = format_of(size, bits);
      for (int trial = 0; trial < 50; ++trial) {
        const auto x = source.values(static_cast<std::size_t>(size));
        BfpGroup g, back;
        encode(format, x.data(), size, &g);
        std::vector<std::uint8_t> bytes(format.group_bytes() + 1, 0xa5);
        pack(format, g, bytes.data());
        REQUIRE(bytes.back() == 0xa5);
        unpack(format, bytes.data(), &back);
        REQUIRE(same(format, g, back));
        const auto n = static_cast<std::size_t>(size);
        for (std::size_t i = 0; i < n; ++i) {
          REQUIRE(((bytes[1 + i / 8] >> (i % 8)) & 1) == (g.negative[i] ? 1 : 0));
          const int high = (bytes[1 + n / 8 + i / 2] >> (i % 2 == 0 ? 0 : 4)) & 15;
          REQUIRE(high == (bits >= 4 ? g.magnitude[i] >> (bits - 4) : g.magnitude[i] << (4 - bits)));
        }
      }
    }
  }
}

TEST_CASE("BFP rows: a row is its groups, padded with zeros, whatever its length") {
  Fp16Source source(kSeed + 4);
  for (const int size : kGroupSizes) {
    for (const int bits : {3, 4, 8, 11}) {
      const BfpFormat format = format_of(size, bits);
      for (std::size_t n = 1; n < 150; n += 1 + source.below(9)) {
        const auto x = source.values(n);
        std::vector<std::uint8_t> stored(format.row_bytes(n));
        encode_row(format, x.data(), n, stored.data());
        std::vector<float> y(n);
        std::vector<Fp16> y16(n);
        decode_row(format, stored.data(), n, y.data());
        decode_row(format, stored.data(), n, y16.data());
        const auto g = static_cast<std::size_t>(size);
        for (std::size_t first = 0; first < n; first += g) {
          BfpGroup group, got;
          encode(format, x.data() + first, static_cast<int>(std::min(g, n - first)), &group);
          unpack(format, stored.data() + first / g * format.group_bytes(), &got);
          REQUIRE(same(format, group, got));
          for (std::size_t i = first; i < std::min(n, first + g); ++i) {
            REQUIRE(float_bits(y[i]) == float_bits(decode(format, group, static_cast<int>(i - first))));
            REQUIRE(to_float(y16[i]) == y[i]);
          }
        }
      }
    }
  }
}

TEST_CASE("BFP rows: dropping a plane of a stored row, in place too") {
  Fp16Source source(kSeed + 5);
  const auto x = source.values(32 * 50 + 9);
  std::vector<std::uint8_t> wide(kBfp8.row_bytes(x.size())), narrow(kBfp4.row_bytes(x.size()));
  encode_row(kBfp8, x.data(), x.size(), wide.data());
  encode_row(kBfp4, x.data(), x.size(), narrow.data());
  demote_row(kBfp8, kBfp4, wide.data(), kBfp8.groups(x.size()), wide.data());
  REQUIRE(std::equal(narrow.begin(), narrow.end(), wide.begin()));
}

TEST_CASE("BFP rows: residual V groups of all channels grow token by token") {
  Fp16Source source(kSeed + 6);
  const std::size_t channels = 67;
  std::vector<std::uint8_t> groups(channels * kBfp8.group_bytes()), expected(kBfp8.group_bytes());
  for (std::size_t c = 0; c < channels; ++c) clear_stored(kBfp8, groups.data() + c * kBfp8.group_bytes());
  std::vector<std::vector<Fp16>> tokens;
  for (int r = 0; r < 32; ++r) {
    tokens.push_back(source.values(channels, 16));
    append_row(kBfp8, tokens.back().data(), channels, r, groups.data());
    for (std::size_t c = 0; c < channels; ++c) {
      std::vector<Fp16> column;
      for (const auto& token : tokens) column.push_back(token[c]);
      encode_row(kBfp8, column.data(), column.size(), expected.data());
      REQUIRE(std::memcmp(expected.data(), groups.data() + c * kBfp8.group_bytes(), expected.size()) == 0);
    }
  }
}

TEST_CASE("BFP: bits per value and bytes") {
  const BfpFormat bfp4_short{32, 4, Rounding::kTruncate, 5};
  const BfpFormat bfp8_short{32, 8, Rounding::kTruncate, 5};
  REQUIRE(kBfp4.group_bytes() == 21);
  REQUIRE(kBfp8.group_bytes() == 37);
  REQUIRE(kBfp4.bits_per_value() == 5.25);
  REQUIRE(kBfp8.bits_per_value() == 9.25);
  REQUIRE(bfp4_short.bits_per_value() == 5.15625);
  REQUIRE(bfp8_short.bits_per_value() == 9.15625);
  // 256 values = 8 groups: 8 exponents of 5 bits fill 5 bytes, so nothing is padding.
  REQUIRE(static_cast<double>(bfp4_short.compact_row_bytes(256)) * 8 / 256 == 5.15625);
  REQUIRE(kBfp8.row_bytes(0) == 0);
  REQUIRE(kBfp8.row_bytes(33) == 74);
}

TEST_CASE("BFP rows: 5-bit exponents lose nothing") {
  Fp16Source source(kSeed + 7);
  for (const int exponent_bits : {5, 8}) {
    for (std::size_t n = 1; n < 700; n += 37) {
      const BfpFormat format{16, 4, Rounding::kTruncate, exponent_bits};
      const auto x = source.values(n);
      std::vector<std::uint8_t> stored(format.row_bytes(n)), back(stored.size());
      std::vector<std::uint8_t> compact(format.compact_row_bytes(n) + 1, 0x77);
      encode_row(format, x.data(), n, stored.data());
      compact_row(format, stored.data(), n, compact.data());
      REQUIRE(compact.back() == 0x77);
      if (exponent_bits == 5) REQUIRE((compact[0] & 31) == stored[0]);
      expand_row(format, compact.data(), n, back.data());
      REQUIRE(back == stored);
    }
  }
}

TEST_CASE("BFP: formats that do not exist are refused, with the field named") {
  REQUIRE_NOTHROW(kBfp8.validate());
  const auto message = [](const BfpFormat& format) -> std::string {
    try {
      format.validate();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  REQUIRE(message({12, 8, Rounding::kTruncate, 8}) == "BFP group size is 12, expected 8, 16, 32, 64 or 128");
  REQUIRE(message({256, 8, Rounding::kTruncate, 8}).find("256") != std::string::npos);
  REQUIRE(message({32, 0, Rounding::kTruncate, 8}) == "BFP mantissa has 0 bits, expected 1 to 11");
  REQUIRE(message({32, 12, Rounding::kTruncate, 8}).find("12") != std::string::npos);
  REQUIRE(message({32, 8, Rounding::kTruncate, 6}) == "BFP exponent has 6 bits, expected 5 or 8");
}
