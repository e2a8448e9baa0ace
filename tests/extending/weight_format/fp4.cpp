// FP4: the E2M1 values with a bf16 absmax scale per 64, stored and decoded as K-means indices of 4 bits.
#include "harmonia/hw/formats/nf4.h"
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> fp4() {
  WeightFormatTraits t = codebook_traits("fp4", 4, "E2M1 levels");
  t.source = "OCP Microscaling Formats v1.0 for the levels";
  t.levels = fp4_codebook;
  return {t};
}

}  // namespace harmonia::formats::weights
