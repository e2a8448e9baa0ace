// Which units (ranks or pseudo channels) are in power-down, and since when a unit is idle.
#pragma once

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

class PowerState {
 public:
  explicit PowerState(const Config& config) : idle_limit_(config.power_down_idle_cycles) {}
  bool enabled() const { return idle_limit_ > 0; }
  bool down(int unit) const { return units_[unit].down; }
  void set_down(int unit, bool down) { units_[unit].down = down; }
  Cycle idle_since(int unit) const { return units_[unit].idle_since; }
  void active_at(int unit, Cycle t) {
    Cycle& since = units_[unit].idle_since;
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
  PerUnit<Unit> units_;
};

}  // namespace harmonia::dram
