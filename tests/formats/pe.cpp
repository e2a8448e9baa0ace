// PE dot products: the mode table, every pair of mantissas of a lane, exact identities between modes, the order of
// rounding.
#include "harmonia/hw/formats/pe.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "harmonia/hw/formats/cpu.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;
using harmonia::test::Fp16Source;

namespace {

constexpr std::uint64_t kSeed = 424242;

// A stored row and its integers, formed from the layout's definition only.
struct Row {
  BfpFormat format;
  std::vector<std::uint8_t> stored;
  std::vector<int> exponent;
  std::vector<int> mantissa;  // signed, padded to whole groups

  Row(const BfpFormat& f, const std::vector<Fp16>& x) : format(f), stored(f.row_bytes(x.size())) {
    encode_row(f, x.data(), x.size(), stored.data());
    for (std::size_t g = 0; g < f.groups(x.size()); ++g) {
      BfpGroup group;
      unpack(f, stored.data() + g * f.group_bytes(), &group);
      exponent.push_back(group.exponent);
      for (std::size_t i = 0; i < static_cast<std::size_t>(f.group_size); ++i) {
        mantissa.push_back(group.negative[i] ? -int{group.magnitude[i]} : int{group.magnitude[i]});
      }
    }
  }
  const std::uint8_t* group(std::size_t g) const { return stored.data() + g * format.group_bytes(); }
};

std::vector<std::uint8_t> stored_group(const BfpFormat& format, int exponent, const std::vector<int>& mantissa) {
  BfpGroup g;
  g.exponent = exponent;
  for (std::size_t i = 0; i < mantissa.size(); ++i) {
    g.magnitude[i] = static_cast<std::uint16_t>(std::abs(mantissa[i]));
    g.negative[i] = mantissa[i] < 0;
  }
  std::vector<std::uint8_t> bytes(format.group_bytes());
  pack(format, g, bytes.data());
  return bytes;
}

std::vector<std::uint8_t> pack_codes(const std::vector<int>& codes, int bits) {
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  std::vector<std::uint8_t> out((codes.size() + per_byte - 1) / per_byte);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto shift = 8 - static_cast<std::size_t>(bits) * (i % per_byte + 1);
    out[i / per_byte] = static_cast<std::uint8_t>(out[i / per_byte] | (static_cast<unsigned>(codes[i]) << shift));
  }
  return out;
}

// The row definitions once more, on plain integers.
float expected_bfp(const Row& a, const Row& b) {
  const auto g = static_cast<std::size_t>(a.format.group_size);
  float sum = 0.0f;
  for (std::size_t k = 0; k < a.exponent.size(); ++k) {
    long long p = 0;
    for (std::size_t i = k * g; i < (k + 1) * g; ++i) p += static_cast<long long>(a.mantissa[i]) * b.mantissa[i];
    const int e = a.exponent[k] + b.exponent[k] - 30 - (a.format.mantissa_bits - 1) - (b.format.mantissa_bits - 1);
    sum = sum + std::ldexp(static_cast<float>(p), e);
  }
  return sum;
}
template <typename Weight>
float expected_scaled(const Row& a, const std::vector<Weight>& w, const std::vector<float>& scales, std::size_t block) {
  const auto g = static_cast<std::size_t>(a.format.group_size);
  float sum = 0.0f;
  for (std::size_t first = 0, j = 0; first < w.size(); first += block, ++j) {
    bool begun = false;
    float inner = 0.0f;
    for (std::size_t i = first; i < first + block && i < w.size(); i += g) {
      long long p = 0;
      for (std::size_t k = i; k < i + g && k < w.size(); ++k) p += static_cast<long long>(a.mantissa[k]) * w[k];
      const float partial = std::ldexp(static_cast<float>(p), a.exponent[i / g] - 15 - (a.format.mantissa_bits - 1));
      inner = begun ? inner + partial : partial;
      begun = true;
    }
    const float product = inner * scales[j];
    sum = sum + product;
  }
  return sum;
}

std::vector<Fp16> gaussian(Fp16Source& source, std::size_t n) {
  std::vector<Fp16> x(n);
  for (Fp16& v : x) v = to_fp16(source.gaussian());
  return x;
}

