// Vectorised paths of the hot functions, for the library's own use: each equals the scalar definition of the same name
// bit for bit. Callers check use_avx2() and the stated format first.
//
// Models: nothing beyond bfp.h and pe.h. Does not model: formats other than G = 32 with M = 8 or 4; those stay scalar.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"

#if defined(__x86_64__)
#define HARMONIA_FORMATS_AVX2 1
#define HARMONIA_TARGET_AVX2 __attribute__((target("avx2,f16c")))
#else
#define HARMONIA_FORMATS_AVX2 0
#endif

namespace harmonia::formats {

/// Formats that the vectorised paths know as first (M = 8) and second operand (M = 8 or 4).
constexpr bool vector_format(const BfpFormat& f) noexcept {
  return f.group_size == 32 && (f.mantissa_bits == 8 || f.mantissa_bits == 4);
}

#if HARMONIA_FORMATS_AVX2
namespace avx2 {

void to_float(const Fp16* in, std::size_t n, float* out) noexcept;
void to_fp16(const float* in, std::size_t n, Fp16* out) noexcept;

// vector_format(format)
std::size_t encode_row(const BfpFormat& format, const Fp16* x, std::size_t n, std::uint8_t* out) noexcept;
void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, float* out) noexcept;
void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, Fp16* out) noexcept;

// vector_format(fa) with M = 8, vector_format(fb)
float dot_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b, std::size_t n,
              float sum) noexcept;
void gemv_bfp(const BfpFormat& fa, const std::uint8_t* a, const BfpFormat& fb, const std::uint8_t* b,
              std::size_t stride_bytes, std::size_t rows, std::size_t n, Fp16* out) noexcept;
// vector_format(fa) with M = 8; scale_group a multiple of 32
template <typename Weight>
float dot_int(const std::uint8_t* a, const Weight* w, const Fp16* scales, std::size_t n,
              std::size_t scale_group) noexcept;
float dot_codebook(const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales, float codebook_scale,
                   std::size_t n) noexcept;
float dot_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, const Bf16* block_scales,
                        float codebook_scale, std::size_t n) noexcept;
void gemv_int(const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t rows, std::size_t n,
              std::size_t scale_group, Fp16* out) noexcept;
void gemv_codebook(const std::uint8_t* a, const std::int8_t* q, const Bf16* block_scales, float codebook_scale,
                   std::size_t rows, std::size_t n, Fp16* out) noexcept;
void gemv_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, const Bf16* block_scales,
                        float codebook_scale, std::size_t rows, std::size_t n, Fp16* out) noexcept;

}  // namespace avx2
#endif

}  // namespace harmonia::formats
