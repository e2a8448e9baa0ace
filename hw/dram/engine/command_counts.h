// Counts of commands by unit, and the energy that follows from them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/statistics.h"

namespace harmonia::dram {

class CommandCounts {
 public:
  explicit CommandCounts(Statistics& statistics) : statistics_(statistics) {}

  void add(Cmd c, int unit, std::uint64_t count = 1) {
    statistics_.commands[static_cast<std::size_t>(index(c))] += count;
    of(unit).commands[static_cast<std::size_t>(index(c))] += count;
  }
  void row_closed(int unit) { ++of(unit).precharges; }
  ActivityMeter& activity(int unit) { return of(unit).activity; }

  /// Energy of the unit up to `now`.
  Energy energy(const Config& config, int unit, Cycle now, bool down) const {
    const Unit& u = units_[unit];
    return energy_of(config, u.commands, u.precharges, u.activity.at(now, down));
  }

 private:
  struct Unit {
    std::array<std::uint64_t, kCmdCount> commands{};
    std::uint64_t precharges = 0;  // closed banks
    ActivityMeter activity;
  };
  Unit& of(int unit) { return units_[unit]; }

  Statistics& statistics_;
  PerUnit<Unit> units_;
};

}  // namespace harmonia::dram
