// How weights and the KV cache lie in memory: bytes of a row, planes, tokens and groups, and the address of each.
// Models: the stored layouts of the formats (K-means planes and scales as separate row-major arrays; BFP groups with
// their
//   low-nibble planes apart, so that demoting a token is ceasing to read); rings for the low planes of the local
//   window.
// Does not model: paging of the KV cache (each sequence slot is one contiguous reservation), checkpoints on disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/hw/model/model_shape.h"

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

/// A contiguous piece of memory.
struct Segment {
  std::uint64_t address;
  std::uint64_t bytes;
};

struct KvStorage {
  KvFormat format = KvFormat::kBfp4Windows;
  int n_initial = 32;  // tokens at the start of a context whose keys and values stay at 8 bit
  int n_local = 64;    // newest tokens that stay at 8 bit

  bool grouped() const {
    return format == KvFormat::kBfp8 || format == KvFormat::kBfp4 || format == KvFormat::kBfp4Windows;
  }
  /// Whether token t of a context of `context` tokens is read at 8 bit.
  bool wide(std::uint64_t t, std::uint64_t context) const {
    if (format == KvFormat::kBfp8) return true;
    if (format != KvFormat::kBfp4Windows) return false;
    return t < std::uint64_t(n_initial) || t + n_local >= context;
  }
};

/// KV cache of `slots` sequences with room for `capacity_tokens` each.
///
/// Per slot, layer and kv head, four areas follow each other: K main, K low, V main, V low. Main holds, for the BFP
/// formats, exponent, signs and high nibbles (21 bytes a group of 32), low the low nibbles (16 bytes a group). K is
/// grouped along head_dim, token by token; V per channel along 32 consecutive tokens, group by group. The group that
/// still grows stands where it will stand when it is full. FP16 and INT8 caches use the main areas only; V then lies
/// token by token. With windows the low areas hold the initial window, then a ring.
class KvCacheLayout {
 public:
  static constexpr int group_tokens = 32;
  static constexpr int group_main_bytes = 1 + 4 + 16;
  static constexpr int group_low_bytes = 16;

  KvCacheLayout() = default;
  KvCacheLayout(const ModelShape& shape, const KvStorage& policy, std::uint64_t capacity_tokens, std::uint64_t slots,
                std::uint64_t base, std::uint64_t alignment);

  std::uint64_t base() const { return base_; }
  std::uint64_t bytes() const { return slots_ == 0 ? 0 : slot_stride_ * (slots_ - 1) + slot_bytes_; }
  /// Lays the slots over each other so that all of them fit into `region` bytes (at least one slot's): for runs without
  /// contents, where the sequences together hold less than their slots could.
  void overlap_slots(std::uint64_t region, std::uint64_t alignment);
  std::uint64_t slot_bytes() const { return slot_bytes_; }
  std::uint64_t capacity_tokens() const { return capacity_; }
  std::uint64_t slots() const { return slots_; }
  const KvStorage& policy() const { return policy_; }

  struct Place {
    std::uint64_t slot;
    int layer;
    int head;  // kv head
  };

  /// What Q K^T reads for a context of `context` tokens: main plane, then the low planes of the tokens read at 8 bit.
  /// Only the first `visible` tokens are read (a prefill strip sees no later ones).
  void k_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
              std::vector<Segment>& low) const;
  /// What P V reads: the groups that hold the first `visible` tokens.
  void v_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
              std::vector<Segment>& low) const;
  /// What appending tokens [first, first + count) writes, in a step after which the context is `context`: low planes
  /// only where they will be read.
  void k_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
               std::vector<Segment>& main, std::vector<Segment>& low) const;
  void v_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
               std::vector<Segment>& main, std::vector<Segment>& low) const;
  /// Tokens [from, to) that get a low plane when [first, first + count) is appended: initial window, then local window.
  struct Range {
    std::uint64_t from, to;
  };
  void k_low_written(std::uint64_t first, std::uint64_t count, std::uint64_t context, Range out[2]) const;
  /// The V group that still grows when `first` tokens are cached; empty when first is a multiple of 32 or V is not
  /// grouped.
  void v_residual(const Place& p, std::uint64_t first, std::vector<Segment>& main, std::vector<Segment>& low) const;

  /// Address of the low plane of a token's K groups or of a V group.
  std::uint64_t k_low_address(const Place& p, std::uint64_t token) const;
  std::uint64_t v_low_address(const Place& p, std::uint64_t group) const;
  std::uint64_t k_main_address(const Place& p, std::uint64_t token) const { return k_main(p) + token * k_main_token_; }
  std::uint64_t v_main_address(const Place& p, std::uint64_t unit) const { return v_main(p) + unit * v_main_unit_; }

  std::uint64_t k_main_token_bytes() const { return k_main_token_; }
  std::uint64_t k_low_token_bytes() const { return k_low_token_; }
  std::uint64_t v_main_unit_bytes() const {
    return v_main_unit_;
  }  // of a group of 32 tokens, or of a token when not grouped
  std::uint64_t v_low_unit_bytes() const { return v_low_unit_; }
  /// Whether group g of V is read at 8 bit: one of its tokens is, or it is the growing one.
  bool v_group_wide(std::uint64_t group, std::uint64_t context) const;
  /// Bytes that a context of `context` tokens occupies when everything is read once, all layers and heads (for ratios
  /// and limits).
  std::uint64_t read_bytes(std::uint64_t context) const;

 private:
  std::uint64_t head_base(const Place& p) const {
    return base_ + p.slot * slot_stride_ + (std::uint64_t(p.layer) * kv_heads_ + p.head) * head_bytes_;
  }
  std::uint64_t k_main(const Place& p) const { return head_base(p); }
  std::uint64_t k_low(const Place& p) const { return head_base(p) + k_low_offset_; }
  std::uint64_t v_main(const Place& p) const { return head_base(p) + v_main_offset_; }
  std::uint64_t v_low(const Place& p) const { return head_base(p) + v_low_offset_; }
  void k_low_range(const Place& p, std::uint64_t from, std::uint64_t to, std::vector<Segment>& out) const;
  void v_low_range(const Place& p, std::uint64_t from, std::uint64_t to, std::vector<Segment>& out) const;

  KvStorage policy_;
  int kv_heads_ = 0, layers_ = 0;
  std::uint64_t base_ = 0, slots_ = 0, capacity_ = 0;
  std::uint64_t k_main_token_ = 0, k_low_token_ = 0, v_main_unit_ = 0, v_low_unit_ = 0;
  std::uint64_t k_low_fixed_ = 0, k_low_ring_ = 0;  // tokens
  std::uint64_t v_low_fixed_ = 0, v_low_ring_ = 0;  // groups
  std::uint64_t k_low_offset_ = 0, v_main_offset_ = 0, v_low_offset_ = 0, head_bytes_ = 0, slot_bytes_ = 0,
                slot_stride_ = 0;
};

}  // namespace harmonia::accelerator
