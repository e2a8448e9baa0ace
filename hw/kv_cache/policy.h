// Which format the KV cache stores, and which of its tokens and groups are read at 8 bit.
//
// Models: FP16, INT8, BFP8 and BFP4 caches, and BFP4 with an initial and a local window at 8 bit: the keys of a token are
//   wide inside a window; a V group of 32 tokens is wide when one of its tokens is, and while it still grows.
// Does not model: where planes lie and how many bytes they take (layout.h, head.h).
// Source: number formats section 1, "Initial-local asymmetric allocation"; the sizes of the windows are our assumption.
#pragma once

#include <cstdint>
#include <string_view>

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::accelerator {

enum class KvFormat { kFp16, kInt8, kBfp8, kBfp4, kBfp4Windows };
/// "fp16", "int8", "bfp8", "bfp4", "bfp4+windows".
const char* name(KvFormat format) noexcept;
/// Throws std::invalid_argument that lists the names.
KvFormat kv_format(std::string_view name);

/// Tokens that share an exponent in V, and channels that do in K.
inline constexpr std::uint64_t kv_group = formats::kBfpGroup;
/// Groups that hold so many tokens or channels.
constexpr std::uint64_t kv_groups(std::uint64_t values) { return (values + kv_group - 1) / kv_group; }

/// First of the tokens that are read for one at `position` which attends to the `window` newest, itself the last; 0: to
/// all. Values come in whole groups, and keys with them.
constexpr std::uint64_t first_token_read(std::uint64_t position, std::uint64_t window) {
  return window == 0 || position < window ? 0 : (position + 1 - window) / kv_group * kv_group;
}

/// Units (tokens of K, groups of V) [from, to).
struct UnitRange {
  std::uint64_t from = 0, to = 0;

  std::uint64_t count() const { return to - from; }
  bool contains(std::uint64_t unit) const { return unit >= from && unit < to; }
};

/// The wide ones among some units: at their beginning those of the initial window, at their end those of the local one.
/// Both ranges lie within the units asked for, the second begins where the first ends or later.
struct WideUnits {
  UnitRange initial, local;

  std::uint64_t count() const { return initial.count() + local.count(); }
  bool contains(std::uint64_t unit) const { return initial.contains(unit) || local.contains(unit); }
};

struct KvPolicy {
  KvFormat format = KvFormat::kBfp4Windows;
  int n_initial = 32;  // tokens at the start of a context whose keys and values stay at 8 bit
  int n_local = 64;    // newest tokens that stay at 8 bit

  /// Whether the cache holds BFP groups; otherwise rows of FP16 or INT8, token by token.
  bool grouped() const {
    return format == KvFormat::kBfp8 || format == KvFormat::kBfp4 || format == KvFormat::kBfp4Windows;
  }

  // The rules themselves. context: tokens in the cache.
  /// Whether the keys of a token are read at 8 bit.
  bool wide_key(std::uint64_t token, std::uint64_t context) const;
  /// Whether V group `group` (tokens 32 group .. 32 group + 31) is.
  bool wide_group(std::uint64_t group, std::uint64_t context) const;

  // The same for many at once, in closed form.
  /// Among the keys of tokens [tokens.from, tokens.to).
  WideUnits wide_keys(UnitRange tokens, std::uint64_t context) const;
  /// Among V groups [groups.from, groups.to). `present` tokens are in the cache so far: a group beyond them still grows.
  /// It is the context, but while a step appends its tokens piece by piece.
  WideUnits wide_groups(UnitRange groups, std::uint64_t context, std::uint64_t present) const;
  WideUnits wide_groups(UnitRange groups, std::uint64_t context) const { return wide_groups(groups, context, context); }

 private:
  std::uint64_t local_begin(std::uint64_t context) const;
};

}  // namespace harmonia::accelerator
