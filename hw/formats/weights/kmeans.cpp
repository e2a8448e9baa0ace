// K-means weights: a codebook of 2^n values trained on each matrix, n-bit indices, bf16 scales per 64.
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> kmeans() {
  std::vector<WeightFormatTraits> formats;
  for (const int bits : {8, 4, 3, 2, 1}) {
    WeightFormatTraits t =
        codebook_traits("kmeans" + std::to_string(bits), bits, std::to_string(1 << bits) + " trained centroids");
    t.source = "1-Bit Wonder paper; number formats specification, section 2";
    // Two opposite signs need one pass of the sign mode.
    if (bits == 1) {
      t.pe_mode = PeMode::kM8B1;
      t.passes = 1;
    }
    formats.push_back(t);
  }
  return formats;
}

}  // namespace harmonia::formats::weights