template <typename Weight>
std::vector<Weight> integers(Fp16Source& source, std::size_t n, int low, int high) {
  std::vector<Weight> w(n);
  for (Weight& v : w) v = static_cast<Weight>(source.between(low, high));
  return w;
}

}  // namespace

TEST_CASE("PE: the mode table") {
  const struct {
    const char* name;
    int passes;
    std::int32_t largest;
    std::int32_t plain;
  } table[] = {{"M8W4", 1, 122400, 65280},  {"M8M4", 1, 122400, 122400},   {"M8M8", 2, 2080800, 2080800},
               {"M8L5", 1, 122400, 122400}, {"M8L8", 2, 1036320, 1036320}, {"M8B1", 1, 1036320, 1036320}};
  for (const auto& row : table) {
    const PeModeInfo* mode = find_pe_mode(row.name);
    REQUIRE(mode != nullptr);
    REQUIRE(mode->passes == row.passes);
    REQUIRE(mode->max_abs_partial == row.largest);
    REQUIRE(mode->max_abs_partial_plain == row.plain);
    REQUIRE(info(mode->mode).name == std::string(row.name));
  }
  REQUIRE(find_pe_mode("m8l8") == &info(PeMode::kM8L8));
  REQUIRE(find_pe_mode("M8M5") == nullptr);
  REQUIRE(find_pe_mode("") == nullptr);
}

TEST_CASE("PE: the largest partials of the table are reached, with either sign") {
  for (const int sign : {1, -1}) {
    const auto a = stored_group(kBfp8, 30, std::vector<int>(32, 255));
    const auto b8 = stored_group(kBfp8, 30, std::vector<int>(32, sign * 255));
    const auto b4 = stored_group(kBfp4, 30, std::vector<int>(32, sign * 15));
    REQUIRE(partial_bfp(kBfp8, a.data(), kBfp8, b8.data()) == sign * info(PeMode::kM8M8).max_abs_partial);
    REQUIRE(partial_bfp(kBfp8, a.data(), kBfp4, b4.data()) == sign * info(PeMode::kM8M4).max_abs_partial);
    const auto by = [&](int w) {
      return partial_int(kBfp8, a.data(), std::vector<std::int8_t>(32, static_cast<std::int8_t>(w)).data());
    };
    REQUIRE(by(-8) == -info(PeMode::kM8W4).max_abs_partial_plain);
    REQUIRE(by(sign * 15) == sign * info(PeMode::kM8W4).max_abs_partial);
    REQUIRE(by(sign * 15) == sign * info(PeMode::kM8L5).max_abs_partial);
    REQUIRE(by(sign * 127) == sign * info(PeMode::kM8L8).max_abs_partial);
    const std::vector<std::uint8_t> ones(4, 0xff);
    REQUIRE(partial_1bit(add_subtract(kBfp8, a.data(), ones.data()), 0, sign * 127) ==
            sign * info(PeMode::kM8B1).max_abs_partial);
    // And the largest row value is finite and exact.
    REQUIRE(dot_bfp(kBfp8, a.data(), kBfp8, b8.data(), 32) ==
            std::ldexp(static_cast<float>(sign * 2080800), 60 - 30 - 14));
  }
}

