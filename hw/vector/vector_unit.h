// Vector unit: RMSNorm, RoPE, softmax, SiLU, residual add on FP16 values, between PE array and converter.
//
// Models: configuration and cycles of each operation on `lanes` lanes. Arithmetic: vector_math.h.
// Does not model: lanes one by one, the ports of the scratch memory (it keeps up with the lanes).
// Source: our definition; lane count and cycles per element are configuration values.
#pragma once

#include <cstdint>

#include "harmonia/hw/vector/config.h"
#include "harmonia/hw/vector/descriptor.h"

namespace harmonia::vector {

/// Cycles for `elements` values while they arrive, and once all are there (`rows` x `columns`).
struct Cost {
  std::uint64_t per_element_streaming;  // passes over a value as it arrives
  std::uint64_t per_element_final;      // passes over all values afterwards
};
/// norm: sum of squares, scale. rope: two products and a sum in two passes. softmax: maximum as scores arrive, then
/// exponential with sum, then division. silu_mul: exponential with division, product, over gate and up together.
/// Others: one pass.
Cost cost(const Config& config, Kind kind);

}  // namespace harmonia::vector
