#include "harmonia/hw/kv_cache/storage_layout.h"

#include <algorithm>

namespace harmonia::accelerator {
namespace {

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

void add(std::vector<Segment>& out, std::uint64_t address, std::uint64_t bytes) {
  if (bytes == 0) return;
  if (!out.empty() && out.back().address + out.back().bytes == address)
    out.back().bytes += bytes;
  else
    out.push_back({address, bytes});
}

}  // namespace

WeightStorage storage_of(WeightFormat format) {
  // bf16 per 64 for the look-up formats, FP16 per 128 for the integer ones (linear_weights.h).
  switch (format) {
    case WeightFormat::kFp16:
      return {16, 0, 0};
    case WeightFormat::kInt8:
      return {8, 128, 16};
    case WeightFormat::kInt4:
      return {4, 128, 16};
    case WeightFormat::kInt4Zero:
      return {4, 128, 24};
    default:
      return {code_bits(format), 64, 16};
  }
}

KvCacheLayout::KvCacheLayout(const ModelShape& shape, const KvStorage& policy, std::uint64_t capacity_tokens,
                             std::uint64_t slots, std::uint64_t base, std::uint64_t alignment)
    : policy_(policy),
      kv_heads_(shape.num_key_value_heads),
      layers_(shape.num_hidden_layers),
      base_(align_up(base, alignment)),
      slots_(slots),
      capacity_(align_up(capacity_tokens, group_tokens)) {
  const std::uint64_t d = shape.head_dim;
  const std::uint64_t channel_groups = (d + group_tokens - 1) / group_tokens;
  const std::uint64_t groups = capacity_ / group_tokens;
  std::uint64_t v_units = groups;
  switch (policy.format) {
    case KvFormat::kFp16:
      k_main_token_ = v_main_unit_ = 2 * d;
      v_units = capacity_;
      break;
    case KvFormat::kInt8:  // one FP16 scale per token and head
      k_main_token_ = v_main_unit_ = d + 2;
      v_units = capacity_;
      break;
    default:
      k_main_token_ = channel_groups * group_main_bytes;
      k_low_token_ = channel_groups * group_low_bytes;
      v_main_unit_ = d * group_main_bytes;
      v_low_unit_ = d * group_low_bytes;
  }
  if (policy.format == KvFormat::kBfp8) {
    k_low_fixed_ = capacity_;
    v_low_fixed_ = groups;
  } else if (policy.format == KvFormat::kBfp4) {
    v_low_ring_ = 1;  // the growing group is always kept at 8 bit
  } else if (policy.format == KvFormat::kBfp4Windows) {
    const std::uint64_t initial = std::min<std::uint64_t>(align_up(policy.n_initial, group_tokens), capacity_);
    k_low_fixed_ = initial;
    v_low_fixed_ = initial / group_tokens;
    k_low_ring_ = std::min<std::uint64_t>(align_up(std::max(policy.n_local, 1), group_tokens), capacity_);
    v_low_ring_ = std::min<std::uint64_t>(k_low_ring_ / group_tokens + 1, groups);
  }
  k_low_offset_ = align_up(capacity_ * k_main_token_, 64);
  v_main_offset_ = k_low_offset_ + align_up((k_low_fixed_ + k_low_ring_) * k_low_token_, 64);
  v_low_offset_ = v_main_offset_ + align_up(v_units * v_main_unit_, 64);
  head_bytes_ = align_up(v_low_offset_ + (v_low_fixed_ + v_low_ring_) * v_low_unit_, alignment);
  slot_bytes_ = head_bytes_ * kv_heads_ * layers_;
  slot_stride_ = slot_bytes_;
}

std::uint64_t KvCacheLayout::k_low_address(const Place& p, std::uint64_t token) const {
  const std::uint64_t place = token < k_low_fixed_ ? token : k_low_fixed_ + (token - k_low_fixed_) % k_low_ring_;
  return k_low(p) + place * k_low_token_;
}

std::uint64_t KvCacheLayout::v_low_address(const Place& p, std::uint64_t group) const {
  const std::uint64_t place = group < v_low_fixed_ ? group : v_low_fixed_ + (group - v_low_fixed_) % v_low_ring_;
  return v_low(p) + place * v_low_unit_;
}

void KvCacheLayout::k_low_range(const Place& p, std::uint64_t from, std::uint64_t to, std::vector<Segment>& out) const {
  while (from < to) {
    std::uint64_t end = to;  // up to where the area or the ring turns
    if (from < k_low_fixed_)
      end = std::min(end, k_low_fixed_);
    else
      end = std::min(end, from + k_low_ring_ - (from - k_low_fixed_) % k_low_ring_);
    add(out, k_low_address(p, from), (end - from) * k_low_token_);
    from = end;
  }
}

void KvCacheLayout::v_low_range(const Place& p, std::uint64_t from, std::uint64_t to, std::vector<Segment>& out) const {
  while (from < to) {
    std::uint64_t end = to;
    if (from < v_low_fixed_)
      end = std::min(end, v_low_fixed_);
    else
      end = std::min(end, from + v_low_ring_ - (from - v_low_fixed_) % v_low_ring_);
    add(out, v_low_address(p, from), (end - from) * v_low_unit_);
    from = end;
  }
}

void KvCacheLayout::overlap_slots(std::uint64_t region, std::uint64_t alignment) {
  if (slots_ < 2 || region >= slot_bytes_ * slots_) return;
  slot_stride_ = region > slot_bytes_ ? (region - slot_bytes_) / (slots_ - 1) / alignment * alignment : 0;
}

bool KvCacheLayout::v_group_wide(std::uint64_t group, std::uint64_t context) const {
  if (!policy_.grouped()) return false;
  if (policy_.format == KvFormat::kBfp8) return true;
  const std::uint64_t first = group * group_tokens;
  const std::uint64_t last = std::min(first + group_tokens, context) - 1;
  if (context < first + group_tokens) return true;  // still growing
  return policy_.wide(first, context) || policy_.wide(last, context);
}

void KvCacheLayout::k_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  add(main, k_main(p), visible * k_main_token_);
  if (policy_.format == KvFormat::kBfp8) {
    k_low_range(p, 0, visible, low);
  } else if (policy_.format == KvFormat::kBfp4Windows) {
    const std::uint64_t initial = std::min<std::uint64_t>(policy_.n_initial, visible);
    const std::uint64_t local = context > std::uint64_t(policy_.n_local) ? context - policy_.n_local : 0;
    k_low_range(p, 0, initial, low);
    k_low_range(p, std::max(initial, local), visible, low);
  }
}

