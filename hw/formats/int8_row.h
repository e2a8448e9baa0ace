// A row of an INT8 KV cache: one FP16 scale, then one signed code for each value.
//
// Models: scale = fp16(max|x| / 127), code = x / scale rounded to nearest-even and clamped to -127 .. 127 (scale 0: all
//   codes 0), and the value that is read back, fp16(code * scale).
//   An infinity or NaN cannot be represented: like in a BFP group it becomes the largest finite value with its sign and
//   is counted. A value read back is finite for the same reason: 127 times a scale that was rounded up can be more than
//   FP16 holds, and then is the largest finite value too.
// Does not model: where rows lie (hw/kv_cache).
// Source: our assumption; number formats section 1 for what becomes of infinities and NaN.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

constexpr std::size_t int8_row_bytes(std::size_t n) noexcept { return 2 + n; }

/// Writes int8_row_bytes(n) bytes. Returns how many values were infinite or NaN.
std::size_t encode_int8_row(const Fp16* x, std::size_t n, std::uint8_t* out) noexcept;
/// Value i of a stored row.
Fp16 decode_int8(const std::uint8_t* row, std::size_t i) noexcept;
/// All n values of a stored row.
void decode_int8_row(const std::uint8_t* row, std::size_t n, Fp16* out) noexcept;

}  // namespace harmonia::formats
