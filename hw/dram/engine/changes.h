// What has changed in the channel since a choice among banks was made.
//
// The parts that hold state report here; the scheduler looks again only at what is reported. The reference engine
// reports everything as changed before each decision, so that every choice is made anew.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/engine/organisation.h"

namespace harmonia::dram {

/// The choices among the banks of a unit: which column command, which bank to open, which to close for a conflict.
enum class BankChoice : std::uint8_t { kColumn, kActivate, kPrecharge };
constexpr int kBankChoices = 3;

class Changes {
 public:
  explicit Changes(const Organisation& organisation) : organisation_(organisation) {
    for (int unit = 0; unit < organisation.units; ++unit) {
      all_of_unit(unit);
      work(unit);
    }
  }

  void bank(int bank) { bank_of_unit(organisation_.unit_of(bank), organisation_.bit_of(bank)); }
  /// The same for a caller who knows the unit and its set with the bank alone.
  void bank_of_unit(int unit, std::uint64_t bit) {
    row_commands_ |= std::uint64_t{1} << unit;
    for (std::uint64_t& banks : banks_[unit]) banks |= bit;
  }
  void all_of_unit(int unit) {
    row_commands_ |= std::uint64_t{1} << unit;
    banks_[unit].fill(kAll);
  }
  /// Whether the unit has anything to do may be another.
  void work(int unit) { work_ |= std::uint64_t{1} << unit; }

  static constexpr std::uint64_t kAll = ~std::uint64_t{0};
  /// Banks of the unit that have changed since the choice was made; the scheduler clears them.
  std::uint64_t& banks(int unit, BankChoice choice) { return banks_[unit][static_cast<std::size_t>(choice)]; }
  /// Units of which the first row command may be another.
  bool row_command(int unit) const { return ((row_commands_ >> unit) & 1) != 0; }
  void row_command_found(int unit) { row_commands_ &= ~(std::uint64_t{1} << unit); }
  std::uint64_t take_work() {
    const std::uint64_t units = work_;
    work_ = 0;
    return units;
  }
  bool any_work() const { return work_ != 0; }

 private:
  const Organisation organisation_;
  PerUnit<std::array<std::uint64_t, kBankChoices>> banks_;  // by unit
  std::uint64_t row_commands_ = 0, work_ = 0;
};

}  // namespace harmonia::dram
