// Which rows are open, for whom they were opened, and when they were used.
//
// Models: open and closed banks; an activate that waits for its second command (LPDDR5). Does not model: when a command
// is legal (TimingState).
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/engine/changes.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

/// No run of bursts, no request.
constexpr std::uint32_t kNone = ~std::uint32_t{0};

class BankStates {
 public:
  BankStates(const Organisation& organisation, Changes& changes)
      : organisation_(organisation), changes_(changes), banks_(static_cast<std::size_t>(organisation.banks)) {}

  /// -1: the bank is closed.
  std::int32_t open_row(int bank) const { return at(bank).row; }
  /// Banks of the unit whose row is open; those of them that no access has used; those whose row was opened for a read
  /// (op 0) or write (op 1) that is not finished.
  std::uint64_t open(int unit) const { return of(unit).open; }
  std::uint64_t unused(int unit) const { return of(unit).unused; }
  std::uint64_t opened_for(int unit, int op) const { return of(unit).opened_for[op]; }
  /// The run of bursts that the row was opened for, kNone once it is finished.
  std::uint32_t opened_for_run(int bank) const { return at(bank).opened_for; }
  bool closed_by_conflict(int bank) const { return at(bank).closed_by_conflict; }
  Cycle last_use(int bank) const { return at(bank).last_use; }

  void activate(int bank, std::int32_t row, Cycle t, std::uint32_t run, int op) {
    Bank& b = at(bank);
    Unit& u = of(organisation_.unit_of(bank));
    const std::uint64_t bit = organisation_.bit_of(bank);
    b.row = row;
    b.last_use = t;
    b.closed_by_conflict = false;
    b.opened_for = run;
    u.open |= bit;
    u.unused |= bit;
    u.opened_for[op] |= bit;
    changes_.bank_of_unit(organisation_.unit_of(bank), bit);
  }
  void precharge(int bank, bool for_conflict) {
    Bank& b = at(bank);
    Unit& u = of(organisation_.unit_of(bank));
    const std::uint64_t bit = organisation_.bit_of(bank);
    b.row = -1;
    b.closed_by_conflict = for_conflict;
    u.open &= ~bit;
    u.unused &= ~bit;
    release(bank);
    changes_.bank(bank);
  }
  /// A column access.
  void use(int bank, Cycle t) {
    at(bank).last_use = t;
    of(organisation_.unit_of(bank)).unused &= ~organisation_.bit_of(bank);
  }
  /// The access that the row was opened for is finished, or will not come.
  void release(int bank) {
    if (at(bank).opened_for == kNone) return;
    at(bank).opened_for = kNone;
    for (std::uint64_t& banks : of(organisation_.unit_of(bank)).opened_for) banks &= ~organisation_.bit_of(bank);
    changes_.bank(bank);
  }

  /// The bank of the unit that has had ACT1 and waits for ACT2, or -1; and the first cycle of ACT2.
  int half_open(int unit) const { return of(unit).half_open; }
  Cycle second_activate_from(int unit) const { return of(unit).second_activate_from; }
  void await_second_activate(int bank, Cycle from) {
    const int unit = organisation_.unit_of(bank);
    of(unit).half_open = bank;
    of(unit).second_activate_from = from;
    changes_.work(unit);
  }
  void second_activate(int bank) {
    const int unit = organisation_.unit_of(bank);
    of(unit).half_open = -1;
    changes_.work(unit);
    changes_.bank(bank);
  }

 private:
  struct Bank {
    std::int32_t row = -1;
    std::uint32_t opened_for = kNone;
    Cycle last_use = 0;
    bool closed_by_conflict = false;
  };
  struct Unit {
    std::uint64_t open = 0, unused = 0, opened_for[2] = {};
    int half_open = -1;
    Cycle second_activate_from = 0;
  };
  Bank& at(int bank) { return banks_[static_cast<std::size_t>(bank)]; }
  const Bank& at(int bank) const { return banks_[static_cast<std::size_t>(bank)]; }
  Unit& of(int unit) { return units_[unit]; }
  const Unit& of(int unit) const { return units_[unit]; }

  const Organisation organisation_;
  Changes& changes_;
  std::vector<Bank> banks_;
  PerUnit<Unit> units_;
};

}  // namespace harmonia::dram
