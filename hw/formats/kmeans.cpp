#include "harmonia/hw/formats/kmeans.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/kmeans_avx2.h"
#include "harmonia/hw/formats/lloyd_max.h"
#include "harmonia/hw/formats/random.h"

namespace harmonia::formats {
namespace {

constexpr float kSmallestScale = 1e-5F;
constexpr std::size_t kLargestCodebook = 256;

std::size_t block_bytes(int bits) { return kKmeansBlock / 8 * static_cast<std::size_t>(bits); }

float finite_or_zero(float w) { return std::isfinite(w) ? w : 0.0F; }

void pack_block(const std::uint8_t* indices, std::size_t n, int bits, std::uint8_t* packed) {
  if (kmeans_bit_planes(bits)) {
    const std::size_t plane_bytes = (n + 7) / 8;
    std::fill(packed, packed + static_cast<std::size_t>(bits) * plane_bytes, std::uint8_t{0});
    for (int bit = bits - 1; bit >= 0; --bit, packed += plane_bytes)
      for (std::size_t i = 0; i < n; ++i)
        packed[i / 8] = static_cast<std::uint8_t>(packed[i / 8] | (indices[i] >> bit & 1) << (7 - i % 8));
    return;
  }
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  for (std::size_t i = 0; i < n; i += per_byte, ++packed) {
    unsigned byte = 0;
    for (std::size_t j = 0; j < per_byte; ++j)
      byte = byte << bits | (i + j < n ? static_cast<unsigned>(indices[i + j]) : 0U);
    *packed = static_cast<std::uint8_t>(byte);
  }
}

void unpack_block(const std::uint8_t* packed, std::size_t n, int bits, std::uint8_t* indices) {
  if (kmeans_bit_planes(bits)) {
    const std::size_t plane_bytes = (n + 7) / 8;
    for (std::size_t i = 0; i < n; ++i) {
      unsigned index = 0;
      for (std::size_t plane = 0; plane < static_cast<std::size_t>(bits); ++plane)
        index = index << 1 | (static_cast<unsigned>(packed[plane * plane_bytes + i / 8]) >> (7 - i % 8) & 1U);
      indices[i] = static_cast<std::uint8_t>(index);
    }
    return;
  }
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  const unsigned mask = (1U << bits) - 1;
  for (std::size_t i = 0; i < n; ++i)
    indices[i] = static_cast<std::uint8_t>(
        static_cast<unsigned>(packed[i / per_byte]) >> (8 - static_cast<unsigned>(bits) * (i % per_byte + 1)) & mask);
}

// Calls use(first element, elements, packed bytes of the block) for each block of a row.
template <typename Use>
void for_each_block(std::size_t cols, int bits, Use use) {
  for (std::size_t first = 0, b = 0; first < cols; first += kKmeansBlock, ++b)
    use(first, std::min(kKmeansBlock, cols - first), b * block_bytes(bits));
}

// Blocks that the vector code, which has the widths 1, 2, 3, 4 and 8, decodes; the rest of the row follows the scalar
// definition.
[[maybe_unused]] std::size_t vector_blocks(std::size_t cols, int bits) {
  return use_avx2() && (bits <= 4 || bits == 8) ? cols / kKmeansBlock : 0;
}

void require_finite(const float* weights, std::size_t rows, std::size_t cols) {
  for (std::size_t i = 0; i < rows * cols; ++i)
    if (!std::isfinite(weights[i]))
      throw std::invalid_argument("weight [" + std::to_string(i / cols) + ", " + std::to_string(i % cols) +
                                  "] is not finite");
}

Codebook mirrored(std::vector<float> positive) {
  std::vector<float> all;
  for (auto c = positive.rbegin(); c != positive.rend(); ++c) all.push_back(-*c);
  all.insert(all.end(), positive.begin(), positive.end());
  return make_codebook(std::move(all));
}

Codebook gaussian_codebook_8() {
  constexpr std::size_t kWeights = std::size_t{1} << 20;
  std::vector<float> weights(kWeights);
  fill_gaussian(0, kWeights, weights.data());
  return kmeans_train(weights.data(), 1, kWeights, 8, 0);
}

}  // namespace

Codebook make_codebook(std::vector<float> centroids) {
  Codebook codebook;
  for (int bits = 1; bits <= 8; ++bits)
    if (centroids.size() == std::size_t{1} << bits) codebook.bits = bits;
  if (codebook.bits == 0)
    throw std::invalid_argument("a codebook of " + std::to_string(centroids.size()) +
                                " centroids, expected a power of two from 2 to 256");
  for (std::size_t j = 0; j < centroids.size(); ++j) {
    if (!std::isfinite(centroids[j])) throw std::invalid_argument("centroid " + std::to_string(j) + " is not finite");
    if (j > 0 && centroids[j] < centroids[j - 1])
      throw std::invalid_argument("centroid " + std::to_string(j) +
                                  " is below the one before it: expected ascending order");
  }
  codebook.centroids = std::move(centroids);
  return codebook;
}

const Codebook& default_codebook(int bits) {
  static const Codebook one = mirrored({1.0F});
  static const Codebook two = mirrored({.569F, 1.881F});
  static const Codebook three = mirrored({.0945F, .2918F, .520F, .8326F});
  static const Codebook four = mirrored({.0475F, .1435F, .2425F, .347F, .4613F, .591F, .7465F, .951F});
  switch (bits) {
    case 1:
      return one;
    case 2:
      return two;
    case 3:
      return three;
    case 4:
      return four;
    case 8: {
      static const Codebook eight = gaussian_codebook_8();
      return eight;
    }
    default:
      throw std::invalid_argument("K-means indices of " + std::to_string(bits) + " bits, expected 1, 2, 3, 4 or 8");
  }
}

void kmeans_midpoints(const Codebook& codebook, float* midpoints) {
  const std::vector<float>& c = codebook.centroids;
  for (std::size_t j = 0; j + 1 < c.size(); ++j) midpoints[j] = (c[j] + c[j + 1]) / 2.0F;
}

void kmeans_pack(const std::uint8_t* indices, std::size_t cols, int bits, std::uint8_t* packed) {
  for_each_block(cols, bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    pack_block(indices + first, n, bits, packed + bytes);
  });
}

