// Where the KV cache lies in memory: the address of each token and group, and the pieces that a step reads and writes.
//
// Models: one contiguous reservation for each sequence slot; in it, per layer and kv head, four areas: K main, K low,
//   V main, V low. Low planes lie apart, so that demoting a token is ceasing to read; with windows the low areas hold
//   the initial window, then a ring that the local window moves through. All areas of a layer that attends to a sliding
//   window are rings.
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

/// KV cache of `slots` sequences with room for `capacity_tokens` each; a layer with a sliding window has room for what a
/// step reads and writes that appends up to `step_tokens` tokens to a sequence.
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
                std::uint64_t base, std::uint64_t alignment, std::uint64_t step_tokens = 1);

  std::uint64_t base() const { return base_; }
  std::uint64_t bytes() const { return slots_ == 0 ? 0 : slot_stride_ * (slots_ - 1) + slot_bytes_; }
  /// Lays the slots over each other so that all of them fit into `region` bytes (at least one slot's): for runs without
  /// contents, where the sequences together hold less than their slots could.
  void overlap_slots(std::uint64_t region, std::uint64_t alignment);
  std::uint64_t slot_bytes() const { return slot_bytes_; }
  std::uint64_t capacity_tokens() const { return capacity_; }
  std::uint64_t slots() const { return slots_; }
  std::uint64_t step_tokens() const { return step_tokens_; }
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
    return base_of(p) + of(p).k_main.place(token) * head_.key_main_bytes();
  }
  std::uint64_t v_main_address(const Place& p, std::uint64_t unit) const {
    return base_of(p) + of(p).v_main_offset + of(p).v_main.place(unit) * head_.value_main_bytes();
  }
  std::uint64_t k_low_address(const Place& p, std::uint64_t token) const {
    return base_of(p) + of(p).k_low_offset + of(p).k_low.place(token) * head_.key_low_bytes();
  }
  std::uint64_t v_low_address(const Place& p, std::uint64_t group) const {
    return base_of(p) + of(p).v_low_offset + of(p).v_low.place(group) * head_.value_low_bytes();
  }

 private:
  /// Room for so many units: the first ones, then a ring.
  struct Area {
    std::uint64_t fixed = 0, ring = 0;

    std::uint64_t units() const { return fixed + ring; }
    std::uint64_t place(std::uint64_t unit) const {
      return unit < fixed || ring == 0 ? unit : fixed + (unit - fixed) % ring;
    }
    /// First unit behind `unit` that does not lie behind the one before it.
    std::uint64_t turn(std::uint64_t unit) const { return unit < fixed ? fixed : unit + ring - (unit - fixed) % ring; }
  };
  /// The four areas of a kv head, in tokens or units of V, and where they begin. K main is the first.
  struct Areas {
    Area k_main, k_low, v_main, v_low;
    std::uint64_t k_low_offset = 0, v_main_offset = 0, v_low_offset = 0, bytes = 0;
  };
  struct Layer {
    bool windowed = false;
    std::uint64_t offset = 0;  // in a slot
  };

  Areas areas(std::uint64_t ring_tokens, std::uint64_t alignment) const;
  void lay_out_low_areas(Areas& areas, std::uint64_t tokens, bool windowed) const;
  const Areas& of(const Place& p) const { return layers_[static_cast<std::size_t>(p.layer)].windowed ? ring_ : whole_; }
  std::uint64_t base_of(const Place& p) const {
    return base_ + p.slot * slot_stride_ + layers_[static_cast<std::size_t>(p.layer)].offset +
           static_cast<std::uint64_t>(p.head) * of(p).bytes;
  }
  static void range(const Area& area, std::uint64_t base, std::uint64_t unit_bytes, UnitRange units,
                    std::vector<Segment>& out);
  void k_ranges(const Place& p, UnitRange tokens, const WideUnits& wide, std::vector<Segment>& main,
                std::vector<Segment>& low) const;
  void v_ranges(const Place& p, UnitRange units, const WideUnits& wide, std::vector<Segment>& main,
                std::vector<Segment>& low) const;

  KvHead head_;
  std::uint64_t base_ = 0, slots_ = 0, capacity_ = 0, step_tokens_ = 1;
  Areas whole_, ring_;  // of a head that attends to all tokens, and of one with a window
  std::vector<Layer> layers_;
  std::uint64_t slot_bytes_ = 0, slot_stride_ = 0;
};

}  // namespace harmonia::accelerator
