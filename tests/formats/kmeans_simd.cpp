// The vectorised K-means functions against their scalar definitions on random elements, with infinities, NaNs,
// subnormals, ties, odd lengths and unaligned pointers: 2 million for each operation and width, 10^8 in `ctest -C
// long`.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/random.h"
#include "tests/support/catch.h"
#include "tests/support/long.h"

using namespace harmonia::formats;

namespace {

std::size_t elements() { return harmonia::test::count(2000000, 100000000); }
constexpr std::size_t kRow = 16384;

// Ascending; the arithmetic ones make midpoints that simple weights hit exactly.
Codebook some_codebook(int bits, std::uint64_t kind, SplitMix64& random) {
  std::vector<float> c(std::size_t{1} << bits);
  for (std::size_t j = 0; j < c.size(); ++j) {
    if (kind % 3 == 0)
      c[j] = static_cast<float>(static_cast<double>(j) * 2 / static_cast<double>(c.size()) - 1);
    else if (kind % 3 == 1)
      c[j] = static_cast<float>(random.uniform() * 2 - 1);
    else
      c[j] = static_cast<float>(static_cast<int>(random.next() % 5) - 2) * 0.25F;
  }
  std::sort(c.begin(), c.end());
  return make_codebook(c);
}

void some_weights(std::uint64_t kind, SplitMix64& random, float* w, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 2) {
    const std::uint64_t r = random.next();
    for (std::size_t k = 0; k < 2 && i + k < n; ++k) {
      const auto u = static_cast<std::uint32_t>(r >> 32 * k);
      if (kind % 4 == 0)
        w[i + k] = float_from_bits(u);  // everything that FP32 has
      else if (kind % 4 == 1)
        w[i + k] = static_cast<float>(static_cast<int>(u % 65) - 32) * 0.03125F;  // many ties
      else if (kind % 4 == 2)
        w[i + k] = float_from_bits((u & 0x87FFFFFFU) | 0x38000000U);  // sixteen binary orders of magnitude
      else
        w[i + k] = float_from_bits((u & 0x9FFFFFFFU) | 0x20000000U);  // 64 of them: sums that depend on their order
    }
  }
}

struct Shape {
  std::size_t n;
  std::size_t offset;  // of every pointer, in elements
};
Shape some_shape(SplitMix64& random) {
  const std::uint64_t r = random.next();
  return {kRow - (r & 127), r >> 8 & 3};
}

template <typename Body>
void run(std::uint64_t seed, Body body) {
  INFO("seed " << seed);
  if (processor_simd_level() == SimdLevel::kScalar) WARN("this processor has no AVX2: scalar compared with scalar");
  SplitMix64 random(seed);
  std::size_t done = 0;
  for (std::uint64_t round = 0; done < elements(); ++round) {
    const Shape shape = some_shape(random);
    body(round, shape, random);
    done += shape.n;
  }
}

}  // namespace

TEST_CASE("K-means encode: vectorised equals scalar") {
  std::vector<float> w(kRow + 4);
  std::vector<std::uint8_t> packed_a(kRow + 8);
  std::vector<std::uint8_t> packed_b(kRow + 8);
  std::vector<Bf16> scales_a(kmeans_blocks(kRow) + 4);
  std::vector<Bf16> scales_b(scales_a.size());
  for (const int bits : {1, 2, 3, 4, 8})
    run(100U + static_cast<unsigned>(bits), [&](std::uint64_t round, Shape s, SplitMix64& random) {
      const Codebook codebook = some_codebook(bits, round, random);
      some_weights(random.next(), random, w.data() + s.offset, s.n);
      const std::size_t a =
          kmeans_encode_row(codebook, w.data() + s.offset, s.n, packed_a.data() + s.offset, scales_a.data() + s.offset);
      const std::size_t b = scalar::kmeans_encode_row(codebook, w.data() + s.offset, s.n, packed_b.data() + s.offset,
                                                      scales_b.data() + s.offset);
      if (a != b || packed_a != packed_b || scales_a != scales_b) FAIL("n = " << bits << ", round " << round);
    });
}

TEST_CASE("K-means block scale: vectorised equals scalar") {
  std::vector<float> w(kRow + 4);
  for (const auto statistic : {ScaleStatistic::kAbsMean, ScaleStatistic::kAbsMax})
    run(200, [&](std::uint64_t round, Shape s, SplitMix64& random) {
      some_weights(round, random, w.data() + s.offset, s.n);
      for (std::size_t i = 0; i < s.n; i += kKmeansBlock) {
        const std::size_t n = std::min(kKmeansBlock, s.n - i);
        const float a = kmeans_block_scale(w.data() + s.offset + i, n, statistic);
        const float b = scalar::kmeans_block_scale(w.data() + s.offset + i, n, statistic);
        if (float_bits(a) != float_bits(b)) FAIL("round " << round << ": " << a << " and " << b);
      }
    });
}

TEST_CASE("K-means block scale: the order of summation is that of the definition where it matters") {
  // 1 + 2^-24 is a tie of FP32 and rounds to 1. The 62 addends of 2^-54 vanish one by one beside it; added to each
  // other first they would break the tie upwards.
  std::vector<float> w(kKmeansBlock, 0x1p-54F);
  w[0] = 1;
  w[1] = 0x1p-24F;
  CHECK(kmeans_block_scale(w.data(), w.size(), ScaleStatistic::kAbsMean) == 0x1p-6F);
  CHECK(scalar::kmeans_block_scale(w.data(), w.size(), ScaleStatistic::kAbsMean) == 0x1p-6F);
}

TEST_CASE("K-means decode to bf16: vectorised equals scalar") {
  std::vector<std::uint8_t> packed(kRow + 16);
  std::vector<Bf16> scales(kmeans_blocks(kRow) + 4);
  std::vector<Bf16> a(kRow + 4);
  std::vector<Bf16> b(kRow + 4);
  for (const int bits : {1, 2, 3, 4, 8})
    run(300U + static_cast<unsigned>(bits), [&](std::uint64_t round, Shape s, SplitMix64& random) {
      const Codebook codebook = some_codebook(bits, round, random);
      for (auto& p : packed) p = static_cast<std::uint8_t>(random.next() >> 13);
      for (auto& scale : scales) scale.bits = static_cast<std::uint16_t>(random.next() >> 17);
      kmeans_decode_row_bf16(codebook, packed.data() + s.offset, scales.data() + s.offset, s.n, a.data() + s.offset);
      scalar::kmeans_decode_row_bf16(codebook, packed.data() + s.offset, scales.data() + s.offset, s.n,
                                     b.data() + s.offset);
      if (a != b) FAIL("n = " << bits << ", round " << round);
    });
}

TEST_CASE("K-means decode to integers: vectorised equals scalar") {
  std::vector<std::uint8_t> packed(kRow + 16);
  std::vector<std::int8_t> a(kRow + 4);
  std::vector<std::int8_t> b(kRow + 4);
  std::array<std::int8_t, 256> table;
  for (const int bits : {1, 2, 3, 4, 8})
    run(400U + static_cast<unsigned>(bits), [&](std::uint64_t round, Shape s, SplitMix64& random) {
      for (auto& t : table) t = static_cast<std::int8_t>(random.next() >> 11);
      for (auto& p : packed) p = static_cast<std::uint8_t>(random.next() >> 13);
      kmeans_decode_row_int8(table.data(), bits, packed.data() + s.offset, s.n, a.data() + s.offset);
      scalar::kmeans_decode_row_int8(table.data(), bits, packed.data() + s.offset, s.n, b.data() + s.offset);
      if (a != b) FAIL("n = " << bits << ", round " << round);
    });
}
