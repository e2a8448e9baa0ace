// In which formats a step's weights and its KV cache lie in memory.
#pragma once

#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {

struct StoredFormats {
  WeightFormat weights = WeightFormat::kKmeans4;  // of the matrices of the layers
  WeightFormat lm_head = WeightFormat::kFp16;
  KvPolicy kv;
};

}  // namespace harmonia::accelerator