void KvCacheLayout::v_read(const Place& p, std::uint64_t context, std::uint64_t visible, std::vector<Segment>& main,
                           std::vector<Segment>& low) const {
  if (!policy_.grouped()) {
    add(main, v_main(p), visible * v_main_unit_);
    return;
  }
  const std::uint64_t groups = (visible + group_tokens - 1) / group_tokens;
  add(main, v_main(p), groups * v_main_unit_);
  for (std::uint64_t g = 0; g < groups; ++g) {
    if (v_group_wide(g, context)) {
      v_low_range(p, g, g + 1, low);
    } else if (policy_.format == KvFormat::kBfp4Windows) {
      // Nothing is wide between the initial window and the local one: skip to where the latter can begin.
      const std::uint64_t local =
          context > std::uint64_t(policy_.n_local) ? (context - policy_.n_local) / group_tokens : 0;
      if (local > g + 1) g = local - 1;
    } else if (context / group_tokens > g + 1) {
      g = context / group_tokens - 1;
    }
  }
}

void KvCacheLayout::k_low_written(std::uint64_t first, std::uint64_t count, std::uint64_t context, Range out[2]) const {
  const std::uint64_t end = first + count;
  out[0] = out[1] = {first, first};
  if (policy_.format == KvFormat::kBfp8) {
    out[0] = {first, end};
  } else if (policy_.format == KvFormat::kBfp4Windows) {
    const std::uint64_t initial = std::clamp<std::uint64_t>(policy_.n_initial, first, end);
    const std::uint64_t local = context > std::uint64_t(policy_.n_local) ? context - policy_.n_local : 0;
    out[0] = {first, initial};
    out[1] = {std::clamp(local, initial, end), end};
  }
}

void KvCacheLayout::k_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  add(main, k_main_address(p, first), count * k_main_token_);
  Range ranges[2];
  k_low_written(first, count, context, ranges);
  for (const Range& r : ranges) k_low_range(p, r.from, r.to, low);
}

void KvCacheLayout::v_write(const Place& p, std::uint64_t first, std::uint64_t count, std::uint64_t context,
                            std::vector<Segment>& main, std::vector<Segment>& low) const {
  if (!policy_.grouped()) {
    add(main, v_main_address(p, first), count * v_main_unit_);
    return;
  }
  const std::uint64_t g0 = first / group_tokens, g1 = (first + count + group_tokens - 1) / group_tokens;
  add(main, v_main_address(p, g0), (g1 - g0) * v_main_unit_);
  for (std::uint64_t g = g0; g < g1; ++g)  // a group that the next append of this step completes is still growing now
    if (v_group_wide(g, context) || (g + 1) * group_tokens > first + count) v_low_range(p, g, g + 1, low);
}

void KvCacheLayout::v_residual(const Place& p, std::uint64_t first, std::vector<Segment>& main,
                               std::vector<Segment>& low) const {
  if (!policy_.grouped() || first % group_tokens == 0) return;
  const std::uint64_t g = first / group_tokens;
  add(main, v_main_address(p, g), v_main_unit_);
  v_low_range(p, g, g + 1, low);
}

std::uint64_t KvCacheLayout::read_bytes(std::uint64_t context) const {
  std::vector<Segment> pieces;
  k_read({0, 0, 0}, context, context, pieces, pieces);
  v_read({0, 0, 0}, context, context, pieces, pieces);
  std::uint64_t sum = 0;
  for (const Segment& s : pieces) sum += s.bytes;
  return sum * kv_heads_ * layers_;
}

}  // namespace harmonia::accelerator
