// Streams of row hits: accesses of one kind in one rank, advanced in closed form (see engine_impl.h).
#include "harmonia/hw/dram/engine_impl.h"

namespace harmonia::dram {

// ------------------------------------------------------------------------------------------------------- streaming

/// Accesses of the open rows of one unit from `first` on, of one kind while no other kind waits. The choice among them
/// needs only when each bank, each group and the bus are free and whose turn it is: that is kept apart here, and the
/// rest is brought up to date when something else may come between. Row commands and arrivals that leave it a stream
/// are done on the way. False when there is nothing to gain; nothing has been issued then.
bool Engine::Impl::stream(const Decision& first, Cycle limit) {
  Stream& s = stream_;
  const int unit = first.unit, lane = lane_of(unit);
  const auto u = static_cast<std::size_t>(unit), l = static_cast<std::size_t>(lane);
  const int op = lane_[l].column_mode;
  if (lane_[l].mode != op || lane_waiting_[1 - op][l] != 0 || refresh_[u].active ||
      config_.scheduler == SchedulerPolicy::kFcfs)
    return false;
  const Cmd cmd = column_command(op);
  const int length = table_.command_cycles[static_cast<std::size_t>(index(cmd))];
  s.unit = unit;
  s.op = op;
  s.cmd = cmd;
  s.last_t = -kNever;
  s.t = first.t;
  find_gap();
  if (s.stay == 0) return false;
  find_end();
  const Cycle before_row = table_.split_command_bus ? row_decision_->t : row_decision_->t - length;
  const Cycle alone = std::min({s.hard, event_decision_.t - 1, before_row});
  s.horizon = std::min(limit, alone);
  const bool cas = table_.wck_sync && first.t >= wck_until_[u];
  // An arrival may join the stream, so it does not make it short.
  if (s.horizon < first.t + (cas ? 1 : 0) ||
      (std::min(limit_, alone) < first.t + config_[Param::CCD_S] && runs_[queue_[op][first.bank].hit].count < kLongRun))
    return false;

  s.n = 0;
  s.step = -1;
  s.banks = 0;
  s.accesses = s.waited = 0;
  s.of_group = &group_time_[static_cast<std::size_t>(index(cmd) * groups_)];
  s.floor = std::max({floor_, column_bus_, unit_time(cmd, unit)});
  gather_hits();
  s.next = static_cast<std::uint8_t>(in_unit(first.bank));
  s.place = place_of(s.next);
  if (cas) {
    send_cas(op, unit, first.bank, first.t);
    ++s.t;
  }
  serve(limit);
  return true;
}

/// Column after column, until something else comes that ends the stream, or the limit.
void Engine::Impl::serve(Cycle limit) {
  Stream& s = stream_;
  int attempts = 0;
  bool anew = true;  // look for a pattern or a period
  while (true) {
    if (s.step < 0 && (anew || s.place == 0)) {
      if (!follow() && anew) attempts = begin_attempts();
      anew = false;
    }
    if (s.step >= 0) {
      if (s.step > 0 || !follow_periods()) follow_steps();
      anew = true;
    } else {
      Hit& h = s.hits[s.next];
      access(h, s.t);
      ++s.accesses;
      s.waited += s.t;
      s.last_t = s.t;
      Cycle& group = s.of_group[h.group];
      group = std::max(group, s.t + same_column_[s.op][0]);
      s.floor = std::max(s.floor, s.t + same_column_[s.op][1]);
      if (attempts > 0) {
        Period& p = period_;
        p.step[p.steps].hit = s.next;
        p.step[p.steps].turn = h.turns++;
        p.step[p.steps].at = s.t - p.start;
        ++p.steps;
      }
      if (h.left == 0) {
        end_run(s.place);
        anew = true;
      } else {
        move_back(s.place);
      }
      choose_hit();
    }
    if (s.t > s.horizon || s.t - s.last_t >= s.stay) {
      if (!interlude(limit)) return;
      anew = true;
    }
    if (attempts == 0 || anew) continue;
    Period& p = period_;
    if (s.next == p.step[0].hit && s.hits[s.next].turns == round_) {
      const std::int64_t periods = repetitions();
      if (periods > 0) {
        repeat(periods);
        attempts = 0;
        if (s.t > s.horizon || s.t - s.last_t >= s.stay) {
          if (!interlude(limit)) return;
          anew = true;
        }
      } else if (--attempts > 0) {
        begin_period();
      }
    } else if (p.steps == kLongestPeriod) {
      attempts = 0;
    } else {
      p.dense = p.dense && s.t == s.floor;
    }
  }
}

/// The gap behind a column in which something else may come: 0 when others interfere in any case.
void Engine::Impl::find_gap() {
  Stream& s = stream_;
  const int lane = lane_of(s.unit), op = s.op;
  s.stay = table_.wck_sync ? latency_[op] + config_[Param::WCKPST] : kNever;
  for (std::uint64_t m = busy_units_ & ~(std::uint64_t{1} << s.unit); m != 0; m &= m - 1) {
    const int other = lowest_bit(m);
    const auto o = static_cast<std::size_t>(other);
    if (refresh_[o].active) s.stay = 0;
    if (work_mask(other) == 0) continue;
    // Another rank's columns come behind every column of this one by the time that the bus takes to change hands: as
    // long as each is nearer to the last one, none can come between.
    if (lane_of(other) != lane) s.stay = 0;
    if (masks_[o].hit[op] != 0 || other_column_[op] == 0) s.stay = std::min(s.stay, other_column_[op]);
  }
}

/// The time up to which nothing but row commands, events and arrivals can end the stream.
void Engine::Impl::find_end() {
  Stream& s = stream_;
  s.hard = kNever;
  // The next piece of a long request is taken in when the queue has room for it: that is decided step by step.
  if (staged_.left > 0) s.hard = s.t + std::max(0, waiting_[s.op] - capacity_) * same_column_[s.op][1] - 1;
  s.conflicts = masks_[static_cast<std::size_t>(s.unit)].older_conflict[s.op];
  if (s.conflicts != 0) row_known_ = false;  // banks that will be closed under the stream
  for (std::uint64_t m = s.conflicts; m != 0; m &= m - 1)
    s.hard = std::min(s.hard, queue_[s.op][s.unit * banks_per_unit_ + lowest_bit(m)].capped_from - 1);
}

/// Takes up the banks with hits that are not in the stream.
void Engine::Impl::gather_hits() {
  Stream& s = stream_;
  const auto u = static_cast<std::size_t>(s.unit);
  std::uint64_t fresh = masks_[u].hit[s.op] & ~s.banks;
  if (second_bank_[u] >= 0) fresh &= ~bank_bit(second_bank_[u]);
  s.banks |= fresh;
  for (; fresh != 0; fresh &= fresh - 1) {
    const int slot = lowest_bit(fresh);
    Hit& h = s.hits[slot];
    h.bank = s.unit * banks_per_unit_ + slot;
    h.group = group_of_[static_cast<std::size_t>(h.bank)];
    h.ready = bank_time(s.cmd, h.bank);
    h.unsettled = false;
    h.last = -kNever;
    load_run(h);
    s.disturbed = s.disturbed || h.age() < s.youngest;
    int at = s.n++;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > h.age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = static_cast<std::uint8_t>(slot);
  }
}

void Engine::Impl::load_run(Hit& h) {
  h.run = queue_[stream_.op][h.bank].hit;
  const Run& run = runs_[h.run];
  h.burst = run.burst;
  h.age_bias = run.age_bias;
  h.left = run.count;
}

/// The access at this place of the order has become younger.
void Engine::Impl::move_back(int place) {
  Stream& s = stream_;
  const std::uint8_t slot = s.order[place];
  const std::int64_t age = s.hits[slot].age();
  for (; place + 1 < s.n && s.hits[s.order[place + 1]].age() < age; ++place) s.order[place] = s.order[place + 1];
  s.order[place] = slot;
}

void Engine::Impl::choose_hit() {
  Stream& s = stream_;
  s.t = kNever;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    const Cycle ready = std::max(h.ready, s.of_group[h.group]);
    if (ready <= s.floor) {  // nobody younger can be before it
      s.t = s.floor;
      s.place = k;
      s.next = s.order[k];
      return;
    }
    if (ready < s.t) {
      s.t = ready;
      s.place = k;
      s.next = s.order[k];
    }
  }
}

