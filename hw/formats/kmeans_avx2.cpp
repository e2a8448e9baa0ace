#include "harmonia/hw/formats/kmeans_avx2.h"

#ifdef HARMONIA_KMEANS_AVX2

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

// Functions, not the file, are compiled for AVX2: no inline function of a library can leak into the scalar program.
#define HARMONIA_AVX2 [[gnu::target("avx2")]]

namespace harmonia::formats::avx2 {
namespace {

struct Indices {
  __m256i low;   // elements 0..31, one byte each
  __m256i high;  // elements 32..63
};

// Nibbles to bytes: 32 bytes of which each holds two values of `shift` bits become 64, the more significant one first.
HARMONIA_AVX2 inline Indices split_pairs(__m256i v, int shift, int mask) {
  const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  v = _mm256_permute4x64_epi64(v, 0xD8);
  const __m256i first = _mm256_and_si256(_mm256_srl_epi16(v, _mm_cvtsi32_si128(shift)), m);
  const __m256i second = _mm256_and_si256(v, m);
  return {_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second)};
}

// 32 bits, the most significant bit of each byte first, to 32 bytes that are `value` or 0.
HARMONIA_AVX2 inline __m256i spread_bits(const std::uint8_t* bits, int value) {
  std::int32_t word;
  std::memcpy(&word, bits, sizeof word);
  const __m256i copies =
      _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i select = _mm256_set1_epi64x(0x0102040810204080);
  const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), copies), select);
  return _mm256_and_si256(_mm256_cmpeq_epi8(spread, select), _mm256_set1_epi8(static_cast<char>(value)));
}

template <int kBits>
HARMONIA_AVX2 inline Indices load_indices(const std::uint8_t* packed) {
  if constexpr (kBits == 1) {
    return {spread_bits(packed, 1), spread_bits(packed + 4, 1)};
  } else if constexpr (kBits == 2) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed));
    const __m128i m = _mm_set1_epi8(15);
    const __m128i first = _mm_and_si128(_mm_srli_epi16(v, 4), m);
    const __m128i second = _mm_and_si128(v, m);
    return split_pairs(_mm256_set_m128i(_mm_unpackhi_epi8(first, second), _mm_unpacklo_epi8(first, second)), 2, 3);
  } else if constexpr (kBits == 3) {
    Indices r;
    r.low = _mm256_or_si256(_mm256_or_si256(spread_bits(packed, 4), spread_bits(packed + 8, 2)),
                            spread_bits(packed + 16, 1));
    r.high = _mm256_or_si256(_mm256_or_si256(spread_bits(packed + 4, 4), spread_bits(packed + 12, 2)),
                             spread_bits(packed + 20, 1));
    return r;
  } else {
    return split_pairs(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed)), 4, 15);
  }
}

// to_bf16() of eight products, each in the low half of its 32-bit lane. A NaN among them is quiet already, since
// multiplying made it so.
HARMONIA_AVX2 inline __m256i round_to_bf16(__m256 x) {
  const __m256i u = _mm256_castps_si256(x);
  const __m256i top = _mm256_srli_epi32(u, 16);
  const __m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  return _mm256_blendv_epi8(rounded, top, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
}

// 16 values from two registers of eight, as 16-bit words in order.
HARMONIA_AVX2 inline __m256i pack_words(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
}

HARMONIA_AVX2 inline void store(void* to, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }

// Low and high bytes of 32 words, in order.
HARMONIA_AVX2 inline void store_words(Bf16* out, __m256i low_bytes, __m256i high_bytes) {
  const __m256i a = _mm256_unpacklo_epi8(low_bytes, high_bytes);
  const __m256i b = _mm256_unpackhi_epi8(low_bytes, high_bytes);
  store(out, _mm256_permute2x128_si256(a, b, 0x20));
  store(out + 16, _mm256_permute2x128_si256(a, b, 0x31));
}

// Up to 16 centroids: the products with the scale are formed once per block and looked up by byte shuffles.
template <int kBits>
HARMONIA_AVX2 void decode_small_bf16(const float* centroids, const std::uint8_t* packed, const Bf16* scales,
                                     std::size_t blocks, Bf16* out) {
  std::array<float, 16> c{};
  std::copy(centroids, centroids + (1 << kBits), c.begin());
  const __m256 c0 = _mm256_loadu_ps(c.data());
  const __m256 c1 = _mm256_loadu_ps(c.data() + 8);
  const __m256i byte_mask = _mm256_set1_epi16(0xFF);
  for (std::size_t b = 0; b < blocks; ++b, packed += 8 * kBits, out += kKmeansBlock) {
    const __m256 s =
        _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(static_cast<unsigned>(scales[b].bits) << 16)));
    const __m256i first = round_to_bf16(_mm256_mul_ps(c0, s));
    const __m256i second = kBits == 4 ? round_to_bf16(_mm256_mul_ps(c1, s)) : first;
    const __m256i words = pack_words(first, second);
    // Each half of the table in both 128-bit lanes.
    const __m256i low_table = _mm256_permute4x64_epi64(
        _mm256_packus_epi16(_mm256_and_si256(words, byte_mask), _mm256_and_si256(words, byte_mask)), 0x88);
    const __m256i high_table =
        _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_srli_epi16(words, 8), _mm256_srli_epi16(words, 8)), 0x88);
    const Indices i = load_indices<kBits>(packed);
    store_words(out, _mm256_shuffle_epi8(low_table, i.low), _mm256_shuffle_epi8(high_table, i.low));
    store_words(out + 32, _mm256_shuffle_epi8(low_table, i.high), _mm256_shuffle_epi8(high_table, i.high));
  }
}

