// NF4: 16 fixed levels, the quantiles of a Gaussian (QLoRA), stored and decoded as K-means indices of 4 bits.
#include "harmonia/hw/formats/nf4.h"

#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> nf4() {
  WeightFormatTraits t = codebook_traits("nf4", 4, "16 normal-distribution levels");
  t.source = "QLoRA (Dettmers et al. 2023)";
  t.levels = nf4_codebook;
  return {t};
}

}  // namespace harmonia::formats::weights
