// Vectorised == scalar, bit for bit, on random elements: infinities, NaNs, subnormals, odd lengths, unaligned pointers.
// 2 million for each operation, 10^8 in `ctest -C long`. The scalar side is what ForceScalar selects.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/pe.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"
#include "tests/support/long.h"

using namespace harmonia::formats;
using harmonia::test::Fp16Source;

namespace {

std::size_t elements() { return harmonia::test::count(2000000, 100000000); }
constexpr std::size_t kBlock = 1 << 14;
constexpr std::uint64_t kSeed = 987654321;

// Calls body(source, n) with varying n until elements() elements have passed.
template <typename Body>
void repeat(std::uint64_t seed, Body body) {
  INFO("seed " << seed << ", processor " << name(processor_simd_level()));
  if (processor_simd_level() == SimdLevel::kScalar) {
    WARN("this processor has no vectorised path: the comparison is trivially true");
  }
  Fp16Source source(seed);
  for (std::size_t done = 0; done < elements();) {
    const std::size_t n = kBlock - source.below(80);
    REQUIRE(body(source, n));
    done += n;
  }
}

bool same_bits(const void* a, const void* b, std::size_t bytes) { return std::memcmp(a, b, bytes) == 0; }

constexpr std::size_t kSlack = 64;

struct Buffers {
  std::vector<Fp16> x = std::vector<Fp16>(kBlock + kSlack);
  std::vector<std::uint8_t> a = std::vector<std::uint8_t>(3 * kBlock + kSlack);
  std::vector<std::uint8_t> b = std::vector<std::uint8_t>(3 * kBlock + kSlack);
};

// Two stored operands of n values at odd addresses.
struct Operands {
  std::vector<Fp16> x = std::vector<Fp16>(kBlock + kSlack);
  std::vector<std::uint8_t> a = std::vector<std::uint8_t>(2 * kBlock + kSlack);
  std::vector<std::uint8_t> b = std::vector<std::uint8_t>(2 * kBlock + kSlack);
  const std::uint8_t* first = nullptr;
  const std::uint8_t* second = nullptr;

  void renew(Fp16Source& source, std::size_t n, const BfpFormat& fb) {
    std::uint8_t* pa = a.data() + source.below(33);
    std::uint8_t* pb = b.data() + source.below(33);
    source.fill(x.data(), n, 64, true);
    encode_row(kBfp8, x.data(), n, pa);
    source.fill(x.data(), n, 64, true);
    encode_row(fb, x.data(), n, pb);
    first = pa;
    second = pb;
  }
};

// Rows of random length cut from n elements: both paths give the same FP32 bits.
template <typename Dot>
bool rows_agree(Fp16Source& source, std::size_t n, Dot dot) {
  for (std::size_t start = 0; start < n;) {
    const std::size_t length = std::min(n - start, 1 + source.below(900));
    const float fast = dot(start, length);
    float slow;
    {
      const ForceScalar scalar;
      slow = dot(start, length);
    }
    if (float_bits(fast) != float_bits(slow)) return false;
    start += (length + 127) / 128 * 128;
  }
  return true;
}

}  // namespace

TEST_CASE("Vectorised == scalar: FP16 to FP32") {
  std::vector<Fp16> x(kBlock + kSlack);
  std::vector<float> fast(kBlock + kSlack), slow(kBlock + kSlack);
  repeat(kSeed, [&](Fp16Source& source, std::size_t n) {
    const std::size_t at = source.below(32);
    for (std::size_t i = 0; i < n; ++i) x[at + i].bits = static_cast<std::uint16_t>(source.next() >> 13);
    to_float(x.data() + at, n, fast.data() + at);
    const ForceScalar scalar;
    to_float(x.data() + at, n, slow.data() + at);
    return same_bits(fast.data() + at, slow.data() + at, 4 * n);
  });
}

TEST_CASE("Vectorised == scalar: FP32 to FP16") {
  std::vector<float> x(kBlock + kSlack);
  std::vector<Fp16> fast(kBlock + kSlack), slow(kBlock + kSlack);
  repeat(kSeed + 1, [&](Fp16Source& source, std::size_t n) {
    const std::size_t at = source.below(32);
    const bool near_range = source.below(2) == 0;
    for (std::size_t i = 0; i < n; ++i) {
      auto bits = static_cast<std::uint32_t>(source.next() >> 21);
      // Half of the blocks: exponents in and around FP16's range; fractions often on a tie.
      if (near_range) bits = (bits & 0x807fffffu) | (100u + (bits >> 23) % 46u) << 23;
      if ((bits & 3u) == 0) bits &= 0xfffff000u;
      x[at + i] = float_from_bits(bits);
    }
    to_fp16(x.data() + at, n, fast.data() + at);
    const ForceScalar scalar;
    to_fp16(x.data() + at, n, slow.data() + at);
    return same_bits(fast.data() + at, slow.data() + at, 2 * n);
  });
}

