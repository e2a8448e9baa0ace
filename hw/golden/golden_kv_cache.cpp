#include "harmonia/hw/golden/golden_kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "harmonia/hw/formats/int8_row.h"
#include "harmonia/hw/formats/pe.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;
using formats::kBfp8;

constexpr std::size_t kSlot = kBfp8.group_bytes();
constexpr std::size_t kGroup = kv_group;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

/// The token dimension grows inside each of `outer` heads or channels: what is there moves to its new place.
template <typename T>
void grow(std::vector<T>& all, std::size_t outer, std::size_t old_row, std::size_t new_row) {
  std::vector<T> bigger(outer * new_row);
  for (std::size_t i = 0; i < outer; ++i)
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i * old_row), old_row,
                bigger.begin() + static_cast<std::ptrdiff_t>(i * new_row));
  all = std::move(bigger);
}

}  // namespace

GoldenKvCache::GoldenKvCache(const ModelShape& shape, const GoldenSettings& settings, std::uint64_t window)
    : settings_(settings),
      policy_(settings.kv_policy()),
      window_(window),
      kv_heads_(size(shape.num_key_value_heads)),
      head_dim_(size(shape.head_dim)),
      key_groups_(kBfp8.groups(head_dim_)),
      key_rows_(kv_heads_),
      value_rows_(kv_heads_),
      scratch_(kv_heads_ * head_dim_ * 2) {}

std::uint8_t* GoldenKvCache::key_slot(std::size_t kv_head, std::size_t token) {
  return key_slots_.data() + (kv_head * capacity_ + token) * key_groups_ * kSlot;
}

std::uint8_t* GoldenKvCache::value_slot(std::size_t kv_head, std::size_t channel, std::size_t group) {
  return value_slots_.data() + ((kv_head * head_dim_ + channel) * (capacity_ / kGroup) + group) * kSlot;
}

void GoldenKvCache::reserve(std::size_t tokens) {
  if (tokens <= capacity_) return;
  const std::size_t old = capacity_;
  capacity_ = std::max((tokens + kGroup - 1) / kGroup * kGroup, 2 * old);
  if (stores_bfp() || settings_.activations == formats::ActivationFormat::bfp8) {
    const std::size_t key = key_groups_ * kSlot;
    grow(key_slots_, kv_heads_, old * key, capacity_ * key);
    grow(value_slots_, kv_heads_ * head_dim_, old / kGroup * kSlot, capacity_ / kGroup * kSlot);
  }
  if (settings_.activations == formats::ActivationFormat::fp16) {
    grow(key_fp16_, kv_heads_, old * head_dim_, capacity_ * head_dim_);
    grow(value_fp16_, kv_heads_ * head_dim_, old, capacity_);
  }
}

std::size_t GoldenKvCache::store_row(const Fp16* x, std::vector<std::uint8_t>& rows, Fp16* read_back) {
  const std::size_t start = rows.size();
  if (settings_.kv == KvFormat::kFp16) {
    rows.resize(start + head_dim_ * 2);
    std::memcpy(rows.data() + start, x, head_dim_ * 2);
    std::copy_n(x, head_dim_, read_back);
    return 0;
  }
  rows.resize(start + formats::int8_row_bytes(head_dim_));
  const std::size_t nonfinite = formats::encode_int8_row(x, head_dim_, rows.data() + start);
  formats::decode_int8_row(rows.data() + start, head_dim_, read_back);
  return nonfinite;
}

/// Stores a token's rows of an FP16 or INT8 cache; scratch_ then holds the keys and values that are read back.
std::size_t GoldenKvCache::store_rows(const Fp16* keys, const Fp16* values) {
  std::size_t nonfinite = 0;
  const std::size_t width = kv_heads_ * head_dim_;
  for (std::size_t h = 0; h < kv_heads_; ++h) {
    nonfinite += store_row(keys + h * head_dim_, key_rows_[h], scratch_.data() + h * head_dim_);
    nonfinite += store_row(values + h * head_dim_, value_rows_[h], scratch_.data() + width + h * head_dim_);
  }
  return nonfinite;
}