TEST_CASE("PE: all pairs of mantissas of a lane, in every lane") {
  // One nonzero lane at a time moves through the group, so that a wrong lane, sign or nibble cannot hide. The partial
  // of exponents that cancel is read back from the FP32 sum, which exercises the vectorised path as well.
  for (int a = -255; a <= 255; ++a) {
    std::vector<std::uint8_t> rows4, rows8;
    std::vector<std::int8_t> w;
    std::vector<int> expected4, expected8, expected_w;
    const std::size_t lane = static_cast<std::size_t>(a + 255) % 32;
    std::vector<int> ma(32, 0);
    ma[lane] = a;
    const auto ga = stored_group(kBfp8, 22, ma);  // value = integer
    for (int b = -255; b <= 255; ++b) {
      std::vector<int> mb(32, 0);
      mb[lane] = b;
      mb[(lane + 1) % 32] = 15;  // meets a zero
      const auto g8 = stored_group(kBfp8, 22, mb);
      rows8.insert(rows8.end(), g8.begin(), g8.end());
      expected8.push_back(a * b);
      REQUIRE(partial_bfp(kBfp8, ga.data(), kBfp8, g8.data()) == a * b);
      if (b >= -15 && b <= 15) {
        const auto g4 = stored_group(kBfp4, 18, mb);
        rows4.insert(rows4.end(), g4.begin(), g4.end());
        expected4.push_back(a * b);
        REQUIRE(partial_bfp(kBfp8, ga.data(), kBfp4, g4.data()) == a * b);
      }
      if (b >= -128 && b <= 127) {
        std::array<std::int8_t, 32> lanes{};
        lanes[lane] = static_cast<std::int8_t>(b);
        lanes[(lane + 1) % 32] = -128;
        w.insert(w.end(), lanes.begin(), lanes.end());
        expected_w.push_back(a * b);
        REQUIRE(partial_int(kBfp8, ga.data(), lanes.data()) == a * b);
      }
    }
    for (std::size_t r = 0; r < expected8.size(); ++r) {
      REQUIRE(dot_bfp(kBfp8, ga.data(), kBfp8, rows8.data() + r * 37, 32) == static_cast<float>(expected8[r]));
    }
    for (std::size_t r = 0; r < expected4.size(); ++r) {
      REQUIRE(dot_bfp(kBfp8, ga.data(), kBfp4, rows4.data() + r * 21, 32) == static_cast<float>(expected4[r]));
    }
    const Fp16 one = to_fp16(1.0f);
    for (std::size_t r = 0; r < expected_w.size(); ++r) {
      REQUIRE(dot_int(kBfp8, ga.data(), w.data() + 32 * r, &one, 32) == static_cast<float>(expected_w[r]));
    }
  }
}

TEST_CASE("PE: rows follow the order of rounding, for every group size and mantissa, with short tails") {
  Fp16Source source(kSeed);
  for (int trial = 0; trial < 3000; ++trial) {
    const int sizes[] = {8, 16, 32, 64, 128};
    const int g = trial % 3 == 0 ? sizes[source.below(5)] : 32;
    const BfpFormat fa{g, trial % 3 == 0 ? source.between(1, 11) : 8, Rounding::kTruncate, 8};
    const BfpFormat fb{g, trial % 2 == 0 ? 4 : source.between(1, 11), Rounding::kTruncate, 8};
    const std::size_t n = 1 + source.below(700);
    const auto xa = trial % 4 == 0 ? source.values(n) : gaussian(source, n);
    const auto xb = trial % 4 == 0 ? source.values(n) : gaussian(source, n);
    const Row a(fa, xa), b(fb, xb);
    REQUIRE(float_bits(dot_bfp(fa, a.stored.data(), fb, b.stored.data(), n)) == float_bits(expected_bfp(a, b)));

    const std::size_t block = 128;
    std::vector<Fp16> scales;
    std::vector<float> wide;
    for (std::size_t j = 0; j < (n + block - 1) / block; ++j) {
      scales.push_back(to_fp16(std::exp(source.gaussian()) / 100));
      wide.push_back(to_float(scales.back()));
    }
    const auto w8 = integers<std::int8_t>(source, n, -128, 127);
    const auto w16 = integers<std::int16_t>(source, n, -255, 255);
    REQUIRE(float_bits(dot_int(fa, a.stored.data(), w8.data(), scales.data(), n)) ==
            float_bits(expected_scaled(a, w8, wide, block)));
    REQUIRE(float_bits(dot_int(fa, a.stored.data(), w16.data(), scales.data(), n)) ==
            float_bits(expected_scaled(a, w16, wide, block)));

    if (g <= 64) {
      std::vector<Bf16> block_scales;
      std::vector<float> wide_blocks;
      for (std::size_t j = 0; j < (n + 63) / 64; ++j) {
        block_scales.push_back(to_bf16(static_cast<float>(std::exp(source.gaussian()))));
        wide_blocks.push_back(to_float(block_scales.back()));
      }
      const float cs = 0.0078f;
      const float got = dot_codebook(fa, a.stored.data(), w8.data(), block_scales.data(), cs, n);
      REQUIRE(float_bits(got) == float_bits(expected_scaled(a, w8, wide_blocks, 64) * cs));
    }
  }
}