void kmeans_unpack(const std::uint8_t* packed, std::size_t cols, int bits, std::uint8_t* indices) {
  for_each_block(cols, bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    unpack_block(packed + bytes, n, bits, indices + first);
  });
}

namespace scalar {

float kmeans_block_scale(const float* weights, std::size_t n, ScaleStatistic statistic) {
  double sum = 0;
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double magnitude = std::abs(static_cast<double>(finite_or_zero(weights[i])));
    sum += magnitude;
    largest = std::max(largest, magnitude);
  }
  const double s = statistic == ScaleStatistic::kAbsMean ? sum / static_cast<double>(n) : largest;
  return std::max(static_cast<float>(s), kSmallestScale);
}

std::size_t kmeans_encode_row(const Codebook& codebook, const float* weights, std::size_t cols, std::uint8_t* packed,
                              Bf16* scales) {
  std::array<float, kLargestCodebook - 1> midpoints;
  kmeans_midpoints(codebook, midpoints.data());
  const auto midpoints_end = midpoints.begin() + static_cast<std::ptrdiff_t>(codebook.centroids.size()) - 1;
  std::size_t nonfinite = 0;
  for_each_block(cols, codebook.bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    const float s = scalar::kmeans_block_scale(weights + first, n, kmeans_statistic(codebook.bits));
    std::array<std::uint8_t, kKmeansBlock> indices;
    for (std::size_t i = 0; i < n; ++i) {
      const float w = weights[first + i];
      if (!std::isfinite(w)) ++nonfinite;
      const float z = finite_or_zero(w) / s;
      // The first midpoint that is not below z: as many midpoints are below it, and a tie takes the lower centroid.
      indices[i] = static_cast<std::uint8_t>(std::lower_bound(midpoints.begin(), midpoints_end, z) - midpoints.begin());
    }
    pack_block(indices.data(), n, codebook.bits, packed + bytes);
    scales[first / kKmeansBlock] = to_bf16(s);
  });
  return nonfinite;
}

