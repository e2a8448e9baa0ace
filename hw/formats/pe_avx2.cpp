// PE dot products with AVX2.
//
// The integer partial of a group is formed as eight 32-bit sums; eight groups of a row, or the same group of eight
// rows, are reduced together. Integers may be added in any order; every FP32 operation keeps the order of the scalar
// definition.
#include "harmonia/hw/formats/simd.h"

#if HARMONIA_FORMATS_AVX2

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "harmonia/hw/formats/pe.h"

namespace harmonia::formats::avx2 {
namespace {

constexpr std::size_t kG = 32;
constexpr std::size_t kBytes8 = kBfp8.group_bytes();
constexpr std::size_t kLanes = 8;
// Groups of the first operand that are unpacked at a time, on the stack: 8 KiB.
constexpr std::size_t kChunk = 128;
// Rows that share an unpacked chunk, and whose running sums are kept on the stack.
constexpr std::size_t kRowBlock = 256;

HARMONIA_TARGET_AVX2 inline __m256i load32(const void* p) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
HARMONIA_TARGET_AVX2 inline __m256i broadcast16(const void* p) noexcept {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}

// ---- Operands in registers. "Split order": elements 0,2,..,30 in the lower half, 1,3,..,31 in the upper half, which
// is how the nibbles of a plane fall apart. A sum does not care. ----

// The low nibbles of a plane in the lower half, its high nibbles in the upper half.
HARMONIA_TARGET_AVX2 inline __m256i split_nibbles(const std::uint8_t* plane) noexcept {
  const __m256i shifted = _mm256_srlv_epi64(broadcast16(plane), _mm256_setr_epi64x(0, 0, 4, 4));
  return _mm256_and_si256(shifted, _mm256_set1_epi8(15));
}

// 0xff where the element's bit is set, split order.
HARMONIA_TARGET_AVX2 inline __m256i split_bits(std::uint32_t bits) noexcept {
  const __m256i byte = _mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3,  //
                                        0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  const __m256i even_bits = _mm256_set1_epi32(0x40100401);
  const __m256i odd_bits = _mm256_set1_epi32(static_cast<int>(0x80200802u));
  const __m256i bit = _mm256_blend_epi32(even_bits, odd_bits, 0xf0);
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

HARMONIA_TARGET_AVX2 inline std::uint32_t sign_word(const std::uint8_t* group) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, group + 1, 4);
  return bits;
}
HARMONIA_TARGET_AVX2 inline __m256i split_signs(const std::uint8_t* group) noexcept {
  return split_bits(sign_word(group));
}

// Magnitudes of a stored BFP8 group, split order.
HARMONIA_TARGET_AVX2 inline __m256i split_magnitudes8(const std::uint8_t* group) noexcept {
  const __m256i high = _mm256_and_si256(_mm256_sllv_epi64(broadcast16(group + 5), _mm256_setr_epi64x(4, 4, 0, 0)),
                                        _mm256_set1_epi8(static_cast<char>(0xf0)));
  return _mm256_or_si256(high, split_nibbles(group + 21));
}

struct SplitGroup {  // of a BFP8 operand, kept for several rows
  alignas(32) std::uint8_t magnitude[32];
  alignas(32) std::uint8_t negative[32];
};
struct SignedGroup {  // of a BFP8 operand, element order
  alignas(32) std::int16_t value[32];
};

HARMONIA_TARGET_AVX2 inline void unpack_group(const std::uint8_t* a, SplitGroup* out) noexcept {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out->magnitude), split_magnitudes8(a));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out->negative), split_signs(a));
}

