#include "harmonia/hw/dram/engine/command_scheduler.h"

#include <algorithm>

namespace harmonia::dram {
namespace {

const Decision kNoDecision;

std::uint64_t bit(int i) { return std::uint64_t{1} << i; }

}  // namespace

CommandScheduler::CommandScheduler(ChannelState& state, bool keep)
    : state_(state),
      organisation_(state.organisation),
      keep_(keep),
      in_order_(state.config.scheduler == SchedulerPolicy::kFcfs),
      plain_rows_(state.only_accesses_close_rows()),
      row_(&kNoDecision) {}

void CommandScheduler::update_busy_units() {
  for (std::uint64_t m = state_.changes.take_work(); m != 0; m &= m - 1) {
    const int unit = lowest_bit(m);
    const bool busy =
        !plain_rows_ || state_.has_work(unit) || state_.refresh.active(unit) || state_.banks.half_open(unit) >= 0;
    busy_units_ = busy ? busy_units_ | bit(unit) : busy_units_ & ~bit(unit);
  }
}

// ------------------------------------------------------------------------------------------------------- what is first

bool CommandScheduler::needs_commands() {
  if (!keep_) {
    invalidate();
    for (int unit = 0; unit < organisation_.units; ++unit) state_.changes.all_of_unit(unit);
  }
  if (!event_known_) {
    find_event();
    event_known_ = true;
  }
  // Nothing comes before the floor, and of equals the event does.
  return event_.t > floor_;
}

const Decision& CommandScheduler::decide() {
  if (event_.t <= floor_) return event_;
  if (!column_known_) {
    column_.clear();
    for (std::uint64_t m = busy_units(); m != 0; m &= m - 1) find_column(lowest_bit(m));
    column_known_ = true;
  }
  if (!row_known_) find_row();
  return first_of(column_);
}

const Decision& CommandScheduler::first_of(const Decision& column) const {
  const Decision& row = *row_;
  if (event_.t <= column.t && event_.t <= row.t) return event_;
  if (row.action == Action::kNothing) return column;
  if (state_.standard.split_command_bus) return column.t <= row.t ? column : row;
  // ACT2 must come in time.
  if (row.action == Action::kSecondActivate &&
      column.t >= state_.banks.second_activate_from(row.unit) + state_.config[Param::AAD] - 2)
    return row;
  // One bus: what leaves it first goes first. Of equals, a one-cycle activate (FAW makes slots for activates the
  // scarcer good), else the column command (the data bus is).
  static constexpr Cmd kCommandOf[] = {Cmd::kAct, Cmd::kAct,    Cmd::kAct, Cmd::kRd,      Cmd::kAct,   Cmd::kAct2,
                                       Cmd::kPre, Cmd::kPreAll, Cmd::kRef, Cmd::kPdEnter, Cmd::kPdExit};
  const int row_length = state_.timing.length(kCommandOf[static_cast<int>(row.action)]);
  const Cycle column_end = column.t + state_.timing.length(Cmd::kRd), row_end = row.t + row_length;
  if (column_end != row_end) return column_end < row_end ? column : row;
  return row.action == Action::kActivate && row_length == 1 && !state_.standard.split_activate ? row : column;
}

void CommandScheduler::find_event() {
  event_.clear();
  for (int unit = 0; unit < organisation_.units; ++unit) {
    const Cycle due = state_.refresh.due(unit, state_.has_work(unit), state_.power.idle_since(unit));
    if (due == kNever) continue;
    const Cycle t = std::max(due, floor_);
    event_.offer(t, Action::kRefreshDue, unit, 0);
  }
  for (int pc = 0; pc < organisation_.pseudo_channels; ++pc) {
    if (state_.drain.row_op(pc) != 0 || state_.queues.waiting(1, pc) == state_.queues.blocked(1, pc)) continue;
    const Cycle due = state_.drain.due(pc);
    if (due == kNever) continue;
    const Cycle t = std::max(floor_, due);
    event_.offer(t, Action::kServeWrites, pc, 0);
  }
}

// ---------------------------------------------------------------------------------------------------- choice of a bank

/// Earliest cycle of the best of the member banks (kNever: none can go), not before `floor`; there are some. `ready`
/// gives the first cycle that the bank allows.
template <class Ready>
Cycle CommandScheduler::choose_bank(BankChoice kind, int unit, std::uint64_t members, Cycle floor,
                                    const BankQueue* queue, std::int64_t BankQueue::*age, const Ready& ready) {
  Choice& best = choice(unit, kind);
  std::uint64_t& changed = state_.changes.banks(unit, kind);
  const int first_bank = organisation_.first_bank(unit);
  Cycle t = kNever;
  if (changed != Changes::kAll && best.bank >= 0) {
    const Cycle own = ready(best.bank);
    t = std::max(own, floor);
    if (((changed >> (best.bank - first_bank)) & 1) != 0 || (own != best.ready && own > floor) || t >= best.next_ready)
      changed = Changes::kAll;
  }
  if (changed == Changes::kAll) {
    best = Choice{};
    t = kNever;
  }
  // Which bank it is can hardly be foretold: no branches on it.
  Cycle best_ready = best.ready, next_ready = best.next_ready;
  std::int64_t best_age = best.age;
  int best_bank = best.bank;
  for (std::uint64_t m = members & changed; m != 0; m &= m - 1) {
    const int bank = first_bank + lowest_bit(m);
    const Cycle r = ready(bank), at = std::max(r, floor);
    const std::int64_t of_age = queue[bank].*age;
    const bool before = (static_cast<int>(at < t) | (static_cast<int>(at == t) & static_cast<int>(of_age < best_age) &
                                                     static_cast<int>(at < kNever))) != 0;
    const Cycle other = before ? best_ready : r;
    t = before ? at : t;
    best_ready = before ? r : best_ready;
    best_age = before ? of_age : best_age;
    best_bank = before ? bank : best_bank;
    next_ready = other > t ? std::min(next_ready, other) : next_ready;
  }
  best = {best_ready, next_ready, best_age, best_bank};
  changed = 0;
  return t;
}

// ----------------------------------------------------------------------------------------------------- column commands

/// Banks of the unit that may take a column command of the direction that is served.
std::uint64_t CommandScheduler::column_banks(int unit) {
  const int pc = state_.pseudo_channel_of(unit), op = state_.drain.column_op(pc);
  const std::uint64_t reserved = state_.refresh.banks(unit);
  // Banks that a refresh waits for take nothing new, but maybe the access that the row was opened for.
  std::uint64_t banks = state_.queues.hits(unit, op) & ~reserved;
  if (reserved != 0 && state_.refresh.after_access()) banks |= state_.queues.hits(unit, op) & state_.banks.unused(unit);
  if (op != state_.drain.row_op(pc)) banks &= state_.banks.opened_for(unit, op);
  if (const int half_open = state_.banks.half_open(unit); half_open >= 0) banks &= ~organisation_.bit_of(half_open);
  if (in_order_ && op == state_.drain.row_op(pc)) {
    // Only the oldest access may go, whichever that is now.
    const BankQueue* const queue = state_.queues.of(op);
    int oldest = -1;
    for (std::uint64_t m = state_.queues.pending(unit, op); m != 0; m &= m - 1) {
      const int bank = organisation_.first_bank(unit) + lowest_bit(m);
      if (oldest < 0 || queue[bank].candidate_age < queue[oldest].candidate_age) oldest = bank;
    }
    banks &= oldest < 0 ? 0 : organisation_.bit_of(oldest);
    state_.changes.all_of_unit(unit);
  }
  return banks;
}

/// Offers the column command of a unit that can go first, the oldest of those.
void CommandScheduler::find_column(int unit) {
  const int op = state_.drain.column_op(state_.pseudo_channel_of(unit));
  if (state_.queues.hits(unit, op) == 0 || state_.power.down(unit)) return;
  const std::uint64_t banks = column_banks(unit);
  if (banks == 0) return choose_anew(BankChoice::kColumn, unit);
  const Cmd cmd = column_command(op);
  const int first_bank = organisation_.first_bank(unit);
  // From its cap on, a conflict stops the hits of its bank, but not the access that the row was opened for: the
  // conflict waits for that one.
  const std::uint64_t opened_for = state_.banks.opened_for(unit, 0) | state_.banks.opened_for(unit, 1);
  const Cycle floor = std::max({floor_, state_.timing.column_bus(), state_.timing.unit_time(cmd, unit)});
  const Cycle* const of_bank = state_.timing.bank_times(cmd);
  const Cycle* const of_group = state_.timing.group_times(cmd);
  const BankQueue* const queue = state_.queues.of(op);
  const Cycle t = choose_bank(BankChoice::kColumn, unit, banks, floor, queue, &BankQueue::hit_age, [&](int bank) {
    const Cycle r = std::max(of_bank[bank], of_group[organisation_.group_of(bank)]);
    const auto may = static_cast<std::uint64_t>(std::max(r, floor) < queue[bank].capped_from) |
                     ((opened_for >> (bank - first_bank)) & 1);
    return may != 0 ? r : kNever;
  });
  column_.offer(t, Action::kColumn, unit, choice(unit, BankChoice::kColumn).bank);
}

// -------------------------------------------------------------------------------------------------------- row commands

/// The row command that comes first. That of a unit in which nothing has changed stands unless the bus is busy then.
void CommandScheduler::find_row() {
  const Cycle floor = std::max(floor_, state_.timing.row_bus());
  row_ = &kNoDecision;
  for (std::uint64_t m = busy_units(); m != 0; m &= m - 1) {
    const int unit = lowest_bit(m);
    Decision& d = row_of_unit_[unit];
    if (d.t < floor || state_.changes.row_command(unit) || !plain_rows_ || !keep_) {
      state_.changes.row_command_found(unit);
      d.clear();
      if (plain_rows_ && !state_.refresh.active(unit) && state_.banks.half_open(unit) < 0)
        offer_access_rows(unit, floor, d);
      else
        find_row_of(unit, floor, d);
    }
    // Against its deadline, the oldest ACT1 is completed before anything else goes on the row pins.
    const bool second = d.action == Action::kSecondActivate;
    if (d.t < row_->t || (d.t == row_->t && second &&
                          (row_->action != Action::kSecondActivate ||
                           state_.banks.second_activate_from(unit) < state_.banks.second_activate_from(row_->unit))))
      row_ = &d;
  }
  row_known_ = true;
}

/// The row command of a unit that comes first, when it may be another than one for a waiting access.
void CommandScheduler::find_row_of(int unit, Cycle row_floor, Decision& best) {
  const bool work = state_.has_work(unit), refreshing = state_.refresh.active(unit);
  if (state_.power.down(unit)) {
    if (refreshing || work)
      best.offer(std::max(row_floor, state_.timing.unit_time(Cmd::kPdExit, unit)), Action::kPowerUp, unit, 0);
    return;
  }
  const int half_open = state_.banks.half_open(unit);
  if (half_open >= 0)
    best.offer(std::max(row_floor, state_.banks.second_activate_from(unit)), Action::kSecondActivate, unit, half_open);
  if (refreshing) offer_refresh(unit, row_floor, best);
  if (half_open < 0) offer_access_rows(unit, row_floor, best);
  if (state_.page_policy.closes_unused_rows()) offer_unused_rows(unit, row_floor, best);
  if (state_.power.enabled() && !work && !refreshing && half_open < 0) {
    const Cycle t = std::max({row_floor, state_.timing.unit_time(Cmd::kPdEnter, unit), state_.power.down_from(unit)});
    best.offer(t, Action::kPowerDown, unit, 0);
  }
}

/// Closes the banks that a refresh needs, then refreshes them.
void CommandScheduler::offer_refresh(int unit, Cycle row_floor, Decision& best) {
  const TimingState& timing = state_.timing;
  const int first_bank = organisation_.first_bank(unit);
  const std::uint64_t banks = state_.refresh.banks(unit), open = state_.banks.open(unit) & banks;
  Cycle t = row_floor;
  Action action = Action::kRefresh;
  int of_bank = 0;
  if (open == 0) {
    const Cmd cmd = state_.refresh.command();
    t = std::max(t, timing.unit_time(cmd, unit));
    if (cmd == Cmd::kRefPb)
      for (std::uint64_t m = banks; m != 0; m &= m - 1)
        t = std::max(t, timing.bank_time(cmd, first_bank + lowest_bit(m)));
  } else if (state_.refresh.all_bank()) {
    action = Action::kPrechargeAll;
    t = std::max(t, timing.unit_time(Cmd::kPre, unit));
    for (std::uint64_t m = open; m != 0; m &= m - 1)
      t = std::max(t, timing.bank_time(Cmd::kPre, first_bank + lowest_bit(m)));
  } else {
    action = Action::kPrecharge;
    Cycle earliest = kNever;
    for (std::uint64_t m = open; m != 0; m &= m - 1) {
      const int bank = first_bank + lowest_bit(m);
      if (timing.bank_time(Cmd::kPre, bank) >= earliest) continue;
      earliest = timing.bank_time(Cmd::kPre, bank);
      of_bank = bank;
    }
    t = std::max({t, timing.unit_time(Cmd::kPre, unit), earliest});
  }
  best.offer(t, action, unit, of_bank);
}

/// Rows for what is being served. A row that was opened for an access stays until that access is made: closing it would
/// throw an activate away.
void CommandScheduler::offer_access_rows(int unit, Cycle row_floor, Decision& best) {
  const int pc = state_.pseudo_channel_of(unit), op = state_.drain.row_op(pc);
  const std::uint64_t open = state_.banks.open(unit), hit = state_.queues.hits(unit, op);
  const std::uint64_t wanted = state_.queues.pending(unit, op) & ~state_.refresh.banks(unit);
  if (wanted == 0) {
    choose_anew(BankChoice::kPrecharge, unit);
    choose_anew(BankChoice::kActivate, unit);
    return;
  }
  // A row opened for the other kind keeps its bank only while that kind is still being served: it was opened when the
  // bus was about to turn to it. Should the bus turn back first, nothing would ever use or close it.
  const std::uint64_t kept =
      state_.banks.opened_for(unit, op) | state_.banks.opened_for(unit, state_.drain.column_op(pc));
  const Cycle close = choose_to_close(
      unit, op, wanted & open & ~kept & (~hit | state_.queues.older_conflicts(unit, op)), hit, row_floor);
  const Cycle activate_floor = std::max(row_floor, state_.timing.unit_time(Cmd::kAct, unit));
  if (activate_floor <= close) {
    const Cycle activate = choose_to_open(unit, op, wanted & ~open, activate_floor);
    const Choice& opening = choice(unit, BankChoice::kActivate);
    if (activate < close ||
        (activate == close && activate < kNever && opening.age < choice(unit, BankChoice::kPrecharge).age)) {
      best.offer(activate, Action::kActivate, unit, opening.bank);
      return;
    }
  }
  best.offer(close, Action::kPrecharge, unit, choice(unit, BankChoice::kPrecharge).bank, true);
}

/// Of the banks in `conflicts`, where waiting accesses want another row, the one to close. Those in `hit` have hits,
/// which go first until the conflict's cap.
Cycle CommandScheduler::choose_to_close(int unit, int op, std::uint64_t conflicts, std::uint64_t hit, Cycle row_floor) {
  if (conflicts == 0) {
    choose_anew(BankChoice::kPrecharge, unit);
    return kNever;
  }
  const int first_bank = organisation_.first_bank(unit);
  const Cycle floor = std::max(row_floor, state_.timing.unit_time(Cmd::kPre, unit));
  const Cycle* const of_bank = state_.timing.bank_times(Cmd::kPre);
  const BankQueue* const queue = state_.queues.of(op);
  return choose_bank(BankChoice::kPrecharge, unit, conflicts, floor, queue, &BankQueue::candidate_age, [&](int bank) {
    const Cycle capped = ((hit >> (bank - first_bank)) & 1) != 0 ? queue[bank].capped_from : 0;
    return std::max(of_bank[bank], capped);
  });
}

/// Of the closed banks that accesses wait for, the one to open.
Cycle CommandScheduler::choose_to_open(int unit, int op, std::uint64_t closed, Cycle floor) {
  if (closed == 0) {
    choose_anew(BankChoice::kActivate, unit);
    return kNever;
  }
  const Cycle* const of_bank = state_.timing.bank_times(Cmd::kAct);
  const Cycle* const of_group = state_.timing.group_times(Cmd::kAct);
  return choose_bank(BankChoice::kActivate, unit, closed, floor, state_.queues.of(op), &BankQueue::candidate_age,
                     [&](int bank) { return std::max(of_bank[bank], of_group[organisation_.group_of(bank)]); });
}

/// Open rows that nobody waits for, by the page policy.
void CommandScheduler::offer_unused_rows(int unit, Cycle row_floor, Decision& best) {
  const Cycle floor = std::max(row_floor, state_.timing.unit_time(Cmd::kPre, unit));
  const std::uint64_t unused = state_.banks.open(unit) & ~state_.refresh.banks(unit) & ~state_.queues.pending(unit);
  for (std::uint64_t m = unused; m != 0; m &= m - 1) {
    const int bank = organisation_.first_bank(unit) + lowest_bit(m);
    if (state_.banks.half_open(unit) == bank) continue;
    const Cycle close_from = state_.page_policy.close_from(state_.banks.last_use(bank));
    best.offer(std::max({floor, state_.timing.bank_time(Cmd::kPre, bank), close_from}), Action::kPrecharge, unit, bank);
  }
}

// -------------------------------------------------------------------------------------------------------- what stands

void CommandScheduler::after_row_command(Cycle from) {
  row_known_ = false;
  if (column_.t < state_.timing.column_bus() || column_.t >= from || in_order_) column_known_ = false;
}

/// Others' row commands stand unless the bus is not free for them now or one for this bank could come first.
void CommandScheduler::after_column(int bank, bool had_older_conflict) {
  const int unit = organisation_.unit_of(bank), pc = state_.pseudo_channel_of(unit), op = state_.drain.row_op(pc);
  const std::uint64_t bit = organisation_.bit_of(bank);
  const bool wants_another_row = (state_.queues.pending(unit, op) & ~state_.queues.hits(unit, op) & bit) != 0;
  column_known_ = false;
  if (!plain_rows_ || state_.refresh.active(unit) || op != state_.drain.column_op(pc) ||
      row_->t < state_.timing.row_bus() || had_older_conflict || (state_.queues.older_conflicts(unit, op) & bit) != 0 ||
      (wants_another_row && state_.timing.bank_time(Cmd::kPre, bank) <= row_->t))
    row_known_ = false;
}

void CommandScheduler::after_arrival(std::uint32_t id) {
  if (!column_known_ && !row_known_) return;
  const Run& run = state_.queues.run(id);
  const int op = run.op, bank = run.bank, unit = organisation_.unit_of(bank), pc = state_.pseudo_channel_of(unit);
  if (state_.drain.row_op(pc) != op || state_.drain.column_op(pc) != op || !plain_rows_ || in_order_) {
    invalidate();
    return;
  }
  // What waited for a shorter command on the bus may be overtaken by the time of the arrival.
  if (column_.t < floor_) column_known_ = false;
  if (row_->t < floor_) row_known_ = false;
  const auto stands = [&](const Decision& d, Cmd cmd, bool before_others) {
    const Cycle t = std::max(floor_, state_.timing.earliest(cmd, unit, bank));
    return t > d.t || (t == d.t && unit == d.unit && t < kNever && !before_others);
  };
  const BankQueue& queue = state_.queues.of(op, bank);
  if (queue.hit == id) {
    if (!stands(column_, column_command(op), state_.queues.precedence(op, bank) != 0)) column_known_ = false;
    if (queue.candidate != id) row_known_ = false;  // the bank was going to be closed
  } else if (queue.candidate == id) {
    if (!stands(*row_, state_.banks.open_row(bank) < 0 ? Cmd::kAct : Cmd::kPre, false)) row_known_ = false;
  }
}

}  // namespace harmonia::dram