/// Takes what a bank of the stream has served off its run.
void Engine::Impl::count_hit(Hit& h) {
  Run& run = runs_[h.run];
  const std::uint32_t served = run.count - h.left;
  if (served == 0) return;
  run.count = h.left;
  run.burst = h.burst;
  requests_[run.request].bursts -= served;
  stream_.waited -= served * run.offered;
}

/// Tells the bank of what has been done to it.
void Engine::Impl::settle_hit(Hit& h) {
  if (!h.unsettled) return;
  h.unsettled = false;
  count_hit(h);
  const Stream& s = stream_;
  const auto b = static_cast<std::size_t>(h.bank);
  queue_[s.op][b].hit_age = h.age();
  if (queue_[s.op][b].candidate == h.run) queue_[s.op][b].candidate_age = h.age();
  apply_level(s.cmd, kOfBank, h.bank, h.last);
  apply_level(s.cmd, kOfGroup, h.group, h.last);
  last_use_[b] = h.last;
  masks_[static_cast<std::size_t>(s.unit)].fresh &= ~bank_bit(h.bank);
  touch(h.bank);
}

/// What row commands and arrivals beside the stream need to know of it: how full the queue is and when the bus is free.
/// The rows of banks with hits are left alone, apart from those that a conflict may close.
void Engine::Impl::count_accesses() {
  Stream& s = stream_;
  if (s.accesses == 0) return;
  const auto u = static_cast<std::size_t>(s.unit), l = static_cast<std::size_t>(lane_of(s.unit));
  const int op = s.op;
  floor_ = s.last_t;
  occupy(s.cmd, s.last_t);
  const auto count = static_cast<std::uint64_t>(s.accesses);
  stats_.commands[static_cast<std::size_t>(index(s.cmd))] += count;
  unit_commands_[u][static_cast<std::size_t>(index(s.cmd))] += count;
  stats_.bursts[op] += count;
  Lane& lane = lane_[l];
  if (lane.last_op != op) {
    if (lane.last_op >= 0) ++stats_.turnarounds;
    lane.last_op = op;
  }
  lane.served += static_cast<int>(s.accesses);
  waiting_[op] -= static_cast<int>(s.accesses);
  lane_waiting_[op][l] -= static_cast<int>(s.accesses);
  s.accesses = 0;
  s.unsettled = true;
  if (s.conflicts != 0)
    for (int k = 0; k < s.n; ++k) settle_hit(s.hits[s.order[k]]);
}