/// Converts a token's keys, and grows the V group of each channel.
std::size_t GoldenKvCache::convert_token(const Fp16* keys, const Fp16* values) {
  std::size_t nonfinite = 0;
  const std::size_t group = tokens_ / kGroup;
  const int place = static_cast<int>(tokens_ % kGroup);
  for (std::size_t h = 0; h < kv_heads_; ++h) {
    nonfinite += formats::encode_row(kBfp8, keys + h * head_dim_, head_dim_, key_slot(h, tokens_));
    for (std::size_t c = 0; c < head_dim_; ++c) {
      std::uint8_t* slot = value_slot(h, c, group);
      if (place == 0) formats::clear_stored(kBfp8, slot);
      nonfinite += static_cast<std::size_t>(formats::append_stored(kBfp8, values[h * head_dim_ + c], place, slot));
    }
  }
  return nonfinite;
}

/// A token of an FP16 or INT8 cache as the operands of a plain FP16 array.
void GoldenKvCache::keep_fp16(const Fp16* keys, const Fp16* values) {
  for (std::size_t h = 0; h < kv_heads_; ++h) {
    std::copy_n(keys + h * head_dim_, head_dim_, key_fp16_.data() + (h * capacity_ + tokens_) * head_dim_);
    for (std::size_t c = 0; c < head_dim_; ++c)
      value_fp16_[(h * head_dim_ + c) * capacity_ + tokens_] = values[h * head_dim_ + c];
  }
}

std::size_t GoldenKvCache::append(const Fp16* k, const Fp16* v, std::size_t tokens) {
  reserve(tokens_ + tokens);
  const std::size_t width = kv_heads_ * head_dim_;
  const bool fp16_array = settings_.activations == formats::ActivationFormat::fp16;
  first_stale_ = tokens_ / kGroup * kGroup;
  std::size_t nonfinite = 0;
  for (std::size_t t = 0; t < tokens; ++t, ++tokens_) {
    const Fp16* keys = k + t * width;
    const Fp16* values = v + t * width;
    if (!stores_bfp()) {
      nonfinite += store_rows(keys, values);
      keys = scratch_.data();
      values = scratch_.data() + width;
    }
    if (stores_bfp() || !fp16_array)
      nonfinite += convert_token(keys, values);
    else
      keep_fp16(keys, values);
  }
  if (stores_bfp()) {
    demote();
    if (fp16_array) decode_to_fp16(first_stale_);
  }
  return nonfinite;
}

/// Drops the low planes of what lies between the windows now. What an earlier step has dropped needs no further look.
void GoldenKvCache::demote() {
  // A zeroed low plane makes the slot, read as BFP8, stand for exactly the value of its BFP4 prefix (m4 * 16 * 2^-7 =
  // m4 * 2^-3), and every integer partial stays below 2^24: multiplying the slot in M8M8 gives the bits of M8M4.
  const auto drop = [](std::uint8_t* slot) { std::fill(slot + formats::kBfpMainBytes, slot + kSlot, std::uint8_t{0}); };
  const WideUnits keys = policy_.wide_keys({0, tokens_}, tokens_);
  for (std::size_t t = std::max<std::size_t>(demoted_keys_, keys.initial.to); t < keys.local.from; ++t) {
    for (std::size_t h = 0; h < kv_heads_; ++h)
      for (std::size_t g = 0; g < key_groups_; ++g) drop(key_slot(h, t) + g * kSlot);
    first_stale_ = std::min(first_stale_, t);
    demoted_keys_ = t + 1;
  }
  const WideUnits values = policy_.wide_groups({0, value_groups()}, tokens_);
  for (std::size_t g = std::max<std::size_t>(demoted_values_, values.initial.to); g < values.local.from; ++g) {
    for (std::size_t h = 0; h < kv_heads_; ++h)
      for (std::size_t c = 0; c < head_dim_; ++c) drop(value_slot(h, c, g));
    first_stale_ = std::min(first_stale_, g * kGroup);
    demoted_values_ = g + 1;
  }
}

