// Where an address lives: regions, and the interleave of a region over channels. Plain C++, no kernel.
//
// Models: address decode and channel interleave of any granularity over any number of channels, optionally hashed so
// that strides of channels x granularity do not all meet one channel. Does not model: DRAM bank mapping (that is the
// channel's own), address protection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace harmonia::bus {

/// Address -> (channel, address within the channel). With n channels and granularity g, block b = address / g is in row
/// r = b / n; channel = b mod n, and the address within the channel is r * g + address mod g. Hashed: the channels of
/// row r are permuted, by exclusive-or with a fold of r when n is a power of two, else by rotation by a fold of r.
class Interleave {
 public:
  struct Location {
    unsigned channel;
    std::uint64_t local;
  };
  /// What one channel contributes to a request: contiguous in the channel, scattered in the request's data.
  struct Piece {
    unsigned channel;
    std::uint64_t local;
    unsigned length_bytes;
  };

  /// One channel.
  Interleave() = default;
  /// channels >= 1, granularity_bytes >= 1; throws std::invalid_argument otherwise.
  Interleave(unsigned channels, std::uint64_t granularity_bytes, bool hashed = false);

  unsigned channels() const { return channels_; }
  std::uint64_t granularity_bytes() const { return granularity_; }

  Location locate(std::uint64_t address) const {
    if (channels_ == 1) return {0, address};
    const std::uint64_t block = block_of(address);
    const std::uint64_t row = row_of(block);
    const auto index = static_cast<unsigned>(block - row * channels_);
    return {channel_of(row, index), row * granularity_ + (address - block * granularity_)};
  }
  /// Inverse of locate().
  std::uint64_t address_of(unsigned channel, std::uint64_t local) const;

  /// True when [address, address + length) lies in one channel contiguously.
  bool whole(std::uint64_t address, unsigned length_bytes) const {
    if (channels_ == 1) return true;
    const std::uint64_t offset = granularity_shift_ >= 0 ? address & (granularity_ - 1) : address % granularity_;
    return offset + length_bytes <= granularity_;
  }
  /// Calls visit(Piece) for each channel that the request touches, once each, in the order in which they are met.
  template <typename Visit>
  void split(std::uint64_t address, unsigned length_bytes, Visit visit) const {
    if (length_bytes == 0) return;
    if (channels_ == 1) {
      visit(Piece{0, address, length_bytes});
      return;
    }
    const std::uint64_t first = block_of(address), last = block_of(address + length_bytes - 1);
    const std::uint64_t first_row = row_of(first), last_row = row_of(last);
    const auto first_index = static_cast<unsigned>(first - first_row * channels_);
    const auto last_index = static_cast<unsigned>(last - last_row * channels_);
    const std::uint64_t last_offset = address + length_bytes - 1 - last * granularity_;
    // A channel's rows in the request follow each other without a gap: from the row where it is met to the last row, or
    // to the one before when its block of the last row lies beyond the request.
    const auto piece = [&](std::uint64_t row, unsigned index, unsigned channel) {
      const std::uint64_t start =
          row * granularity_ + (row == first_row && index == first_index ? address - first * granularity_ : 0);
      const unsigned index_in_last = index_of(last_row, channel);
      const std::uint64_t end = index_in_last == last_index  ? last_row * granularity_ + last_offset
                                : index_in_last < last_index ? last_row * granularity_ + granularity_ - 1
                                                             : last_row * granularity_ - 1;
      visit(Piece{channel, start, static_cast<unsigned>(end - start + 1)});
    };
    const unsigned first_row_end = first_row == last_row ? last_index + 1 : channels_;
    for (unsigned index = first_index; index < first_row_end; ++index)
      piece(first_row, index, channel_of(first_row, index));
    if (first_row == last_row) return;
    const unsigned next_row_end = first_row + 1 == last_row ? last_index + 1 : channels_;
    for (unsigned index = 0; index < next_row_end; ++index) {
      const unsigned channel = channel_of(first_row + 1, index);
      if (index_of(first_row, channel) < first_index) piece(first_row + 1, index, channel);
    }
  }
  /// Calls visit(offset in the request, offset in the piece, bytes) for each run of a piece's bytes.
  template <typename Visit>
  void runs(const Piece& piece, std::uint64_t request_address, Visit visit) const {
    unsigned done = 0;
    while (done < piece.length_bytes) {
      const std::uint64_t local = piece.local + done;
      const std::uint64_t in_block = channels_ == 1 ? piece.length_bytes : granularity_ - local % granularity_;
      const unsigned left = piece.length_bytes - done;
      const unsigned bytes = in_block < left ? static_cast<unsigned>(in_block) : left;
      visit(static_cast<unsigned>(address_of(piece.channel, local) - request_address), done, bytes);
      done += bytes;
    }
  }

 private:
  std::uint64_t block_of(std::uint64_t address) const {
    return granularity_shift_ >= 0 ? address >> granularity_shift_ : address / granularity_;
  }
  std::uint64_t row_of(std::uint64_t block) const {
    return channel_shift_ >= 0 ? block >> channel_shift_ : block / channels_;
  }
  unsigned channel_of(std::uint64_t row, unsigned index) const {
    if (!hashed_) return index;
    if (channel_shift_ >= 0) return index ^ fold(row);
    return (index + fold(row)) % channels_;
  }
  unsigned index_of(std::uint64_t row, unsigned channel) const {
    if (!hashed_) return channel;
    if (channel_shift_ >= 0) return channel ^ fold(row);
    return (channel + channels_ - fold(row)) % channels_;
  }
  unsigned fold(std::uint64_t row) const;

  unsigned channels_ = 1;
  std::uint64_t granularity_ = std::uint64_t{1} << 63;
  int granularity_shift_ = 63;  // -1: not a power of two
  int channel_shift_ = 0;
  bool hashed_ = false;
};

/// A range of addresses served by one target, or interleaved over several consecutive ones.
struct Region {
  std::string name;
  std::uint64_t base = 0;
  std::uint64_t size_bytes = 0;
  unsigned first_target = 0;     ///< channel c of the interleave is target first_target + c
  Interleave interleave;         ///< applied to address - base
  std::uint64_t local_base = 0;  ///< added to the address within the channel
};

/// Disjoint regions in ascending order.
class AddressMap {
 public:
  AddressMap() = default;
  /// Throws std::invalid_argument naming the regions when two overlap, one is empty or runs past 2^64.
  explicit AddressMap(std::vector<Region> regions);

  /// The region that holds all of [address, address + length), or null.
  const Region* find(std::uint64_t address, unsigned length_bytes) const {
    for (const Region& region : regions_) {
      if (address - region.base < region.size_bytes && address >= region.base)
        return length_bytes <= region.size_bytes - (address - region.base) ? &region : nullptr;
    }
    return nullptr;
  }
  const std::vector<Region>& regions() const { return regions_; }
  /// One more than the highest target number that a region names.
  unsigned targets() const;

 private:
  std::vector<Region> regions_;
};

}  // namespace harmonia::bus