/// Ends the stream: everything is brought up to date with it.
void Engine::Impl::settle() {
  Stream& s = stream_;
  s.live = false;
  s.step = -1;
  count_accesses();
  if (!s.unsettled) return;
  s.unsettled = false;
  for (int k = 0; k < s.n; ++k) settle_hit(s.hits[s.order[k]]);
  stats_.queue_integral[s.op] += static_cast<double>(s.waited);
  s.waited = 0;
  const auto u = static_cast<std::size_t>(s.unit);
  apply_unit(s.cmd, s.unit, s.last_t);
  idle_since_[u] = s.last_t;
  if (table_.wck_sync) wck_until_[u] = s.last_t + latency_[s.op] + config_[Param::WCKPST];
}

/// The last access of a run. Its bank goes on with the next one of the row, or rests.
void Engine::Impl::end_run(int place) {
  Stream& s = stream_;
  const auto u = static_cast<std::size_t>(s.unit);
  Hit& h = s.hits[s.order[place]];
  settle_hit(h);
  const std::uint32_t request = runs_[h.run].request;
  if (requests_[request].bursts == 0) complete(request, h.last);
  if (committed_[static_cast<std::size_t>(h.bank)] == h.run) uncommit(h.bank);
  remove_run(h.run);
  if (queue_[s.op][h.bank].hit != kNone) {
    load_run(h);
    s.disturbed = s.disturbed || h.age() < s.youngest;
    move_back(place);
  } else {
    const std::uint64_t bit = bank_bit(h.bank);
    s.banks &= ~bit;
    if ((masks_[u].pending[s.op] & bit) != 0 || !plain_rows_) row_known_ = false;
    --s.n;
    for (int k = place; k < s.n; ++k) s.order[k] = s.order[k + 1];
  }
  if (masks_[u].older_conflict[s.op] != s.conflicts) row_known_ = false;
  if (!row_known_) s.horizon = -kNever;
}