TEST_CASE("PE: the order of rounding can be seen") {
  // Three groups whose sum depends on the order: 2^24 + 1 - 2^24 is 0 ascending in FP32 and 1 exactly.
  std::vector<std::uint8_t> a, b;
  const auto add = [&](int e, int m) {
    std::vector<int> lane(32, 0);
    lane[0] = m;
    const auto ga = stored_group(kBfp8, e, lane);
    lane[0] = 128;
    const auto gb = stored_group(kBfp8, 15, lane);  // 1.0
    a.insert(a.end(), ga.begin(), ga.end());
    b.insert(b.end(), gb.begin(), gb.end());
  };
  add(30, 128);  // 2^15
  add(5, 128);   // 2^-10
  add(30, -128);
  REQUIRE(dot_bfp(kBfp8, a.data(), kBfp8, b.data(), 96) == 0.0f);
  // Continued from a running sum, the row gives the same as in one piece.
  const float first = dot_bfp(kBfp8, a.data(), kBfp8, b.data(), 32);
  REQUIRE(first == 32768.0f);
  REQUIRE(dot_bfp(kBfp8, a.data() + 37, kBfp8, b.data() + 37, 64, first) == 0.0f);
  REQUIRE(dot_bfp(kBfp8, a.data() + 37, kBfp8, b.data() + 37, 64) == -32768.0f);
}

TEST_CASE("PE: M8B1 equals M8L8 on the same codes, for any two-entry integer codebook and any groups") {
  Fp16Source source(kSeed + 1);
  for (int trial = 0; trial < 4000; ++trial) {
    const std::size_t n = 1 + source.below(600);
    // Half of them in the machine's format, which has a vectorised path; groups of 16 or 64 and narrower mantissas have none.
    const BfpFormat fa = trial % 2 == 0
                             ? kBfp8
                             : BfpFormat{16 << source.between(0, 2), 2 * source.between(2, 4), Rounding::kTruncate, 8};
    const std::size_t group = static_cast<std::size_t>(fa.group_size);
    CAPTURE(n, fa.group_size, fa.mantissa_bits);
    const Row a(fa, source.values(n));
    const int q0 = source.between(-127, 127), q1 = source.between(-127, 127);
    std::vector<int> codes(n);
    std::vector<std::int8_t> q(n);
    for (std::size_t i = 0; i < n; ++i) {
      codes[i] = source.between(0, 1);
      q[i] = static_cast<std::int8_t>(codes[i] == 0 ? q0 : q1);
    }
    std::vector<Bf16> scales;
    for (std::size_t j = 0; j < (n + 63) / 64; ++j) scales.push_back(to_bf16(static_cast<float>(source.uniform())));
    const auto packed = pack_codes(codes, 1);
    REQUIRE(float_bits(dot_codebook_1bit(fa, a.stored.data(), packed.data(), q0, q1, scales.data(), 0.3f, n)) ==
            float_bits(dot_codebook(fa, a.stored.data(), q.data(), scales.data(), 0.3f, n)));
    for (std::size_t g = 0; (g + 1) * group <= n; ++g) {
      const AddSubtract s = add_subtract(fa, a.group(g), packed.data() + group / 8 * g);
      REQUIRE(((q0 + q1) * s.a + (q1 - q0) * s.t) % 2 == 0);
      REQUIRE(partial_1bit(s, q0, q1) == partial_int(fa, a.group(g), q.data() + group * g));
    }
  }
}

TEST_CASE("PE: a symmetric 2-bit codebook is two sign planes") {
  Fp16Source source(kSeed + 2);
  for (int trial = 0; trial < 20000; ++trial) {
    const BfpFormat format{trial % 3 == 0 ? 64 : 32, 8, Rounding::kTruncate, 8};
    const auto n = static_cast<std::size_t>(format.group_size);
    const Row a(format, source.values(n));
    const int outer = source.between(0, 127), inner = source.between(0, outer);
    const int book[] = {-outer, -inner, inner, outer};
    std::vector<int> codes(n);
    std::vector<std::int8_t> q(n);
    for (std::size_t i = 0; i < n; ++i) {
      codes[i] = source.between(0, 3);
      q[i] = static_cast<std::int8_t>(book[codes[i]]);
    }
    REQUIRE(partial_2bit_planes(format, a.group(0), pack_codes(codes, 2).data(), outer, inner) ==
            partial_int(format, a.group(0), q.data()));
  }
}

