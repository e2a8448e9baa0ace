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
                             std::uint64_t slots, std::uint64_t base, std::uint64_t alignment,
                             std::uint64_t step_tokens)
    : head_(policy, shape.head_dim),
      base_(align_up(base, alignment)),
      slots_(slots),
      capacity_(align_up(capacity_tokens, kv_group)),
      step_tokens_(step_tokens),
      whole_(areas(0, alignment)) {
  // From the group in which the first new token's window begins to the group of the last new token.
  const std::uint64_t live =
      align_up(static_cast<std::uint64_t>(shape.sliding_window) - 1 + step_tokens + kv_group - 1, kv_group);
  if (shape.sliding_window != 0) ring_ = areas(live < capacity_ ? live : 0, alignment);
  for (int l = 0; l < shape.num_hidden_layers; ++l) {
    layers_.push_back({shape.window_of(l) != 0, slot_bytes_});
    slot_bytes_ += (layers_.back().windowed ? ring_ : whole_).bytes * static_cast<std::uint64_t>(shape.cached_heads(l));
  }
  slot_stride_ = slot_bytes_;
}

/// ring_tokens: the areas are rings of so many tokens; 0: they hold all of the capacity.
KvCacheLayout::Areas KvCacheLayout::areas(std::uint64_t ring_tokens, std::uint64_t alignment) const {
  Areas a;
  const auto room = [&](std::uint64_t units, std::uint64_t ring) {
    return ring_tokens == 0 ? Area{units, 0} : Area{0, ring};
  };
  a.k_main = room(capacity_, ring_tokens);
  a.v_main = room(head_.value_units(capacity_), head_.value_units(ring_tokens));
  lay_out_low_areas(a, ring_tokens == 0 ? capacity_ : ring_tokens, ring_tokens != 0);
  a.k_low_offset = align_up(a.k_main.units() * head_.key_main_bytes(), area_alignment);
  a.v_main_offset = a.k_low_offset + align_up(a.k_low.units() * head_.key_low_bytes(), area_alignment);
  a.v_low_offset = a.v_main_offset + align_up(a.v_main.units() * head_.value_main_bytes(), area_alignment);
  a.bytes = align_up(a.v_low_offset + a.v_low.units() * head_.value_low_bytes(), alignment);
  return a;
}

/// How many low parts there must be room for at once, of so many tokens.
void KvCacheLayout::lay_out_low_areas(Areas& areas, std::uint64_t tokens, bool windowed) const {
  const std::uint64_t groups = kv_groups(tokens);
  const KvPolicy& policy = head_.policy;
  if (policy.format == KvFormat::kBfp8) {
    areas.k_low = windowed ? Area{0, tokens} : Area{tokens, 0};
    areas.v_low = windowed ? Area{0, groups} : Area{groups, 0};
  } else if (policy.format == KvFormat::kBfp4) {
    areas.v_low.ring = 1;  // the growing group is always kept at 8 bit
  } else if (policy.format == KvFormat::kBfp4Windows) {
    const auto wide = [&](int window) {
      return std::min(align_up(static_cast<std::uint64_t>(window), kv_group), tokens);
    };
    areas.k_low = {wide(policy.n_initial), wide(std::max(policy.n_local, 1))};
    // The local window touches one group more than it fills, for example when it begins within one.
    areas.v_low = {areas.k_low.fixed / kv_group, std::min(areas.k_low.ring / kv_group + 1, groups)};
  }
}

void KvCacheLayout::range(const Area& area, std::uint64_t base, std::uint64_t unit_bytes, UnitRange units,
                          std::vector<Segment>& out) {
  while (units.from < units.to) {
    const std::uint64_t end = std::min(units.to, area.turn(units.from));
    add(out, base + area.place(units.from) * unit_bytes, (end - units.from) * unit_bytes);
    units.from = end;
  }
}

void KvCacheLayout::k_ranges(const Place& p, UnitRange tokens, const WideUnits& wide, std::vector<Segment>& main,
                             std::vector<Segment>& low) const {
  const Areas& a = of(p);
  range(a.k_main, base_of(p), head_.key_main_bytes(), tokens, main);
  for (const UnitRange& units : {wide.initial, wide.local})
    range(a.k_low, base_of(p) + a.k_low_offset, head_.key_low_bytes(), units, low);
}

void KvCacheLayout::v_ranges(const Place& p, UnitRange units, const WideUnits& wide, std::vector<Segment>& main,
                             std::vector<Segment>& low) const {
  const Areas& a = of(p);
  range(a.v_main, base_of(p) + a.v_main_offset, head_.value_main_bytes(), units, main);
  for (const UnitRange& groups : {wide.initial, wide.local})
    range(a.v_low, base_of(p) + a.v_low_offset, head_.value_low_bytes(), groups, low);
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
  k_ranges(p, tokens, head_.wide_keys(tokens, context), main, low);
}

void KvCacheLayout::v_read(const Place& p, std::uint64_t context, UnitRange tokens, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  v_ranges(p, {tokens.from / head_.value_unit_tokens(), head_.value_units(tokens.to)},
           head_.wide_groups(tokens, context), main, low);
}

void KvCacheLayout::k_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  k_ranges(p, {first, first + count}, head_.wide_keys_written(first, count, context), main, low);
}

void KvCacheLayout::v_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  v_ranges(p, {first / head_.value_unit_tokens(), head_.value_units(first + count)},
           head_.wide_groups_written(first, count, context), main, low);
}

void KvCacheLayout::v_residual(const Place& p, std::uint64_t first, std::vector<Segment>& main,
                               std::vector<Segment>& low) const {
  if (head_.residual_bytes(first) == 0) return;
  const std::uint64_t group = first / kv_group;
  add(main, v_main_address(p, group), head_.value_main_bytes());
  add(low, v_low_address(p, group), head_.value_low_bytes());
}

}  // namespace harmonia::accelerator