/// The next column may not be the next thing to happen. Does what comes before it, if the stream can go on behind that.
/// False when it cannot; decision_ is what comes next, if that is known.
bool Engine::Impl::interlude(Cycle& limit) {
  Stream& s = stream_;
  count_accesses();
  decided_ = column_known_ = false;
  while (true) {
    find_end();
    if (s.n == 0 || !event_known_ || s.t - s.last_t >= s.stay || s.t > s.hard) {
      settle();
      forget();
      if (s.n == 0) update_mode(lane_of(s.unit), s.last_t);
      return false;
    }
    if (!row_known_) {
      decide_rows();
    }
    column_decision_ = {s.t, What::kColumn, s.unit, s.hits[s.next].bank, false};
    const Decision& d = first_of(column_decision_);
    if (d.t <= limit && d.what == What::kColumn) {
      set_horizon(limit);
      return true;
    }
    if (d.t <= limit && perform_beside(d, limit)) continue;
    if (d.t > limit && first_arrival() <= limit_ && join_arrival()) {
      limit = std::min(limit_, first_arrival());
      continue;
    }
    if (d.t > limit) {
      s.live = true;
      s.joined = false;
    } else {
      settle();
    }
    column_known_ = true;
    decision_ = &d;
    decided_ = true;
    return false;
  }
}

/// The next column is the next thing to happen.
void Engine::Impl::set_horizon(Cycle limit) {
  Stream& s = stream_;
  const int length = table_.command_cycles[static_cast<std::size_t>(index(s.cmd))];
  const Cycle before_row = table_.split_command_bus ? row_decision_->t : row_decision_->t - length;
  s.horizon = std::min({limit, s.hard, event_decision_.t - 1, before_row});
  if (s.t > before_row) row_known_ = false;  // it comes later for the column
}

/// A row command between two columns of the stream.
bool Engine::Impl::perform_beside(const Decision& d, Cycle limit) {
  Stream& s = stream_;
  if (lanes_ > 1 || (s.step < 0 && s.hits[s.next].left < kLongRun)) return false;
  if (d.what == What::kPrecharge) {
    if (d.unit == s.unit && (s.banks & bank_bit(d.bank)) != 0) return false;
  } else if (d.what != What::kActivate && d.what != What::kActivate2) {
    return false;
  }
  perform(d);
  if (d.what == What::kActivate && table_.split_activate) {
    Cycle at = d.t + 1;
    if (s.step >= 0 && s.t == at && config_[Param::AAD] > 2 && at < std::min({limit, s.hard, event_decision_.t - 1})) {
      // A column of the pattern comes first.
      s.horizon = at++;
      follow_steps();
      count_accesses();
    }
    if (s.n > 0 && s.t > at) follow_activate({at, What::kActivate2, d.unit, d.bank, false}, limit);
  }
  refresh_stream();
  return true;
}