void kmeans_decode_row_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                            Bf16* out) {
  for_each_block(cols, codebook.bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    const float s = to_float(scales[first / kKmeansBlock]);
    std::array<std::uint8_t, kKmeansBlock> indices;
    unpack_block(packed + bytes, n, codebook.bits, indices.data());
    for (std::size_t i = 0; i < n; ++i) out[first + i] = to_bf16(codebook.centroids[indices[i]] * s);
  });
}

void kmeans_decode_row_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t cols,
                            std::int8_t* codes) {
  for_each_block(cols, bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    std::array<std::uint8_t, kKmeansBlock> indices;
    unpack_block(packed + bytes, n, bits, indices.data());
    for (std::size_t i = 0; i < n; ++i) codes[first + i] = table[indices[i]];
  });
}

}  // namespace scalar

float kmeans_block_scale(const float* weights, std::size_t n, ScaleStatistic statistic) {
#ifdef HARMONIA_KMEANS_AVX2
  float scale = 0;
  if (n == kKmeansBlock && use_avx2() && avx2::kmeans_block_scale(weights, statistic, &scale)) return scale;
#endif
  return scalar::kmeans_block_scale(weights, n, statistic);
}

std::size_t kmeans_encode_row(const Codebook& codebook, const float* weights, std::size_t cols, std::uint8_t* packed,
                              Bf16* scales) {
  std::size_t nonfinite = 0;
  std::size_t blocks = 0;
#ifdef HARMONIA_KMEANS_AVX2
  blocks = vector_blocks(cols, codebook.bits);
  if (blocks > 0) {
    std::array<float, kLargestCodebook - 1> midpoints;
    kmeans_midpoints(codebook, midpoints.data());
    nonfinite = avx2::kmeans_encode_blocks(codebook.bits, midpoints.data(), weights, blocks, packed, scales);
  }
#endif
  return nonfinite + scalar::kmeans_encode_row(codebook, weights + blocks * kKmeansBlock, cols - blocks * kKmeansBlock,
                                               packed + blocks * block_bytes(codebook.bits), scales + blocks);
}

void kmeans_decode_row_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                            Bf16* out) {
  std::size_t blocks = 0;
#ifdef HARMONIA_KMEANS_AVX2
  blocks = vector_blocks(cols, codebook.bits);
  if (blocks > 0) avx2::kmeans_decode_blocks_bf16(codebook, packed, scales, blocks, out);
#endif
  scalar::kmeans_decode_row_bf16(codebook, packed + blocks * block_bytes(codebook.bits), scales + blocks,
                                 cols - blocks * kKmeansBlock, out + blocks * kKmeansBlock);
}

void kmeans_decode_row_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t cols,
                            std::int8_t* codes) {
  std::size_t blocks = 0;
#ifdef HARMONIA_KMEANS_AVX2
  blocks = vector_blocks(cols, bits);
  if (blocks > 0) avx2::kmeans_decode_blocks_int8(table, bits, packed, blocks, codes);
#endif
  scalar::kmeans_decode_row_int8(table, bits, packed + blocks * block_bytes(bits), cols - blocks * kKmeansBlock,
                                 codes + blocks * kKmeansBlock);
}

void kmeans_decode_row_f32(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                           float* out) {
  for_each_block(cols, codebook.bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    const float s = to_float(scales[first / kKmeansBlock]);
    std::array<std::uint8_t, kKmeansBlock> indices;
    unpack_block(packed + bytes, n, codebook.bits, indices.data());
    for (std::size_t i = 0; i < n; ++i) out[first + i] = codebook.centroids[indices[i]] * s;
  });
}

