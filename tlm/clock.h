// A block's clock: absolute cycle counts to times and back, without a free-running clock process.
// Models: a fixed frequency; a time is derived from the absolute count, so that periods that are no whole number of
//   picoseconds do not drift.
// Does not model: gating, frequency changes, skew.
#pragma once

#include <cstdint>
#include <systemc>

#include "harmonia/tlm/cycle.h"

namespace harmonia::bus {

class Clock {
 public:
  explicit Clock(double mhz) : period_ps_(1e6 / mhz) {
    const auto whole = static_cast<std::uint64_t>(period_ps_);
    if (static_cast<double>(whole) == period_ps_) whole_ps_ = whole;
  }

  double mhz() const { return 1e6 / period_ps_; }
  double period_ps() const { return period_ps_; }

  /// Start of a cycle, in picoseconds.
  std::uint64_t ps(Cycle cycle) const {
    return whole_ps_ != 0 ? cycle * whole_ps_ : static_cast<std::uint64_t>(static_cast<double>(cycle) * period_ps_);
  }
  sc_core::sc_time time(Cycle cycle) const { return sc_core::sc_time::from_value(ps(cycle)); }

  /// The first cycle that does not start before a time.
  Cycle cycle(const sc_core::sc_time& t) const {
    const std::uint64_t value = t.value();
    if (whole_ps_ != 0) return (value + whole_ps_ - 1) / whole_ps_;
    auto count = static_cast<Cycle>(static_cast<double>(value) / period_ps_);
    while (ps(count) < value) ++count;
    while (count > 0 && ps(count - 1) >= value) --count;
    return count;
  }

 private:
  double period_ps_;
  std::uint64_t whole_ps_ = 0;  // 0: the period is no whole number of picoseconds
};

}  // namespace harmonia::bus
