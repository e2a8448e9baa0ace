// The designs' arithmetic over whole matrices: what their PEs make of a linear, for models that are run through it.
//
// Models: bit for bit what the golden functions of baselines.h give group by group and their accumulator behind them, for every
// design; iFPU's planes stand for 2w + 1 where the weight is w, and the one is taken off with the group's sum of activations,
// which is exact before anything is rounded.
// Does not model: attention over the cache and FP16 matrices on arrays of integers (hw/golden leaves both to a plain FP16 array),
// Anda's groups of 64 in memory (its unit of 32 lanes aligns 32), time.
#pragma once

#include <cstdint>
#include <memory>

#include "harmonia/hw/formats/array_arithmetic.h"

namespace harmonia::baselines {

/// As the PEs of hw/baselines are named.
enum class Design : std::uint8_t { fp_fp, fp_int, ifpu, figna, figna_m11, figna_m8, bitmod, anda };

/// mantissa_bits: of Anda's activations, 1..14; the others have their own.
std::shared_ptr<const formats::ArrayArithmetic> arithmetic(Design design, int mantissa_bits = 8);

}  // namespace harmonia::baselines
