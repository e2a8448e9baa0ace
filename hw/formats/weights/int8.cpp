// INT8 with an FP16 scale per 128 input features.
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> int8() {
  WeightFormatTraits with_zero = integer_traits(8, true);
  with_zero.refused = "the decoder has no mode for int8 with zero-points: q - z takes 9 bits";
  return {integer_traits(8, false), with_zero};
}

}  // namespace harmonia::formats::weights