HARMONIA_TARGET_AVX2 inline void unpack_group(const std::uint8_t* a, SignedGroup* out) noexcept {
  const __m256i m = split_magnitudes8(a);
  const __m256i s = split_signs(a);
  // Interleaving the halves restores the element order.
  const __m128i even = _mm256_castsi256_si128(m);
  const __m128i odd = _mm256_extracti128_si256(m, 1);
  const __m128i even_sign = _mm256_castsi256_si128(s);
  const __m128i odd_sign = _mm256_extracti128_si256(s, 1);
  for (int half = 0; half < 2; ++half) {
    const __m128i bytes = half == 0 ? _mm_unpacklo_epi8(even, odd) : _mm_unpackhi_epi8(even, odd);
    const __m128i signs = half == 0 ? _mm_unpacklo_epi8(even_sign, odd_sign) : _mm_unpackhi_epi8(even_sign, odd_sign);
    const __m256i value = _mm256_cvtepu8_epi16(bytes);
    const __m256i sign = _mm256_cvtepi8_epi16(signs);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out->value + 16 * half),
                       _mm256_sub_epi16(_mm256_xor_si256(value, sign), sign));
  }
}

// ---- Second operands: eight 32-bit sums that add up to the partial of one group. `Row` points at a row's first group.
// ----

// `negative` is 0xff where the two signs differ.
struct Bfp4Operand {
  static constexpr std::size_t kGroupBytes = kBfp4.group_bytes();
  HARMONIA_TARGET_AVX2 static inline __m256i products(__m256i magnitude, __m256i negative,
                                                      const std::uint8_t* b) noexcept {
    const __m256i m = split_nibbles(b + 5);
    const __m256i with_sign = _mm256_sub_epi8(_mm256_xor_si256(m, negative), negative);
    // Pairs are at most 2 * 255 * 15: no saturation.
    return _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, with_sign), _mm256_set1_epi16(1));
  }
};

struct Bfp8Operand {
  static constexpr std::size_t kGroupBytes = kBytes8;
  HARMONIA_TARGET_AVX2 static inline __m256i products(__m256i magnitude, __m256i negative,
                                                      const std::uint8_t* b) noexcept {
    // By nibble, as the PE does it in two passes.
    const __m256i high = split_nibbles(b + 5);
    const __m256i low = split_nibbles(b + 21);
    const __m256i high_pairs =
        _mm256_maddubs_epi16(magnitude, _mm256_sub_epi8(_mm256_xor_si256(high, negative), negative));
    const __m256i low_pairs =
        _mm256_maddubs_epi16(magnitude, _mm256_sub_epi8(_mm256_xor_si256(low, negative), negative));
    return _mm256_add_epi32(_mm256_madd_epi16(high_pairs, _mm256_set1_epi16(16)),
                            _mm256_madd_epi16(low_pairs, _mm256_set1_epi16(1)));
  }
};

// One stored group of each operand.
template <typename Operand>
HARMONIA_TARGET_AVX2 inline __m256i stored_products(const std::uint8_t* a, const std::uint8_t* b) noexcept {
  return Operand::products(split_magnitudes8(a), split_bits(sign_word(a) ^ sign_word(b)), b);
}
// The first operand unpacked before.
template <typename Operand>
HARMONIA_TARGET_AVX2 inline __m256i products(const SplitGroup& a, const std::uint8_t* b) noexcept {
  return Operand::products(load32(a.magnitude), _mm256_xor_si256(split_signs(b), load32(a.negative)), b);
}

HARMONIA_TARGET_AVX2 inline __m256i integer_products(const SignedGroup& a, const std::int8_t* w) noexcept {
  const __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  const __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16)));
  return _mm256_add_epi32(_mm256_madd_epi16(load32(a.value), low), _mm256_madd_epi16(load32(a.value + 16), high));
}
HARMONIA_TARGET_AVX2 inline __m256i integer_products(const SignedGroup& a, const std::int16_t* w) noexcept {
  return _mm256_add_epi32(_mm256_madd_epi16(load32(a.value), load32(w)),
                          _mm256_madd_epi16(load32(a.value + 16), load32(w + 16)));
}

// Sum of the activations whose code is 1; the first element is the most significant bit of its byte.
HARMONIA_TARGET_AVX2 inline __m256i selected(const SignedGroup& a, const std::uint8_t* codes) noexcept {
  const __m256i bit = _mm256_setr_epi16(0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01,  //
                                        static_cast<short>(0x8000), 0x4000, 0x2000, 0x1000, 0x800, 0x400, 0x200, 0x100);
  std::uint16_t word[2];
  std::memcpy(word, codes, 4);
  const __m256i first = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(static_cast<short>(word[0])), bit), bit);
  const __m256i second = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(static_cast<short>(word[1])), bit), bit);
  // The masks are -1: subtracting their products adds the activations.
  return _mm256_sub_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), _mm256_madd_epi16(load32(a.value), first)),
                          _mm256_madd_epi16(load32(a.value + 16), second));
}

