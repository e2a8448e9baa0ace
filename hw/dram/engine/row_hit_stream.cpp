#include "harmonia/hw/dram/engine/row_hit_stream.h"

#include <algorithm>

#include "harmonia/hw/dram/engine/channel_controller.h"

namespace harmonia::dram {
namespace {

constexpr std::uint32_t kLongRun = 4;  // bursts; worth going on with behind a row command

}  // namespace

RowHitStream::RowHitStream(ChannelController& controller, ChannelState& state, CommandScheduler& scheduler)
    : controller_(controller), state_(state), scheduler_(scheduler), round_(state.decoder.column()) {}

// --------------------------------------------------------------------------------------------------------- its begin

bool RowHitStream::worth_starting(int bank) const {
  const int pc = state_.pseudo_channel_of(state_.organisation.unit_of(bank));
  const Run& run = state_.queues.run(state_.queues.of(state_.drain.column_op(pc), bank).hit);
  return run.count >= kLongRun || (run.next != kNone && state_.queues.run(run.next).row == run.row);
}

bool RowHitStream::try_start(const Decision& first, Cycle limit) {
  if (!worth_starting(first.bank)) return false;
  const int unit = first.unit, pc = state_.pseudo_channel_of(unit), op = state_.drain.column_op(pc);
  if (state_.drain.row_op(pc) != op || state_.queues.waiting(1 - op, pc) != 0 || state_.refresh.active(unit) ||
      state_.config.scheduler == SchedulerPolicy::kFcfs)
    return false;
  unit_ = unit;
  op_ = op;
  cmd_ = column_command(op);
  last_t_ = -kNever;
  t_ = first.t;
  find_max_gap();
  if (max_gap_ == 0) return false;
  find_last_cycle();
  const Cycle row = scheduler_.row().t;
  const Cycle before_row = state_.standard.split_command_bus ? row : row - state_.timing.length(cmd_);
  const Cycle alone = std::min({last_cycle_, scheduler_.event().t - 1, before_row});
  horizon_ = std::min(limit, alone);
  const bool cas = state_.standard.wck_sync && first.t >= state_.wck_until[unit];
  // An arrival may join the stream, so it does not make it short.
  if (horizon_ < first.t + (cas ? 1 : 0) ||
      (std::min(controller_.limit(), alone) < first.t + state_.config[Param::CCD_S] &&
       state_.queues.run(state_.queues.of(op, first.bank).hit).count < kLongRun))
    return false;

  n_ = 0;
  step_ = -1;
  banks_ = 0;
  accesses_ = waited_ = 0;
  of_group_ = state_.timing.group_times(cmd_);
  floor_ = std::max({scheduler_.floor(), state_.timing.column_bus(), state_.timing.unit_time(cmd_, unit)});
  add_banks();
  next_ = static_cast<std::uint8_t>(state_.organisation.in_unit(first.bank));
  place_ = place_of(next_);
  if (cas) {
    controller_.send_cas(op, unit, first.bank, first.t);
    ++t_;
  }
  issue_columns(limit);
  return true;
}

/// The gap behind a column command in which something else may come: 0 when others interfere in any case.
void RowHitStream::find_max_gap() {
  const int pc = state_.pseudo_channel_of(unit_);
  max_gap_ = state_.standard.wck_sync ? state_.timing.data_latency(op_) + state_.config[Param::WCKPST] : kNever;
  for (std::uint64_t m = scheduler_.busy_units() & ~(std::uint64_t{1} << unit_); m != 0; m &= m - 1) {
    const int other = lowest_bit(m);
    if (state_.refresh.active(other)) max_gap_ = 0;
    if (!state_.has_work(other)) continue;
    // Another rank's columns come behind every column of this one by the time that the bus takes to change hands: as
    // long as each is nearer to the last one, none can come between.
    if (state_.pseudo_channel_of(other) != pc) max_gap_ = 0;
    const Cycle spacing = state_.timing.column_spacing_of_ranks(op_);
    if (state_.queues.hits(other, op_) != 0 || spacing == 0) max_gap_ = std::min(max_gap_, spacing);
  }
}

/// The time up to which nothing but row commands, events and arrivals can end the stream.
void RowHitStream::find_last_cycle() {
  last_cycle_ = kNever;
  // The next piece of a long request is queued when there is room for it: that is decided command by command.
  if (controller_.has_partial())
    last_cycle_ = t_ + std::max(0, state_.queues.waiting(op_) - state_.queues.capacity()) * in_unit() - 1;
  conflicts_ = state_.queues.older_conflicts(unit_, op_);
  if (conflicts_ != 0) scheduler_.invalidate_row();  // banks that will be closed under the stream
  for (std::uint64_t m = conflicts_; m != 0; m &= m - 1)
    last_cycle_ = std::min(
        last_cycle_, state_.queues.of(op_, state_.organisation.first_bank(unit_) + lowest_bit(m)).capped_from - 1);
}

/// Takes up the banks with hits that are not in the stream.
void RowHitStream::add_banks() {
  std::uint64_t added = state_.queues.hits(unit_, op_) & ~banks_;
  if (const int half_open = state_.banks.half_open(unit_); half_open >= 0)
    added &= ~state_.organisation.bit_of(half_open);
  banks_ |= added;
  for (; added != 0; added &= added - 1) {
    const int slot = lowest_bit(added);
    Bank& b = slots_[static_cast<std::size_t>(slot)];
    b.bank = state_.organisation.first_bank(unit_) + slot;
    b.group = state_.organisation.group_of(b.bank);
    b.ready = state_.timing.bank_time(cmd_, b.bank);
    b.unwritten = false;
    b.last = -kNever;
    load_run(b);
    older_came_ = older_came_ || b.age() < youngest_;
    int place = n_++;
    for (; place > 0 && at_place(place - 1).age() > b.age(); --place) order_[place] = order_[place - 1];
    order_[place] = static_cast<std::uint8_t>(slot);
  }
}

void RowHitStream::load_run(Bank& b) {
  b.run = state_.queues.of(op_, b.bank).hit;
  const Run& run = state_.queues.run(b.run);
  b.burst = run.burst;
  b.age_bias = run.age_bias - state_.queues.precedence(op_, b.bank);
  b.left = run.count;
}

// ----------------------------------------------------------------------------------------------------- column commands

/// Column after column, until something else comes that ends the stream, or the limit.
void RowHitStream::issue_columns(Cycle limit) {
  int attempts = 0;  // to find that the order repeats
  bool anew = true;  // look for a pattern or a period
  while (true) {
    if (!in_pattern() && (anew || place_ == 0)) {
      if (!enter_pattern() && anew) attempts = watch_attempts();
      anew = false;
    }
    if (in_pattern()) {
      if (step_ > 0 || !issue_pattern_periods()) issue_pattern_steps();
      anew = true;
    } else {
      if (attempts > 0) note_step();
      Bank& b = slots_[next_];
      issue_next();
      if (b.left == 0) {
        end_run(place_);
        anew = true;
      } else {
        sort_younger(place_);
      }
      choose_next();
    }
    if (interrupted()) {
      if (!handle_interruption(limit)) return;
      anew = true;
    }
    if (attempts == 0 || anew) continue;
    if (period_is_over()) {
      const std::int64_t periods = certain_repetitions();
      if (periods > 0) {
        repeat_period(periods);
        attempts = 0;
        if (interrupted()) {
          if (!handle_interruption(limit)) return;
          anew = true;
        }
      } else if (--attempts > 0) {
        begin_period();
      }
    } else if (period_.steps == kLongestPeriod) {
      attempts = 0;
    } else {
      period_.dense = period_.dense && t_ == floor_;
    }
  }
}

void RowHitStream::issue_next() {
  Bank& b = slots_[next_];
  access(b, t_);
  ++accesses_;
  waited_ += t_;
  last_t_ = t_;
  Cycle& group = of_group_[b.group];
  group = std::max(group, t_ + in_group());
  floor_ = std::max(floor_, t_ + in_unit());
}

/// FR-FCFS: of those that can go first, the oldest.
void RowHitStream::choose_next() {
  t_ = kNever;
  for (int k = 0; k < n_; ++k) {
    const Bank& b = at_place(k);
    const Cycle ready = std::max(b.ready, of_group_[b.group]);
    if (ready <= floor_) {  // no younger access can go before it
      t_ = floor_;
      place_ = k;
      next_ = order_[k];
      return;
    }
    if (ready < t_) {
      t_ = ready;
      place_ = k;
      next_ = order_[k];
    }
  }
}

int RowHitStream::place_of(std::uint8_t slot) const {
  int place = 0;
  while (order_[static_cast<std::size_t>(place)] != slot) ++place;
  return place;
}

/// The access at this place of the order has become younger.
void RowHitStream::sort_younger(int place) {
  const std::uint8_t slot = order_[place];
  const std::int64_t age = slots_[slot].age();
  for (; place + 1 < n_ && at_place(place + 1).age() < age; ++place) order_[place] = order_[place + 1];
  order_[place] = slot;
}

void RowHitStream::sort_all() {
  for (int k = 1; k < n_; ++k) {
    const std::uint8_t slot = order_[k];
    int place = k;
    for (; place > 0 && at_place(place - 1).age() > slots_[slot].age(); --place) order_[place] = order_[place - 1];
    order_[place] = slot;
  }
}

/// The last access of a run. Its bank goes on with the next one of the row, or leaves the stream.
void RowHitStream::end_run(int place) {
  Bank& b = at_place(place);
  write_back_bank(b);
  const std::uint32_t request = state_.queues.run(b.run).request;
  if (state_.queues.requests[request].bursts == 0) controller_.complete(request, b.last);
  if (state_.banks.opened_for_run(b.bank) == b.run) state_.banks.release(b.bank);
  if (state_.queues.remove(b.run)) controller_.invalidate();
  if (state_.queues.of(op_, b.bank).hit != kNone) {
    load_run(b);
    older_came_ = older_came_ || b.age() < youngest_;
    if (place > 0 && b.age() < at_place(place - 1).age())
      sort_all();  // behind the access that ended, a conflict waits
    else
      sort_younger(place);
  } else {
    const std::uint64_t bit = state_.organisation.bit_of(b.bank);
    banks_ &= ~bit;
    if ((state_.queues.pending(unit_, op_) & bit) != 0 || !state_.only_accesses_close_rows())
      scheduler_.invalidate_row();
    --n_;
    for (int k = place; k < n_; ++k) order_[k] = order_[k + 1];
  }
  if (state_.queues.older_conflicts(unit_, op_) != conflicts_) scheduler_.invalidate_row();
  if (!scheduler_.row_known()) horizon_ = -kNever;
}

// ------------------------------------------------------------------------------------------------- the channel's state

/// Takes what a bank of the stream has served off its run.
void RowHitStream::count_bank(Bank& b) {
  Run& run = state_.queues.run(b.run);
  const std::uint32_t served = run.count - b.left;
  if (served == 0) return;
  run.count = b.left;
  run.burst = b.burst;
  state_.queues.requests[run.request].bursts -= served;
  waited_ -= served * run.offered;
}

void RowHitStream::count_issued() {
  if (!paused_) return;
  for (int k = 0; k < n_; ++k) count_bank(at_place(k));
}

void RowHitStream::write_back_bank(Bank& b) {
  if (!b.unwritten) return;
  b.unwritten = false;
  count_bank(b);
  state_.queues.update_ages(b.run);
  state_.timing.apply_to_bank_and_group(cmd_, b.bank, b.last);
  state_.banks.use(b.bank, b.last);
}

/// What row commands and arrivals beside the stream need to know of it: how full the queue is and when the bus is free.
/// The rows of banks with hits are left alone, apart from those that a conflict may close.
void RowHitStream::count_accesses() {
  if (accesses_ == 0) return;
  scheduler_.set_floor(last_t_);
  state_.timing.occupy_bus(cmd_, last_t_);
  state_.counts.add(cmd_, unit_, static_cast<std::uint64_t>(accesses_));
  state_.statistics.bursts[op_] += static_cast<std::uint64_t>(accesses_);
  const int pc = state_.pseudo_channel_of(unit_), issued = static_cast<int>(accesses_);
  state_.drain.columns_issued(pc, op_, issued);
  state_.queues.issued(op_, pc, issued);
  accesses_ = 0;
  unwritten_ = true;
  if (conflicts_ != 0)
    for (int k = 0; k < n_; ++k) write_back_bank(at_place(k));
}

void RowHitStream::write_back() {
  paused_ = false;
  step_ = -1;
  count_accesses();
  if (!unwritten_) return;
  unwritten_ = false;
  for (int k = 0; k < n_; ++k) write_back_bank(at_place(k));
  state_.statistics.queue_integral[op_] += static_cast<double>(waited_);
  waited_ = 0;
  state_.timing.apply_to_unit(cmd_, unit_, last_t_);
  state_.power.active_at(unit_, last_t_);
  if (state_.standard.wck_sync)
    state_.wck_until[unit_] = last_t_ + state_.timing.data_latency(op_) + state_.config[Param::WCKPST];
}

// --------------------------------------------------------------------------------------------------- what comes between

void RowHitStream::before_arrival(int op) {
  if (paused_ && (state_.organisation.pseudo_channels > 1 || op != op_)) write_back();
  arrived_ = true;
}

void RowHitStream::resume(Cycle limit) {
  paused_ = false;
  if (controller_.next_is_known() && controller_.next().action == Action::kColumn && !arrived_) {
    controller_.forget_next();
    scheduler_.invalidate_column();
    set_horizon(limit);
  } else {
    after_change();
    if (!handle_interruption(limit)) return;
  }
  issue_columns(limit);
}

/// Does what comes before the next column command, if the stream can go on behind that. False when it cannot; the
/// controller's next decision is what comes next, if that is known.
bool RowHitStream::handle_interruption(Cycle& limit) {
  count_accesses();
  controller_.forget_next();
  scheduler_.invalidate_column();
  while (true) {
    find_last_cycle();
    if (n_ == 0 || !scheduler_.event_known() || t_ - last_t_ >= max_gap_ || t_ > last_cycle_) {
      write_back();
      controller_.invalidate();
      if (n_ == 0) controller_.update_direction(state_.pseudo_channel_of(unit_), last_t_);
      return false;
    }
    if (!scheduler_.row_known()) scheduler_.find_row();
    scheduler_.set_column(t_, unit_, slots_[next_].bank);
    const Decision& d = scheduler_.first_of(scheduler_.column());
    if (d.t <= limit && d.action == Action::kColumn) {
      set_horizon(limit);
      return true;
    }
    if (d.t <= limit && issue_row_command(d, limit)) continue;
    if (d.t > limit && controller_.first_deferred() <= controller_.limit() && queue_arrival()) {
      limit = std::min(controller_.limit(), controller_.first_deferred());
      continue;
    }
    if (d.t > limit) {
      paused_ = true;
      arrived_ = false;
    } else {
      write_back();
    }
    scheduler_.column_is_known();
    controller_.set_next(d);
    return false;
  }
}

/// The next column command is the next thing to happen.
void RowHitStream::set_horizon(Cycle limit) {
  const Cycle row = scheduler_.row().t;
  const Cycle before_row = state_.standard.split_command_bus ? row : row - state_.timing.length(cmd_);
  horizon_ = std::min({limit, last_cycle_, scheduler_.event().t - 1, before_row});
  if (t_ > before_row) scheduler_.invalidate_row();  // it comes later for the column
}

/// A row command between two column commands of the stream. False when it touches the stream.
bool RowHitStream::issue_row_command(const Decision& d, Cycle limit) {
  if (state_.organisation.pseudo_channels > 1 || (!in_pattern() && slots_[next_].left < kLongRun)) return false;
  if (d.action == Action::kPrecharge) {
    if (d.unit == unit_ && (banks_ & state_.organisation.bit_of(d.bank)) != 0) return false;
  } else if (d.action != Action::kActivate && d.action != Action::kSecondActivate) {
    return false;
  }
  controller_.perform(d);  // does not touch what was decided
  if (d.action == Action::kActivate && state_.standard.split_activate) {
    const int unit = d.unit, bank = d.bank;
    Cycle at = d.t + 1;
    if (in_pattern() && t_ == at && state_.config[Param::AAD] > 2 &&
        at < std::min({limit, last_cycle_, scheduler_.event().t - 1})) {
      // A column of the pattern comes first.
      horizon_ = at++;
      issue_pattern_steps();
      count_accesses();
    }
    if (n_ > 0 && t_ > at)
      controller_.follow_with_second_activate({at, Action::kSecondActivate, unit, bank, false}, limit);
  }
  after_change();
  return true;
}

/// Queues the request that arrives next, when it joins the stream.
bool RowHitStream::queue_arrival() {
  if (state_.organisation.pseudo_channels > 1 || index(controller_.op_of_next_deferred()) != op_) return false;
  controller_.queue_next_deferred();
  after_change();
  return true;
}

/// The queues or the rows have changed under the stream.
void RowHitStream::after_change() {
  controller_.forget_next();
  scheduler_.invalidate_column();
  find_max_gap();
  floor_ = std::max({floor_, scheduler_.floor(), state_.timing.column_bus(), state_.timing.unit_time(cmd_, unit_)});
  add_banks();
  if (!in_pattern())
    choose_next();
  else if (floor_ != t_ || older_came_)
    leave_pattern();
}

}  // namespace harmonia::dram