HARMONIA_AVX2 inline __m256i gather_product(const float* centroids, const std::uint8_t* indices, __m256 s) {
  const __m256i i = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(indices)));
  return round_to_bf16(_mm256_mul_ps(_mm256_i32gather_ps(centroids, i, 4), s));
}

HARMONIA_AVX2 void decode_bytes_bf16(const float* centroids, const std::uint8_t* packed, const Bf16* scales,
                                     std::size_t blocks, Bf16* out) {
  for (std::size_t b = 0; b < blocks; ++b) {
    const __m256 s =
        _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(static_cast<unsigned>(scales[b].bits) << 16)));
    for (std::size_t i = 0; i < kKmeansBlock; i += 16, packed += 16, out += 16)
      store(out, pack_words(gather_product(centroids, packed, s), gather_product(centroids, packed + 8, s)));
  }
}

template <int kBits>
HARMONIA_AVX2 void decode_small_int8(const std::int8_t* table, const std::uint8_t* packed, std::size_t blocks,
                                     std::int8_t* codes) {
  std::array<std::int8_t, 16> t{};
  std::copy(table, table + (1 << kBits), t.begin());
  const __m256i lookup = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(t.data())));
  for (std::size_t b = 0; b < blocks; ++b, packed += 8 * kBits, codes += kKmeansBlock) {
    const Indices i = load_indices<kBits>(packed);
    store(codes, _mm256_shuffle_epi8(lookup, i.low));
    store(codes + 32, _mm256_shuffle_epi8(lookup, i.high));
  }
}

// 256 entries as sixteen shuffles: adding 0x70 with saturation leaves bit 7 clear only where the high nibble is zero,
// and a shuffle gives 0 where bit 7 is set.
HARMONIA_AVX2 void decode_bytes_int8(const std::int8_t* table, const std::uint8_t* packed, std::size_t blocks,
                                     std::int8_t* codes) {
  const __m256i exclude = _mm256_set1_epi8(0x70);
  for (std::size_t i = 0; i < blocks * kKmeansBlock; i += 32) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed + i));
    __m256i r = _mm256_setzero_si256();
    for (int k = 0; k < 16; ++k) {
      const __m256i part =
          _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * k)));
      const __m256i local = _mm256_xor_si256(v, _mm256_set1_epi8(static_cast<char>(k << 4)));
      r = _mm256_or_si256(r, _mm256_shuffle_epi8(part, _mm256_adds_epu8(local, exclude)));
    }
    store(codes + i, r);
  }
}

// The midpoints as levels of a balanced search tree: level k has 2^k entries, the ones that k decisions can lead to.
template <int kBits>
struct Tree {
  static constexpr int kRegisterLevels = kBits < 4 ? kBits : 4;
  std::array<std::array<float, 8>, kRegisterLevels> level{};
  std::array<std::array<float, 128>, kBits - kRegisterLevels + 1> deep{};

  explicit Tree(const float* midpoints) {
    for (int k = 0; k < kBits; ++k)
      for (int j = 0; j < 1 << k; ++j) {
        const float m = midpoints[((2 * j + 1) << (kBits - 1 - k)) - 1];
        if (k < kRegisterLevels)
          level[static_cast<std::size_t>(k)][static_cast<std::size_t>(j)] = m;
        else
          deep[static_cast<std::size_t>(k - kRegisterLevels)][static_cast<std::size_t>(j)] = m;
      }
  }
};