// Lane i of the result is the sum of the eight lanes of v[i].
HARMONIA_TARGET_AVX2 inline __m256i reduce8(const __m256i* v) noexcept {
  const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

// 2^e of eight exponents, -126 <= e <= 127.
HARMONIA_TARGET_AVX2 inline __m256 powers(__m256i e) noexcept {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
}

HARMONIA_TARGET_AVX2 inline __m256i eight_exponents(const std::uint8_t* p, std::size_t stride) noexcept {
  return _mm256_setr_epi32(p[0], p[stride], p[2 * stride], p[3 * stride], p[4 * stride], p[5 * stride], p[6 * stride],
                           p[7 * stride]);
}

// ---- Dot products of one row: FP32 partials of eight groups at a time, then the scalar order of additions. ----

// FP32 partials of groups 0..7 of BFP x BFP.
template <typename Operand>
HARMONIA_TARGET_AVX2 inline __m256 bfp_partials(const std::uint8_t* a, const std::uint8_t* b) noexcept {
  __m256i v[kLanes];
  for (std::size_t k = 0; k < kLanes; ++k) {
    v[k] = stored_products<Operand>(a + k * kBytes8, b + k * Operand::kGroupBytes);
  }
  const int offset = Operand::kGroupBytes == kBytes8 ? 28 + 16 : 28 + 12;
  const __m256i e = _mm256_add_epi32(eight_exponents(a, kBytes8), eight_exponents(b, Operand::kGroupBytes));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(reduce8(v)), powers(_mm256_sub_epi32(e, _mm256_set1_epi32(offset))));
}

template <typename Operand>
HARMONIA_TARGET_AVX2 float dot_bfp_groups(const std::uint8_t* a, const std::uint8_t* b, std::size_t groups,
                                          float sum) noexcept {
  alignas(32) std::array<float, kLanes> partial;
  std::size_t g = 0;
  for (; g + kLanes <= groups; g += kLanes, a += kLanes * kBytes8, b += kLanes * Operand::kGroupBytes) {
    _mm256_store_ps(partial.data(), bfp_partials<Operand>(a, b));
    for (const float p : partial) sum += p;
  }
  const BfpFormat& fb = Operand::kGroupBytes == kBytes8 ? kBfp8 : kBfp4;
  for (; g < groups; ++g, a += kBytes8, b += Operand::kGroupBytes) {
    __m256i v[kLanes] = {stored_products<Operand>(a, b)};
    for (std::size_t k = 1; k < kLanes; ++k) v[k] = _mm256_setzero_si256();
    sum += scale_bfp(_mm256_cvtsi256_si32(reduce8(v)), kBfp8, a[0], fb, b[0]);
  }
  return sum;
}

// Weights that end with the row: full groups in place, a short last group from a padded copy.
template <typename Weight>
struct IntegerRow {
  const Weight* w;
  HARMONIA_TARGET_AVX2 inline __m256i products(const SignedGroup& a, std::size_t first, std::size_t n) const noexcept {
    if (n - first >= kG) return integer_products(a, w + first);
    std::array<Weight, kG> copy{};
    std::copy_n(w + first, n - first, copy.begin());
    return integer_products(a, copy.data());
  }
  HARMONIA_TARGET_AVX2 static inline __m256i finish(__m256i sums, const __m256i*) noexcept { return sums; }
  static constexpr bool kNeedsTotals = false;
};

