#include "harmonia/hw/kv_cache/layout.h"

#include <algorithm>

namespace harmonia::accelerator {
namespace {

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Appends a piece, or lengthens the last one when the piece lies right behind it.
void add(std::vector<Segment>& out, std::uint64_t address, std::uint64_t bytes) {
  if (bytes == 0) return;
  if (!out.empty() && out.back().address + out.back().bytes == address)
    out.back().bytes += bytes;
  else
    out.push_back({address, bytes});
}

constexpr std::uint64_t area_alignment = 64;  // of the areas within a head

}  // namespace

KvCacheLayout::KvCacheLayout(const ModelShape& shape, const KvPolicy& policy, std::uint64_t capacity_tokens,
                             std::uint64_t slots, std::uint64_t base, std::uint64_t alignment)
    : head_(policy, shape.head_dim),
      kv_heads_(shape.num_key_value_heads),
      layers_(shape.num_hidden_layers),
      base_(align_up(base, alignment)),
      slots_(slots),
      capacity_(align_up(capacity_tokens, kv_group)) {
  lay_out_low_areas();
  k_low_offset_ = align_up(capacity_ * head_.key_main_bytes(), area_alignment);
  v_main_offset_ = k_low_offset_ + align_up(k_low_area_.units() * head_.key_low_bytes(), area_alignment);
  v_low_offset_ = v_main_offset_ + align_up(head_.value_units(capacity_) * head_.value_main_bytes(), area_alignment);
  head_bytes_ = align_up(v_low_offset_ + v_low_area_.units() * head_.value_low_bytes(), alignment);
  slot_bytes_ = head_bytes_ * static_cast<std::uint64_t>(kv_heads_) * static_cast<std::uint64_t>(layers_);
  slot_stride_ = slot_bytes_;
}

/// How many low parts there must be room for at once.
void KvCacheLayout::lay_out_low_areas() {
  const std::uint64_t groups = kv_groups(capacity_);
  const KvPolicy& policy = head_.policy;
  if (policy.format == KvFormat::kBfp8) {
    k_low_area_.fixed = capacity_;
    v_low_area_.fixed = groups;
  } else if (policy.format == KvFormat::kBfp4) {
    v_low_area_.ring = 1;  // the growing group is always kept at 8 bit
  } else if (policy.format == KvFormat::kBfp4Windows) {
    const auto tokens = [&](int window) {
      return std::min(align_up(static_cast<std::uint64_t>(window), kv_group), capacity_);
    };
    k_low_area_ = {tokens(policy.n_initial), tokens(std::max(policy.n_local, 1))};
    // The local window touches one group more than it fills, for example when it begins within one.
    v_low_area_ = {k_low_area_.fixed / kv_group, std::min(k_low_area_.ring / kv_group + 1, groups)};
  }
}

void KvCacheLayout::low_range(const LowArea& area, std::uint64_t base, std::uint64_t unit_bytes, UnitRange units,
                              std::vector<Segment>& out) const {
  while (units.from < units.to) {
    const std::uint64_t end = std::min(units.to, area.turn(units.from));
    add(out, base + area.place(units.from) * unit_bytes, (end - units.from) * unit_bytes);
    units.from = end;
  }
}

void KvCacheLayout::k_low_ranges(const Place& p, const WideUnits& tokens, std::vector<Segment>& out) const {
  for (const UnitRange& range : {tokens.initial, tokens.local})
    low_range(k_low_area_, k_low(p), head_.key_low_bytes(), range, out);
}

void KvCacheLayout::v_low_ranges(const Place& p, const WideUnits& groups, std::vector<Segment>& out) const {
  for (const UnitRange& range : {groups.initial, groups.local})
    low_range(v_low_area_, v_low(p), head_.value_low_bytes(), range, out);
}

void KvCacheLayout::overlap_slots(std::uint64_t region, std::uint64_t alignment) {
  if (slots_ < 2 || region >= slot_bytes_ * slots_) return;
  slot_stride_ = region > slot_bytes_ ? (region - slot_bytes_) / (slots_ - 1) / alignment * alignment : 0;
}

void KvCacheLayout::k_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  k_read(p, context, UnitRange{0, visible}, main, low);
}

void KvCacheLayout::v_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  v_read(p, context, UnitRange{0, visible}, main, low);
}

void KvCacheLayout::k_read(const Place& p, std::uint64_t context, UnitRange tokens, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  add(main, k_main_address(p, tokens.from), tokens.count() * head_.key_main_bytes());
  k_low_ranges(p, head_.wide_keys(tokens, context), low);
}

void KvCacheLayout::v_read(const Place& p, std::uint64_t context, UnitRange tokens, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  const std::uint64_t begin = tokens.from / head_.value_unit_tokens();
  add(main, v_main_address(p, begin), (head_.value_units(tokens.to) - begin) * head_.value_main_bytes());
  v_low_ranges(p, head_.wide_groups(tokens, context), low);
}

void KvCacheLayout::k_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  add(main, k_main_address(p, first), count * head_.key_main_bytes());
  k_low_ranges(p, head_.wide_keys_written(first, count, context), low);
}

void KvCacheLayout::v_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  const std::uint64_t begin = first / head_.value_unit_tokens(), end = head_.value_units(first + count);
  add(main, v_main_address(p, begin), (end - begin) * head_.value_main_bytes());
  v_low_ranges(p, head_.wide_groups_written(first, count, context), low);
}

void KvCacheLayout::v_residual(const Place& p, std::uint64_t first, std::vector<Segment>& main,
                               std::vector<Segment>& low) const {
  if (head_.residual_bytes(first) == 0) return;
  const std::uint64_t group = first / kv_group;
  add(main, v_main_address(p, group), head_.value_main_bytes());
  add(low, v_low_address(p, group), head_.value_low_bytes());
}

}  // namespace harmonia::accelerator
