#include "harmonia/hw/formats/pe.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/simd.h"

namespace harmonia::formats {

namespace {

// 32 lanes, first operand at most 255; an INT4 with a zero-point, like the others that go through a 4-bit slice, is
// sign + 4 bits.
constexpr std::int32_t largest(int second) { return 32 * 255 * second; }

constexpr PeModeInfo kModes[kPeModes] = {
    {PeMode::kM8W4, "M8W4", "BFP8 x INT4", 1, 15, largest(15), largest(8)},
    {PeMode::kM8M4, "M8M4", "BFP8 x BFP4", 1, 15, largest(15), largest(15)},
    {PeMode::kM8M8, "M8M8", "BFP8 x BFP8", 2, 255, largest(255), largest(255)},
    {PeMode::kM8L5, "M8L5", "BFP8 x int5 codebook", 1, 15, largest(15), largest(15)},
    {PeMode::kM8L8, "M8L8", "BFP8 x int8 codebook", 2, 127, largest(127), largest(127)},
    {PeMode::kM8B1, "M8B1", "BFP8 x 1-bit code", 1, 127, largest(127), largest(127)},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int signed_mantissa(const BfpGroup& group, std::size_t i) {
  return group.negative[i] ? -static_cast<int>(group.magnitude[i]) : static_cast<int>(group.magnitude[i]);
}

template <typename Weight>
std::int32_t partial_int_scalar(const BfpFormat& fa, const std::uint8_t* a, const Weight* w) {
  BfpGroup ga;
  unpack(fa, a, &ga);
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(fa.group_size); ++i) sum += signed_mantissa(ga, i) * w[i];
  return sum;
}

// The weights of one group; a short last group is copied and padded with zeros, since a row ends at its last weight.
template <typename Weight>
struct PaddedGroup {
  std::array<Weight, kMaxGroupSize> copy{};
  const Weight* at(const Weight* w, std::size_t available, std::size_t group) {
    if (available >= group) return w;
    std::memcpy(copy.data(), w, available * sizeof(Weight));
    return copy.data();
  }
};

// Sums group partials to blocks of `block` weights and the scaled blocks to the row: the order that INT and codebook
// weights share. partial(i) is the FP32 value of the group that begins at element i, scale(j) the FP32 scale of block
// j.
template <typename Partial, typename Scale>
float blocked_sum(std::size_t n, std::size_t group, std::size_t block, Partial partial, Scale scale) {
  float sum = 0.0f;
  for (std::size_t first = 0, j = 0; first < n; first += block, ++j) {
    const std::size_t end = std::min(n, first + block);
    float inner = partial(first);
    for (std::size_t i = first + group; i < end; i += group) inner += partial(i);
    sum += inner * scale(j);
  }
  return sum;
}

template <typename Weight, typename Scale>
float dot_scaled(const BfpFormat& fa, const std::uint8_t* a, const Weight* w, std::size_t n, std::size_t block,
                 Scale scale) {
  const auto g = static_cast<std::size_t>(fa.group_size);
  PaddedGroup<Weight> padded;
  const auto partial = [&](std::size_t i) {
    const std::uint8_t* group = a + i / g * fa.group_bytes();
    return scale_int(partial_int_scalar(fa, group, padded.at(w + i, n - i, g)), fa, group[0]);
  };
  return blocked_sum(n, g, block, partial, scale);
}

// Whether the vectorised paths take this first operand, now.
bool vectorised(const BfpFormat& fa) noexcept { return vector_format(fa) && fa.mantissa_bits == 8 && use_avx2(); }

}  // namespace

const PeModeInfo& info(PeMode mode) noexcept { return kModes[static_cast<int>(mode)]; }

const PeModeInfo* find_pe_mode(std::string_view name) noexcept {
  for (const PeModeInfo& mode : kModes) {
    const std::string_view known = mode.name;
    if (known.size() == name.size() &&
        std::equal(known.begin(), known.end(), name.begin(), [](char x, char y) { return lower(x) == lower(y); })) {
      return &mode;
    }
  }
  return nullptr;
}

std::int32_t partial_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb,
                         const std::uint8_t* b) noexcept {
  BfpGroup ga, gb;
  unpack(fa, a, &ga);
  unpack(fb, b, &gb);
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(fa.group_size); ++i) {
    sum += signed_mantissa(ga, i) * signed_mantissa(gb, i);
  }
  return sum;
}

std::int32_t partial_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w) noexcept {
  return partial_int_scalar(fa, a, w);
}
std::int32_t partial_int(const BfpFormat& fa, const std::uint8_t* a, const std::int16_t* w) noexcept {
  return partial_int_scalar(fa, a, w);
}

AddSubtract add_subtract(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes) noexcept {
  BfpGroup ga;
  unpack(fa, a, &ga);
  AddSubtract s;
  for (std::size_t i = 0; i < static_cast<std::size_t>(fa.group_size); ++i) {
    const int x = signed_mantissa(ga, i);
    s.a += x;
    s.t += ((codes[i / 8] >> (7 - i % 8)) & 1) != 0 ? x : -x;
  }
  return s;
}