// q0 * A + (q1 - q0) * S, S the sum of the activations with code 1: the same integer as ((q0+q1) A + (q1-q0) T) / 2.
struct OneBitRow {
  const std::uint8_t* codes;
  int q0;
  int q1;
  HARMONIA_TARGET_AVX2 inline __m256i products(const SignedGroup& a, std::size_t first, std::size_t n) const noexcept {
    if (n - first >= kG) return selected(a, codes + first / 8);
    std::array<std::uint8_t, kG / 8> copy{};
    std::copy_n(codes + first / 8, (n - first + 7) / 8, copy.begin());
    return selected(a, copy.data());
  }
  HARMONIA_TARGET_AVX2 inline __m256i finish(__m256i sums, const __m256i* totals) const noexcept {
    return _mm256_add_epi32(_mm256_mullo_epi32(*totals, _mm256_set1_epi32(q0)),
                            _mm256_mullo_epi32(sums, _mm256_set1_epi32(q1 - q0)));
  }
  static constexpr bool kNeedsTotals = true;
};

HARMONIA_TARGET_AVX2 inline __m256i total(const SignedGroup& a) noexcept {
  return _mm256_madd_epi16(_mm256_add_epi16(load32(a.value), load32(a.value + 16)), _mm256_set1_epi16(1));
}

template <typename Row, typename Scale>
HARMONIA_TARGET_AVX2 float dot_blocks(const std::uint8_t* a, const Row& row, std::size_t n, std::size_t block,
                                      const Scale* scales) noexcept {
  alignas(32) std::array<float, kLanes> partial;
  const std::size_t groups = kBfp8.groups(n);
  const std::size_t block_groups = block / kG;
  float sum = 0.0f;
  float inner = 0.0f;
  std::size_t in_block = 0;
  for (std::size_t g = 0; g < groups; g += kLanes) {
    const std::size_t count = std::min(kLanes, groups - g);
    __m256i v[kLanes];
    __m256i t[kLanes];
    alignas(32) std::array<int, kLanes> exponent{};
    for (std::size_t k = 0; k < kLanes; ++k) {
      v[k] = _mm256_setzero_si256();
      t[k] = _mm256_setzero_si256();
    }
    for (std::size_t k = 0; k < count; ++k, a += kBytes8) {
      SignedGroup unpacked;
      unpack_group(a, &unpacked);
      v[k] = row.products(unpacked, (g + k) * kG, n);
      if (Row::kNeedsTotals) t[k] = total(unpacked);
      exponent[k] = a[0] - 22;
    }
    const __m256i totals = Row::kNeedsTotals ? reduce8(t) : _mm256_setzero_si256();
    const __m256 value = _mm256_cvtepi32_ps(row.finish(reduce8(v), &totals));
    _mm256_store_ps(partial.data(), _mm256_mul_ps(value, powers(load32(exponent.data()))));
    for (std::size_t k = 0; k < count; ++k) {
      inner = in_block == 0 ? partial[k] : inner + partial[k];
      if (++in_block == block_groups || g + k + 1 == groups) {
        sum += inner * formats::to_float(scales[(g + k) / block_groups]);
        in_block = 0;
      }
    }
  }
  return sum;
}

// ---- Matrix times vector: eight rows side by side, the first operand unpacked once per chunk and row block. ----

HARMONIA_TARGET_AVX2 inline void store_rows(const float* sums, std::size_t rows, Fp16* out) noexcept {
  avx2::to_fp16(sums, rows, out);
}

