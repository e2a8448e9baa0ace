// How the linears of a weight format run on the PE array: what decoder and array are told.
// Models: the mode of each format on an array of BFP or of FP16 operands. Does not model: the arithmetic (hw/formats).
#pragma once

#include "harmonia/hw/decoder/descriptor.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/pe/descriptor.h"

namespace harmonia::accelerator {

struct LinearMode {
  decoder::DecodeKind decode = decoder::DecodeKind::codebook;
  pe::Operand operand = pe::Operand::codebook;
  int passes = 2;
  bool one_bit = false;
};

/// bfp_array: the array takes BFP operands; otherwise FP16 words. Throws config::InputError when the array has no mode
/// for the format (a bf16 codebook on an integer PE).
LinearMode linear_mode(WeightFormat format, formats::CodebookKind codebook, bool bfp_array);

}  // namespace harmonia::accelerator
