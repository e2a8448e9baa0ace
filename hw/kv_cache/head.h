// Bytes of the KV cache of one kv head in one layer: what is stored, read and written.
//
// Models: per token of K and per unit of V (a group of 32 tokens, or a token when the cache is not grouped) a main part
//   and, where it is wide, a low part: the planes of a BFP group that 4 bits need, and those that make them 8.
// Does not model: addresses (layout.h), the transactions that move the bytes.
#pragma once

#include <cstdint>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {

struct KvHead {
  KvPolicy policy;
  std::uint64_t head_dim = 0;  // channels

  KvHead() = default;
  KvHead(const KvPolicy& p, int channels) : policy(p), head_dim(static_cast<std::uint64_t>(channels)) {}

  // ---- One unit ----
  /// Of K: a token's row, or the main and low planes of its groups.
  std::uint64_t key_main_bytes() const;
  std::uint64_t key_low_bytes() const;
  /// Tokens in a unit of V.
  std::uint64_t value_unit_tokens() const { return policy.grouped() ? kv_group : 1; }
  std::uint64_t value_main_bytes() const;
  std::uint64_t value_low_bytes() const;
  /// Units of V that hold so many tokens.
  std::uint64_t value_units(std::uint64_t tokens) const {
    return (tokens + value_unit_tokens() - 1) / value_unit_tokens();
  }

  // ---- What a step moves, in bytes. context: tokens in the cache when the step's own are there. ----
  /// Q K^T over the first `visible` tokens, or over [tokens.from, tokens.to), which begin with a group.
  std::uint64_t keys_read(std::uint64_t visible, std::uint64_t context) const {
    return keys_read({0, visible}, context);
  }
  std::uint64_t keys_read(UnitRange tokens, std::uint64_t context) const;
  /// P V over the units that hold those.
  std::uint64_t values_read(std::uint64_t visible, std::uint64_t context) const {
    return values_read({0, visible}, context);
  }
  std::uint64_t values_read(UnitRange tokens, std::uint64_t context) const;
  /// Appending the keys or the values of tokens [first, first + count), with low planes only where they will be read or
  /// a group still grows.
  std::uint64_t keys_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const;
  std::uint64_t values_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const;
  /// The V group that still grows when `first` tokens are cached: read before more are appended. 0 when there is none.
  std::uint64_t residual_bytes(std::uint64_t first) const;
  /// Everything that a context's live planes take: what its last token reads of it, attending to `window` tokens (0: all).
  std::uint64_t live_bytes(std::uint64_t context, std::uint64_t window = 0) const {
    const UnitRange read{context == 0 ? 0 : first_token_read(context - 1, window), context};
    return keys_read(read, context) + values_read(read, context);
  }

  /// Wide keys among the first `visible` tokens; wide groups among those that hold them.
  WideUnits wide_keys(std::uint64_t visible, std::uint64_t context) const {
    return policy.wide_keys({0, visible}, context);
  }
  WideUnits wide_groups(std::uint64_t visible, std::uint64_t context) const {
    return policy.wide_groups({0, kv_groups(visible)}, context);
  }
  /// Wide keys among tokens [from, to), which begin with a group; wide groups among those that hold them.
  WideUnits wide_keys(UnitRange tokens, std::uint64_t context) const { return policy.wide_keys(tokens, context); }
  WideUnits wide_groups(UnitRange tokens, std::uint64_t context) const {
    return policy.wide_groups({tokens.from / kv_group, kv_groups(tokens.to)}, context);
  }
  /// The same among what appending tokens [first, first + count) writes.
  WideUnits wide_keys_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const {
    return policy.wide_keys({first, first + count}, context);
  }
  WideUnits wide_groups_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const {
    return policy.wide_groups({first / kv_group, kv_groups(first + count)}, context, first + count);
  }
};

}  // namespace harmonia::accelerator
