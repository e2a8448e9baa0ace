// How the linears of a weight format run on the PE array: what decoder and array are told.
// Models: the mode of each format on an array of BFP or of FP16 operands, as its entry in hw/formats/weights says. Does not model:
// the arithmetic (hw/formats).
#pragma once

#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::accelerator {

using LinearMode = formats::ArrayMode;

/// bfp_array: the array takes BFP operands; otherwise FP16 words. Throws config::InputError when the machine has no mode for the
/// format, or the array has none (a bf16 codebook on an integer PE).
LinearMode linear_mode(formats::WeightFormat format, formats::CodebookKind codebook, bool bfp_array);

}  // namespace harmonia::accelerator
