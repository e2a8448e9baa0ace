// In which formats a step's weights and its KV cache lie in memory.
#pragma once

#include "harmonia/hw/formats/weights/weight_format.h"
#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {

using formats::WeightFormat;
using formats::WeightStorage;

struct StoredFormats {
  WeightFormat weights = formats::weight_format("kmeans4");  // of the matrices of the layers
  WeightFormat lm_head;                                      // fp16 unless told otherwise
  KvPolicy kv;
};

}  // namespace harmonia::accelerator