TEST_CASE("PE: FP16 x FP16 adds exact products in ascending order") {
  Fp16Source source(kSeed + 3);
  for (int trial = 0; trial < 500; ++trial) {
    const std::size_t n = source.below(900);
    const auto a = source.values(n + 1), b = source.values(n + 1);
    float sum = 0.0f;
    for (std::size_t i = 0; i < n; ++i) {
      const double product = static_cast<double>(to_float(a[i])) * static_cast<double>(to_float(b[i]));
      const auto rounded = static_cast<float>(product);
      REQUIRE(static_cast<double>(rounded) == product);
      sum = sum + rounded;
    }
    REQUIRE(float_bits(dot_fp16(a.data(), b.data(), n)) == float_bits(sum));
  }
}

TEST_CASE("PE: matrix times vector equals row by row") {
  Fp16Source source(kSeed + 4);
  for (const std::size_t rows : {1, 7, 8, 9, 64, 300}) {
    for (const std::size_t n : {std::size_t{5}, std::size_t{64}, std::size_t{172}, std::size_t{4096 + 96 + 7}}) {
      if (rows * n > 300000) continue;
      const Row a(kBfp8, gaussian(source, n));
      std::vector<Fp16> out(rows);
      for (const BfpFormat& fb : {kBfp4, kBfp8}) {
        const std::size_t stride = fb.row_bytes(n) + 3;
        std::vector<std::uint8_t> b(rows * stride);
        for (std::size_t r = 0; r < rows; ++r) {
          const auto x = source.values(n);
          encode_row(fb, x.data(), n, b.data() + r * stride);
        }
        gemv_bfp(kBfp8, a.stored.data(), fb, b.data(), stride, rows, n, out.data());
        for (std::size_t r = 0; r < rows; ++r) {
          REQUIRE(out[r] == to_fp16(dot_bfp(kBfp8, a.stored.data(), fb, b.data() + r * stride, n)));
        }
      }
      const std::size_t blocks = (n + 63) / 64, groups = (n + 127) / 128;
      const auto w = integers<std::int8_t>(source, rows * n, -127, 127);
      std::vector<Bf16> scales(rows * blocks);
      for (Bf16& s : scales) s = to_bf16(static_cast<float>(source.uniform()));
      std::vector<Fp16> group_scales(rows * groups);
      for (Fp16& s : group_scales) s = to_fp16(source.uniform() / 100);
      gemv_codebook(kBfp8, a.stored.data(), w.data(), scales.data(), 0.01f, rows, n, out.data());
      for (std::size_t r = 0; r < rows; ++r) {
        REQUIRE(out[r] ==
                to_fp16(dot_codebook(kBfp8, a.stored.data(), w.data() + r * n, scales.data() + r * blocks, 0.01f, n)));
      }
      gemv_int(kBfp8, a.stored.data(), w.data(), group_scales.data(), rows, n, 128, out.data());
      for (std::size_t r = 0; r < rows; ++r) {
        REQUIRE(out[r] ==
                to_fp16(dot_int(kBfp8, a.stored.data(), w.data() + r * n, group_scales.data() + r * groups, n)));
      }
      const std::size_t code_bytes = (n + 7) / 8;
      std::vector<std::uint8_t> codes(rows * code_bytes);
      for (std::uint8_t& byte : codes) byte = static_cast<std::uint8_t>(source.next());
      gemv_codebook_1bit(kBfp8, a.stored.data(), codes.data(), -90, 127, scales.data(), 0.01f, rows, n, out.data());
      for (std::size_t r = 0; r < rows; ++r) {
        REQUIRE(out[r] == to_fp16(dot_codebook_1bit(kBfp8, a.stored.data(), codes.data() + r * code_bytes, -90, 127,
                                                    scales.data() + r * blocks, 0.01f, n)));
      }
    }
  }
}
