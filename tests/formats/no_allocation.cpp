// The operations on rows use the memory that they are given and no other.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/formats/smoothing.h"
#include "tests/formats/fp16_source.h"
#include "tests/support/catch.h"

namespace {
std::uint64_t allocations = 0;
}

// The others of the standard library end here; a sanitizer has a nothrow one of its own, which must not meet our
// delete. Not inlined: the compiler would see one half of a pair and take it for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace harmonia::formats;

namespace {

template <typename Action>
std::uint64_t allocated(Action action) {
  const std::uint64_t before = allocations;
  action();
  return allocations - before;
}

}  // namespace

TEST_CASE("No allocation inside: conversions, groups, K-means rows and dot products") {
  constexpr std::size_t kN = 4096 + 17;
  harmonia::test::Fp16Source source(4);
  std::vector<Fp16> x(kN), halves(kN);
  std::vector<float> floats(kN);
  source.fill(x.data(), kN, 64, false);
  std::vector<std::uint8_t> a(kBfp8.row_bytes(kN)), b(kBfp8.row_bytes(kN)), packed(kN);
  std::vector<std::int8_t> w(kN, 3);
  std::vector<Fp16> scales(kN / 32 + 1, to_fp16(0.5f));
  std::vector<Bf16> block_scales(kmeans_blocks(kN), to_bf16(0.5f)), bf16(kN);
  // The counter counts.
  REQUIRE(allocated([&] { ::operator delete(::operator new(100)); }) == 1);

  const auto every = [&] {
    float sink = 0;
    CHECK(allocated([&] {
            to_float(x.data(), kN, floats.data());
            to_fp16(floats.data(), kN, halves.data());
          }) == 0);
    for (const int mantissa : {4, 8, 11})
      for (const Rounding rounding : {Rounding::kTruncate, Rounding::kNearestEven}) {
        const BfpFormat format{32, mantissa, rounding, 8};
        std::vector<std::uint8_t> row(format.row_bytes(kN));
        CHECK(allocated([&] {
                encode_row(format, x.data(), kN, row.data());
                decode_row(format, row.data(), kN, floats.data());
                decode_row(format, row.data(), kN, halves.data());
                append_row(format, x.data(), 16, 5, row.data());
              }) == 0);
      }
    encode_row(kBfp8, x.data(), kN, a.data());
    encode_row(kBfp8, x.data(), kN, b.data());
    CHECK(allocated([&] {
            demote_row(kBfp8, kBfp4, a.data(), kBfp8.groups(kN), b.data());
            sink += dot_bfp(kBfp8, a.data(), kBfp4, b.data(), kN);
            sink += dot_bfp(kBfp8, a.data(), kBfp8, a.data(), kN);
            sink += dot_int(kBfp8, a.data(), w.data(), scales.data(), kN);
            sink += dot_codebook(kBfp8, a.data(), w.data(), block_scales.data(), 0.1f, kN);
            sink += dot_codebook_1bit(kBfp8, a.data(), packed.data(), -5, 9, block_scales.data(), 0.1f, kN);
            sink += dot_fp16(x.data(), x.data(), 64);
            gemv_bfp(kBfp8, a.data(), kBfp4, b.data(), kBfp4.row_bytes(64), 8, 64, halves.data());
            gemv_int(kBfp8, a.data(), w.data(), scales.data(), 8, 256, 128, halves.data());
            gemv_codebook(kBfp8, a.data(), w.data(), block_scales.data(), 0.1f, 8, 256, halves.data());
            gemv_codebook_1bit(kBfp8, a.data(), packed.data(), -5, 9, block_scales.data(), 0.1f, 8, 256, halves.data());
          }) == 0);
    for (const int bits : {1, 2, 3, 4, 8}) {
      std::vector<float> centroids(std::size_t{1} << bits);
      for (std::size_t i = 0; i < centroids.size(); ++i) centroids[i] = static_cast<float>(i) - 1.5f;
      const Codebook codebook = make_codebook(centroids);
      std::vector<std::int8_t> table(centroids.size(), 7);
      for (float& f : floats) f = 0.25f;
      CHECK(allocated([&] {
              kmeans_encode_row(codebook, floats.data(), kN, packed.data(), block_scales.data());
              kmeans_decode_row_bf16(codebook, packed.data(), block_scales.data(), kN, bf16.data());
              kmeans_decode_row_f32(codebook, packed.data(), block_scales.data(), kN, floats.data());
              kmeans_decode_row_int8(table.data(), bits, packed.data(), kN, w.data());
              sink += kmeans_block_scale(floats.data(), 64, ScaleStatistic::kAbsMax);
            }) == 0);
    }
    REQUIRE(sink == sink);
  };
  every();
  const ForceScalar scalar;
  every();
}