/// The request that arrives next, when it joins the stream.
bool Engine::Impl::join_arrival() {
  Stream& s = stream_;
  if (lanes_ > 1 || index(arrivals_.front().op) != s.op) return false;
  take_in_arrival();
  refresh_stream();
  return true;
}

void Engine::Impl::refresh_stream() {
  Stream& s = stream_;
  decided_ = column_known_ = false;
  find_gap();
  s.floor = std::max({s.floor, floor_, column_bus_, unit_time(s.cmd, s.unit)});
  gather_hits();
  if (s.step < 0)
    choose_hit();
  else if (s.floor != s.t || s.disturbed)
    leave_pattern();
}

/// Begins to follow a pattern, if one is known: whole periods at once, the next one step by step. False when none is.
bool Engine::Impl::follow() {
  Stream& s = stream_;
  if (s.place != 0 || s.t != s.floor || round_ == 0) return false;
  const Hit& first = s.hits[s.next];
  if ((first.burst & round_mask_) != 0 || first.left < static_cast<std::uint32_t>(round_)) return false;
  auto& known = patterns_[s.op];
  for (std::size_t i = 0; i < known.size(); ++i) {
    const Pattern& p = *known[i];
    if (!matches(p)) continue;
    std::uint32_t fewest = ~std::uint32_t{0};
    for (int k = 0; k < p.members; ++k) {
      Hit& h = s.hits[s.order[k]];
      s.member[static_cast<std::size_t>(k)] = &h;
      fewest = std::min(fewest, h.left);
    }
    s.periods = fewest >> round_shift_;
    s.youngest = youngest_of(p);
    if (s.n > p.members) {  // the others are younger up to the end
      const std::int64_t apart = s.hits[s.order[p.members]].age() - s.youngest;
      const std::int64_t until_younger = (apart + age_of_round_ - 1) >> age_of_round_shift_;
      if (until_younger < std::min<std::int64_t>(s.periods, 2)) continue;
      s.periods = std::min(s.periods, until_younger);
    }
    if (i > 0) std::swap(known[i], known[i - 1]);
    s.free_periods = std::min<std::int64_t>(s.periods, (fewest - 1) >> round_shift_);
    s.youngest += (s.periods - 1) * age_of_round_;
    s.pattern = &p;
    s.disturbed = false;
    s.step = 0;
    s.next = static_cast<std::uint8_t>(in_unit(s.member[p.step[0]]->bank));
    return true;
  }
  if (++misses_ % 64 == 0) learn();
  return false;
}

/// Whole periods at once: those in which no run ends, up to the horizon. False when there is none.
bool Engine::Impl::follow_periods() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  const Cycle to_unit = same_column_[s.op][1], last = p.length - to_unit;
  if (s.free_periods == 0 || s.horizon < s.t + last) return false;
  const std::int64_t periods = std::min<std::int64_t>(s.free_periods, (s.horizon - s.t - last) / p.length + 1);
  if (!observers_.empty())
    for (std::int64_t j = 0; j < periods; ++j) {
      std::array<int, 8> turns{};
      for (int i = 0; i < p.steps; ++i) {
        const std::size_t k = p.step[static_cast<std::size_t>(i)];
        const Hit& h = *s.member[k];
        const auto column = column_.extract(h.burst) + static_cast<std::uint64_t>(j * round_ + turns[k]++);
        record(s.cmd, s.t + j * p.length + i * to_unit, s.unit, h.bank, open_row_[static_cast<std::size_t>(h.bank)],
               static_cast<std::int32_t>(column));
      }
    }
  const auto each = static_cast<std::uint32_t>(periods * round_);
  for (int k = 0; k < p.members; ++k) {
    Hit& h = *s.member[static_cast<std::size_t>(k)];
    h.left -= each;
    h.unsettled = true;
    h.burst = (h.burst & ~column_.mask()) | column_.deposit(column_.extract(h.burst) + each);
  }
  const Cycle start = s.t + (periods - 1) * p.length;
  for (int i = 0; i < p.steps; ++i) s.member[p.step[static_cast<std::size_t>(i)]]->last = start + i * to_unit;
  s.waited += periods * (p.steps * s.t + p.sum_at) + p.steps * p.length * (periods * (periods - 1) / 2);
  s.accesses += periods * p.steps;
  s.periods -= periods;
  s.free_periods -= periods;
  s.last_t = start + last;
  went_on();
  return true;
}

