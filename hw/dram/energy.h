// Energy of a DRAM channel from its supply currents: charge above the background per command, background per state.
//
// Models: the method of DRAMPower 5 (core): ACT and PRE from IDD0 with the current of a precharge (Ibeta) apart, RD and
// WR from IDD4 over IDD3N for the length of the burst, REF from IDD5B over IDD3N for RFC, background between IDD2N and
// IDD3N by the share rho when any bank is open and the rest by the share of open banks, power-down currents.
// Does not model: interface and termination energy, temperature, bank-dependent currents.
#pragma once

#include <array>
#include <cstdint>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/statistics.h"

namespace harmonia::dram {

/// How long one unit (a rank or a pseudo channel) spent in which background state. Events come in time order.
class ActivityMeter {
 public:
  void activate(Cycle t) {
    if (open_++ == 0) leave(t, precharged_);
    bank_open_ -= t;
  }
  void precharge(Cycle t) {
    bank_open_ += t;
    if (--open_ == 0) leave(t, active_);
  }
  void precharge_all(Cycle t) {
    bank_open_ += t * open_;
    if (open_ > 0) leave(t, active_);
    open_ = 0;
  }
  /// All banks draw the open-bank background while refreshing. Every bank is closed.
  void refresh(Cycle t, Cycle rfc, int banks) {
    leave(t, precharged_);
    active_ += rfc;
    mark_ = t + rfc;
    bank_open_ += rfc * banks;
  }
  void refresh_banks(Cycle rfc, int banks) { bank_open_ += rfc * banks; }
  void power_down(Cycle t) { leave(t, open_ > 0 ? active_ : precharged_); }
  void power_up(Cycle t) { leave(t, open_ > 0 ? active_down_ : precharged_down_); }

  struct Times {
    Cycle active = 0, precharged = 0, active_down = 0, precharged_down = 0, bank_open = 0;
  };
  /// State up to `now`, in power-down or not since the last event.
  Times at(Cycle now, bool down) const {
    Times x{active_, precharged_, active_down_, precharged_down_, bank_open_ + now * open_};
    const Cycle rest = now > mark_ ? now - mark_ : 0;
    (down ? (open_ > 0 ? x.active_down : x.precharged_down) : (open_ > 0 ? x.active : x.precharged)) += rest;
    return x;
  }

 private:
  void leave(Cycle t, Cycle& state) {
    if (t > mark_) {
      state += t - mark_;
      mark_ = t;
    }
  }
  Cycle mark_ = 0, active_ = 0, precharged_ = 0, active_down_ = 0, precharged_down_ = 0, bank_open_ = 0;
  int open_ = 0;
};

/// Background of a device with one bank open, in mA: what is not the activate's of IDD0 while the row is open.
double open_bank_current(const Config& config);

/// Power of a channel that nobody asks for anything, in watts: every bank closed, refreshed as its policy says.
double idle_power_w(const Config& config);

/// Energy of one unit; no term is negative, by what Config::finish() refuses. `precharges` counts closed banks (a PREA closes several).
Energy energy_of(const Config& config, const std::array<std::uint64_t, kCmdCount>& commands, std::uint64_t precharges,
                 const ActivityMeter::Times& times);

}  // namespace harmonia::dram
