// K-means look-up-table weights: w[o,i] = s[o, i div 64] * c[idx[o,i]], one codebook of 2^n values per tensor, one bf16
// scale per block of 64 consecutive input features of an output row, one n-bit index per weight.
// Source: "1-Bit Wonder" (K-means weight quantisation with block scales); number formats specification, section 2.
//
// Models: block statistic, choice of index, packing, and decoding, bit for bit. Row-wise functions work on one row of a
// row-major [rows, cols] tensor, never allocate and need no alignment; the tensor functions at the end own their
// memory. Does not model: codebook training (lloyd_max.h), integer codebooks of the PE (integer_codebook.h), timing
// (the decoder).
//
// The scalar definition is namespace `scalar`; the functions outside it choose the fastest path that this processor has
// and return the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

/// Weights that share one scale. The last block of a row is shorter when the row length is not a multiple.
inline constexpr std::size_t kKmeansBlock = 64;

enum class ScaleStatistic { kAbsMean, kAbsMax };

/// Mean of absolute values for n <= 2 bits, maximum for more.
constexpr ScaleStatistic kmeans_statistic(int bits) {
  return bits <= 2 ? ScaleStatistic::kAbsMean : ScaleStatistic::kAbsMax;
}

/// Index widths that the packing defines: 1 to 8. Registered weight formats use 1, 2, 3, 4 and 8.
constexpr bool kmeans_bits_supported(int bits) { return bits >= 1 && bits <= 8; }

/// Whether indices are stored as bit planes: those whose width does not divide a byte.
constexpr bool kmeans_bit_planes(int bits) { return 8 % bits != 0; }

/// 2^bits centroids in ascending order, so that code order is value order. No symmetry is assumed.
struct Codebook {
  int bits = 0;
  std::vector<float> centroids;
};

/// Checks the count (a power of two from 2 to 256), that every value is finite and that the order ascends (equal neighbours are
/// allowed: a tensor may have fewer distinct values than centroids). Throws std::invalid_argument.
Codebook make_codebook(std::vector<float> centroids);

/// The codebook for Gaussian weights, for use without calibration data: n = 1..4 (the published roundings of the
/// Gaussian optimum, mirrored about zero), n = 8 (trained once on 2^20 Gaussian weights of seed 0). Throws
/// std::invalid_argument.
const Codebook& default_codebook(int bits);

/// m_j = (c_j + c_{j+1}) / 2 in FP32, j = 0 .. 2^bits - 2. `midpoints` holds 2^bits - 1 floats.
void kmeans_midpoints(const Codebook& codebook, float* midpoints);

/// Number of blocks (and of scales) of a row of `cols` weights.
constexpr std::size_t kmeans_blocks(std::size_t cols) { return cols / kKmeansBlock + (cols % kKmeansBlock != 0); }

/// Bytes of the packed indices of a row of `cols` weights. n = 1, 2, 4, 8: ceil(cols * n / 8). Other n: each block stores
/// n bit planes of ceil(block / 8) bytes.
constexpr std::size_t kmeans_row_bytes(std::size_t cols, int bits) {
  const std::size_t tail = cols % kKmeansBlock;
  if (kmeans_bit_planes(bits))
    return (cols / kKmeansBlock * (kKmeansBlock / 8) + (tail + 7) / 8) * static_cast<std::size_t>(bits);
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  return cols / per_byte + (cols % per_byte != 0);
}

/// Packs the indices of one row. n = 1, 2, 4, 8: the first element in the most significant bits of a byte. Other n (our
/// choice, the paper releases no such packing): per block a plane for each index bit, the highest first; in a plane
/// the first element is the most significant bit of the first byte. Unused bits are 0.
/// indices: `cols` values below 2^bits; packed: kmeans_row_bytes(cols, bits) bytes.
void kmeans_pack(const std::uint8_t* indices, std::size_t cols, int bits, std::uint8_t* packed);
void kmeans_unpack(const std::uint8_t* packed, std::size_t cols, int bits, std::uint8_t* indices);