/// Step by step up to the horizon, the end of a run or a whole period that can be taken at once.
void Engine::Impl::follow_steps() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  const Cycle to_unit = same_column_[s.op][1], last = p.length - to_unit;
  Cycle t = s.t;
  std::int64_t n = 0;
  Hit* h = nullptr;
  const bool watched = !observers_.empty();
  const std::uint64_t columns = column_.mask();
  do {
    h = s.member[p.step[static_cast<std::size_t>(s.step)]];
    if (watched) record_access(*h, t);
    h->last = t;
    h->unsettled = true;
    h->burst = (((h->burst | ~columns) + 1) & columns) | (h->burst & ~columns);
    --h->left;
    ++n;
    t += to_unit;
    if (++s.step == p.steps) {
      s.step = 0;
      --s.periods;
      if (s.free_periods > 0) --s.free_periods;
      if (s.periods == 0 || (s.free_periods > 0 && t + last <= s.horizon)) break;
    }
  } while (h->left > 0 && t <= s.horizon);
  s.last_t = t - to_unit;
  s.accesses += n;
  s.waited += n * s.t + n * (n - 1) / 2 * to_unit;
  if (h->left == 0) end_run(place_of(static_cast<std::uint8_t>(in_unit(h->bank))));
  went_on();
}

/// Along the pattern: the next access, or the end of it.
void Engine::Impl::went_on() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  s.t = s.floor = s.last_t + same_column_[s.op][1];
  if ((s.step == 0 && s.periods == 0) || s.disturbed)
    leave_pattern();
  else
    s.next = static_cast<std::uint8_t>(in_unit(s.member[p.step[static_cast<std::size_t>(s.step)]]->bank));
}

void Engine::Impl::leave_pattern() {
  Stream& s = stream_;
  s.step = -1;
  for (int k = 0; k < s.pattern->members; ++k) {
    const Hit& h = *s.member[static_cast<std::size_t>(k)];
    Cycle& group = s.of_group[h.group];
    group = std::max(group, h.last + same_column_[s.op][0]);
  }
  for (int k = 1; k < s.n; ++k) {
    const std::uint8_t bank = s.order[k];
    int at = k;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > s.hits[bank].age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = bank;
  }
  choose_hit();
}

bool Engine::Impl::matches(const Pattern& p) const {
  const Stream& s = stream_;
  if (s.n < p.members) return false;
  for (int k = 0; k < p.members; ++k) {
    const Hit& h = s.hits[s.order[k]];
    const Pattern::Member& m = p.member[static_cast<std::size_t>(k)];
    if ((h.burst & round_mask_) != 0 || h.left < static_cast<std::uint32_t>(round_) ||
        std::max(h.ready, s.of_group[h.group]) > s.t + m.first)
      return false;
    int group = k;
    for (int j = k; j-- > 0;) {
      const Hit& older = s.hits[s.order[j]];
      const std::int64_t apart = h.age() - older.age();
      if (apart < m.least[static_cast<std::size_t>(j)] || apart > m.most[static_cast<std::size_t>(j)]) return false;
      if (older.group == h.group) group = j;
    }
    if (group != m.group) return false;
  }
  return true;
}

