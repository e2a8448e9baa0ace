// INT4 with an FP16 scale per 128 input features: the common W4A16 deployment.
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> int4() { return {integer_traits(4, false), integer_traits(4, true)}; }

}  // namespace harmonia::formats::weights
