#include "harmonia/hw/formats/kv_policy.h"

#include <stdexcept>
#include <string>

namespace harmonia::formats {

void KvPolicy::validate() const {
  format(high_bits).validate();
  format(low_bits).validate();
  if (low_bits > high_bits) {
    throw std::invalid_argument("KV policy: low_bits is " + std::to_string(low_bits) +
                                ", expected at most high_bits = " + std::to_string(high_bits));
  }
}

std::size_t KvPolicy::high_tokens(std::size_t context) const noexcept {
  if (low_bits == high_bits || n_local >= context || n_initial >= context - n_local) return context;
  return n_initial + n_local;
}

std::size_t KvPolicy::high_value_groups(std::size_t context) const noexcept {
  const std::size_t all = value_groups(context);
  std::size_t high = 0;
  for (std::size_t g = 0; g < all; ++g) high += value_bits(g, context) == high_bits ? 1 : 0;
  return high;
}

std::uint64_t KvPolicy::key_storage_bits(std::size_t context, std::size_t head_dim) const noexcept {
  const BfpFormat high = format(high_bits);
  const BfpFormat low = format(low_bits);
  const std::uint64_t tokens = high_tokens(context);
  return high.groups(head_dim) * (tokens * high.group_bits() + (context - tokens) * low.group_bits());
}

std::uint64_t KvPolicy::value_storage_bits(std::size_t context, std::size_t head_dim) const noexcept {
  const std::uint64_t groups = high_value_groups(context);
  return head_dim *
         (groups * format(high_bits).group_bits() + (value_groups(context) - groups) * format(low_bits).group_bits());
}

double KvPolicy::storage_ratio(std::size_t context, std::size_t head_dim) const noexcept {
  const std::uint64_t stored = key_storage_bits(context, head_dim) + value_storage_bits(context, head_dim);
  return 32.0 * static_cast<double>(context) * static_cast<double>(head_dim) / static_cast<double>(stored);
}

}  // namespace harmonia::formats
