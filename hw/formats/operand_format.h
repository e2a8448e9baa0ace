// How a row of A operands is stored: FP16 words, or groups of a sign and M bits a value with one exponent.
// Models: bytes of a row. Does not model: what the bits mean (bfp.h).
#pragma once

#include <cstdint>

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::formats {

struct OperandFormat {
  std::uint32_t group = 0;  // values that share an exponent; 0: FP16 words
  std::uint32_t group_bytes = 0;

  bool bfp() const { return group != 0; }
  std::uint64_t row_bytes(std::uint64_t columns) const {
    return bfp() ? (columns + group - 1) / group * group_bytes : 2 * columns;
  }
  static constexpr OperandFormat fp16() { return {}; }
  static constexpr OperandFormat bfp8() { return {kBfp8.group_size, static_cast<std::uint32_t>(kBfp8.group_bytes())}; }
  /// 64 values of a sign and M bits, and an exponent of 5 bits stored in a byte.
  static constexpr OperandFormat anda(int mantissa_bits) {
    return {64, static_cast<std::uint32_t>(8 * (1 + mantissa_bits) + 1)};
  }
};

}  // namespace harmonia::formats
