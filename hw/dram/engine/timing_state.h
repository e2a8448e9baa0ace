// When each command is legal next: the timing rules of the standard applied to the commands that have been issued.
//
// Models: minimum distances between commands of a bank, a bank group, a unit (rank or pseudo channel) and of units that
// share a data bus; windows (FAW); occupation of the command buses. Does not model: whether a bank is open or closed
// (BankStates), the deadline of ACT2 and WCK (the controller).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {

class TimingState {
 public:
  /// The configuration must have been completed by Config::finish(). Throws std::logic_error when the table of the
  /// standard has a window at another level than the unit.
  TimingState(const Config& config, const Organisation& organisation);
  TimingState(const TimingState&) = delete;  // rules point into the times
  TimingState& operator=(const TimingState&) = delete;

  /// First cycle at which the command may begin, by every rule and by its command bus. Commands to a whole unit give
  /// bank -1.
  Cycle earliest(Cmd c, int unit, int bank) const {
    Cycle t = std::max(unit_time(c, unit), uses_column_bus(c) ? column_bus_ : row_bus_);
    if (bank >= 0) t = std::max({t, bank_time(c, bank), group_time(c, organisation_.group_of(bank))});
    return t;
  }
  /// The command begins at t: moves the legal times of all commands that a rule ties to it, and takes the command bus.
  void issue(Cmd c, int unit, int bank, Cycle t) {
    apply(c, unit, bank, t);
    occupy_bus(c, t);
  }

  // --- the parts of the above
  Cycle bank_time(Cmd c, int bank) const { return bank_time_[slot(c, organisation_.banks, bank)]; }
  Cycle group_time(Cmd c, int group) const { return group_time_[slot(c, organisation_.groups, group)]; }
  Cycle unit_time(Cmd c, int unit) const { return unit_time_[unit][static_cast<std::size_t>(index(c))]; }
  const Cycle* bank_times(Cmd c) const { return &bank_time_[slot(c, organisation_.banks, 0)]; }
  const Cycle* group_times(Cmd c) const { return &group_time_[slot(c, organisation_.groups, 0)]; }
  Cycle* group_times(Cmd c) { return &group_time_[slot(c, organisation_.groups, 0)]; }
  /// No such command to the bank before t.
  void hold_bank(Cmd c, int bank, Cycle t) {
    Cycle& time = bank_time_[slot(c, organisation_.banks, bank)];
    time = std::max(time, t);
  }
  void apply(Cmd c, int unit, int bank, Cycle t) {
    if (bank >= 0) apply_to_bank_and_group(c, bank, t);
    apply_to_unit(c, unit, t);
  }
  void apply_to_bank_and_group(Cmd c, int bank, Cycle t) {
    const RulesAfter& rules = rules_[index(c)];
    raise(rules.of_bank, bank, t);
    raise(rules.of_group, organisation_.group_of(bank), t);
  }
  void apply_to_unit(Cmd c, int unit, Cycle t) {
    RulesAfter& rules = rules_[index(c)];
    raise(rules.of_unit, unit * kCmdCount, t);
    if (rules.beyond_distances) apply_windows_and_ranks(rules, unit, t);
  }

  Cycle row_bus() const { return row_bus_; }
  Cycle column_bus() const { return column_bus_; }
  void occupy_bus(Cmd c, Cycle t) {
    Cycle& bus = uses_column_bus(c) ? column_bus_ : row_bus_;
    bus = t + length(c);
    if (!split_bus_) row_bus_ = column_bus_ = bus;
  }
  /// Clocks of the command on its bus.
  int length(Cmd c) const { return length_[static_cast<std::size_t>(c)]; }

  /// Column commands of one kind: their distance within a bank group, within a unit, and from another rank.
  Cycle column_spacing_in_group(int op) const { return column_spacing_[op][0]; }
  Cycle column_spacing_in_unit(int op) const { return column_spacing_[op][1]; }
  Cycle column_spacing_of_ranks(int op) const { return column_spacing_[op][2]; }
  /// First edge of RD or WR to the end of its data.
  Cycle data_latency(int op) const { return data_latency_[op]; }

 private:
  /// The earliest times of one command, by bank, group or unit, that another command raises.
  struct Distance {
    Cycle* times;
    Cycle cycles;
  };
  struct RankDistance {
    Cmd next;
    Cycle cycles;
  };
  struct Window {
    Cmd next;
    Cycle cycles;
    int size;
    std::vector<Cycle> issued;     // units x size, a ring each
    PerUnit<std::uint32_t> place;  // the oldest
  };
  /// What a command holds back.
  struct RulesAfter {
    std::vector<Distance> of_bank, of_group, of_unit;
    bool beyond_distances = false;  // there are windows or rules for other ranks
    std::vector<Window> windows;
    std::vector<RankDistance> of_ranks;
  };

  static bool uses_column_bus(Cmd c) { return c == Cmd::kRd || c == Cmd::kWr || c == Cmd::kCasRd || c == Cmd::kCasWr; }
  static std::size_t slot(Cmd c, int size, int i) { return static_cast<std::size_t>(index(c) * size + i); }
  static void raise(const std::vector<Distance>& rules, int i, Cycle t) {
    for (const Distance& r : rules) {
      Cycle& time = r.times[i];
      if (time < t + r.cycles) time = t + r.cycles;
    }
  }
  void apply_windows_and_ranks(RulesAfter& rules, int unit, Cycle t);
  void compile(const TimingRule& rule, const Config& config);
  void find_spacings(const Config& config);

  const Organisation organisation_;
  bool split_bus_, from_last_edge_;
  std::array<std::uint8_t, kCmdCount> length_;
  std::vector<Cycle> bank_time_, group_time_;
  PerUnit<std::array<Cycle, kCmdCount>> unit_time_;
  RulesAfter rules_[kCmdCount];
  Cycle row_bus_ = 0, column_bus_ = 0;
  Cycle column_spacing_[2][3] = {};
  Cycle data_latency_[2];
};

}  // namespace harmonia::dram