std::int32_t partial_2bit_planes(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int outer,
                                 int inner) noexcept {
  // Plane one is the sign of the entry, the code's upper bit. Plane two carries r = (inner - outer)/2, added for codes
  // 0 and 2 with the sign of the entry negated for code 0: its sign bit is + exactly when the code's lower bit is 0.
  const std::size_t plane_bytes = static_cast<std::size_t>(fa.group_size) / 8;
  std::array<std::uint8_t, kMaxGroupSize / 8> first{};
  std::array<std::uint8_t, kMaxGroupSize / 8> second{};
  for (std::size_t i = 0; i < plane_bytes * 8; ++i) {
    const unsigned code = (codes[i / 4] >> (6 - 2 * (i % 4))) & 3u;
    const unsigned bit = 0x80u >> (i % 8);
    if ((code & 2u) != 0) first[i / 8] = static_cast<std::uint8_t>(first[i / 8] | bit);
    if ((code & 1u) == 0) second[i / 8] = static_cast<std::uint8_t>(second[i / 8] | bit);
  }
  const std::int32_t t1 = add_subtract(fa, a, first.data()).t;
  const std::int32_t t2 = add_subtract(fa, a, second.data()).t;
  return ((outer + inner) * t1 + (inner - outer) * t2) / 2;
}

float dot_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b, std::size_t n,
              float sum) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa) && vector_format(fb)) return avx2::dot_bfp(fa, a, fb, b, n, sum);
#endif
  for (std::size_t g = 0; g < fa.groups(n); ++g, a += fa.group_bytes(), b += fb.group_bytes()) {
    sum += scale_bfp(partial_bfp(fa, a, fb, b), fa, a[0], fb, b[0]);
  }
  return sum;
}

float dot_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa) && scale_group % 32 == 0) return avx2::dot_int(a, w, scales, n, scale_group);
#endif
  return dot_scaled(fa, a, w, n, scale_group, [&](std::size_t j) { return to_float(scales[j]); });
}

float dot_int(const BfpFormat& fa, const std::uint8_t* a, const std::int16_t* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa) && scale_group % 32 == 0) return avx2::dot_int(a, w, scales, n, scale_group);
#endif
  return dot_scaled(fa, a, w, n, scale_group, [&](std::size_t j) { return to_float(scales[j]); });
}

float dot_codebook(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales,
                   float codebook_scale, std::size_t n) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa)) return avx2::dot_codebook(a, q, block_scales, codebook_scale, n);
#endif
  return dot_scaled(fa, a, q, n, kCodebookBlock, [&](std::size_t j) { return to_float(block_scales[j]); }) *
         codebook_scale;
}

float dot_codebook_1bit(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                        const Bf16* block_scales, float codebook_scale, std::size_t n) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa)) return avx2::dot_codebook_1bit(a, codes, q0, q1, block_scales, codebook_scale, n);
#endif
  const auto g = static_cast<std::size_t>(fa.group_size);
  PaddedGroup<std::uint8_t> padded;
  const auto partial = [&](std::size_t i) {
    const std::uint8_t* group = a + i / g * fa.group_bytes();
    const std::uint8_t* bits = padded.at(codes + i / 8, (n - i + 7) / 8, g / 8);
    return scale_int(partial_1bit(add_subtract(fa, group, bits), q0, q1), fa, group[0]);
  };
  const auto scale = [&](std::size_t j) { return to_float(block_scales[j]); };
  return blocked_sum(n, g, kCodebookBlock, partial, scale) * codebook_scale;
}

float dot_fp16(const Fp16* a, const Fp16* b, std::size_t n, float sum) noexcept {
  std::array<float, 256> fa;
  std::array<float, 256> fb;
  for (std::size_t i = 0; i < n; i += fa.size()) {
    const std::size_t count = std::min(fa.size(), n - i);
    to_float(a + i, count, fa.data());
    to_float(b + i, count, fb.data());
    for (std::size_t k = 0; k < count; ++k) sum += fa[k] * fb[k];
  }
  return sum;
}

void gemv_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b,
              std::size_t stride_bytes, std::size_t rows, std::size_t n, Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa) && vector_format(fb)) return avx2::gemv_bfp(fa, a, fb, b, stride_bytes, rows, n, out);
#endif
  for (std::size_t r = 0; r < rows; ++r) out[r] = to_fp16(dot_bfp(fa, a, fb, b + r * stride_bytes, n));
}

void gemv_int(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t rows,
              std::size_t n, std::size_t scale_group, Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa) && scale_group % 32 == 0) return avx2::gemv_int(a, w, scales, rows, n, scale_group, out);
#endif
  const std::size_t scales_per_row = (n + scale_group - 1) / scale_group;
  for (std::size_t r = 0; r < rows; ++r) {
    out[r] = to_fp16(dot_int(fa, a, w + r * n, scales + r * scales_per_row, n, scale_group));
  }
}

void gemv_codebook(const BfpFormat& fa, const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales,
                   float codebook_scale, std::size_t rows, std::size_t n, Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa)) return avx2::gemv_codebook(a, q, block_scales, codebook_scale, rows, n, out);
#endif
  const std::size_t blocks = (n + kCodebookBlock - 1) / kCodebookBlock;
  for (std::size_t r = 0; r < rows; ++r) {
    out[r] = to_fp16(dot_codebook(fa, a, q + r * n, block_scales + r * blocks, codebook_scale, n));
  }
}

void gemv_codebook_1bit(const BfpFormat& fa, const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                        const Bf16* block_scales, float codebook_scale, std::size_t rows, std::size_t n,
                        Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vectorised(fa)) return avx2::gemv_codebook_1bit(a, codes, q0, q1, block_scales, codebook_scale, rows, n, out);
#endif
  const std::size_t blocks = (n + kCodebookBlock - 1) / kCodebookBlock;
  const std::size_t code_bytes = (n + 7) / 8;
  for (std::size_t r = 0; r < rows; ++r) {
    out[r] =
        to_fp16(dot_codebook_1bit(fa, a, codes + r * code_bytes, q0, q1, block_scales + r * blocks, codebook_scale, n));
  }
}

}  // namespace harmonia::formats
