#include "harmonia/hw/kv_cache/head.h"

#include "harmonia/hw/formats/int8_row.h"

namespace harmonia::accelerator {
namespace {

/// A row of an ungrouped cache.
std::uint64_t row_bytes(const KvHead& head) {
  return head.policy.format == KvFormat::kInt8 ? formats::int8_row_bytes(head.head_dim) : 2 * head.head_dim;
}

}  // namespace

std::uint64_t KvHead::key_main_bytes() const {
  return policy.grouped() ? kv_groups(head_dim) * formats::kBfpMainBytes : row_bytes(*this);
}

std::uint64_t KvHead::key_low_bytes() const {
  return policy.grouped() ? kv_groups(head_dim) * formats::kBfpLowBytes : 0;
}

std::uint64_t KvHead::value_main_bytes() const {
  return policy.grouped() ? head_dim * formats::kBfpMainBytes : row_bytes(*this);
}

std::uint64_t KvHead::value_low_bytes() const { return policy.grouped() ? head_dim * formats::kBfpLowBytes : 0; }

std::uint64_t KvHead::keys_read(UnitRange tokens, std::uint64_t context) const {
  return tokens.count() * key_main_bytes() + wide_keys(tokens, context).count() * key_low_bytes();
}

std::uint64_t KvHead::values_read(UnitRange tokens, std::uint64_t context) const {
  const std::uint64_t units = value_units(tokens.to) - tokens.from / value_unit_tokens();
  return units * value_main_bytes() + wide_groups(tokens, context).count() * value_low_bytes();
}

std::uint64_t KvHead::keys_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const {
  return count * key_main_bytes() + wide_keys_written(first, count, context).count() * key_low_bytes();
}

std::uint64_t KvHead::values_written(std::uint64_t first, std::uint64_t count, std::uint64_t context) const {
  if (count == 0) return 0;
  if (!policy.grouped()) return count * value_main_bytes();
  const std::uint64_t groups = kv_groups(first + count) - first / kv_group;
  return groups * value_main_bytes() + wide_groups_written(first, count, context).count() * value_low_bytes();
}

std::uint64_t KvHead::residual_bytes(std::uint64_t first) const {
  return policy.grouped() && first % kv_group != 0 ? value_main_bytes() + value_low_bytes() : 0;
}

}  // namespace harmonia::accelerator