/// Age of the youngest access of a period from here on.
std::int64_t Engine::Impl::youngest_of(const Pattern& p) const {
  std::int64_t youngest = 0;
  for (int k = 0; k < p.members; ++k) {
    const std::int64_t age = stream_.hits[stream_.order[k]].age() + p.member[static_cast<std::size_t>(k)].advance;
    youngest = k == 0 ? age : std::max(youngest, age);
  }
  return youngest;
}

/// Looks for the pattern of the oldest hits: plays the choices among the first one, two, ... as if all were ready.
void Engine::Impl::learn() {
  const Stream& s = stream_;
  const Cycle to_group = same_column_[s.op][0], to_unit = same_column_[s.op][1];
  for (int members = 1; members <= std::min(s.n, 8) && members * round_ <= kLongestPeriod; ++members) {
    Pattern p;
    p.members = members;
    const auto n = static_cast<std::size_t>(members);
    std::array<std::int64_t, 8> age{};
    for (std::size_t k = 0; k < n; ++k) {
      const Hit& h = s.hits[s.order[k]];
      if ((h.burst & round_mask_) != 0) return;
      age[k] = h.age();
      Pattern::Member& m = p.member[k];
      for (m.group = 0; s.hits[s.order[static_cast<std::size_t>(m.group)]].group != h.group;) ++m.group;
      m.least.fill(-kNever);
      m.most.fill(kNever);
    }
    std::array<Cycle, 8> group_free{};
    std::array<int, 8> turns{};
    std::array<std::int64_t, 8> advance{};
    const auto ready = [&](std::size_t k, Cycle t) {
      return group_free[static_cast<std::size_t>(p.member[k].group)] <= t;
    };
    Cycle t = 0;
    bool closed = true;
    for (; p.steps < members * round_; ++p.steps, t += to_unit) {
      std::size_t c = n;
      for (std::size_t k = 0; k < n; ++k)
        if (ready(k, t) && (c == n || age[k] + advance[k] < age[c] + advance[c])) c = k;
      closed = c < n && turns[c] < round_;
      if (!closed) break;
      for (std::size_t k = 0; k < n; ++k) {
        if (k == c || !ready(k, t)) continue;
        Pattern::Member& later = p.member[std::max(k, c)];
        if (c < k)
          later.least[c] = std::max(later.least[c], advance[c] - advance[k] + 1);
        else
          later.most[k] = std::min(later.most[k], advance[k] - advance[c] - 1);
      }
      if (turns[c] == 0) p.member[c].first = t;
      p.member[c].advance = advance[c];
      ++turns[c];
      advance[c] = turns[c] / round_ * age_of_round_ + turns[c] % round_ * age_in_round_;
      p.sum_at += t;
      group_free[static_cast<std::size_t>(p.member[c].group)] = t + to_group;
      p.step[static_cast<std::size_t>(p.steps)] = static_cast<std::uint32_t>(c);
    }
    if (!closed) continue;
    p.length = t;
    std::int64_t youngest = age[0];
    for (std::size_t k = 0; k < n; ++k) {
      // It leads back to where it began if everybody is ready in time for the next.
      const auto first_of_group = static_cast<std::size_t>(p.member[k].group);
      closed = closed && group_free[first_of_group] - p.length <= p.member[first_of_group].first;
      youngest = std::max(youngest, age[k] + p.member[k].advance);
    }
    // Nor is it worth anything when others must come in between soon.
    if (!closed || (members < s.n && s.hits[s.order[n]].age() <= youngest + age_of_round_)) continue;
    auto& known = patterns_[s.op];
    if (known.size() >= 8) known.pop_back();
    known.insert(known.begin(), std::make_unique<const Pattern>(p));
    return;
  }
}

/// The choices from here on may turn out to be periodic, if there is room for it. Returns how often to try.
int Engine::Impl::begin_attempts() {
  const Stream& s = stream_;
  if (round_ == 0 || s.n == 0 || s.horizon - s.t < 16 * same_column_[s.op][1] ||
      s.hits[s.next].left <= static_cast<std::uint32_t>(round_) + 1)
    return 0;
  begin_period();
  return 3;
}

