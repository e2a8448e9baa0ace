// Internal: the AVX2 forms of the K-means row functions. Each handles whole blocks of 64 weights; callers check
// use_avx2() first and do the tail themselves. Same bits as namespace scalar.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/kmeans.h"

#if defined(__x86_64__)
#define HARMONIA_KMEANS_AVX2 1

namespace harmonia::formats::avx2 {

/// The scale of a full block. False when the order of summation could matter: the caller takes the scalar definition.
bool kmeans_block_scale(const float* weights, ScaleStatistic statistic, float* scale);

/// Packed indices and bf16 scales of full blocks; returns how many weights were not finite.
std::size_t kmeans_encode_blocks(int bits, const float* midpoints, const float* weights, std::size_t blocks,
                                 std::uint8_t* packed, Bf16* scales);

void kmeans_decode_blocks_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales,
                               std::size_t blocks, Bf16* out);

void kmeans_decode_blocks_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t blocks,
                               std::int8_t* codes);

}  // namespace harmonia::formats::avx2
#endif
