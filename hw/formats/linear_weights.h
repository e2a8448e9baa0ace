// One linear layer's weights as the machine stores and multiplies them: every weight format behind one type.
//
// Models: encoding of a real matrix, the stored bytes of each row (codes, scales and zero-points as separate row-major
// streams), the operand that the PE array multiplies, and the product's order of rounding.
// Does not model: where the streams lie in memory (the address map), decoder and PE timing.
// Source: number formats specification, sections 1 to 3 and 5.
//
// Stored streams of a [rows, cols] matrix, row r at offset r * row size:
//   words      codes: 2 * cols bytes, little-endian FP16
//   integers   codes: int_row_bytes(cols, bits); scales: FP16 per group; with a zero-point also one byte per group
//   codebook   codes: kmeans_row_bytes(cols, bits); scales: bf16 per 64 columns; codebook: 2^bits FP32 per matrix
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/formats/array_arithmetic.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats {

/// What kind of PE array multiplies. bfp8: activations are BFP8 groups of 32. fp16: a plain FP16 array; weights and
/// cache are decoded to FP16 first.
enum class ActivationFormat { bfp8, fp16 };

class LinearWeights {
 public:
  LinearWeights() = default;
  /// Encodes w, row-major [rows, cols], all finite. K-means codebooks are trained on the matrix, deterministic for
  /// `seed`. `codebook` is how codebook formats are held for the PE; kBf16 has no mode on a BFP array
  /// (std::invalid_argument on use). Throws std::invalid_argument.
  static LinearWeights encode(WeightFormat format, const float* w, std::size_t rows, std::size_t cols,
                              CodebookKind codebook = CodebookKind::kInt8, std::uint64_t seed = 1,
                              std::size_t int_group = kIntGroup);
  /// Takes an integer matrix that was encoded elsewhere: 4 or 8 bits, the group a multiple of 32.
  static LinearWeights from_integers(IntTensor tensor);
  /// Takes a K-means matrix that was encoded elsewhere.
  static LinearWeights from_kmeans(KmeansTensor tensor, CodebookKind codebook = CodebookKind::kInt8);

  WeightFormat format() const { return format_; }
  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  CodebookKind codebook_kind() const { return kind_; }

  /// The stored streams; see the head of this file. Scales are two-byte words (FP16 or bf16), zero-points one byte
  /// each; a stream that the format does not have is null with row size 0.
  struct Streams {
    const std::uint8_t* codes = nullptr;
    std::size_t code_row_bytes = 0;
    const std::uint8_t* scales = nullptr;
    std::size_t scale_row_bytes = 0;
    const std::uint8_t* zeros = nullptr;
    std::size_t zero_row_bytes = 0;
  };
  Streams streams() const;
  /// Codebook formats: the real codebook as it is stored, and the integers that stand for it at the PE (empty for
  /// kBf16).
  const Codebook& codebook() const { return kmeans_.codebook; }
  const IntegerCodebook& integer_codebook() const { return integer_; }
  /// The typed tensor behind the streams; empty for the other kinds of format.
  const KmeansTensor& kmeans() const { return kmeans_; }
  const IntTensor& integers() const { return ints_; }
  /// Codes, scales, zero-points (as wide as the codes) and codebook.
  std::size_t stored_bytes() const;
  double bits_per_weight() const;

  /// The value that row `row` stands for with the codebook in use (the integers times their scale, or bf16 centroids),
  /// FP32, cols floats. `stored_codebook` takes the FP32 centroids as they are stored instead.
  void decode_row(std::size_t row, float* out, bool stored_codebook = false) const;
  /// The FP16 operand of a plain FP16 array: the value above, rounded to FP16 nearest-even.
  void decode_row_fp16(std::size_t row, Fp16* out) const;
  /// The signed integers that the decoder hands to a BFP array, cols values: q, q - z, or the integer
  /// codebook's entry. Throws std::invalid_argument for fp16 and for codebook kind kBf16.
  void decode_row_codes(std::size_t row, std::int16_t* out) const;
  /// PE mode on a BFP8 array.
  PeMode pe_mode() const;

  /// Expands the operands for repeated multiplication; multiply() needs it once. Changes no value.
  void prepare(ActivationFormat activations);
  /// The same for an array of another design, whose activations are FP16: integers of integer and codebook formats where it takes
  /// integers, FP16 words where it takes those. Throws std::invalid_argument when a weight is none that it multiplies.
  void prepare(const ArrayArithmetic& array);
  /// out[t][r] = row r times activation row t. `x` is tokens rows: stored BFP8 groups (kBfp8.row_bytes(cols) each) for
  /// bfp8, cols FP16 values for fp16, as prepare() was told. out: [tokens][rows] FP16.
  void multiply(const void* x, std::size_t tokens, Fp16* out) const { multiply_rows(x, tokens, 0, rows_, out); }
  /// The same with rows [first, first + count) alone; out: [tokens][count].
  void multiply_rows(const void* x, std::size_t tokens, std::size_t first, std::size_t count, Fp16* out) const;

 private:
  static LinearWeights from_codebook(WeightFormat format, KmeansTensor tensor, CodebookKind codebook);

  WeightFormat format_;
  CodebookKind kind_ = CodebookKind::kInt8;
  std::size_t rows_ = 0, cols_ = 0;
  // One of these holds the stored streams.
  std::vector<Fp16> fp16_;
  IntTensor ints_;
  KmeansTensor kmeans_;
  IntegerCodebook integer_;
  Codebook in_use_;  // what the integers (or bf16 centroids) stand for

  ActivationFormat activations_ = ActivationFormat::bfp8;
  std::vector<std::int8_t> operand8_;      // [rows][cols]
  std::vector<std::int16_t> operand16_;    // [rows][cols]; q - z of int8z does not fit a byte
  std::vector<std::uint8_t> operand_bfp_;  // [rows][row_bytes]
  std::vector<Fp16> operand_fp16_;
  std::shared_ptr<const ArrayMatrix> operand_array_;  // of another design; takes the place of all others

  ArrayRows integer_rows(const ArrayArithmetic& array) const;
};

}  // namespace harmonia::formats
