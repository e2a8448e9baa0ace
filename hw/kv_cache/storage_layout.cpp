#include "harmonia/hw/kv_cache/storage_layout.h"

namespace harmonia::accelerator {

WeightStorage storage_of(WeightFormat format) {
  // bf16 per 64 for the look-up formats, FP16 per 128 for the integer ones (linear_weights.h).
  switch (format) {
    case WeightFormat::kFp16:
      return {16, 0, 0};
    case WeightFormat::kInt8:
      return {8, 128, 16};
    case WeightFormat::kInt4:
      return {4, 128, 16};
    case WeightFormat::kInt4Zero:
      return {4, 128, 24};
    default:
      return {code_bits(format), 64, 16};
  }
}

}  // namespace harmonia::accelerator