TEST_CASE("Vectorised == scalar: FP16 to BFP8 and BFP4, truncation and nearest-even") {
  Buffers buffer;
  std::uint64_t seed = kSeed + 2;
  for (const int bits : {8, 4}) {
    for (const Rounding rounding : {Rounding::kTruncate, Rounding::kNearestEven}) {
      const BfpFormat format{32, bits, rounding, 8};
      repeat(seed++, [&](Fp16Source& source, std::size_t n) {
        const std::size_t at = source.below(32);
        source.fill(buffer.x.data() + at, n, 64, true);
        std::uint8_t* fast = buffer.a.data() + source.below(33);
        std::uint8_t* slow = buffer.b.data();
        const std::size_t counted = encode_row(format, buffer.x.data() + at, n, fast);
        const ForceScalar scalar;
        const std::size_t expected = encode_row(format, buffer.x.data() + at, n, slow);
        return counted == expected && same_bits(fast, slow, format.row_bytes(n));
      });
    }
  }
}

TEST_CASE("Vectorised == scalar: BFP8 and BFP4 to FP32 and FP16") {
  Buffers buffer;
  std::vector<float> fast(kBlock + kSlack), slow(kBlock + kSlack);
  std::vector<Fp16> fast16(kBlock + kSlack), slow16(kBlock + kSlack);
  std::uint64_t seed = kSeed + 10;
  for (const BfpFormat& format : {kBfp8, kBfp4}) {
    repeat(seed++, [&](Fp16Source& source, std::size_t n) {
      std::uint8_t* stored = buffer.a.data() + source.below(33);
      source.fill(buffer.x.data(), n, 64, true);
      encode_row(format, buffer.x.data(), n, stored);
      const std::size_t at = source.below(32);
      decode_row(format, stored, n, fast.data() + at);
      decode_row(format, stored, n, fast16.data() + at);
      const ForceScalar scalar;
      decode_row(format, stored, n, slow.data() + at);
      decode_row(format, stored, n, slow16.data() + at);
      return same_bits(fast.data() + at, slow.data() + at, 4 * n) &&
             same_bits(fast16.data() + at, slow16.data() + at, 2 * n);
    });
  }
}

TEST_CASE("Vectorised == scalar: M8M4 and M8M8 dot products") {
  Operands operands;
  std::uint64_t seed = kSeed + 20;
  for (const BfpFormat& fb : {kBfp4, kBfp8}) {
    repeat(seed++, [&](Fp16Source& source, std::size_t n) {
      operands.renew(source, n, fb);
      return rows_agree(source, n, [&](std::size_t start, std::size_t length) {
        return dot_bfp(kBfp8, operands.first + start / 32 * kBfp8.group_bytes(), fb,
                       operands.second + start / 32 * fb.group_bytes(), length, 0.25f);
      });
    });
  }
}