void GoldenKvCache::decode_to_fp16(std::size_t first_token) {
  for (std::size_t h = 0; h < kv_heads_; ++h) {
    for (std::size_t t = first_token; t < tokens_; ++t)
      formats::decode_row(kBfp8, key_slot(h, t), head_dim_, key_fp16_.data() + (h * capacity_ + t) * head_dim_);
    for (std::size_t c = 0; c < head_dim_; ++c)
      for (std::size_t g = first_token / kGroup; g < value_groups(); ++g)
        formats::decode_row(kBfp8, value_slot(h, c, g), kGroup,
                            value_fp16_.data() + (h * head_dim_ + c) * capacity_ + g * kGroup);
  }
}

GoldenKvCache::Stored GoldenKvCache::key_group(std::size_t kv_head, std::size_t token, std::size_t group) const {
  const std::uint8_t* slot = key_slots_.data() + ((kv_head * capacity_ + token) * key_groups_ + group) * kSlot;
  return {slot, policy_.wide_key(token, tokens_) ? kSlot : formats::kBfpMainBytes};
}

GoldenKvCache::Stored GoldenKvCache::value_group(std::size_t kv_head, std::size_t channel, std::size_t group) const {
  const std::uint8_t* slot =
      value_slots_.data() + ((kv_head * head_dim_ + channel) * (capacity_ / kGroup) + group) * kSlot;
  return {slot, policy_.wide_group(group, tokens_) ? kSlot : formats::kBfpMainBytes};
}

GoldenKvCache::Stored GoldenKvCache::key_row(std::size_t kv_head, std::size_t token) const {
  const std::size_t bytes = KvHead(policy_, static_cast<int>(head_dim_)).key_main_bytes();
  return {key_rows_[kv_head].data() + token * bytes, bytes};
}

GoldenKvCache::Stored GoldenKvCache::value_row(std::size_t kv_head, std::size_t token) const {
  const std::size_t bytes = KvHead(policy_, static_cast<int>(head_dim_)).key_main_bytes();
  return {value_rows_[kv_head].data() + token * bytes, bytes};
}

std::size_t GoldenKvCache::live_bytes() const {
  if (tokens_ == 0) return 0;
  return KvHead(policy_, static_cast<int>(head_dim_)).live_bytes(tokens_, window_) * kv_heads_;
}

void GoldenKvCache::scores(const void* q, std::size_t kv_head, std::size_t first, std::size_t count, Fp16* out) const {
  if (settings_.activations == formats::ActivationFormat::bfp8) {
    const std::size_t row = key_groups_ * kSlot;
    formats::gemv_bfp(kBfp8, static_cast<const std::uint8_t*>(q), kBfp8,
                      key_slots_.data() + (kv_head * capacity_ + first) * row, row, count, head_dim_, out);
    return;
  }
  for (std::size_t t = 0; t < count; ++t)
    out[t] = formats::to_fp16(formats::dot_fp16(
        static_cast<const Fp16*>(q), key_fp16_.data() + (kv_head * capacity_ + first + t) * head_dim_, head_dim_));
}

void GoldenKvCache::attend(const void* p, std::size_t kv_head, std::size_t first, std::size_t count, Fp16* out) const {
  if (settings_.activations == formats::ActivationFormat::bfp8) {
    // P is zero beyond `count`, so that younger tokens in the last group add nothing.
    const std::size_t row = capacity_ / kGroup * kSlot;
    formats::gemv_bfp(kBfp8, static_cast<const std::uint8_t*>(p), kBfp8,
                      value_slots_.data() + kv_head * head_dim_ * row + first / kGroup * kSlot, row, head_dim_, count,
                      out);
    return;
  }
  for (std::size_t c = 0; c < head_dim_; ++c)
    out[c] = formats::to_fp16(formats::dot_fp16(
        static_cast<const Fp16*>(p), value_fp16_.data() + (kv_head * head_dim_ + c) * capacity_ + first, count));
}

}  // namespace harmonia::accelerator