// The number of midpoints below z, for eight z.
template <int kBits>
HARMONIA_AVX2 inline __m256i search(const Tree<kBits>& tree, __m256 z) {
  __m256i index = _mm256_setzero_si256();
  for (int k = 0; k < kBits; ++k) {
    __m256 m;
    if (k < Tree<kBits>::kRegisterLevels)
      m = _mm256_permutevar8x32_ps(_mm256_loadu_ps(tree.level[static_cast<std::size_t>(k)].data()), index);
    else
      m = _mm256_i32gather_ps(tree.deep[static_cast<std::size_t>(k - Tree<kBits>::kRegisterLevels)].data(), index, 4);
    const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(m, z, _CMP_LT_OQ));
    index = _mm256_sub_epi32(_mm256_add_epi32(index, index), above);
  }
  return index;
}

// Bit `bit` of 32 bytes as 32 bits, the first byte in the most significant bit of the first byte.
HARMONIA_AVX2 inline void store_plane(std::uint8_t* to, __m256i bytes, int bit) {
  const __m256i reverse = _mm256_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
                                           15, 14, 13, 12, 11, 10, 9, 8);
  const __m256i top = _mm256_sll_epi16(_mm256_shuffle_epi8(bytes, reverse), _mm_cvtsi32_si128(7 - bit));
  const std::int32_t mask = _mm256_movemask_epi8(top);
  std::memcpy(to, &mask, sizeof mask);
}

template <int kBits>
HARMONIA_AVX2 inline void store_indices(std::uint8_t* packed, const Indices& i) {
  if constexpr (kBits == 8) {
    store(packed, i.low);
    store(packed + 32, i.high);
  } else if constexpr (kBits == 4) {
    const __m256i weights = _mm256_set1_epi16(0x0110);
    const __m256i bytes =
        _mm256_packus_epi16(_mm256_maddubs_epi16(i.low, weights), _mm256_maddubs_epi16(i.high, weights));
    store(packed, _mm256_permute4x64_epi64(bytes, 0xD8));
  } else if constexpr (kBits == 2) {
    const __m256i pairs = _mm256_set1_epi16(0x0104);
    const __m256i quads = _mm256_set1_epi32(0x00010010);
    const __m256i low = _mm256_madd_epi16(_mm256_maddubs_epi16(i.low, pairs), quads);
    const __m256i high = _mm256_madd_epi16(_mm256_maddubs_epi16(i.high, pairs), quads);
    const __m256i words = pack_words(low, high);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x88);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(packed), _mm256_castsi256_si128(bytes));
  } else if constexpr (kBits == 3) {
    for (int plane = 0; plane < 3; ++plane) {
      store_plane(packed + 8 * plane, i.low, 2 - plane);
      store_plane(packed + 8 * plane + 4, i.high, 2 - plane);
    }
  } else {
    store_plane(packed, i.low, 0);
    store_plane(packed + 4, i.high, 0);
  }
}

HARMONIA_AVX2 inline __m256i pack_bytes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

HARMONIA_AVX2 inline __m256i magnitude_bits(__m256 w) {
  return _mm256_and_si256(_mm256_castps_si256(w), _mm256_set1_epi32(0x7FFFFFFF));
}

HARMONIA_AVX2 inline __m256i nonfinite_mask(__m256i magnitude) {
  return _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F7FFFFF));
}

template <int kBits>
HARMONIA_AVX2 std::size_t encode_blocks(const float* midpoints, const float* weights, std::size_t blocks,
                                        std::uint8_t* packed, Bf16* scales) {
  const Tree<kBits> tree(midpoints);
  __m256i index[8];
  std::size_t count = 0;
  for (std::size_t b = 0; b < blocks; ++b, weights += kKmeansBlock, packed += 8 * kBits) {
    const float scale = formats::kmeans_block_scale(weights, kKmeansBlock, kmeans_statistic(kBits));
    const __m256 s = _mm256_set1_ps(scale);
    __m256i nonfinite = _mm256_setzero_si256();
    for (std::size_t k = 0; k < 8; ++k) {
      const __m256 w = _mm256_loadu_ps(weights + 8 * k);
      const __m256i bad = nonfinite_mask(magnitude_bits(w));
      nonfinite = _mm256_sub_epi32(nonfinite, bad);
      index[k] = search(tree, _mm256_div_ps(_mm256_andnot_ps(_mm256_castsi256_ps(bad), w), s));
    }
    store_indices<kBits>(packed, {pack_bytes(index[0], index[1], index[2], index[3]),
                                  pack_bytes(index[4], index[5], index[6], index[7])});
    scales[b] = to_bf16(scale);
    if (_mm256_testz_si256(nonfinite, nonfinite) == 0) {
      std::array<std::int32_t, 8> lanes;
      store(lanes.data(), nonfinite);
      for (const std::int32_t lane : lanes) count += static_cast<std::size_t>(lane);
    }
  }
  return count;
}

}  // namespace

