// Initial-local asymmetric bit allocation of the KV cache.
//
// Models: how many mantissa bits each cached token (K) and each 32-token group (V) keeps, and the bytes that follow.
// Does not model: when planes are dropped or moved (hw/converter, KvCacheLayout).
// Source: number formats section 1, "Initial-local asymmetric allocation"; the window sizes are our assumption.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::formats {

struct KvPolicy {
  std::size_t n_initial = 32;  ///< first tokens that keep high_bits
  std::size_t n_local = 64;    ///< newest tokens that keep high_bits
  int high_bits = 8;           ///< mantissa bits inside the windows, and of the residual V group
  int low_bits = 4;            ///< mantissa bits elsewhere; low_bits <= high_bits
  int group_size = 32;         ///< G, channels of a K group and tokens of a V group
  int exponent_bits = 8;       ///< 5 or 8

  /// Throws std::invalid_argument that names the field.
  void validate() const;

  /// Mantissa bits of the K of token t < context, `context` tokens being in the cache.
  constexpr int key_bits(std::size_t t, std::size_t context) const noexcept {
    return t < n_initial || (n_local >= context || t >= context - n_local) ? high_bits : low_bits;
  }
  /// Mantissa bits of V group g (tokens g*G .. g*G+G-1): high when any of its tokens is, and always in the residual
  /// group.
  constexpr int value_bits(std::size_t g, std::size_t context) const noexcept {
    const auto size = static_cast<std::size_t>(group_size);
    const std::size_t first = g * size;
    const bool residual = first + size > context;
    return residual || key_bits(first, context) == high_bits || key_bits(first + size - 1, context) == high_bits
               ? high_bits
               : low_bits;
  }
  constexpr BfpFormat format(int bits) const noexcept { return {group_size, bits, Rounding::kTruncate, exponent_bits}; }

  /// Tokens whose K keeps high_bits.
  std::size_t high_tokens(std::size_t context) const noexcept;
  /// V groups (the residual one included) that keep high_bits, and all V groups.
  std::size_t high_value_groups(std::size_t context) const noexcept;
  constexpr std::size_t value_groups(std::size_t context) const noexcept {
    const auto size = static_cast<std::size_t>(group_size);
    return context / size + (context % size != 0 ? 1 : 0);
  }

  /// Bits, unpadded, of the K / V of one kv head with head_dim channels at this context.
  std::uint64_t key_storage_bits(std::size_t context, std::size_t head_dim) const noexcept;
  std::uint64_t value_storage_bits(std::size_t context, std::size_t head_dim) const noexcept;
  /// FP16 bits of K and V over their stored bits: 3.05 at context 4096 with a 5-bit exponent. context and head_dim > 0.
  double storage_ratio(std::size_t context, std::size_t head_dim) const noexcept;
};

}  // namespace harmonia::formats