template <typename Operand>
HARMONIA_TARGET_AVX2 void gemv_bfp_rows(const std::uint8_t* a, const std::uint8_t* b, std::size_t stride,
                                        std::size_t rows, std::size_t n, Fp16* out) noexcept {
  const std::size_t groups = kBfp8.groups(n);
  const int offset = Operand::kGroupBytes == kBytes8 ? 28 + 16 : 28 + 12;
  const BfpFormat& fb = Operand::kGroupBytes == kBytes8 ? kBfp8 : kBfp4;
  std::array<SplitGroup, kChunk> chunk;
  alignas(32) std::array<float, kRowBlock> sums;
  for (std::size_t r0 = 0; r0 < rows; r0 += kRowBlock) {
    const std::size_t block_rows = std::min(kRowBlock, rows - r0);
    sums.fill(0.0f);
    for (std::size_t g0 = 0; g0 < groups; g0 += kChunk) {
      const std::size_t count = std::min(kChunk, groups - g0);
      const std::uint8_t* first = a + g0 * kBytes8;
      std::size_t r = 0;
      if (block_rows >= kLanes) {
        for (std::size_t g = 0; g < count; ++g) unpack_group(first + g * kBytes8, &chunk[g]);
      }
      for (; r + kLanes <= block_rows; r += kLanes) {
        const std::uint8_t* p = b + (r0 + r) * stride + g0 * Operand::kGroupBytes;
        __m256 sum = _mm256_load_ps(sums.data() + r);
        for (std::size_t g = 0; g < count; ++g, p += Operand::kGroupBytes) {
          __m256i v[kLanes];
          for (std::size_t k = 0; k < kLanes; ++k) v[k] = products<Operand>(chunk[g], p + k * stride);
          const __m256i e =
              _mm256_add_epi32(eight_exponents(p, stride), _mm256_set1_epi32(first[g * kBytes8] - offset));
          sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_cvtepi32_ps(reduce8(v)), powers(e)));
        }
        _mm256_store_ps(sums.data() + r, sum);
      }
      for (; r < block_rows; ++r) {
        const std::uint8_t* p = b + (r0 + r) * stride + g0 * Operand::kGroupBytes;
        sums[r] = avx2::dot_bfp(kBfp8, first, fb, p, count * kG, sums[r]);
      }
    }
    store_rows(sums.data(), block_rows, out + r0);
  }
}

// make_row(r) is the r-th row; block divides into whole groups.
template <typename Rows, typename Scale>
HARMONIA_TARGET_AVX2 void gemv_blocks(const std::uint8_t* a, const Rows& matrix, const Scale* scales, std::size_t rows,
                                      std::size_t n, std::size_t block, float last_factor, Fp16* out) noexcept {
  const std::size_t groups = kBfp8.groups(n);
  const std::size_t block_groups = block / kG;
  const std::size_t blocks = (n + block - 1) / block;
  std::array<SignedGroup, kChunk> chunk;
  std::array<int, kChunk> chunk_totals;  // sums of the activations, for the 1-bit mode
  alignas(32) std::array<float, kRowBlock> sums;
  alignas(32) std::array<float, kRowBlock> inners;
  for (std::size_t r0 = 0; r0 < rows; r0 += kRowBlock) {
    const std::size_t block_rows = std::min(kRowBlock, rows - r0);
    const std::size_t side_by_side = block_rows / kLanes * kLanes;
    sums.fill(0.0f);
    inners.fill(0.0f);
    for (std::size_t g0 = 0; g0 < groups && side_by_side > 0; g0 += kChunk) {
      const std::size_t count = std::min(kChunk, groups - g0);
      const std::uint8_t* first = a + g0 * kBytes8;
      for (std::size_t g = 0; g < count; ++g) {
        unpack_group(first + g * kBytes8, &chunk[g]);
        if (Rows::Row::kNeedsTotals) {
          __m256i t[kLanes] = {total(chunk[g])};
          for (std::size_t k = 1; k < kLanes; ++k) t[k] = _mm256_setzero_si256();
          chunk_totals[g] = _mm256_cvtsi256_si32(reduce8(t));
        }
      }
      for (std::size_t r = 0; r < side_by_side; r += kLanes) {
        __m256 sum = _mm256_load_ps(sums.data() + r);
        __m256 inner = _mm256_load_ps(inners.data() + r);
        std::size_t in_block = g0 % block_groups;
        std::size_t block_index = g0 / block_groups;
        for (std::size_t g = 0; g < count; ++g) {
          __m256i v[kLanes];
          for (std::size_t k = 0; k < kLanes; ++k) v[k] = matrix.row(r0 + r + k).products(chunk[g], (g0 + g) * kG, n);
          __m256i totals = _mm256_setzero_si256();
          if (Rows::Row::kNeedsTotals) totals = _mm256_set1_epi32(chunk_totals[g]);
          const __m256 power = _mm256_set1_ps(power_of_two(first[g * kBytes8] - 22));
          const __m256i integer = matrix.row(r0 + r).finish(reduce8(v), &totals);
          const __m256 partial = _mm256_mul_ps(_mm256_cvtepi32_ps(integer), power);
          inner = in_block == 0 ? partial : _mm256_add_ps(inner, partial);
          if (++in_block == block_groups || g0 + g + 1 == groups) {
            alignas(32) std::array<float, kLanes> scale;
            for (std::size_t k = 0; k < kLanes; ++k) {
              scale[k] = formats::to_float(scales[(r0 + r + k) * blocks + block_index]);
            }
            sum = _mm256_add_ps(sum, _mm256_mul_ps(inner, _mm256_load_ps(scale.data())));
            in_block = 0;
            ++block_index;
          }
        }
        _mm256_store_ps(sums.data() + r, sum);
        _mm256_store_ps(inners.data() + r, inner);
      }
    }
    for (std::size_t r = side_by_side; r < block_rows; ++r) {
      sums[r] = dot_blocks(a, matrix.row(r0 + r), n, block, scales + (r0 + r) * blocks);
    }
    for (std::size_t r = 0; r < block_rows; ++r) sums[r] *= last_factor;
    store_rows(sums.data(), block_rows, out + r0);
  }
}

