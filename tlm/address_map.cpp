#include "harmonia/tlm/address_map.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::bus {
namespace {

int exact_log2(std::uint64_t value) {
  for (int shift = 0; shift < 64; ++shift)
    if (value == std::uint64_t{1} << shift) return shift;
  return -1;
}

}  // namespace

Interleave::Interleave(unsigned channels, std::uint64_t granularity_bytes, bool hashed)
    : channels_(channels),
      granularity_(granularity_bytes),
      granularity_shift_(exact_log2(granularity_bytes)),
      channel_shift_(exact_log2(channels)),
      hashed_(hashed && channels > 1) {
  if (channels == 0) throw std::invalid_argument("interleave over 0 channels");
  if (granularity_bytes == 0) throw std::invalid_argument("interleave granularity of 0 bytes");
  if (granularity_bytes > ~std::uint64_t{0} / channels)
    throw std::invalid_argument("interleave granularity times channels exceeds the address space");
}

unsigned Interleave::fold(std::uint64_t row) const {
  if (channel_shift_ >= 0) {
    unsigned folded = 0;
    for (; row != 0; row >>= channel_shift_) folded ^= static_cast<unsigned>(row) & (channels_ - 1);
    return folded;
  }
  std::uint64_t folded = 0;
  for (; row != 0; row /= channels_) folded += row % channels_;
  return static_cast<unsigned>(folded % channels_);
}

std::uint64_t Interleave::address_of(unsigned channel, std::uint64_t local) const {
  if (channels_ == 1) return local;
  const std::uint64_t row = block_of(local);
  return (row * channels_ + index_of(row, channel)) * granularity_ + (local - row * granularity_);
}

AddressMap::AddressMap(std::vector<Region> regions) : regions_(std::move(regions)) {
  std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) { return a.base < b.base; });
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    const Region& region = regions_[i];
    if (region.size_bytes == 0) throw std::invalid_argument("address region " + region.name + " is empty");
    if (region.base + (region.size_bytes - 1) < region.base)
      throw std::invalid_argument("address region " + region.name + " runs past the end of the address space");
    if (i > 0 && region.base - regions_[i - 1].base < regions_[i - 1].size_bytes)
      throw std::invalid_argument("address regions " + regions_[i - 1].name + " and " + region.name + " overlap");
  }
}

unsigned AddressMap::targets() const {
  unsigned count = 0;
  for (const Region& region : regions_) count = std::max(count, region.first_target + region.interleave.channels());
  return count;
}

}  // namespace harmonia::bus
