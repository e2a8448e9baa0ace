// Integer codebooks: what the LUT decoder's codebook registers hold, so that K-means weights feed an integer PE.
// q_j = RNE(c_j * Q / max|c|) with Q = 127 (int8, two passes of the PE) or Q = 15 (int5: sign and 4-bit magnitude, one
// pass), and one FP32 scale max|c| / Q per tensor, applied once at the output.
// Source: number formats specification, section 3 (our own join of the two papers; an assumption, not a published
// rule).
//
// Models: the integer values and their scale. Does not model: the PE arithmetic that uses them (pe.h) or reload time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/kmeans.h"

namespace harmonia::formats {

/// How a K-means codebook is held for use. kBf16 is the numeric reference and has no PE mode.
enum class CodebookKind { kInt8, kInt5, kBf16 };

/// Largest magnitude Q of an integer codebook: 127 or 15. Throws std::invalid_argument for kBf16.
int integer_codebook_limit(CodebookKind kind);

struct IntegerCodebook {
  CodebookKind kind = CodebookKind::kInt8;
  int bits = 0;                ///< index width n
  std::vector<std::int8_t> q;  ///< 2^bits values in [-Q, Q], ascending
  float scale = 0.0F;          ///< max|c| / Q in FP32: weight = block scale * scale * q[idx]

  std::int8_t at(std::uint8_t index) const { return q[index]; }
};

/// The quotient c_j * Q / max|c| is exact before its one rounding to an integer (nearest, ties to even). A codebook of
/// zeros gives q = 0 and scale = 0. Throws std::invalid_argument for kBf16.
IntegerCodebook make_integer_codebook(const Codebook& codebook, CodebookKind kind);

/// The real codebook that the integers stand for, c'_j = q_j * scale in FP32.
Codebook dequantised_codebook(const IntegerCodebook& codebook);

/// Every centroid rounded to bf16 (nearest-even): the numeric reference `codebook: bf16`.
Codebook bf16_codebook(const Codebook& codebook);

}  // namespace harmonia::formats
