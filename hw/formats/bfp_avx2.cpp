// FP16 conversions and BFP encoding and decoding with AVX2 and F16C.
#include "harmonia/hw/formats/simd.h"

#if HARMONIA_FORMATS_AVX2

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace harmonia::formats::avx2 {
namespace {

HARMONIA_TARGET_AVX2 inline __m128i load16(const void* p) noexcept {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
HARMONIA_TARGET_AVX2 inline __m256i load32(const void* p) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// Eight magnitudes over the last place of the group, rounded to the nearest integers, ties to even.
HARMONIA_TARGET_AVX2 inline __m256i quotients(const Fp16* x, __m256 inverse) noexcept {
  const __m128i magnitude = _mm_and_si128(load16(x), _mm_set1_epi16(0x7fff));
  return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtph_ps(magnitude), inverse));  // exact: a power of two
}

// Sixteen finite magnitudes cut to 8 bits: h >> (E - e + 3), by a multiplication with 2^(15 - (E - e)) whose high byte
// a table gives. `base` is (0x70 + E - 1) * 256 + 0x80 in every lane: differences of 16 and more set bit 7 of the index
// and give 0, as those from 8 to 15 do by the table.
HARMONIA_TARGET_AVX2 inline __m256i truncated(__m256i magnitude, __m256i base) noexcept {
  const __m256i powers =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0));
  // (e - 1) * 256, and h / 4 = (magnitude - (e - 1) * 1024) / 4.
  const __m256i above_one =
      _mm256_slli_epi16(_mm256_subs_epu16(_mm256_srli_epi16(magnitude, 10), _mm256_set1_epi16(1)), 8);
  const __m256i h = _mm256_sub_epi16(_mm256_srli_epi16(magnitude, 2), above_one);
  return _mm256_mulhi_epu16(h, _mm256_shuffle_epi8(powers, _mm256_sub_epi16(base, above_one)));
}

// 32 finite values, their shared exponent known: the packed bytes of the magnitudes as _mm256_packus_epi16 leaves them,
// elements 0-7, 16-23, 8-15, 24-31.
template <int kMantissa>
HARMONIA_TARGET_AVX2 inline __m256i nearest(const Fp16* x, int exponent) noexcept {
  const __m256 inverse = _mm256_set1_ps(power_of_two(14 + kMantissa - exponent));
  const __m256i m01 = _mm256_packs_epi32(quotients(x, inverse), quotients(x + 8, inverse));
  const __m256i m23 = _mm256_packs_epi32(quotients(x + 16, inverse), quotients(x + 24, inverse));
  __m256i m = _mm256_packus_epi16(m01, m23);  // saturates at 255, as M = 8 asks
  m = _mm256_permutevar8x32_epi32(m, _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7));
  return kMantissa == 4 ? _mm256_min_epu8(m, _mm256_set1_epi8(15)) : m;
}

// Encodes groups up to the first that holds an infinity or NaN; returns their number. Calls nothing, so that the
// constants stay in registers.
template <int kMantissa, bool kNearest>
HARMONIA_TARGET_AVX2 std::size_t encode_finite(const Fp16* x, std::size_t groups, std::uint8_t* out) noexcept {
  const __m256i magnitude = _mm256_set1_epi16(0x7fff);
  const __m256i low_nibble = _mm256_set1_epi8(15);
  const __m256i join = _mm256_set1_epi16(0x1001);    // two nibbles to a byte: even + 16 * odd
  constexpr std::size_t kBytes = 5 + 4 * kMantissa;  // exponent, signs, planes
  for (std::size_t g = 0; g < groups; ++g, x += 32, out += kBytes) {
    const __m256i x0 = load32(x), x1 = load32(x + 16);
    const __m256i m0 = _mm256_and_si256(x0, magnitude), m1 = _mm256_and_si256(x1, magnitude);
    const __m256i larger = _mm256_max_epu16(m0, m1);
    const __m128i eight = _mm_max_epu16(_mm256_castsi256_si128(larger), _mm256_extracti128_si256(larger, 1));
    // The instruction finds a minimum: of the complements. Subnormals and zeros have field 0 and count as exponent 1.
    const __m128i ones = _mm_set1_epi16(-1);
    const __m128i most = _mm_xor_si128(_mm_minpos_epu16(_mm_xor_si128(eight, ones)), ones);
    const __m128i above_one = _mm_subs_epu16(_mm_srli_epi16(most, 10), _mm_set1_epi16(1));  // E - 1
    const int exponent = static_cast<std::uint8_t>(_mm_cvtsi128_si32(above_one)) + 1;
    if (exponent == 31) return g;
    __m256i m;
    if (kNearest) {
      m = nearest<kMantissa>(x, exponent);
    } else {
      const __m128i base = _mm_add_epi16(_mm_slli_epi16(above_one, 8), _mm_set1_epi16(0x7080));
      const __m256i bases = _mm256_broadcastw_epi16(base);
      m = _mm256_packus_epi16(truncated(m0, bases), truncated(m1, bases));
    }
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(x0, x1), 0xd8);  // saturation keeps the sign
    const int signs = _mm256_movemask_epi8(bytes);
    out[0] = static_cast<std::uint8_t>(exponent);
    std::memcpy(out + 1, &signs, 4);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i low = _mm256_maddubs_epi16(_mm256_and_si256(m, low_nibble), join);
    // With truncation the four bits of M = 4 are the high nibble of eight.
    const __m256i high = kMantissa == 4 && kNearest
                             ? low
                             : _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(m, 4), low_nibble), join);
    const __m256i planes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(high, low), order);
    if (kMantissa == 8)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 5), planes);
    else
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 5), _mm256_castsi256_si128(planes));
  }
  return groups;
}

