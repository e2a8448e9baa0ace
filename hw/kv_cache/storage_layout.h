// Stored size of a weight format: codes and scales of a row.
#pragma once

#include <cstdint>

#include "harmonia/hw/formats/linear_weights.h"

namespace harmonia::accelerator {

/// Stored size of a weight format: `bits` per code, and `scale_bits` per block of `block` consecutive input features.
struct WeightStorage {
  int bits;
  int block;       // 0: no scales
  int scale_bits;  // bf16 or FP16 scale, and the zero-point byte of int4z; a row's scales come first, then its
                   // zero-points

  /// Rows begin at a byte; 3-bit codes are three bit planes.
  std::uint64_t index_row_bytes(std::uint64_t k) const { return bits == 3 ? (k + 7) / 8 * 3 : (k * bits + 7) / 8; }
  std::uint64_t scale_row_bytes(std::uint64_t k) const {
    return block == 0 ? 0 : ((k + block - 1) / block * scale_bits + 7) / 8;
  }
  double bits_per_weight() const { return bits + (block == 0 ? 0.0 : double(scale_bits) / block); }
};
WeightStorage storage_of(WeightFormat format);

}  // namespace harmonia::accelerator
