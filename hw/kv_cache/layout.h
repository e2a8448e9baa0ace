// Where the KV cache lies in memory: the address of each token and group, and the pieces that a step reads and writes.
//
// Models: one contiguous reservation for each sequence slot; in it, per layer and kv head, four areas: K main, K low,
//   V main, V low. Low planes lie apart, so that demoting a token is ceasing to read; with windows the low areas hold
//   the initial window, then a ring that the local window moves through.
// Does not model: paging of the KV cache. Which units have a low plane is policy.h's, how many bytes they take head.h's.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/kv_cache/policy.h"
#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

/// A contiguous piece of memory.
struct Segment {
  std::uint64_t address;
  std::uint64_t bytes;
};

/// KV cache of `slots` sequences with room for `capacity_tokens` each.
///
/// K is grouped along head_dim, token by token; V per channel along 32 consecutive tokens, group by group. The group
/// that still grows stands where it will stand when it is full. FP16 and INT8 caches use the main areas only; V then
/// lies token by token.
class KvCacheLayout {
 public:
  static constexpr int group_tokens = static_cast<int>(kv_group);
  static constexpr int group_main_bytes = static_cast<int>(formats::kBfpMainBytes);
  static constexpr int group_low_bytes = static_cast<int>(formats::kBfpLowBytes);

  KvCacheLayout() = default;
  KvCacheLayout(const ModelShape& shape, const KvPolicy& policy, std::uint64_t capacity_tokens, std::uint64_t slots,
                std::uint64_t base, std::uint64_t alignment);

  std::uint64_t base() const { return base_; }
  std::uint64_t bytes() const { return slots_ == 0 ? 0 : slot_stride_ * (slots_ - 1) + slot_bytes_; }
  /// Lays the slots over each other so that all of them fit into `region` bytes (at least one slot's): for runs without
  /// contents, where the sequences together hold less than their slots could.
  void overlap_slots(std::uint64_t region, std::uint64_t alignment);
  std::uint64_t slot_bytes() const { return slot_bytes_; }
  std::uint64_t capacity_tokens() const { return capacity_; }
  std::uint64_t slots() const { return slots_; }
  const KvPolicy& policy() const { return head_.policy; }
  /// Bytes and rules of one kv head.
  const KvHead& head() const { return head_; }

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
  /// The same of keys [tokens.from, tokens.to), and of the values of those tokens, which begin with a group.
  void k_read(const Place& p, std::uint64_t context, UnitRange tokens, std::vector<Segment>& main,
              std::vector<Segment>& low) const;
  void v_read(const Place& p, std::uint64_t context, UnitRange tokens, std::vector<Segment>& main,
              std::vector<Segment>& low) const;
  /// What appending tokens [first, first + count) writes, in a step after which the context is `context`: low planes
  /// only where they will be read.
  void k_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
               std::vector<Segment>& main, std::vector<Segment>& low) const;
  void v_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
               std::vector<Segment>& main, std::vector<Segment>& low) const;
  /// The V group that still grows when `first` tokens are cached; empty when first is a multiple of 32 or V is not
  /// grouped.
  void v_residual(const Place& p, std::uint64_t first, std::vector<Segment>& main, std::vector<Segment>& low) const;

  /// Address of a token's K groups and of a V unit (a group, or a token when not grouped): main part and low part.
  std::uint64_t k_main_address(const Place& p, std::uint64_t token) const {
    return k_main(p) + token * head_.key_main_bytes();
  }
  std::uint64_t v_main_address(const Place& p, std::uint64_t unit) const {
    return v_main(p) + unit * head_.value_main_bytes();
  }
  std::uint64_t k_low_address(const Place& p, std::uint64_t token) const {
    return k_low(p) + k_low_area_.place(token) * head_.key_low_bytes();
  }
  std::uint64_t v_low_address(const Place& p, std::uint64_t group) const {
    return v_low(p) + v_low_area_.place(group) * head_.value_low_bytes();
  }

 private:
  std::uint64_t head_base(const Place& p) const {
    return base_ + p.slot * slot_stride_ + (std::uint64_t(p.layer) * kv_heads_ + p.head) * head_bytes_;
  }
  std::uint64_t k_main(const Place& p) const { return head_base(p); }
  std::uint64_t k_low(const Place& p) const { return head_base(p) + k_low_offset_; }
  std::uint64_t v_main(const Place& p) const { return head_base(p) + v_main_offset_; }
  std::uint64_t v_low(const Place& p) const { return head_base(p) + v_low_offset_; }
  /// Room for the low parts of so many units: the first ones, then a ring.
  struct LowArea {
    std::uint64_t fixed = 0, ring = 0;

    std::uint64_t units() const { return fixed + ring; }
    std::uint64_t place(std::uint64_t unit) const { return unit < fixed ? unit : fixed + (unit - fixed) % ring; }
    /// First unit behind `unit` that does not lie behind the one before it.
    std::uint64_t turn(std::uint64_t unit) const { return unit < fixed ? fixed : unit + ring - (unit - fixed) % ring; }
  };

  void lay_out_low_areas();
  void low_range(const LowArea& area, std::uint64_t base, std::uint64_t unit_bytes, UnitRange units,
                 std::vector<Segment>& out) const;
  void k_low_ranges(const Place& p, const WideUnits& tokens, std::vector<Segment>& out) const;
  void v_low_ranges(const Place& p, const WideUnits& groups, std::vector<Segment>& out) const;

  KvHead head_;
  int kv_heads_ = 0, layers_ = 0;
  std::uint64_t base_ = 0, slots_ = 0, capacity_ = 0;
  LowArea k_low_area_, v_low_area_;  // tokens, groups
  std::uint64_t k_low_offset_ = 0, v_main_offset_ = 0, v_low_offset_ = 0, head_bytes_ = 0, slot_bytes_ = 0,
                slot_stride_ = 0;
};

}  // namespace harmonia::accelerator