TEST_CASE("Vectorised == scalar: M8W4, M8L5, M8L8 and 9-bit weights") {
  Operands operands;
  std::vector<std::int8_t> w8(kBlock + kSlack);
  std::vector<std::int16_t> w16(kBlock + kSlack);
  std::vector<Fp16> scales(kBlock / 64 + kSlack);
  std::vector<Bf16> block_scales(kBlock / 64 + kSlack);
  const auto renew = [&](Fp16Source& source, std::size_t n) {
    operands.renew(source, n, kBfp4);
    // INT4, int5, int8 and the whole of int8 in turn.
    const int limits[] = {8, 15, 127, 128};
    const int limit = limits[source.below(4)];
    for (std::size_t i = 0; i < n; ++i) {
      const auto bits = source.next();
      w8[i] = static_cast<std::int8_t>(static_cast<int>(bits % static_cast<unsigned>(2 * limit)) - limit);
      w16[i] = static_cast<std::int16_t>(static_cast<int>((bits >> 32) % 1023) - 511);
    }
    for (Fp16& s : scales) s.bits = static_cast<std::uint16_t>(source.next() & 0x3fffu);
    for (Bf16& s : block_scales) s = to_bf16(static_cast<float>(source.gaussian()));
  };
  SECTION("group scales") {
    repeat(kSeed + 30, [&](Fp16Source& source, std::size_t n) {
      renew(source, n);
      const std::size_t group = std::size_t{32} << source.below(3);
      return rows_agree(source, n,
                        [&](std::size_t start, std::size_t length) {
                          return dot_int(kBfp8, operands.first + start / 32 * 37, w8.data() + start,
                                         scales.data() + start / 128, length, group);
                        }) &&
             rows_agree(source, n, [&](std::size_t start, std::size_t length) {
               return dot_int(kBfp8, operands.first + start / 32 * 37, w16.data() + start, scales.data() + start / 128,
                              length, group);
             });
    });
  }
  SECTION("codebook entries") {
    repeat(kSeed + 31, [&](Fp16Source& source, std::size_t n) {
      renew(source, n);
      return rows_agree(source, n, [&](std::size_t start, std::size_t length) {
        return dot_codebook(kBfp8, operands.first + start / 32 * 37, w8.data() + start,
                            block_scales.data() + start / 64, 0.013f, length);
      });
    });
  }
}

TEST_CASE("Vectorised == scalar: M8B1 on packed codes") {
  Operands operands;
  std::vector<std::uint8_t> codes(kBlock / 8 + kSlack);
  std::vector<Bf16> scales(kBlock / 64 + kSlack);
  repeat(kSeed + 40, [&](Fp16Source& source, std::size_t n) {
    operands.renew(source, n, kBfp4);
    for (std::uint8_t& byte : codes) byte = static_cast<std::uint8_t>(source.next() >> 9);
    for (Bf16& s : scales) s = to_bf16(static_cast<float>(source.gaussian()));
    const std::size_t at = source.below(17);
    const int q0 = source.between(-127, 127), q1 = source.between(-127, 127);
    return rows_agree(source, n, [&](std::size_t start, std::size_t length) {
      return dot_codebook_1bit(kBfp8, operands.first + start / 32 * 37, codes.data() + at + start / 8, q0, q1,
                               scales.data() + start / 64, 0.013f, length);
    });
  });
}

TEST_CASE("Vectorised == scalar: matrix times vector, every mode") {
  Operands operands;
  std::vector<std::int8_t> w(kBlock + kSlack);
  std::vector<std::uint8_t> codes(kBlock);
  std::vector<Fp16> scales(kBlock), fast(kBlock), slow(kBlock);
  std::vector<Bf16> block_scales(kBlock);
  repeat(kSeed + 50, [&](Fp16Source& source, std::size_t total) {
    const BfpFormat fb = source.below(2) == 0 ? kBfp4 : kBfp8;
    operands.renew(source, total, fb);
    for (std::size_t i = 0; i < total; ++i) w[i] = static_cast<std::int8_t>(source.next() >> 7);
    for (std::uint8_t& byte : codes) byte = static_cast<std::uint8_t>(source.next() >> 9);
    for (Fp16& s : scales) s.bits = static_cast<std::uint16_t>(source.next() & 0x3fffu);
    for (Bf16& s : block_scales) s = to_bf16(static_cast<float>(source.gaussian()));
    const std::size_t n = 1 + source.below(source.below(8) == 0 ? 6000 : 400);
    const std::size_t rows = total / (kBfp8.groups(n) * 32);
    const auto agree = [&](auto gemv) {
      gemv(fast.data());
      {
        const ForceScalar scalar;
        gemv(slow.data());
      }
      return same_bits(fast.data(), slow.data(), 2 * rows);
    };
    return agree([&](Fp16* out) {
             gemv_bfp(kBfp8, operands.first, fb, operands.second, fb.row_bytes(n), rows, n, out);
           }) &&
           agree([&](Fp16* out) { gemv_int(kBfp8, operands.first, w.data(), scales.data(), rows, n, 128, out); }) &&
           agree([&](Fp16* out) {
             gemv_codebook(kBfp8, operands.first, w.data(), block_scales.data(), 0.013f, rows, n, out);
           }) &&
           agree([&](Fp16* out) {
             gemv_codebook_1bit(kBfp8, operands.first, codes.data(), -101, 77, block_scales.data(), 0.013f, rows, n,
                                out);
           });
  });
}
