// Ternary weights with an absmean scale: -1, 0 or 1 times the mean of absolute values of a block of 64 weights. Stored
// and decoded as K-means weights of 2 bits, so that the LUT decoder needs nothing new:
//   kmeans_encode(ternary_codebook(), ...)   2.25 bits per weight with the bf16 scale
// Source: BitNet b1.58 (Ma et al. 2024) for absmean; block, storage and the tie rule (a tie takes the lower value, as
// for every codebook) are our choice.
//
// Models: the codebook. Does not model: denser packings of three-valued digits, training with ternary weights.
#pragma once

#include "harmonia/hw/formats/kmeans.h"

namespace harmonia::formats {

/// {-1, 0, 1, 1}: codes 2 and 3 mean the same.
inline const Codebook& ternary_codebook() {
  static const Codebook codebook = make_codebook({-1, 0, 1, 1});
  return codebook;
}

}  // namespace harmonia::formats
