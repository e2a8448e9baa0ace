// FP16 words. A BFP array converts them on read to BFP8 groups and multiplies in the two passes of M8M8.
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats::weights {

std::vector<WeightFormatTraits> fp16() {
  WeightFormatTraits t;
  t.name = "fp16";
  t.description = "IEEE binary16";
  t.source = "number formats specification, section 1";
  t.pe_mode = PeMode::kM8M8;
  return {t};
}

}  // namespace harmonia::formats::weights
