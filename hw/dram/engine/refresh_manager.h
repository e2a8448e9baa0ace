// When each unit (rank or pseudo channel) must be refreshed, and which of its banks.
//
// Models: refresh of all banks, of one bank in turn or of the same bank of every group; postponing while requests wait,
// paying back and pulling in when idle. Does not model: the commands themselves (the scheduler closes the banks and the
// controller issues REF), temperature, self refresh.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/changes.h"
#include "harmonia/hw/dram/engine/organisation.h"

namespace harmonia::dram {

class RefreshManager {
 public:
  RefreshManager(const Config& config, const Organisation& organisation, Changes& changes);

  /// Cycle at which the next refresh of the unit falls due, or may be made up for while the unit is idle since
  /// `idle_since`. kNever while one is under way.
  Cycle due(int unit, bool has_work, Cycle idle_since) const;
  /// The refresh that due() announced begins at t: from now on its banks are reserved. False when it is postponed.
  bool start(int unit, bool has_work, Cycle t);
  /// Its command has been issued.
  void issued(int unit);

  bool active(int unit) const { return units_[unit].active; }
  /// Banks of the unit that the active refresh needs closed; none when there is none.
  std::uint64_t banks(int unit) const {
    const Unit& u = units_[unit];
    return u.active ? u.banks : 0;
  }
  /// Refreshes that are postponed.
  int owed(int unit) const { return units_[unit].owed; }

  bool all_bank() const { return policy_ == RefreshPolicy::kAllBank; }
  Cmd command() const { return all_bank() ? Cmd::kRef : Cmd::kRefPb; }
  /// A row that was just opened for an access stays open for it.
  bool after_access() const { return urgency_ == RefreshUrgency::kAfterAccess; }
  /// When a refresh falls due depends on whether anything waits.
  bool depends_on_work() const { return pull_in_ > 0 || postpone_ > 0; }

 private:
  struct Unit {
    Cycle due = kNever;
    int owed = 0;
    bool active = false;
    std::uint64_t banks = 0;
    int next_bank = 0;  // of refreshes of less than all banks
  };
  std::uint64_t next_banks(Unit& u) const;

  const Organisation organisation_;
  Changes& changes_;
  RefreshPolicy policy_;
  RefreshUrgency urgency_;
  bool same_bank_;
  int postpone_, pull_in_;
  Cycle interval_, all_bank_interval_, all_bank_time_;
  PerUnit<Unit> units_;
};

}  // namespace harmonia::dram
