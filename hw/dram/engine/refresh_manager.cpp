#include "harmonia/hw/dram/engine/refresh_manager.h"

#include <algorithm>

#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {

RefreshManager::RefreshManager(const Config& config, const Organisation& organisation, Changes& changes)
    : organisation_(organisation),
      changes_(changes),
      policy_(config.refresh),
      urgency_(config.refresh_urgency),
      same_bank_(config.standard->same_bank_refresh),
      postpone_(config.refresh_postpone),
      pull_in_(config.refresh_pull_in),
      interval_(config[config.refresh == RefreshPolicy::kAllBank ? Param::REFI : Param::REFIpb]),
      all_bank_interval_(config[Param::REFI]),
      all_bank_time_(config[Param::RFC]) {
  if (policy_ == RefreshPolicy::kNone) return;
  for (int unit = 0; unit < organisation.units; ++unit) units_[unit].due = interval_;
}

Cycle RefreshManager::due(int unit, bool has_work, Cycle idle_since) const {
  const Unit& u = units_[unit];
  if (u.active || u.due == kNever) return kNever;
  if (has_work || !all_bank()) return u.due;
  // Idle: pay back postponed refreshes at once, and pull the next ones in after a while.
  if (u.owed > 0) return std::min(u.due, idle_since);
  if (pull_in_ == 0) return u.due;
  return std::min(u.due, std::max(idle_since + all_bank_time_, u.due - pull_in_ * all_bank_interval_));
}

bool RefreshManager::start(int unit, bool has_work, Cycle t) {
  Unit& u = units_[unit];
  if (t >= u.due) {
    u.due += interval_;
    if (all_bank() && u.owed < postpone_ && has_work) {
      ++u.owed;
      return false;
    }
  } else if (u.owed > 0) {
    --u.owed;
  } else {
    u.due += all_bank_interval_;
  }
  u.active = true;
  u.banks = all_bank() ? organisation_.all_banks_of_unit() : next_banks(u);
  changes_.work(unit);
  changes_.all_of_unit(unit);
  return true;
}

std::uint64_t RefreshManager::next_banks(Unit& u) const {
  const int step = same_bank_ ? organisation_.banks_per_group : organisation_.banks_per_unit;
  std::uint64_t banks = 0;
  for (int bank = u.next_bank; bank < organisation_.banks_per_unit; bank += step) banks |= std::uint64_t{1} << bank;
  u.next_bank = (u.next_bank + 1) % step;
  return banks;
}

void RefreshManager::issued(int unit) {
  units_[unit].active = false;
  changes_.work(unit);
  changes_.all_of_unit(unit);
}

}  // namespace harmonia::dram
