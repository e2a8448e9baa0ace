// Which units (ranks or pseudo channels) are in power-down, and since when a unit is idle.
#pragma once

#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

class PowerState {
 public:
  PowerState(const Config& config, int units)
      : idle_limit_(config.power_down_idle_cycles), units_(static_cast<std::size_t>(units)) {}
  bool enabled() const { return idle_limit_ > 0; }
  bool down(int unit) const { return units_[static_cast<std::size_t>(unit)].down; }
  void set_down(int unit, bool down) { units_[static_cast<std::size_t>(unit)].down = down; }
  Cycle idle_since(int unit) const { return units_[static_cast<std::size_t>(unit)].idle_since; }
  void active_at(int unit, Cycle t) {
    Cycle& since = units_[static_cast<std::size_t>(unit)].idle_since;
    if (t > since) since = t;
  }
  /// First cycle of power-down when the unit stays idle.
  Cycle down_from(int unit) const { return idle_since(unit) + idle_limit_; }

 private:
  struct Unit {
    bool down = false;
    Cycle idle_since = 0;
  };
  Cycle idle_limit_;
  std::vector<Unit> units_;
};

}  // namespace harmonia::dram