template <int kMantissa, bool kNearest>
std::size_t encode_groups(const BfpFormat& format, const Fp16* x, std::size_t groups, std::uint8_t* out) noexcept {
  std::size_t nonfinite = 0;
  for (std::size_t g = 0;; ++g) {
    g += encode_finite<kMantissa, kNearest>(x + 32 * g, groups - g, out + format.group_bytes() * g);
    if (g == groups) return nonfinite;
    BfpGroup group;
    nonfinite += static_cast<std::size_t>(encode(format, x + 32 * g, 32, &group));
    pack(format, group, out + format.group_bytes() * g);
  }
}

// Magnitudes of elements 0..15 and 16..31 of one nibble plane, a byte each.
HARMONIA_TARGET_AVX2 inline __m256i spread_nibbles(const std::uint8_t* plane) noexcept {
  const __m128i p = load16(plane);
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i even = _mm_and_si128(p, nibble);
  const __m128i odd = _mm_and_si128(_mm_srli_epi16(p, 4), nibble);
  return _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
}

template <int kMantissa>
HARMONIA_TARGET_AVX2 inline void decode_group(const std::uint8_t* in, __m256* out) noexcept {
  __m256i m = spread_nibbles(in + 5);
  if (kMantissa == 8) m = _mm256_or_si256(_mm256_slli_epi16(m, 4), spread_nibbles(in + 21));
  const __m256 scale = _mm256_set1_ps(power_of_two(in[0] - 14 - kMantissa));
  std::uint32_t sign_bits;
  std::memcpy(&sign_bits, in + 1, 4);
  const __m256i signs = _mm256_set1_epi32(static_cast<int>(sign_bits));
  const __m256i top = _mm256_set1_epi32(static_cast<int>(0x80000000u));
  const __m128i half[2] = {_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1)};
  for (int k = 0; k < 4; ++k) {
    const __m128i bytes = k % 2 == 0 ? half[k / 2] : _mm_srli_si128(half[k / 2], 8);
    const __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)), scale);
    // Bit 8k + j moves to the sign position of lane j.
    const __m256i up = _mm256_sub_epi32(_mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24), _mm256_set1_epi32(8 * k));
    const __m256i sign = _mm256_and_si256(_mm256_sllv_epi32(signs, up), top);
    out[k] = _mm256_xor_ps(value, _mm256_castsi256_ps(sign));
  }
}

HARMONIA_TARGET_AVX2 inline void store8(__m256 v, float* out) noexcept { _mm256_storeu_ps(out, v); }
HARMONIA_TARGET_AVX2 inline void store8(__m256 v, Fp16* out) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

template <int kMantissa, typename Value>
HARMONIA_TARGET_AVX2 void decode_values(const BfpFormat& format, const std::uint8_t* in, std::size_t n,
                                        Value* out) noexcept {
  __m256 value[4];
  for (; n >= 32; n -= 32, in += format.group_bytes(), out += 32) {
    decode_group<kMantissa>(in, value);
    for (int k = 0; k < 4; ++k) store8(value[k], out + 8 * k);
  }
  if (n > 0) {
    std::array<Value, 32> last;
    decode_group<kMantissa>(in, value);
    for (int k = 0; k < 4; ++k) store8(value[k], last.data() + 8 * k);
    std::copy_n(last.begin(), n, out);
  }
}

}  // namespace

HARMONIA_TARGET_AVX2 void to_float(const Fp16* in, std::size_t n, float* out) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(load16(in + i)));
  for (; i < n; ++i) out[i] = formats::to_float(in[i]);
}

HARMONIA_TARGET_AVX2 void to_fp16(const float* in, std::size_t n, Fp16* out) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) store8(_mm256_loadu_ps(in + i), out + i);
  for (; i < n; ++i) out[i] = formats::to_fp16(in[i]);
}

std::size_t encode_row(const BfpFormat& format, const Fp16* x, std::size_t n, std::uint8_t* out) noexcept {
  const bool nearest = format.rounding == Rounding::kNearestEven;
  const auto groups = format.mantissa_bits == 8 ? (nearest ? encode_groups<8, true> : encode_groups<8, false>)
                                                : (nearest ? encode_groups<4, true> : encode_groups<4, false>);
  const std::size_t whole = n / 32;
  std::size_t nonfinite = groups(format, x, whole, out);
  if (n % 32 != 0) {
    std::array<Fp16, 32> last{};
    std::copy_n(x + whole * 32, n % 32, last.begin());
    nonfinite += groups(format, last.data(), 1, out + whole * format.group_bytes());
  }
  return nonfinite;
}

void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, float* out) noexcept {
  (format.mantissa_bits == 8 ? decode_values<8, float> : decode_values<4, float>)(format, in, n, out);
}

void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, Fp16* out) noexcept {
  (format.mantissa_bits == 8 ? decode_values<8, Fp16> : decode_values<4, Fp16>)(format, in, n, out);
}

}  // namespace harmonia::formats::avx2

#endif