struct Int8Matrix {
  using Row = IntegerRow<std::int8_t>;
  const std::int8_t* w;
  std::size_t n;
  Row row(std::size_t r) const noexcept { return {w + r * n}; }
};
struct OneBitMatrix {
  using Row = OneBitRow;
  const std::uint8_t* codes;
  std::size_t row_bytes;
  int q0;
  int q1;
  Row row(std::size_t r) const noexcept { return {codes + r * row_bytes, q0, q1}; }
};

}  // namespace

float dot_bfp(const BfpFormat&, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b, std::size_t n,
              float sum) noexcept {
  const std::size_t groups = kBfp8.groups(n);
  return fb.mantissa_bits == 8 ? dot_bfp_groups<Bfp8Operand>(a, b, groups, sum)
                               : dot_bfp_groups<Bfp4Operand>(a, b, groups, sum);
}

void gemv_bfp(const BfpFormat&, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b,
              std::size_t stride_bytes, std::size_t rows, std::size_t n, Fp16* out) noexcept {
  if (fb.mantissa_bits == 8) {
    gemv_bfp_rows<Bfp8Operand>(a, b, stride_bytes, rows, n, out);
  } else {
    gemv_bfp_rows<Bfp4Operand>(a, b, stride_bytes, rows, n, out);
  }
}

template <typename Weight>
float dot_int(const std::uint8_t* a, const Weight* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group) noexcept {
  return dot_blocks(a, IntegerRow<Weight>{w}, n, scale_group, scales);
}
template float dot_int(const std::uint8_t*, const std::int8_t*, const Fp16*, std::size_t, std::size_t) noexcept;
template float dot_int(const std::uint8_t*, const std::int16_t*, const Fp16*, std::size_t, std::size_t) noexcept;

float dot_codebook(const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales, float codebook_scale,
                   std::size_t n) noexcept {
  return dot_blocks(a, IntegerRow<std::int8_t>{q}, n, kCodebookBlock, block_scales) * codebook_scale;
}

float dot_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, const Bf16* block_scales,
                        float codebook_scale, std::size_t n) noexcept {
  return dot_blocks(a, OneBitRow{codes, q0, q1}, n, kCodebookBlock, block_scales) * codebook_scale;
}

void gemv_int(const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t rows, std::size_t n,
              std::size_t scale_group, Fp16* out) noexcept {
  gemv_blocks(a, Int8Matrix{w, n}, scales, rows, n, scale_group, 1.0f, out);
}

void gemv_codebook(const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales, float codebook_scale,
                   std::size_t rows, std::size_t n, Fp16* out) noexcept {
  gemv_blocks(a, Int8Matrix{q, n}, block_scales, rows, n, kCodebookBlock, codebook_scale, out);
}

void gemv_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, const Bf16* block_scales,
                        float codebook_scale, std::size_t rows, std::size_t n, Fp16* out) noexcept {
  gemv_blocks(a, OneBitMatrix{codes, (n + 7) / 8, q0, q1}, block_scales, rows, n, kCodebookBlock, codebook_scale, out);
}

}  // namespace harmonia::formats::avx2

#endif