/// The unrounded scale of one block of n = 1..64 weights: the statistic formed in double in ascending order, rounded
/// once to FP32, and at least 1e-5. A weight that is not finite counts as 0.
float kmeans_block_scale(const float* weights, std::size_t n, ScaleStatistic statistic);

/// Encodes one row: idx = number of midpoints below z = w / s (FP32 division, s unrounded), so that a tie takes the
/// lower centroid; stores bf16(s), nearest-even. A weight that is not finite is encoded as 0. packed:
/// kmeans_row_bytes(cols, bits) bytes; scales: kmeans_blocks(cols) Bf16. Returns how many weights were not
/// finite.
std::size_t kmeans_encode_row(const Codebook& codebook, const float* weights, std::size_t cols, std::uint8_t* packed,
                              Bf16* scales);

/// w = bf16(c[idx] * s), the product rounded to FP32 and then to bf16, nearest-even both times. out: `cols` Bf16.
void kmeans_decode_row_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                            Bf16* out);

/// w = c[idx] * s with the one rounding of the FP32 product. out: `cols` floats.
void kmeans_decode_row_f32(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                           float* out);

/// codes[i] = table[idx[i]]: what the LUT decoder hands to the PE array. table: 2^bits signed integers
/// (IntegerCodebook::q); the block scales do not enter.
void kmeans_decode_row_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t cols,
                            std::int8_t* codes);

/// Reference dot products of one row with `cols` FP32 activations, products and sums in FP32, ascending order.
/// G1, deferred (the order of the hardware): sum a * c over each block, then times its scale, then added to the result.
float kmeans_dot_deferred(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                          const float* activations);
/// G2, scale first: w = bf16(c * s), then sum a * w.
float kmeans_dot_scale_first(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                             const float* activations);

/// A whole tensor. packed: [rows, kmeans_row_bytes(cols, bits)], scales: [rows, kmeans_blocks(cols)] Bf16, both
/// row-major and separate, so that a decoder reads two sequential streams.
struct KmeansTensor {
  std::size_t rows = 0;
  std::size_t cols = 0;
  Codebook codebook;
  std::vector<std::uint8_t> packed;
  std::vector<Bf16> scales;

  int bits() const { return codebook.bits; }
  std::size_t row_bytes() const { return kmeans_row_bytes(cols, codebook.bits); }
  std::size_t row_blocks() const { return kmeans_blocks(cols); }
  const std::uint8_t* row_packed(std::size_t row) const { return packed.data() + row * row_bytes(); }
  const Bf16* row_scales(std::size_t row) const { return scales.data() + row * row_blocks(); }
};

/// weights: row-major [rows, cols], all finite (std::invalid_argument names the first that is not).
KmeansTensor kmeans_encode(const Codebook& codebook, const float* weights, std::size_t rows, std::size_t cols);

/// Row-major [rows, cols], the values of kmeans_decode_row_f32. Throws std::invalid_argument when the sizes of the
/// tensor's arrays do not fit its shape.
std::vector<float> kmeans_decode(const KmeansTensor& tensor);

/// The block-normalised values z = w / s of a tensor, on which a codebook is trained. out: rows * cols floats.
void kmeans_normalise(const float* weights, std::size_t rows, std::size_t cols, ScaleStatistic statistic, float* out);

/// Trains a codebook on the tensor (Lloyd-Max on the block-normalised values, deterministic for a seed).
Codebook kmeans_train(const float* weights, std::size_t rows, std::size_t cols, int bits, std::uint64_t seed);

namespace scalar {
float kmeans_block_scale(const float* weights, std::size_t n, ScaleStatistic statistic);
std::size_t kmeans_encode_row(const Codebook& codebook, const float* weights, std::size_t cols, std::uint8_t* packed,
                              Bf16* scales);
void kmeans_decode_row_bf16(const Codebook& codebook, const std::uint8_t* packed, const Bf16* scales, std::size_t cols,
                            Bf16* out);
void kmeans_decode_row_int8(const std::int8_t* table, int bits, const std::uint8_t* packed, std::size_t cols,
                            std::int8_t* codes);
}  // namespace scalar

}  // namespace harmonia::formats
