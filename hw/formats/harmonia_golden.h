/* The golden number formats as plain C functions: for SystemVerilog (DPI-C), Python (ctypes) and anything else.
 *
 * Models: what bfp.h, pe.h, smoothing.h and kmeans.h define, bit for bit; nothing is computed here a second time.
 * Does not model: timing, the SystemC blocks, the vector unit.
 *
 * FP16 and bf16 values are their 16 bits. n counts elements; every *_bytes argument is the size of the buffer before
 * it, and a buffer that is too small is refused. Every function returns HARMONIA_OK or one of the codes below, and on
 * an error writes nothing. No function keeps a pointer. All are safe to call from several threads.
 *
 * BFP formats: group_size 8, 16, 32, 64 or 128; mantissa_bits 1..11; rounding 0 truncation, 1 nearest-even. A stored
 * group is exponent (1 byte) | signs (group_size/8 bytes) | ceil(mantissa_bits/4) nibble planes of group_size/2 bytes
 * each.
 */
#ifndef HARMONIA_GOLDEN_H
#define HARMONIA_GOLDEN_H

#include <stdint.h>

#if defined(__GNUC__)
#define HARMONIA_API __attribute__((visibility("default")))
#else
#define HARMONIA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
  HARMONIA_OK = 0,
  HARMONIA_NULL_POINTER = 1, /* a pointer that is needed is null */
  HARMONIA_BAD_LENGTH = 2,   /* a buffer is too small, or a length does not divide or is out of range */
  HARMONIA_BAD_FORMAT = 3,   /* no such group size, mantissa width, rounding or index width */
  HARMONIA_BAD_VALUE = 4,    /* an element is outside what its format can hold */
  HARMONIA_FAILED = 5        /* out of memory */
};

/* "HARMONIA_OK: done" and so on; never null. */
HARMONIA_API const char* harmonia_error_text(int32_t code);

/* ---- FP16, bf16 and FP32: n elements in, n elements out. Nearest-even. ---- */
HARMONIA_API int32_t harmonia_fp16_to_fp32(const uint16_t* in, uint64_t n, float* out);
HARMONIA_API int32_t harmonia_fp32_to_fp16(const float* in, uint64_t n, uint16_t* out);
HARMONIA_API int32_t harmonia_bf16_to_fp32(const uint16_t* in, uint64_t n, float* out);
HARMONIA_API int32_t harmonia_fp32_to_bf16(const float* in, uint64_t n, uint16_t* out);

/* ---- BFP ---- */

/* Bytes of a stored row of n values (the last group padded). */
HARMONIA_API int32_t harmonia_bfp_row_bytes(int32_t group_size, int32_t mantissa_bits, uint64_t n, uint64_t* bytes);
/* n FP16 values to a stored row. nonfinite (may be null) receives the number of infinities and NaNs, which saturate. */
HARMONIA_API int32_t harmonia_bfp_encode(int32_t group_size, int32_t mantissa_bits, int32_t rounding, const uint16_t* x,
                                         uint64_t n, uint8_t* stored, uint64_t stored_bytes, uint64_t* nonfinite);
/* A stored row to n FP16 / FP32 values. */
HARMONIA_API int32_t harmonia_bfp_decode_fp16(int32_t group_size, int32_t mantissa_bits, const uint8_t* stored,
                                              uint64_t stored_bytes, uint64_t n, uint16_t* x);
HARMONIA_API int32_t harmonia_bfp_decode_fp32(int32_t group_size, int32_t mantissa_bits, const uint8_t* stored,
                                              uint64_t stored_bytes, uint64_t n, float* x);
/* One group from and to its fields: exponent 1..31; negative (0 or 1) and magnitude (below 2^mantissa_bits) have
 * group_size elements. */
HARMONIA_API int32_t harmonia_bfp_pack(int32_t group_size, int32_t mantissa_bits, int32_t exponent,
                                       const uint8_t* negative, const uint16_t* magnitude, uint8_t* stored,
                                       uint64_t stored_bytes);
HARMONIA_API int32_t harmonia_bfp_unpack(int32_t group_size, int32_t mantissa_bits, const uint8_t* stored,
                                         uint64_t stored_bytes, int32_t* exponent, uint8_t* negative,
                                         uint16_t* magnitude);
/* Drops the low nibble plane of `groups` groups of 8-bit mantissas: 4-bit mantissas. in == out is allowed. */
HARMONIA_API int32_t harmonia_bfp_demote_8_to_4(int32_t group_size, const uint8_t* in, uint64_t in_bytes,
                                                uint64_t groups, uint8_t* out, uint64_t out_bytes);