void Engine::Impl::begin_period() {
  Stream& s = stream_;
  period_.steps = 0;
  period_.start = s.t;
  period_.floor = s.floor;
  period_.dense = s.t == s.floor;
  for (int k = 0; k < s.n; ++k) {
    Hit& h = s.hits[s.order[k]];
    h.start_ready = std::max({h.ready, s.of_group[h.group], s.floor}) - s.t;
    h.start_age = h.age();
    h.turns = 0;
  }
}

/// How often the period that has just been seen is certain to come again.
std::int64_t Engine::Impl::repetitions() const {
  const Period& p = period_;
  const Stream& s = stream_;
  const Cycle length = s.t - p.start;
  if (s.floor - p.floor != length) return 0;
  std::uint32_t fewest = ~std::uint32_t{0};
  std::int64_t youngest = 0, moved = 0;
  bool any = false, same_steps = true;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    if (h.turns == 0) continue;
    // All have had as many turns, are as far from their next access as at first, and have grown older by as much.
    if (h.turns != round_ || std::max({h.ready, s.of_group[h.group], s.floor}) - s.t != h.start_ready) return 0;
    const std::int64_t step = h.age() - h.start_age;
    same_steps = same_steps && (!any || step == moved);
    moved = step;
    fewest = std::min(fewest, h.left - 1);
    youngest = any ? std::max(youngest, h.age()) : h.age();
    any = true;
  }
  if (!any || !same_steps || fewest == 0) return 0;
  // Whoever was not served must not come to be: not ready yet or, where every access comes as soon as any can, younger
  // than all that are served up to the end.
  std::int64_t periods = fewest / static_cast<std::uint32_t>(round_);
  youngest += moved * periods;
  Cycle horizon = s.horizon;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    if (h.turns == 0 && (!p.dense || h.age() <= youngest)) horizon = std::min(horizon, h.ready - 1);
  }
  const Cycle last = p.step[p.steps - 1].at;
  return horizon < s.t + last ? 0 : std::min(periods, (horizon - s.t - last) / length + 1);
}

void Engine::Impl::repeat(std::int64_t periods) {
  const Period& p = period_;
  Stream& s = stream_;
  const Cycle length = s.t - p.start, moved = periods * length;
  if (!observers_.empty())
    for (std::int64_t k = 1; k <= periods; ++k)
      for (int i = 0; i < p.steps; ++i) {
        const Hit& again = s.hits[static_cast<std::size_t>(p.step[i].hit)];
        const auto column =
            column_.extract(again.burst) + static_cast<std::uint64_t>((k - 1) * round_ + p.step[i].turn);
        record(s.cmd, p.start + p.step[i].at + k * length, s.unit, again.bank,
               open_row_[static_cast<std::size_t>(again.bank)], static_cast<std::int32_t>(column));
      }
  for (int i = 0; i < p.steps; ++i)
    s.waited += periods * (p.start + p.step[i].at) + length * (periods * (periods + 1) / 2);
  for (int k = 0; k < s.n; ++k) {
    Hit& again = s.hits[s.order[k]];
    if (again.turns == 0) continue;
    const auto each = static_cast<std::uint32_t>(periods * round_);
    again.left -= each;
    again.last += moved;
    again.burst = (again.burst & ~column_.mask()) | column_.deposit(column_.extract(again.burst) + each);
    Cycle& free = s.of_group[again.group];
    free = std::max(free, again.last + same_column_[s.op][0]);
  }
  // Those that were not served are now older than some that were, if they were not before.
  for (int k = 1; k < s.n; ++k) {
    const std::uint8_t slot = s.order[k];
    int at = k;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > s.hits[slot].age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = slot;
  }
  s.accesses += periods * p.steps;
  s.floor += moved;
  s.last_t += moved;
  choose_hit();
}

}  // namespace harmonia::dram