float kmeans_dot_deferred(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                          const float* activations) {
  float result = 0;
  for_each_block(cols, codebook.bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    std::array<std::uint8_t, kKmeansBlock> indices;
    unpack_block(packed + bytes, n, codebook.bits, indices.data());
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += activations[first + i] * codebook.centroids[indices[i]];
    result += sum * to_float(scales[first / kKmeansBlock]);
  });
  return result;
}

float kmeans_dot_scale_first(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                             const float* activations) {
  float result = 0;
  for_each_block(cols, codebook.bits, [&](std::size_t first, std::size_t n, std::size_t bytes) {
    const float s = to_float(scales[first / kKmeansBlock]);
    std::array<std::uint8_t, kKmeansBlock> indices;
    unpack_block(packed + bytes, n, codebook.bits, indices.data());
    for (std::size_t i = 0; i < n; ++i)
      result += activations[first + i] * to_float(to_bf16(codebook.centroids[indices[i]] * s));
  });
  return result;
}

KmeansTensor kmeans_encode(const Codebook& codebook, const float* weights, std::size_t rows, std::size_t cols) {
  require_finite(weights, rows, cols);
  KmeansTensor tensor;
  tensor.rows = rows;
  tensor.cols = cols;
  tensor.codebook = make_codebook(codebook.centroids);
  tensor.packed.resize(rows * tensor.row_bytes());
  tensor.scales.resize(rows * tensor.row_blocks());
  for (std::size_t r = 0; r < rows; ++r)
    kmeans_encode_row(tensor.codebook, weights + r * cols, cols, tensor.packed.data() + r * tensor.row_bytes(),
                      tensor.scales.data() + r * tensor.row_blocks());
  return tensor;
}

std::vector<float> kmeans_decode(const KmeansTensor& tensor) {
  make_codebook(tensor.codebook.centroids);
  if (tensor.codebook.centroids.size() != std::size_t{1} << tensor.bits() ||
      tensor.packed.size() != tensor.rows * tensor.row_bytes() ||
      tensor.scales.size() != tensor.rows * tensor.row_blocks())
    throw std::invalid_argument("a K-means tensor whose packed indices, scales or codebook do not fit its shape");
  std::vector<float> out(tensor.rows * tensor.cols);
  for (std::size_t r = 0; r < tensor.rows; ++r)
    kmeans_decode_row_f32(tensor.codebook, tensor.row_packed(r), tensor.row_scales(r), tensor.cols,
                          out.data() + r * tensor.cols);
  return out;
}

void kmeans_normalise(const float* weights, std::size_t rows, std::size_t cols, ScaleStatistic statistic, float* out) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t first = 0; first < cols; first += kKmeansBlock) {
      const std::size_t at = r * cols + first;
      const std::size_t n = std::min(kKmeansBlock, cols - first);
      const float s = kmeans_block_scale(weights + at, n, statistic);
      for (std::size_t i = 0; i < n; ++i) out[at + i] = finite_or_zero(weights[at + i]) / s;
    }
}

Codebook kmeans_train(const float* weights, std::size_t rows, std::size_t cols, int bits, std::uint64_t seed) {
  if (!kmeans_bits_supported(bits))
    throw std::invalid_argument("K-means indices of " + std::to_string(bits) + " bits, expected 1 to 8");
  require_finite(weights, rows, cols);
  std::vector<float> z(rows * cols);
  kmeans_normalise(weights, rows, cols, kmeans_statistic(bits), z.data());
  LloydMaxOptions options;
  options.seed = seed;
  return make_codebook(lloyd_max(z.data(), z.size(), std::size_t{1} << bits, options).centroids);
}

}  // namespace harmonia::formats
