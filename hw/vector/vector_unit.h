// Vector unit: RMSNorm, RoPE, softmax, SiLU, residual add on FP16 values, between PE array and converter.
//
// Models: cycles of each operation on `lanes` lanes. Arithmetic: vector_math.h.
// Does not model: lanes one by one, the ports of the scratch memory (it keeps up with the lanes).
// Source: our definition; lane count and cycles per element are configuration values.
#pragma once

#include <cstdint>

#include "harmonia/hw/vector/config.h"
#include "harmonia/hw/vector/descriptor.h"

namespace harmonia::vector {

/// Results of the PE array, and bytes of the operand socket, that an operation takes before it is done.
std::uint64_t results(const Kind& kind);
std::uint64_t operand_bytes(const Kind& kind);
/// Cycles on the lanes for `elements` results as they arrive.
std::uint64_t arriving_cycles(const Config& config, const Kind& kind, std::uint64_t elements);
/// Cycles on the lanes once everything is there. An operation that takes no results makes all its passes then.
std::uint64_t final_cycles(const Config& config, const Kind& kind);
/// Values that an operation works on without their having come as results of the array.
std::uint64_t own_elements(const Kind& kind);

}  // namespace harmonia::vector