/* Puts the FP16 value x at position `count` (0..group_size-1) of a stored group that so far holds `count` values and
 * zeros beyond, in place; truncation. A group of no values is exponent 1 and zeros. */
HARMONIA_API int32_t harmonia_bfp_append(int32_t group_size, int32_t mantissa_bits, uint16_t x, int32_t count,
                                         uint8_t* stored, uint64_t stored_bytes);

/* ---- PE: one group, exact integers ---- */

HARMONIA_API int32_t harmonia_pe_partial_bfp(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                             int32_t b_bits, const uint8_t* b, uint64_t b_bytes, int32_t* partial);
/* w: group_size integers, -511..511 (INT4 or INT8 less its zero-point, or codebook entries). */
HARMONIA_API int32_t harmonia_pe_partial_int(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                             const int16_t* w, int32_t* partial);
/* codes: group_size/8 bytes, first element in the most significant bit; codebook {q0, q1}, -127..127. */
HARMONIA_API int32_t harmonia_pe_partial_1bit(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                              const uint8_t* codes, uint64_t codes_bytes, int32_t q0, int32_t q1,
                                              int32_t* partial);

/* ---- PE: one row of n products. sum: the FP32 sum; fp16 (may be null): the same rounded to FP16. n > 0. ---- */

/* M8M4, M8M8 (and any other pair of widths). */
HARMONIA_API int32_t harmonia_pe_dot_bfp(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                         int32_t b_bits, const uint8_t* b, uint64_t b_bytes, uint64_t n, float* sum,
                                         uint16_t* fp16);
/* M8W4: n integers, one FP16 scale per scale_group (a multiple of group_size) of them. */
HARMONIA_API int32_t harmonia_pe_dot_int(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                         const int16_t* w, const uint16_t* scales, uint64_t n_scales,
                                         uint64_t scale_group, uint64_t n, float* sum, uint16_t* fp16);
/* M8L8, M8L5: n codebook entries, one bf16 scale per 64 of them, one FP32 codebook scale. group_size at most 64. */
HARMONIA_API int32_t harmonia_pe_dot_codebook(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                              const int8_t* q, const uint16_t* block_scales, uint64_t n_scales,
                                              float codebook_scale, uint64_t n, float* sum, uint16_t* fp16);
/* M8B1: ceil(n/8) bytes of codes, first element in the most significant bit. */
HARMONIA_API int32_t harmonia_pe_dot_1bit(int32_t group_size, int32_t a_bits, const uint8_t* a, uint64_t a_bytes,
                                          const uint8_t* codes, uint64_t codes_bytes, int32_t q0, int32_t q1,
                                          const uint16_t* block_scales, uint64_t n_scales, float codebook_scale,
                                          uint64_t n, float* sum, uint16_t* fp16);
/* FP16 x FP16 of the baseline PE. */
HARMONIA_API int32_t harmonia_pe_dot_fp16(const uint16_t* a, const uint16_t* b, uint64_t n, float* sum, uint16_t* fp16);

/* ---- Smoothing: key[channels[i]] -= offsets[i] in FP16, i < count; key has head_dim elements. ---- */
HARMONIA_API int32_t harmonia_smoothing_subtract(const uint16_t* channels, const uint16_t* offsets, uint64_t count,
                                                 uint16_t* key, uint64_t head_dim);

/* ---- K-means: one row of cols weights; bits 1, 2, 3, 4 or 8; 2^bits ascending centroids; one bf16 scale per 64. ----
 */

/* Bytes of a row's packed indices, and its number of scales. */
HARMONIA_API int32_t harmonia_kmeans_row_size(int32_t bits, uint64_t cols, uint64_t* packed_bytes, uint64_t* n_scales);
/* w = bf16(centroid * scale). */
HARMONIA_API int32_t harmonia_kmeans_decode_bf16(int32_t bits, const float* centroids, const uint8_t* packed,
                                                 uint64_t packed_bytes, const uint16_t* scales, uint64_t n_scales,
                                                 uint64_t cols, uint16_t* w);
/* The integer codebook entries table[index] that the PE multiplies by; table has 2^bits elements. */
HARMONIA_API int32_t harmonia_kmeans_decode_int8(int32_t bits, const int8_t* table, const uint8_t* packed,
                                                 uint64_t packed_bytes, uint64_t cols, int8_t* q);

#ifdef __cplusplus
}
#endif

#endif
