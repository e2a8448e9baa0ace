// Ternary weights: -1, 0 and 1 times the mean magnitude of a block, stored and decoded as K-means indices of 2 bits.
#include "harmonia/hw/formats/ternary.h"

#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> ternary() {
  WeightFormatTraits t = codebook_traits("ternary", 2, "-1, 0, 1 in 2 bits");
  t.source = "BitNet b1.58 (Ma et al. 2024)";
  t.levels = ternary_codebook;
  // All magnitudes are 0 or the largest: one pass computes them.
  t.passes = 1;
  return {t};
}

}  // namespace harmonia::formats::weights
