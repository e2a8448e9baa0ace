// Burst addresses to banks, rows and columns, and requests to runs of bursts in one row of one bank.
//
// Models: the address mapping of the configuration, bank bits flipped by row bits included. Does not model: the map of
// several channels; that is the system's.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/organisation.h"

namespace harmonia::dram {

/// A coordinate gathered from bits of the burst address, least significant first.
class AddressField {
 public:
  explicit AddressField(const std::vector<int>& bits = {}, int burst_shift = 0);
  std::uint64_t extract(std::uint64_t burst) const {
    std::uint64_t v = 0;
    for (const Part& p : parts_) v |= ((burst >> p.shift) & ((std::uint64_t{1} << p.width) - 1)) << p.position;
    return v;
  }
  std::uint64_t deposit(std::uint64_t value) const {
    std::uint64_t burst = 0;
    for (const Part& p : parts_) burst |= ((value >> p.position) & ((std::uint64_t{1} << p.width) - 1)) << p.shift;
    return burst;
  }
  std::uint64_t mask() const { return mask_; }
  /// Contiguous pieces of the field, and the width of the lowest.
  std::size_t pieces() const { return parts_.size(); }
  int width_of_first() const { return parts_.front().width; }

 private:
  struct Part {
    int shift, width, position;
  };
  std::vector<Part> parts_;
  std::uint64_t mask_ = 0;
};

/// A row of a bank; the bank is counted over all units.
struct BankRow {
  std::uint32_t bank, row;
};

class AddressDecoder {
 public:
  /// The configuration must have been completed by Config::finish().
  AddressDecoder(const Config& config, const Organisation& organisation);

  /// log2 of the bytes of a burst.
  int burst_shift() const { return burst_shift_; }
  /// Bursts of the channel less one. Addresses wrap there.
  std::uint64_t address_mask() const { return address_mask_; }
  const AddressField& column() const { return column_; }
  BankRow bank_row(std::uint64_t burst) const;
  /// The burst of the next column of the same row.
  std::uint64_t next_column(std::uint64_t burst) const {
    const std::uint64_t columns = column_.mask();
    return (((burst | ~columns) + 1) & columns) | (burst & ~columns);
  }

  /// Calls emit(BankRow, first burst, last burst, number of bursts) once for each row of each bank that the bursts from
  /// `low` to `high` (both included, not beyond address_mask()) touch, in order of the first burst of each.
  template <class Emit>
  void split(std::uint64_t low, std::uint64_t high, const Emit& emit) const;

 private:
  template <class Emit>
  void split_partial_block(std::uint64_t low, std::uint64_t end, const Emit& emit) const;

  int burst_shift_ = 0;
  std::uint32_t pseudo_channels_, banks_per_unit_, banks_per_group_;
  std::vector<std::pair<int, int>> bank_xor_;
  AddressField column_, bank_in_group_, bankgroup_, row_, rank_, pseudo_channel_;
  std::uint64_t address_mask_ = 0;
  std::uint64_t block_mask_ = 0;  // the lowest bits up to the top column bit
  /// Bits of the block that are no column bits: bank group bits and the like. Within a block they tell the rows apart.
  std::uint64_t interleaved_ = 0;
  std::uint64_t interleaved_and_below_ = 0;
  AddressField interleaved_field_;
  std::vector<std::pair<std::uint64_t, BankRow>> interleaved_rows_;  // for each value of those bits, when they are few
};

template <class Emit>
void AddressDecoder::split(std::uint64_t low, std::uint64_t high, const Emit& emit) const {
  while (low <= high) {
    const std::uint64_t end = high < (low | block_mask_) ? high : low | block_mask_;
    if (interleaved_ == 0 || ((low ^ end) & ~((interleaved_ & (~interleaved_ + 1)) - 1)) == 0) {
      emit(bank_row(low), low, end, static_cast<std::uint32_t>(end - low + 1));
    } else if (!interleaved_rows_.empty() && ((low | (end + 1)) & interleaved_and_below_) == 0) {
      // Every value of the interleaved bits occurs equally often.
      const BankRow base = bank_row(low);
      const auto count = static_cast<std::uint32_t>((end - low + 1) / interleaved_rows_.size());
      for (const auto& [bits, place] : interleaved_rows_)
        emit(BankRow{base.bank ^ place.bank, base.row ^ place.row}, low | bits, (end & ~interleaved_) | bits, count);
    } else {
      split_partial_block(low, end, emit);
    }
    low = end + 1;
  }
}

/// Each value of the interleaved bits that occurs is one run; it begins where the value is first met.
template <class Emit>
void AddressDecoder::split_partial_block(std::uint64_t low, std::uint64_t end, const Emit& emit) const {
  const std::uint64_t below_lowest = (interleaved_ & (~interleaved_ + 1)) - 1;
  // A value below the one of `end` may reach a higher column than it: by the column bits below interleaved ones.
  const std::uint64_t below_highest = (std::uint64_t{1} << highest_bit(interleaved_)) - 1;
  const std::uint64_t last_column = column_.extract(end | below_highest);
  std::uint64_t seen = 0;
  const int values = 1 << __builtin_popcountll(interleaved_);
  int found = 0;
  for (std::uint64_t a = low; a <= end && found < values; a = (a | below_lowest) + 1) {
    const std::uint64_t value = interleaved_field_.extract(a);
    if (values <= 64) {
      if ((seen >> value) & 1) continue;
      seen |= std::uint64_t{1} << value;
    } else if (a - low > interleaved_ && ((a ^ low) & interleaved_) == 0) {
      break;
    }
    ++found;
    const std::uint64_t fixed = (a & ~block_mask_) | (a & interleaved_);
    std::uint64_t column = last_column;
    while ((column_.deposit(column) | fixed) > end) --column;
    emit(bank_row(a), a, column_.deposit(column) | fixed, static_cast<std::uint32_t>(column - column_.extract(a) + 1));
  }
}

}  // namespace harmonia::dram
