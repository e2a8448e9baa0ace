// Which command a channel sends next.
//
// Models: FR-FCFS (of the column commands that can go first the oldest, rows opened ahead, a cap on how long hits may
// keep a conflict waiting) and FCFS; what a refresh, the page policy and power-down ask for; arbitration for one command
// bus or two. Does not model: what a command does (ChannelController).
#pragma once

#include <array>
#include <vector>

#include "harmonia/hw/dram/engine/channel_state.h"

namespace harmonia::dram {

enum class Action : std::uint8_t {
  kNothing,
  kRefreshDue,
  kServeWrites,  // waiting writes must be served
  kColumn,
  kActivate,
  kSecondActivate,
  kPrecharge,
  kPrechargeAll,
  kRefresh,
  kPowerDown,
  kPowerUp
};

struct Decision {
  Cycle t = kNever;
  Action action = Action::kNothing;
  int unit = 0;  // kServeWrites: the pseudo channel
  int bank = 0;
  bool for_conflict = false;  // a precharge on behalf of a waiting access to another row

  /// Takes this decision when it is earlier. Member by member: a copy of the whole soon after a part of it was written
  /// costs a stall of the host's store buffer, several times for each command.
  void offer(Cycle at, Action what, int of_unit, int of_bank, bool conflict = false) {
    if (at >= t) return;
    t = at;
    action = what;
    unit = of_unit;
    bank = of_bank;
    for_conflict = conflict;
  }
  void clear() {
    t = kNever;
    action = Action::kNothing;
  }
};

/// Decides what comes next from the state of the channel: one column command, one row command and one event (a refresh
/// that falls due, writes that must be served), and which of the three is first. Each is kept until something that it
/// rests on changes; `keep` = false makes each anew every time.
class CommandScheduler {
 public:
  CommandScheduler(ChannelState& state, bool keep);

  /// No decision before this cycle.
  Cycle floor() const { return floor_; }
  void set_floor(Cycle t) { floor_ = t; }
  void raise_floor(Cycle t) {
    if (t > floor_) floor_ = t;
  }

  /// Finds the event; false when it is what comes next, so that nothing else need be known. Must precede decide().
  bool needs_commands();
  bool column_known() const { return column_known_; }
  /// What comes next. Valid until the next call of any other member.
  const Decision& decide();

  // --- what was found
  const Decision& column() const { return column_; }
  const Decision& row() const { return *row_; }
  const Decision& event() const { return event_; }
  bool row_known() const { return row_known_; }
  bool event_known() const { return event_known_; }
  void find_row();
  /// The given column command, the row command and the event: which is first.
  const Decision& first_of(const Decision& column) const;
  void set_column(Cycle t, int unit, int bank) {
    column_.clear();
    column_.offer(t, Action::kColumn, unit, bank);
  }

  // --- what no longer holds
  void invalidate() { column_known_ = row_known_ = event_known_ = false; }
  void invalidate_column() { column_known_ = false; }
  void invalidate_row() { row_known_ = false; }
  void invalidate_event() { event_known_ = false; }
  void column_is_known() { column_known_ = true; }
  /// A row command has been issued that lets no column come before `from` but those that could before.
  void after_row_command(Cycle from);
  /// A column command has been issued in this bank.
  void after_column(int bank, bool had_older_conflict);
  /// A run has come that is the oldest of its bank or its oldest hit; it is the youngest of all.
  void after_arrival(std::uint32_t run);

  /// Units with anything to decide.
  std::uint64_t busy_units() {
    if (state_.changes.any_work()) update_busy_units();
    return busy_units_;
  }

 private:
  /// A choice among the banks of a unit, kept from decision to decision: the bank that is ready first or, of those that
  /// are ready, waits for the oldest access. It stays the first until the time reaches `next_ready`, its own bank is
  /// held up, or one of the changed banks comes before it: times of banks never fall.
  struct Choice {
    Cycle ready = kNever;       // of the bank
    Cycle next_ready = kNever;  // no other bank becomes ready, that was not when this one was found, before this
    std::int64_t age = 0;
    int bank = -1;
  };
  Choice& choice(int unit, BankChoice kind) { return choices_[unit][static_cast<std::size_t>(kind)]; }
  template <class Ready>
  Cycle choose_bank(BankChoice kind, int unit, std::uint64_t members, Cycle floor, const BankQueue* queue,
                    std::int64_t BankQueue::*age, const Ready& ready);
  void update_busy_units();
  void choose_anew(BankChoice kind, int unit) { state_.changes.banks(unit, kind) = Changes::kAll; }
  void find_event();
  void find_column(int unit);
  void find_row_of(int unit, Cycle row_floor, Decision& best);
  std::uint64_t column_banks(int unit);
  void offer_refresh(int unit, Cycle row_floor, Decision& best);
  void offer_access_rows(int unit, Cycle row_floor, Decision& best);
  void offer_unused_rows(int unit, Cycle row_floor, Decision& best);
  Cycle choose_to_close(int unit, int op, std::uint64_t conflicts, std::uint64_t hit, Cycle row_floor);
  Cycle choose_to_open(int unit, int op, std::uint64_t closed, Cycle floor);

  ChannelState& state_;
  const Organisation organisation_;
  const bool keep_;
  const bool in_order_;  // FCFS
  const bool plain_rows_;
  Cycle floor_ = 0;
  PerUnit<std::array<Choice, kBankChoices>> choices_;  // by unit
  PerUnit<Decision> row_of_unit_;
  Decision column_, event_;
  const Decision* row_;
  bool column_known_ = false, row_known_ = false, event_known_ = false;
  std::uint64_t busy_units_ = 0;
};

}  // namespace harmonia::dram