HARMONIA_AVX2 bool kmeans_block_scale(const float* weights, ScaleStatistic statistic, float* scale) {
  __m256i largest = _mm256_setzero_si256();
  __m256i smallest = _mm256_set1_epi32(-1);  // of magnitude - 1 as unsigned, so that zeros do not count
  __m256d sum0 = _mm256_setzero_pd();
  __m256d sum1 = _mm256_setzero_pd();
  for (std::size_t k = 0; k < 8; ++k) {
    __m256i m = magnitude_bits(_mm256_loadu_ps(weights + 8 * k));
    m = _mm256_andnot_si256(nonfinite_mask(m), m);
    largest = _mm256_max_epi32(largest, m);
    if (statistic == ScaleStatistic::kAbsMean) {
      smallest = _mm256_min_epu32(smallest, _mm256_sub_epi32(m, _mm256_set1_epi32(1)));
      const __m256 f = _mm256_castsi256_ps(m);
      sum0 = _mm256_add_pd(sum0, _mm256_cvtps_pd(_mm256_castps256_ps128(f)));
      sum1 = _mm256_add_pd(sum1, _mm256_cvtps_pd(_mm256_extractf128_ps(f, 1)));
    }
  }
  std::array<std::uint32_t, 8> lane;
  store(lane.data(), largest);
  const std::uint32_t top = *std::max_element(lane.begin(), lane.end());
  float s = float_from_bits(top);
  if (statistic == ScaleStatistic::kAbsMean) {
    store(lane.data(), smallest);
    const std::uint32_t bottom = *std::min_element(lane.begin(), lane.end());
    // 64 addends whose exponents differ by at most 23 add up to fewer than 53 bits: exact in any order.
    if (top != 0 && (top >> 23) > std::max((bottom + 1) >> 23, 1U) + 23) return false;
    std::array<double, 4> sum;
    _mm256_storeu_pd(sum.data(), _mm256_add_pd(sum0, sum1));
    s = static_cast<float>((sum[0] + sum[1] + sum[2] + sum[3]) / static_cast<double>(kKmeansBlock));
  }
  *scale = std::max(s, 1e-5F);
  return true;
}

std::size_t kmeans_encode_blocks(int bits, const float* midpoints, const float* weights, std::size_t blocks,
                                 std::uint8_t* packed, Bf16* scales) {
  switch (bits) {
    case 1:
      return encode_blocks<1>(midpoints, weights, blocks, packed, scales);
    case 2:
      return encode_blocks<2>(midpoints, weights, blocks, packed, scales);
    case 3:
      return encode_blocks<3>(midpoints, weights, blocks, packed, scales);
    case 4:
      return encode_blocks<4>(midpoints, weights, blocks, packed, scales);
    default:
      return encode_blocks<8>(midpoints, weights, blocks, packed, scales);
  }
}

void kmeans_decode_blocks_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales,
                               std::size_t blocks, Bf16* out) {
  const float* c = codebook.centroids.data();
  switch (codebook.bits) {
    case 1:
      return decode_small_bf16<1>(c, packed, scales, blocks, out);
    case 2:
      return decode_small_bf16<2>(c, packed, scales, blocks, out);
    case 3:
      return decode_small_bf16<3>(c, packed, scales, blocks, out);
    case 4:
      return decode_small_bf16<4>(c, packed, scales, blocks, out);
    default:
      return decode_bytes_bf16(c, packed, scales, blocks, out);
  }
}

void kmeans_decode_blocks_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t blocks,
                               std::int8_t* codes) {
  switch (bits) {
    case 1:
      return decode_small_int8<1>(table, packed, blocks, codes);
    case 2:
      return decode_small_int8<2>(table, packed, blocks, codes);
    case 3:
      return decode_small_int8<3>(table, packed, blocks, codes);
    case 4:
      return decode_small_int8<4>(table, packed, blocks, codes);
    default:
      return decode_bytes_int8(table, packed, blocks, codes);
  }
}

}  // namespace harmonia::formats::avx2

#endif
