#include "harmonia/hw/dram/engine/channel_controller.h"

#include <algorithm>
#include <stdexcept>

#include "harmonia/hw/dram/engine/row_hit_stream.h"

namespace harmonia::dram {

ChannelController::ChannelController(const Config& config)
    : state_(config),
      scheduler_(state_, config.engine == EngineKind::kFast),
      fast_path_(config.engine == EngineKind::kFast ? std::make_unique<RowHitStream>(*this, state_, scheduler_)
                                                    : nullptr),
      burst_cycles_(config.burst_cycles()) {}

ChannelController::~ChannelController() = default;

// ---------------------------------------------------------------------------------------------------------- acceptance

void ChannelController::push(const Request& request, Cycle now) {
  if (!can_accept(request.op)) throw std::logic_error("dram::Engine::push without can_accept");
  if (request.length == 0) throw std::logic_error("dram::Engine::push of an empty request");
  const int shift = state_.decoder.burst_shift();
  const std::uint64_t low = request.address >> shift;
  const std::uint64_t bursts = ((request.address + request.length - 1) >> shift) - low + 1;
  const bool defer = may_defer(request.op, bursts, now);
  if (!defer) {
    advance(now);
  } else if (in_flight() == 0) {
    wake_known_ = true;
    wake_ = kNever;
  }
  const std::uint32_t id = state_.queues.requests.add();
  RequestTable::Entry& entry = state_.queues.requests[id];
  entry.tag = request.tag;
  entry.offered = now;
  entry.bursts = static_cast<std::uint32_t>(bursts);
  entry.length = request.length;
  entry.op = request.op;
  if (now < state_.statistics.first_offer) state_.statistics.first_offer = now;
  const std::int64_t age_bias = next_age_ - static_cast<std::int64_t>(low);
  next_age_ += static_cast<std::int64_t>(bursts);
  last_push_ = now;
  room_known_ = false;
  if (defer) {
    set(deferred_.push_back(), low, bursts, age_bias, id, request.op, now);
    deferred_bursts_[index(request.op)] += static_cast<int>(bursts);
    wake_ = std::min(wake_, now + state_.config.frontend_cycles + least_time(static_cast<Cycle>(bursts)));
    return;
  }
  set(partial_, low, bursts, age_bias, id, request.op, now);
  start_queueing();
}

/// Whether the request can be left outside without anybody noticing: it is queued as a whole, it only joins others of
/// its kind, and nothing has to be known before the next wake.
bool ChannelController::may_defer(Op op, std::uint64_t bursts, Cycle now) const {
  const int other = 1 - index(op);
  return fast_path_ && (in_flight() == 0 || (wake_known_ && now < wake_)) &&
         state_.queues.waiting(other) + deferred_bursts_[other] == 0 &&
         bursts <= static_cast<std::uint64_t>(state_.queues.capacity());
}

void ChannelController::queue_next_deferred() {
  partial_ = deferred_.front();
  deferred_.pop_front();
  deferred_bursts_[index(partial_.op)] -= static_cast<int>(partial_.left);
  start_queueing();
}

void ChannelController::start_queueing() {
  if (fast_path_) fast_path_->before_arrival(index(partial_.op));
  scheduler_.raise_floor(last_before(partial_.offered) + 1);
  next_ = nullptr;
  wake_known_ = false;
  if (partial_.op == Op::kWrite || state_.refresh.depends_on_work()) scheduler_.invalidate_event();
  queue_partial();
  for (int pc = 0; pc < state_.organisation.pseudo_channels; ++pc) update_direction(pc, scheduler_.floor());
}

/// As much of the request as there is room for.
void ChannelController::queue_partial() {
  const int op = index(partial_.op);
  const auto capacity = static_cast<std::uint64_t>(state_.queues.capacity());
  const std::uint64_t mask = state_.decoder.address_mask();
  while (partial_.left > 0 && state_.queues.waiting(op) < state_.queues.capacity()) {
    const std::uint64_t n = std::min(partial_.left, capacity);
    // Addresses wrap at the capacity; the age does not.
    const std::uint64_t low = partial_.low & mask;
    const std::uint64_t part = std::min(n, mask - low + 1);
    queue_bursts(low, low + part - 1, partial_.age_bias + static_cast<std::int64_t>(partial_.low - low));
    partial_.low += part;
    partial_.left -= part;
  }
  state_.statistics.queue_peak[op] = state_.queues.peak(op);
}

void ChannelController::queue_bursts(std::uint64_t low, std::uint64_t high, std::int64_t age_bias) {
  state_.decoder.split(low, high, [&](BankRow place, std::uint64_t first, std::uint64_t last, std::uint32_t count) {
    switch (state_.queues.add(place, first, last, count, age_bias, partial_.request, partial_.op, partial_.offered)) {
      case RequestQueues::Added::kBlocked:
        invalidate();
        break;
      case RequestQueues::Added::kFirst:
        scheduler_.after_arrival(state_.queues.last_added());
        break;
      case RequestQueues::Added::kBehindOthers:
        break;
    }
  });
}

void ChannelController::update_direction(int pseudo_channel, Cycle t) {
  if (!state_.drain.update(pseudo_channel, t)) return;
  invalidate();
  for (int unit = pseudo_channel; unit < state_.organisation.units; unit += state_.organisation.pseudo_channels)
    state_.changes.all_of_unit(unit);
}

// ---------------------------------------------------------------------------------------------------------- event loop

/// What the fast path has done becomes visible in the state.
void ChannelController::bring_up_to_date() {
  if (fast_path_ && fast_path_->paused()) fast_path_->write_back();
}

const Decision& ChannelController::next_decision() {
  if (next_ == nullptr) {
    if (scheduler_.needs_commands() && !scheduler_.column_known()) bring_up_to_date();
    next_ = &scheduler_.decide();
  }
  return *next_;
}

void ChannelController::run_until(Cycle limit) {
  wake_known_ = false;
  limit_ = limit;
  while (true) {
    const Cycle until = std::min(limit, first_deferred());
    if (fast_path_ && fast_path_->paused() && !(next_ != nullptr && next_->t > until)) {
      fast_path_->resume(until);
      continue;
    }
    const Decision& d = next_decision();
    if (d.t > until) {
      if (first_deferred() > limit) break;
      queue_next_deferred();
      continue;
    }
    bring_up_to_date();
    if (fast_path_ && d.action == Action::kColumn && fast_path_->try_start(d, until)) continue;
    const Cycle next_column = scheduler_.column().t;
    perform(d);  // does not touch what was decided
    if (d.action == Action::kActivate && state_.standard.split_activate)
      follow_with_second_activate({d.t + 1, Action::kSecondActivate, d.unit, d.bank, false},
                                  std::min(next_column - 1, until));
  }
  done_until_ = limit;
  scheduler_.raise_floor(limit + 1);
}

void ChannelController::follow_with_second_activate(const Decision& d, Cycle limit) {
  if (d.t > std::min(limit, scheduler_.event().t - 1)) return;
  for (int unit = 0; unit < state_.organisation.units; ++unit)
    if (unit != d.unit && state_.banks.half_open(unit) >= 0) return;
  perform(d);
}

// ------------------------------------------------------------------------------------------------------------ commands

void ChannelController::perform(const Decision& d) {
  next_ = nullptr;
  scheduler_.raise_floor(d.t);
  switch (d.action) {
    case Action::kNothing:
      return;
    case Action::kColumn:
      return issue_column(d);
    case Action::kActivate:
      return activate(d);
    case Action::kSecondActivate:
      return second_activate(d);
    case Action::kPrecharge:
      return precharge(d);
    case Action::kServeWrites:
      invalidate();
      return update_direction(d.unit, d.t);
    default:
      invalidate();
      state_.changes.all_of_unit(d.unit);
  }
  switch (d.action) {
    case Action::kRefreshDue:
      state_.refresh.start(d.unit, state_.has_work(d.unit), d.t);
      break;
    case Action::kPrechargeAll:
      precharge_all(d);
      break;
    case Action::kRefresh:
      refresh(d);
      break;
    case Action::kPowerDown:
      issue_to_unit(Cmd::kPdEnter, d);
      state_.counts.activity(d.unit).power_down(d.t);
      state_.power.set_down(d.unit, true);
      break;
    case Action::kPowerUp:
      issue_to_unit(Cmd::kPdExit, d);
      state_.counts.activity(d.unit).power_up(d.t);
      state_.power.set_down(d.unit, false);
      state_.power.active_at(d.unit, d.t);
      break;
    default:
      break;
  }
}

void ChannelController::issue(Cmd c, int unit, int bank, Cycle t, std::int32_t row, std::int32_t column) {
  state_.counts.add(c, unit);
  if (state_.observed()) state_.tell_observers(c, t, unit, bank, row, column);
  state_.timing.issue(c, unit, bank, t);
}

void ChannelController::activate(const Decision& d) {
  const int op = state_.drain.row_op(state_.pseudo_channel_of(d.unit));
  const std::uint32_t served = state_.queues.of(op, d.bank).candidate;
  const std::uint32_t id = served != kNone ? served : state_.queues.of(1 - op, d.bank).candidate;
  const Run& run = state_.queues.run(id);
  ++(state_.banks.closed_by_conflict(d.bank) ? state_.statistics.row_conflicts : state_.statistics.row_misses);
  issue(Cmd::kAct, d.unit, d.bank, d.t, run.row, static_cast<std::int32_t>(state_.decoder.column().extract(run.burst)));
  state_.counts.activity(d.unit).activate(d.t);
  state_.banks.activate(d.bank, run.row, d.t, id, run.op);
  state_.queues.row_opened(d.bank);
  if (state_.standard.split_activate) {
    state_.banks.await_second_activate(d.bank, d.t + 1);
    // No column command before ACT2.
    for (Cmd c : {Cmd::kRd, Cmd::kWr}) state_.timing.hold_bank(c, d.bank, d.t + 2);
  }
  after_opening(d.bank);
}

void ChannelController::second_activate(const Decision& d) {
  issue(Cmd::kAct2, d.unit, d.bank, d.t, state_.banks.open_row(d.bank), 0);
  for (Cmd c : {Cmd::kRd, Cmd::kWr}) state_.timing.hold_bank(c, d.bank, d.t + 1);
  state_.banks.second_activate(d.bank);
  after_opening(d.bank);
}

void ChannelController::after_opening(int bank) {
  scheduler_.after_row_command(
      std::min(state_.timing.bank_time(Cmd::kRd, bank), state_.timing.bank_time(Cmd::kWr, bank)));
}

void ChannelController::precharge(const Decision& d) {
  const std::uint64_t hits = state_.queues.hits(d.unit, 0) | state_.queues.hits(d.unit, 1);
  const bool had_hits = (hits & state_.organisation.bit_of(d.bank)) != 0;
  issue(Cmd::kPre, d.unit, d.bank, d.t, state_.banks.open_row(d.bank), 0);
  state_.counts.activity(d.unit).precharge(d.t);
  state_.counts.row_closed(d.unit);
  state_.banks.precharge(d.bank, d.for_conflict);
  state_.queues.row_closed(d.bank);
  scheduler_.after_row_command(had_hits ? 0 : kNever);
  // A refresh may have closed the last row that the old direction of column commands was still owed.
  update_direction(state_.pseudo_channel_of(d.unit), d.t);
}

void ChannelController::precharge_all(const Decision& d) {
  issue_to_unit(Cmd::kPreAll, d);
  state_.counts.activity(d.unit).precharge_all(d.t);
  for (std::uint64_t m = state_.banks.open(d.unit); m != 0; m &= m - 1) {
    const int bank = state_.organisation.first_bank(d.unit) + lowest_bit(m);
    state_.banks.precharge(bank, false);
    state_.queues.row_closed(bank);
    state_.counts.row_closed(d.unit);
  }
  update_direction(state_.pseudo_channel_of(d.unit), d.t);
}

void ChannelController::refresh(const Decision& d) {
  const Config& config = state_.config;
  if (state_.refresh.all_bank()) {
    issue_to_unit(Cmd::kRef, d);
    state_.counts.activity(d.unit).refresh(d.t, config[Param::RFC], state_.organisation.banks_per_unit);
    state_.statistics.refresh_cycles += config[Param::RFC];
  } else {
    const int first_bank = state_.organisation.first_bank(d.unit);
    const std::uint64_t all = state_.refresh.banks(d.unit);
    issue(Cmd::kRefPb, d.unit, first_bank + lowest_bit(all), d.t, -1, -1);
    for (std::uint64_t m = all & (all - 1); m != 0; m &= m - 1)
      state_.timing.apply(Cmd::kRefPb, d.unit, first_bank + lowest_bit(m), d.t);
    const int banks = __builtin_popcountll(all);
    state_.counts.activity(d.unit).refresh_banks(config[Param::RFCpb], banks);
    state_.statistics.refresh_cycles +=
        static_cast<Cycle>(config[Param::RFCpb]) * banks / state_.organisation.banks_per_unit;
  }
  state_.refresh.issued(d.unit);
  state_.power.active_at(d.unit, d.t);
}

void ChannelController::issue_column(const Decision& d) {
  const int pc = state_.pseudo_channel_of(d.unit), op = state_.drain.column_op(pc);
  const std::uint32_t id = state_.queues.of(op, d.bank).hit;
  Run& run = state_.queues.run(id);
  const Cmd cmd = column_command(op);
  const bool had_older_conflict = (state_.queues.older_conflicts(d.unit, op) & state_.organisation.bit_of(d.bank)) != 0;
  Cycle t = d.t;
  if (state_.standard.wck_sync) {
    Cycle& in_step_until = state_.wck_until[d.unit];
    if (t >= in_step_until) send_cas(op, d.unit, d.bank, t++);
    in_step_until = t + state_.timing.data_latency(op) + state_.config[Param::WCKPST];
  }
  issue(cmd, d.unit, d.bank, t, run.row, static_cast<std::int32_t>(state_.decoder.column().extract(run.burst)));
  state_.banks.use(d.bank, t);
  state_.power.active_at(d.unit, t);
  state_.drain.columns_issued(pc, op, 1);
  state_.statistics.queue_integral[op] += static_cast<double>(t - run.offered);
  ++state_.statistics.bursts[op];
  state_.queues.issued(op, pc, 1);
  if (--state_.queues.requests[run.request].bursts == 0) complete(run.request, t);
  if (--run.count == 0) {
    if (state_.banks.opened_for_run(d.bank) == id) state_.banks.release(d.bank);
    if (state_.queues.remove(id)) invalidate();
  } else {
    state_.queues.advance_to(id, state_.decoder.next_column(run.burst));
  }
  if (op == 1 || state_.refresh.depends_on_work()) scheduler_.invalidate_event();
  scheduler_.after_column(d.bank, had_older_conflict);
  if (partial_.left > 0) {
    invalidate();
    queue_partial();
  }
  update_direction(pc, t);
}

void ChannelController::send_cas(int op, int unit, int bank, Cycle t) {
  const Cmd cas = op == 0 ? Cmd::kCasRd : Cmd::kCasWr;
  state_.counts.add(cas, unit);
  if (!state_.observed()) return;
  const Run& run = state_.queues.run(state_.queues.of(op, bank).hit);
  state_.tell_of_column(cas, t, unit, bank, run.burst);
}

void ChannelController::complete(std::uint32_t id, Cycle t) {
  const RequestTable::Entry& request = state_.queues.requests[id];
  const int op = index(request.op);
  const Cycle done = t + state_.timing.data_latency(op) + state_.config.backend_cycles;
  Completion& c = completions_.emplace_back();  // member by member, see Decision::offer
  c.tag = request.tag;
  c.done = done;
  c.offered = request.offered;
  c.op = request.op;
  Statistics& s = state_.statistics;
  s.latency[op].add(done - request.offered);
  ++s.requests[op];
  s.bytes[op] += request.length;
  if (done > s.last_done) s.last_done = done;
  state_.queues.requests.remove(id);
}

// ------------------------------------------------------------------------------------------------- when to be called

Cycle ChannelController::least_time(Cycle bursts) const {
  return (bursts - 1) * least_spacing() + std::min(state_.timing.data_latency(0), state_.timing.data_latency(1)) +
         state_.config.backend_cycles;
}

Cycle ChannelController::next_wake(bool for_room) {
  if (in_flight() == 0) return kNever;
  if (!wake_known_ || (for_room && !room_known_)) {
    if (!deferred_.empty()) advance(last_push_);
    find_wake();
    wake_known_ = room_known_ = true;
  }
  // Not before the cycle after the last `now`.
  return std::max(
      {for_room ? std::min(wake_, room_) : wake_, done_until_ - state_.config.frontend_cycles + 2, last_push_ + 1});
}

void ChannelController::find_wake() {
  wake_ = room_ = kNever;
  const Decision& d = next_decision();
  if (d.t >= kNever) return;
  const Cycle capacity = state_.queues.capacity();
  // A full queue has room again when what is beyond its capacity has passed the bus. None has before the request that
  // is being queued piece by piece is in as a whole; each piece but the last is as long as the queue.
  Cycle queued = 0;
  if (partial_.left > 0)
    queued = state_.queues.waiting(index(partial_.op)) - capacity +
             (static_cast<Cycle>(partial_.left) - 1) / capacity * capacity;
  for (int op = 0; op < 2; ++op) {
    Cycle before = state_.queues.waiting(op) - capacity;
    if (partial_.left > 0 && index(partial_.op) == op) before += static_cast<Cycle>(partial_.left);
    if (before >= 0 || partial_.left > 0)
      room_ = std::min(room_, d.t + std::max(before, queued) * least_spacing() + 1 - state_.config.frontend_cycles);
  }
  // The request with the fewest bursts left cannot end before those have passed the bus.
  Cycle bursts = 1;
  if (const auto& entries = state_.queues.requests.entries(); entries.size() <= 32) {
    if (fast_path_) fast_path_->count_issued();
    bursts = kNever;
    for (const RequestTable::Entry& r : entries)
      if (r.bursts > 0) bursts = std::min<Cycle>(bursts, r.bursts);
  }
  wake_ = d.t + least_time(bursts);
}

Cycle ChannelController::drain() {
  while (in_flight() > 0) {
    const Cycle t = std::min(next_decision().t, first_deferred());
    if (t >= kNever) throw std::logic_error("dram::Engine: requests wait and no command can ever be issued");
    run_until(t);
  }
  return state_.statistics.last_done;
}

void ChannelController::finish(Cycle now) {
  advance(now);
  bring_up_to_date();
  Statistics& s = state_.statistics;
  s.busy_until = now;
  s.energy = energy(now);
  const std::uint64_t activates = s.commands[static_cast<std::size_t>(index(Cmd::kAct))];
  const std::uint64_t bursts = s.bursts[0] + s.bursts[1];
  s.row_hits = bursts > activates ? bursts - activates : 0;
}

Energy ChannelController::energy(Cycle now) const {
  Energy sum;
  for (int unit = 0; unit < state_.organisation.units; ++unit)
    sum += state_.counts.energy(state_.config, unit, now, state_.power.down(unit));
  return sum;
}

}  // namespace harmonia::dram
