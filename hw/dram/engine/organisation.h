// How the banks of a channel are counted inside the engine: flat over all units (ranks times pseudo channels).
#pragma once

#include <array>
#include <cstdint>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

constexpr int index(Cmd c) { return static_cast<int>(c); }
constexpr int index(Op op) { return static_cast<int>(op); }
constexpr Cmd column_command(int op) { return op == 0 ? Cmd::kRd : Cmd::kWr; }

inline int lowest_bit(std::uint64_t mask) { return __builtin_ctzll(mask); }
inline int highest_bit(std::uint64_t mask) { return 63 - __builtin_clzll(mask); }

/// One T for each unit, or pseudo channel, of a channel. In place rather than in a vector: the engine looks into several
/// of these for each command.
template <class T>
class PerUnit {
 public:
  T& operator[](int unit) { return items_[static_cast<std::size_t>(unit)]; }
  const T& operator[](int unit) const { return items_[static_cast<std::size_t>(unit)]; }

 private:
  std::array<T, Config::kMaxRanks * Config::kMaxPseudoChannels> items_{};
};

/// All counts are powers of two, and a unit has at most 64 banks: a set of its banks is a 64-bit mask. A few integers:
/// each part of the engine keeps a copy.
struct Organisation {
  explicit Organisation(const Config& c)
      : units(c.units()),
        pseudo_channels(c.pseudo_channels),
        groups(units * c.bankgroups),
        banks(units * c.banks_per_unit()),
        banks_per_unit(c.banks_per_unit()),
        banks_per_group(c.banks_per_group),
        unit_shift(__builtin_ctz(static_cast<unsigned>(banks_per_unit))),
        group_shift(__builtin_ctz(static_cast<unsigned>(banks_per_group))) {}

  int units, pseudo_channels, groups, banks, banks_per_unit, banks_per_group, unit_shift, group_shift;

  int unit_of(int bank) const { return bank >> unit_shift; }
  /// Bank groups are counted over all units too.
  int group_of(int bank) const { return bank >> group_shift; }
  int in_unit(int bank) const { return bank & (banks_per_unit - 1); }
  int first_bank(int unit) const { return unit * banks_per_unit; }
  std::uint64_t bit_of(int bank) const { return std::uint64_t{1} << in_unit(bank); }
  std::uint64_t all_banks_of_unit() const {
    return banks_per_unit == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << banks_per_unit) - 1;
  }
  /// Units of one pseudo channel (its ranks) share a data bus.
  int pseudo_channel_of(int unit) const { return unit & (pseudo_channels - 1); }
};

}  // namespace harmonia::dram
