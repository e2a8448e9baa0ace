// The KV cache of the golden model: one layer of one sequence, in stored bytes and as the operands of the PE array.
//
// Models: appending, growth of V groups in place, demotion of what leaves the windows, conversion on read of FP16 and
//   INT8 caches on a BFP array and of BFP caches on a plain FP16 array.
// Does not model: addresses (hw/kv_cache/layout.h), several sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/golden/settings.h"
#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

/// One layer's cache of one sequence in its stored bytes.
///
/// BFP formats. Slots hold one group each: exponent, sign plane, high-nibble plane, low-nibble plane (formats/bfp.h). A
/// slot whose allocation is 4 bit ends after the high plane: its live size is kBfp4.group_bytes(), otherwise
/// kBfp8.group_bytes(). Demotion drops the low plane and moves nothing.
///   K: slot (kv head, token, group of 32 channels)     V: slot (kv head, channel, group of 32 consecutive tokens)
/// The last V group is the residual one until it has 32 tokens, zero-padded, always with both planes.
/// FP16: per (kv head, token) head_dim FP16 values. INT8: per (kv head, token) one FP16 scale, then head_dim codes. K
/// and V alike.
class GoldenKvCache {
 public:
  GoldenKvCache() = default;
  /// window: tokens that the layer attends to; 0: all. Older ones stay here and are not read.
  GoldenKvCache(const ModelShape& shape, const GoldenSettings& settings, std::uint64_t window = 0);

  std::size_t tokens() const { return tokens_; }
  /// Groups of 32 channels in a head.
  std::size_t key_groups() const { return key_groups_; }
  /// Groups of 32 tokens, the residual one included.
  std::size_t value_groups() const { return kv_groups(tokens_); }

  struct Stored {
    const std::uint8_t* data = nullptr;
    std::size_t bytes = 0;
  };
  /// BFP formats only: the live bytes of one group.
  Stored key_group(std::size_t kv_head, std::size_t token, std::size_t group) const;
  Stored value_group(std::size_t kv_head, std::size_t channel, std::size_t group) const;
  /// FP16 and INT8 only: one token's stored row.
  Stored key_row(std::size_t kv_head, std::size_t token) const;
  Stored value_row(std::size_t kv_head, std::size_t token) const;
  /// Live bytes of the cache: what one query of a decode step reads of it, every live byte once.
  std::size_t live_bytes() const;

  /// Appends `tokens` rows of K (after smoothing) and V, FP16 [tokens][kv_width], then demotes what has left the
  /// windows. Returns how many values were infinite or NaN.
  std::size_t append(const formats::Fp16* k, const formats::Fp16* v, std::size_t tokens);

  // The operands that the PE array reads.
  /// out[t] = q . K(first + t) of one kv head, t < count. q: a stored BFP8 row of head_dim values, or head_dim FP16 values.
  void scores(const void* q, std::size_t kv_head, std::size_t first, std::size_t count, formats::Fp16* out) const;
  /// out[c] = sum_t p(t) V(first + t, c) of one kv head, c < head_dim; first begins a group of 32. p: a stored BFP8 row of `count` values, or FP16 values.
  void attend(const void* p, std::size_t kv_head, std::size_t first, std::size_t count, formats::Fp16* out) const;

 private:
  bool stores_bfp() const { return policy_.grouped(); }
  std::uint8_t* key_slot(std::size_t kv_head, std::size_t token);
  std::uint8_t* value_slot(std::size_t kv_head, std::size_t channel, std::size_t group);
  void reserve(std::size_t tokens);
  /// Returns how many values were infinite or NaN.
  std::size_t store_row(const formats::Fp16* x, std::vector<std::uint8_t>& rows, formats::Fp16* read_back);
  std::size_t store_rows(const formats::Fp16* keys, const formats::Fp16* values);
  std::size_t convert_token(const formats::Fp16* keys, const formats::Fp16* values);
  void keep_fp16(const formats::Fp16* keys, const formats::Fp16* values);
  void demote();
  void decode_to_fp16(std::size_t first_token);

  GoldenSettings settings_;
  KvPolicy policy_;
  std::uint64_t window_ = 0;
  std::size_t kv_heads_ = 0, head_dim_ = 0, key_groups_ = 0, tokens_ = 0;
  std::size_t capacity_ = 0;                           // tokens, a multiple of 32
  std::size_t demoted_keys_ = 0, demoted_values_ = 0;  // tokens, groups: what lies before needs no further look
  std::size_t first_stale_ = 0;                        // tokens from here on changed in the last demotion
  // Operand slots of kBfp8.group_bytes() each, low planes zeroed where they are dropped: keys [kv head][token][group],
  // values [kv head][channel][group]. For FP16 and INT8 caches on a BFP array these are what conversion on read yields.
  std::vector<std::uint8_t> key_slots_, value_slots_;
  std::vector<std::vector<std::uint8_t>> key_rows_, value_rows_;  // by kv head; FP16 and INT8 caches
  // On a plain FP16 array: [kv head][token][head_dim], [kv head][channel][token].
  std::vector<formats::Fp16> key_fp16_, value_fp16_;
  std::vector<formats::Fp16> scratch_;
};

}  // namespace harmonia::accelerator
