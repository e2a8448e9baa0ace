#include "harmonia/hw/dram/engine.h"

#include <stdexcept>

#include "harmonia/hw/dram/engine_impl.h"

namespace harmonia::dram {

Engine::Impl::Impl(const Config& config)
    : closed_form_(config.engine == EngineKind::kFast),
      config_(config),
      table_(*config.standard),
      units_(config.units()),
      lanes_(config.pseudo_channels),
      groups_(units_ * config.bankgroups),
      banks_(units_ * config.banks_per_unit()),
      banks_per_unit_(config.banks_per_unit()),
      unit_shift_(__builtin_ctz(static_cast<unsigned>(config.banks_per_unit()))),
      capacity_(config.queue_entries * config.pseudo_channels),
      burst_(config.burst_cycles()) {
  burst_shift_ = 0;
  while ((1 << burst_shift_) < config_.burst_bytes()) ++burst_shift_;

  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  bank_time_.assign(size(kCmdCount * banks_), 0);
  group_time_.assign(size(kCmdCount * groups_), 0);
  unit_time_.assign(size(kCmdCount * units_), 0);
  for (const TimingRule& r : table_.rules) {
    // Before commands that are never sent there is nothing to keep.
    const bool per_bank = r.next == Cmd::kRefPb, power_down = r.next == Cmd::kPdEnter || r.next == Cmd::kPdExit;
    if ((per_bank && config_.refresh != RefreshPolicy::kPerBank) ||
        (r.next == Cmd::kRef && config_.refresh != RefreshPolicy::kAllBank) ||
        (power_down && config_.power_down_idle_cycles == 0))
      continue;
    int d = evaluate(r.distance, config_);
    // Out of power-down every command may begin XP later, however long it is.
    if (table_.from_last_edge && r.previous != Cmd::kPdExit)
      d += table_.command_cycles[size(index(r.previous))] - table_.command_cycles[size(index(r.next))];
    const auto p = size(index(r.previous));
    if (r.window > 1) {
      if (r.level != Level::kUnit) throw std::logic_error("a timing window must be of the unit level");
      window_rules_[p].push_back({r.next, d, r.window, std::vector<Cycle>(size(units_ * r.window), -kNever),
                                  std::vector<std::uint32_t>(size(units_), 0)});
      continue;
    }
    if (d <= 0) continue;
    const auto next = size(index(r.next));
    switch (r.level) {
      case Level::kBank:
        rules_[p][kOfBank].push_back({&bank_time_[next * size(banks_)], d});
        break;
      case Level::kBankGroup:
        rules_[p][kOfGroup].push_back({&group_time_[next * size(groups_)], d});
        break;
      case Level::kUnit:
        rules_[p][kOfUnit].push_back({&unit_time_[next * size(units_)], d});
        break;
      case Level::kOtherUnit:
        if (config_.ranks > 1) other_rules_[p].push_back({r.next, d});
        break;
    }
  }
  for (int op = 0; op < 2; ++op) {
    const int edge = table_.from_last_edge ? table_.command_cycles[size(index(column_command(op)))] - 1 : 0;
    latency_[op] = edge + burst_ + (op == 0 ? config_[Param::CL] + config_[Param::DQSCK] : config_[Param::CWL]);
  }
  group_of_.resize(size(banks_));
  for (int b = 0; b < banks_; ++b) group_of_[size(b)] = static_cast<std::uint16_t>(b / config_.banks_per_group);

  const Mapping& m = config_.mapping;
  column_ = Field(m.column, burst_shift_);
  bank_in_group_ = Field(m.bank, burst_shift_);
  bankgroup_ = Field(m.bankgroup, burst_shift_);
  row_ = Field(m.row, burst_shift_);
  rank_ = Field(m.rank, burst_shift_);
  pseudo_ = Field(m.pseudo_channel, burst_shift_);
  address_mask_ = config_.capacity_bytes() / static_cast<std::uint64_t>(config_.burst_bytes()) - 1;
  not_column_ = address_mask_ & ~column_.mask();
  block_mask_ = 0;
  while ((block_mask_ & column_.mask()) != column_.mask()) block_mask_ = (block_mask_ << 1) | 1;
  interleaved_ = block_mask_ & ~column_.mask();
  std::vector<int> bits;
  for (int b = 0; b < 48; ++b)
    if ((interleaved_ >> b) & 1) bits.push_back(b);
  interleaved_field_ = Field(bits, 0);
  if (interleaved_ != 0) round_of_block_ = (std::uint64_t{2} << highest_bit(interleaved_)) - 1;
  if (interleaved_ != 0 && bits.size() <= 6)
    for (std::uint64_t pattern = 0; pattern < std::uint64_t{1} << bits.size(); ++pattern) {
      const std::uint64_t burst = interleaved_field_.deposit(pattern);
      interleaved_places_.push_back({burst, place(burst)});
    }
  // Columns of one piece ascend by the same step each time; of two pieces, every time the lower one has gone round.
  round_ = column_.pieces() <= 1 ? 1 : column_.pieces() == 2 ? 1 << column_.width_of_first() : 0;

  if (column_.mask() == 0) round_ = 0;  // a burst to the row
  if (round_ > 0) {
    const auto low = static_cast<std::uint64_t>(round_ - 1);
    round_mask_ = column_.deposit(low);
    age_in_round_ = round_ > 1 ? static_cast<std::int64_t>(column_.deposit(1)) : 0;
    age_of_round_ = static_cast<std::int64_t>(column_.deposit(static_cast<std::uint64_t>(round_)));
    round_shift_ = __builtin_ctz(static_cast<unsigned>(round_));
    age_of_round_shift_ = __builtin_ctzll(static_cast<unsigned long long>(age_of_round_));
  }

  requests_.reserve(256);
  runs_.reserve(1024);
  for (int op = 0; op < 2; ++op) {
    queue_[op].resize(size(banks_));
    lane_waiting_[op].assign(size(lanes_), 0);
    lane_blocked_[op].assign(size(lanes_), 0);
  }
  best_.resize(size(units_));
  row_of_unit_.resize(size(units_));
  for (int unit = 0; unit < units_; ++unit) touch_unit(unit);
  for (int op = 0; op < 2; ++op) {
    const Cmd cmd = column_command(op);
    same_column_[op][1] = table_.command_cycles[size(index(cmd))];
    for (const TimingRule& r : table_.rules)
      if (r.previous == cmd && r.next == cmd && (r.level == Level::kBankGroup || r.level == Level::kUnit)) {
        Cycle& d = same_column_[op][r.level == Level::kUnit ? 1 : 0];
        d = std::max<Cycle>(d, evaluate(r.distance, config_));
      }
    for (const OtherRule& r : other_rules_[index(cmd)])
      if (r.next == cmd) other_column_[op] = std::max<Cycle>(other_column_[op], r.distance);
  }
  plain_rows_ = config_.page_policy == PagePolicy::kOpen && config_.power_down_idle_cycles == 0;
  refreshes_when_idle_ = config_.refresh_pull_in > 0 || config_.refresh_postpone > 0;
  blocked_in_bank_.assign(size(banks_), 0);
  masks_.resize(size(units_));
  open_row_.assign(size(banks_), -1);
  closed_by_conflict_.assign(size(banks_), 0);
  committed_.assign(size(banks_), kNone);
  last_use_.assign(size(banks_), 0);
  lane_.resize(size(lanes_));
  write_order_.resize(size(lanes_));
  wck_until_.assign(size(units_), 0);
  second_bank_.assign(size(units_), -1);
  second_from_.assign(size(units_), 0);
  refresh_.resize(size(units_));
  if (config_.refresh != RefreshPolicy::kNone)
    for (Refresh& r : refresh_)
      r.due = config_.refresh == RefreshPolicy::kAllBank ? config_[Param::REFI] : config_[Param::REFIpb];
  down_.assign(size(units_), 0);
  idle_since_.assign(size(units_), 0);
  activity_.resize(size(units_));
  precharges_.assign(size(units_), 0);
  unit_commands_.resize(size(units_));
  for (int unit = 0; unit < units_; ++unit) set_busy(unit);
}

// ---------------------------------------------------------------------------------------------------------- queues

void Engine::Impl::push(const Request& request, Cycle now) {
  if (!can_accept(request.op)) throw std::logic_error("dram::Engine::push without can_accept");
  if (request.length == 0) throw std::logic_error("dram::Engine::push of an empty request");
  const std::uint64_t low = request.address >> burst_shift_;
  const std::uint64_t bursts = ((request.address + request.length - 1) >> burst_shift_) - low + 1;
  const bool wait = may_wait_outside(request.op, bursts, now);
  if (!wait) {
    advance(now);
  } else if (active_ == 0) {
    wake_known_ = true;
    wake_ = kNever;
  }
  std::uint32_t id;
  if (free_requests_.empty()) {
    id = static_cast<std::uint32_t>(requests_.size());
    requests_.emplace_back();
  } else {
    id = free_requests_.back();
    free_requests_.pop_back();
  }
  requests_[id] = {request.tag, now, static_cast<std::uint32_t>(bursts), request.length, request.op};
  ++active_;
  if (now < stats_.first_offer) stats_.first_offer = now;
  const std::int64_t age_bias = next_age_ - static_cast<std::int64_t>(low);
  next_age_ += static_cast<std::int64_t>(bursts);
  last_push_ = now;
  room_known_ = false;
  if (wait) {
    arrivals_.push_back({low, bursts, age_bias, id, request.op, now});
    arriving_[index(request.op)] += static_cast<int>(bursts);
    wake_ = std::min(wake_, now + config_.frontend_cycles + least_time(static_cast<Cycle>(bursts)));
    return;
  }
  staged_.low = low;
  staged_.left = bursts;
  staged_.age_bias = age_bias;
  staged_.request = id;
  staged_.op = request.op;
  staged_.offered = now;
  take_in();
}

/// Whether the request can be left outside without anybody noticing: it is taken in as a whole, it only joins others of
/// its kind, and nothing has to be known before the next wake.
bool Engine::Impl::may_wait_outside(Op op, std::uint64_t bursts, Cycle now) const {
  const int other = 1 - index(op);
  return closed_form_ && (active_ == 0 || (wake_known_ && now < wake_)) && waiting_[other] + arriving_[other] == 0 &&
         bursts <= static_cast<std::uint64_t>(capacity_);
}

void Engine::Impl::take_in_arrival() {
  staged_ = arrivals_.front();
  arrivals_.pop_front();
  arriving_[index(staged_.op)] -= static_cast<int>(staged_.left);
  take_in();
}

void Engine::Impl::take_in() {
  if (lanes_ > 1 || index(staged_.op) != stream_.op) land();
  stream_.joined = true;
  floor_ = std::max(floor_, last_before(staged_.offered) + 1);
  decided_ = wake_known_ = false;
  if (staged_.op == Op::kWrite || refreshes_when_idle_) event_known_ = false;
  take_in_staged();
  for (int lane = 0; lane < lanes_; ++lane) update_mode(lane, floor_);
}

void Engine::Impl::take_in_staged() {
  const int op = index(staged_.op);
  while (staged_.left > 0 && waiting_[op] < capacity_) {
    const std::uint64_t n = std::min<std::uint64_t>(staged_.left, static_cast<std::uint64_t>(capacity_));
    // Addresses wrap at the capacity; the age does not.
    const std::uint64_t low = staged_.low & address_mask_;
    const std::uint64_t first_part = std::min(n, address_mask_ - low + 1);
    const std::int64_t bias = staged_.age_bias + static_cast<std::int64_t>(staged_.low - low);
    split(low, low + first_part - 1, bias, staged_.request, staged_.op, staged_.offered);
    staged_.low += first_part;
    staged_.left -= first_part;
  }
}

void Engine::Impl::split(std::uint64_t low, std::uint64_t high, std::int64_t age_bias, std::uint32_t request, Op op,
                         Cycle offered) {
  while (low <= high) {
    const std::uint64_t end = std::min(high, low | block_mask_);
    if (interleaved_ == 0 || ((low ^ end) & ~((interleaved_ & (~interleaved_ + 1)) - 1)) == 0) {
      add_run(place(low), low, end, static_cast<std::uint32_t>(end - low + 1), age_bias, request, op, offered);
    } else if (!interleaved_places_.empty() && ((low | (end + 1)) & round_of_block_) == 0) {
      // Whole rounds of the interleaved bits below: as much for each pattern.
      const Place base = place(low);
      const auto count = static_cast<std::uint32_t>((end - low + 1) / interleaved_places_.size());
      for (const auto& pattern : interleaved_places_)
        add_run({base.bank ^ pattern.second.bank, base.row ^ pattern.second.row}, low | pattern.first,
                (end & ~interleaved_) | pattern.first, count, age_bias, request, op, offered);
    } else {
      // Within a block the interleaved bits (bank group and the like below the top column bit) tell the rows apart.
      // Each pattern that occurs is one run; it begins where the pattern is first met.
      const std::uint64_t group = (interleaved_ & (~interleaved_ + 1)) - 1;  // bits below the lowest interleaved one
      // A pattern below the one of `end` may reach a higher column than it: by the column bits below interleaved ones.
      const std::uint64_t below = (std::uint64_t{1} << highest_bit(interleaved_)) - 1;
      const std::uint64_t last_column = column_.extract(end | below);
      std::uint64_t seen = 0;
      const int patterns = 1 << __builtin_popcountll(interleaved_);
      int found = 0;
      for (std::uint64_t a = low; a <= end && found < patterns; a = (a | group) + 1) {
        const std::uint64_t pattern = interleaved_field_.extract(a);
        if (patterns <= 64) {
          if ((seen >> pattern) & 1) continue;
          seen |= std::uint64_t{1} << pattern;
        } else if (a - low > interleaved_ && ((a ^ low) & interleaved_) == 0) {
          break;
        }
        ++found;
        const std::uint64_t fixed = (a & ~block_mask_) | (a & interleaved_);
        std::uint64_t column = last_column;
        while ((column_.deposit(column) | fixed) > end) --column;
        const std::uint64_t first_column = column_.extract(a);
        add_run(place(a), a, column_.deposit(column) | fixed, static_cast<std::uint32_t>(column - first_column + 1),
                age_bias, request, op, offered);
      }
    }
    low = end + 1;
  }
}

bool Engine::Impl::must_wait(const Run& run) const {
  const std::int64_t age = run.age();
  for (std::uint32_t i = queue_[1 - run.op][run.bank].head; i != kNone; i = runs_[i].next) {
    const Run& other = runs_[i];
    if (other.row == run.row && other.burst <= run.last && run.burst <= other.last && other.age() < age) return true;
  }
  if (blocked_in_bank_[run.bank] != 0)
    for (std::uint32_t i = queue_[run.op][run.bank].head; i != kNone; i = runs_[i].next) {
      const Run& other = runs_[i];
      if (other.blocked && other.row == run.row && other.burst <= run.last && run.burst <= other.last &&
          other.age() < age)
        return true;
    }
  return false;
}

/// Where a burst is. Bit by bit linear over exclusive or, so that places of parts of the address can be combined.
Engine::Impl::Place Engine::Impl::place(std::uint64_t burst) const {
  const auto unit = static_cast<std::uint32_t>(rank_.extract(burst)) * static_cast<std::uint32_t>(lanes_) +
                    static_cast<std::uint32_t>(pseudo_.extract(burst));
  auto local =
      static_cast<std::uint32_t>(bankgroup_.extract(burst)) * static_cast<std::uint32_t>(config_.banks_per_group) +
      static_cast<std::uint32_t>(bank_in_group_.extract(burst));
  for (const auto& flip : config_.mapping.bank_xor)
    local ^= static_cast<std::uint32_t>((burst >> (flip.second - burst_shift_)) & 1) << flip.first;
  return {unit * static_cast<std::uint32_t>(banks_per_unit_) + local, static_cast<std::uint32_t>(row_.extract(burst))};
}

void Engine::Impl::add_run(const Place& place, std::uint64_t first, std::uint64_t last, std::uint32_t count,
                           std::int64_t age_bias, std::uint32_t request, Op op_name, Cycle offered) {
  std::uint32_t id = free_run_;
  if (id == kNone) {
    id = static_cast<std::uint32_t>(runs_.size());
    runs_.emplace_back();
  } else {
    free_run_ = runs_[id].next;
  }
  const int op = index(op_name);
  const int bank = static_cast<int>(place.bank), unit = unit_of(bank);

  Run& run = runs_[id];
  run.burst = first;
  run.last = last;
  run.age_bias = age_bias;
  run.offered = offered;
  run.request = request;
  run.count = count;
  run.row = static_cast<std::int32_t>(place.row);
  run.bank = static_cast<std::uint16_t>(bank);
  run.op = static_cast<std::uint8_t>(op);
  run.next = kNone;
  BankQueue& queue = queue_[op][static_cast<std::size_t>(bank)];
  run.previous = queue.tail;
  run.blocked = (queue_[1 - op][bank].head != kNone || blocked_in_bank_[bank] != 0) && must_wait(run);
  if (run.previous == kNone)
    queue.head = id;
  else
    runs_[run.previous].next = id;
  queue.tail = id;

  waiting_[op] += static_cast<int>(count);
  if (waiting_[op] > stats_.queue_peak[op]) stats_.queue_peak[op] = waiting_[op];
  const auto lane = static_cast<std::size_t>(lane_of(unit));
  lane_waiting_[op][lane] += static_cast<int>(count);
  if (op == 1) {
    WriteOrder& order = write_order_[lane];
    run.order = order.base + order.runs.size();
    order.runs.push_back(id);
    lane_[lane].last_write = offered;
  }
  if (run.blocked) {
    ++blocked_in_bank_[bank];
    lane_blocked_[op][lane] += static_cast<int>(count);
    forget();
    return;
  }
  const bool leads = queue.candidate == kNone, leads_hits = queue.hit == kNone && run.row == open_row_[bank];
  if (!leads && !leads_hits) return;
  if (leads) queue.candidate = id;
  if (leads_hits) queue.hit = id;
  set_masks(op, bank);
  consider_arrival(run, id);
}

/// Whether what was decided stands beside a run that has just come, the youngest of all.
void Engine::Impl::consider_arrival(const Run& run, std::uint32_t id) {
  if (!column_known_ && !row_known_) return;
  const int op = run.op, bank = run.bank, unit = unit_of(bank);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  if (lane.mode != op || lane.column_mode != op || !plain_rows_ || config_.scheduler == SchedulerPolicy::kFcfs) {
    forget();
    return;
  }
  const auto earliest = [&](Cmd cmd) {
    return std::max({floor_, bank_time(cmd, bank), group_time(cmd, group_of_[static_cast<std::size_t>(bank)]),
                     unit_time(cmd, unit)});
  };
  const auto stands = [&](const Decision& d, Cycle t) { return t > d.t || (t == d.t && unit == d.unit && t < kNever); };
  if (queue_[op][bank].hit == id) {
    if (!stands(column_decision_, std::max(column_bus_, earliest(column_command(op))))) column_known_ = false;
    if (queue_[op][bank].candidate != id) row_known_ = false;  // the bank was going to be closed
  } else if (queue_[op][bank].candidate == id) {
    if (!stands(*row_decision_, std::max(row_bus_, earliest(open_row_[bank] < 0 ? Cmd::kAct : Cmd::kPre))))
      row_known_ = false;
  }
}

void Engine::Impl::set_masks(int op, int bank) {
  BankQueue& q = queue_[op][static_cast<std::size_t>(bank)];
  Masks& m = masks_[static_cast<std::size_t>(unit_of(bank))];
  const std::uint64_t bit = bank_bit(bank);
  touch(bank);
  m.older_conflict[op] &= ~bit;
  q.capped_from = kNever;
  if (q.hit == kNone) {
    m.hit[op] &= ~bit;
  } else {
    m.hit[op] |= bit;
    q.hit_age = runs_[q.hit].age();
    if (q.hit != q.candidate) {
      m.older_conflict[op] |= bit;
      if (config_.scheduler == SchedulerPolicy::kFcfs)
        q.capped_from = 0;
      else if (config_.fairness_cap_cycles > 0)
        q.capped_from = runs_[q.candidate].offered + config_.fairness_cap_cycles;
    }
  }
  const std::uint64_t before = m.pending[op];
  if (q.candidate == kNone) {
    m.pending[op] &= ~bit;
  } else {
    m.pending[op] |= bit;
    q.candidate_age = runs_[q.candidate].age();
  }
  if ((m.pending[op] == 0) != (before == 0)) set_busy(unit_of(bank));
}

void Engine::Impl::find_hit(int op, int bank, std::uint32_t from) {
  const std::int32_t row = open_row_[bank];
  std::uint32_t i = row < 0 ? kNone : from;
  while (i != kNone && (runs_[i].row != row || runs_[i].blocked)) i = runs_[i].next;
  queue_[op][bank].hit = i;
}

void Engine::Impl::rescan_bank(int op, int bank) {
  std::uint32_t i = queue_[op][bank].head;
  while (i != kNone && runs_[i].blocked) i = runs_[i].next;
  queue_[op][bank].candidate = i;
  find_hit(op, bank, i);
  set_masks(op, bank);
}

void Engine::Impl::remove_run(std::uint32_t id) {
  Run& run = runs_[id];
  const int op = run.op, bank = run.bank;
  const std::uint32_t next = run.next;
  if (run.previous == kNone)
    queue_[op][bank].head = next;
  else
    runs_[run.previous].next = next;
  if (next == kNone)
    queue_[op][bank].tail = run.previous;
  else
    runs_[next].previous = run.previous;
  if (op == 1) {
    WriteOrder& order = write_order_[static_cast<std::size_t>(lane_of(unit_of(bank)))];
    order.runs[static_cast<std::size_t>(run.order - order.base)] = kNone;
    while (order.head < order.runs.size() && order.runs[order.head] == kNone) ++order.head;
    if (order.head == order.runs.size() || (order.head >= 256 && 2 * order.head >= order.runs.size())) {
      order.runs.erase(order.runs.begin(), order.runs.begin() + static_cast<std::ptrdiff_t>(order.head));
      order.base += order.head;
      order.head = 0;
    }
  }
  if (blocked_in_bank_[bank] == 0) {
    if (queue_[op][bank].candidate == id) queue_[op][bank].candidate = next;
    if (queue_[op][bank].hit == id) find_hit(op, bank, next);
    set_masks(op, bank);
  } else {
    forget();
    const auto lane = static_cast<std::size_t>(lane_of(unit_of(bank)));
    for (int o = 0; o < 2; ++o)
      for (std::uint32_t i = queue_[o][bank].head; i != kNone; i = runs_[i].next)
        if (runs_[i].blocked && !must_wait(runs_[i])) {
          runs_[i].blocked = false;
          --blocked_in_bank_[bank];
          lane_blocked_[o][lane] -= static_cast<int>(runs_[i].count);
        }
    rescan_bank(0, bank);
    rescan_bank(1, bank);
  }
  run.next = free_run_;
  free_run_ = id;
}

// ---------------------------------------------------------------------------------------------------------- timing

void Engine::Impl::record(Cmd cmd, Cycle t, int unit, int bank, std::int32_t row, std::int32_t column) const {
  Command c{t, cmd, static_cast<std::int16_t>(unit), -1, -1, row, column};
  if (bank >= 0) {
    const int local = in_unit(bank);
    c.bankgroup = static_cast<std::int16_t>(local / config_.banks_per_group);
    c.bank_in_group = static_cast<std::int16_t>(local % config_.banks_per_group);
  }
  for (CommandObserver* o : observers_) o->on_command(c);
}

void Engine::Impl::apply_unit(Cmd cmd, int unit, Cycle t) {
  const int p = index(cmd);
  apply_level(cmd, kOfUnit, unit, t);
  for (WindowRule& w : window_rules_[p]) {
    std::uint32_t& at = w.at[static_cast<std::size_t>(unit)];
    Cycle* ring = &w.ring[static_cast<std::size_t>(unit * w.window)];
    ring[at] = t;
    at = at + 1 == static_cast<std::uint32_t>(w.window) ? 0 : at + 1;
    Cycle& slot = unit_time_[static_cast<std::size_t>(index(w.next) * units_ + unit)];
    slot = std::max(slot, ring[at] + w.distance);
  }
  if (!other_rules_[p].empty())
    for (int u = lane_of(unit); u < units_; u += lanes_)
      if (u != unit)
        for (const OtherRule& r : other_rules_[p]) {
          Cycle& slot = unit_time_[static_cast<std::size_t>(index(r.next) * units_ + u)];
          slot = std::max(slot, t + r.distance);
        }
}

void Engine::Impl::apply(Cmd cmd, int unit, int bank, Cycle t) {
  if (bank >= 0) {  // a command to all banks has rules of the unit only
    apply_level(cmd, kOfBank, bank, t);
    apply_level(cmd, kOfGroup, group_of_[static_cast<std::size_t>(bank)], t);
  }
  apply_unit(cmd, unit, t);
}

// ------------------------------------------------------------------------------------------------------- decisions

/// When the waiting writes must be served: the oldest has waited long enough, or no other came for a while and the
/// watermark is not going to be reached soon.
Cycle Engine::Impl::write_due(int lane) const {
  const auto l = static_cast<std::size_t>(lane);
  const WriteOrder& order = write_order_[l];
  if (order.head >= order.runs.size()) return kNever;
  Cycle due = kNever;
  if (config_.write_max_wait_cycles > 0) due = runs_[order.runs[order.head]].offered + config_.write_max_wait_cycles;
  if (config_.write_idle_cycles > 0) due = std::min(due, lane_[l].last_write + config_.write_idle_cycles);
  return due;
}

void Engine::Impl::update_mode(int lane, Cycle t) {
  const auto l = static_cast<std::size_t>(lane);
  Lane& s = lane_[l];
  if (lane_waiting_[1][l] == 0 && s.mode == 0 && s.column_mode == 0) return;
  const int reads = lane_waiting_[0][l] - lane_blocked_[0][l], writes = lane_waiting_[1][l] - lane_blocked_[1][l];
  const int batch = config_.write_high_watermark - config_.write_low_watermark;
  const bool pressing = writes > 0 && (write_due(lane) <= t || lane_blocked_[0][l] > 0);
  int mode = s.mode;
  if (mode == 0) {
    if (writes > 0 &&
        (reads == 0 || pressing || (lane_waiting_[1][l] >= config_.write_high_watermark && s.served >= batch)))
      mode = 1;
  } else if (writes == 0) {
    mode = 0;
  } else if (reads > 0 && !pressing &&
             (lane_waiting_[1][l] <= config_.write_low_watermark || s.served >= config_.queue_entries)) {
    mode = 0;
  }
  if (mode != s.mode) {
    s.mode = mode;
    s.served = 0;
    if (mode == 1) ++stats_.write_batches;
    forget();
    for (int unit = lane; unit < units_; unit += lanes_) touch_unit(unit);
  }
  if (s.column_mode != mode) {
    std::uint64_t committed = 0;
    for (int unit = lane; unit < units_; unit += lanes_)
      committed |= masks_[static_cast<std::size_t>(unit)].committed[s.column_mode];
    if (committed == 0) {
      s.column_mode = mode;
      forget();
      for (int unit = lane; unit < units_; unit += lanes_) touch_unit(unit);
    }
  }
}

void Engine::Impl::uncommit(int bank) {
  if (committed_[static_cast<std::size_t>(bank)] == kNone) return;
  committed_[static_cast<std::size_t>(bank)] = kNone;
  touch(bank);
  const std::uint64_t bit = bank_bit(bank);
  for (std::uint64_t& mask : masks_[static_cast<std::size_t>(unit_of(bank))].committed) mask &= ~bit;
}

template <class Ready>
Cycle Engine::Impl::find_best(Kind kind, int unit, std::uint64_t members, Cycle floor, const BankQueue* queue,
                              std::int64_t BankQueue::*age, const Ready& ready) {
  Best& best = best_[static_cast<std::size_t>(unit)][kind];
  if (members == 0) {
    best = {kNever, kNever, 0, -1, 0};
    return kNever;
  }
  const int first_bank = unit * banks_per_unit_;
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  Cycle t = kNever;
  if (best.touched != kAll && best.bank >= 0) {
    const Cycle own = ready(best.bank);
    t = std::max(own, floor);
    if (((best.touched >> (best.bank - first_bank)) & 1) != 0 || (own != best.ready && own > floor) ||
        t >= best.next_ready)
      best.touched = kAll;
  }
  if (best.touched == kAll) {
    best = {kNever, kNever, 0, -1, kAll};
    t = kNever;
  }
  // Which bank it is can hardly be foretold: no branches on it.
  Cycle best_ready = best.ready, next_ready = best.next_ready;
  std::int64_t best_age = best.age;
  int best_bank = best.bank;
  for (std::uint64_t m = members & best.touched; m != 0; m &= m - 1) {
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
  best = {best_ready, next_ready, best_age, best_bank, 0};
  return t;
}

/// The column command of a unit that can go first, the oldest of those.
void Engine::Impl::decide_column(int unit, Decision& best) {
  const auto u = static_cast<std::size_t>(unit);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const int column_mode = lane.column_mode;
  if (masks_[u].hit[column_mode] == 0 || down_[u]) return;
  const Refresh& refresh = refresh_[u];
  const int first_bank = unit * banks_per_unit_;
  const Cmd column = column_command(column_mode);
  const std::uint64_t reserved = refresh.active ? refresh.banks : 0;
  // Banks that a refresh waits for take nothing new, but maybe the access that the row was opened for.
  std::uint64_t hits = masks_[u].hit[column_mode] & ~reserved;
  if (reserved != 0 && config_.refresh_urgency == RefreshUrgency::kAfterAccess)
    hits |= masks_[u].hit[column_mode] & masks_[u].fresh;
  if (column_mode != lane.mode) hits &= masks_[u].committed[column_mode];
  if (second_bank_[u] >= 0) hits &= ~(std::uint64_t{1} << in_unit(second_bank_[u]));
  if (config_.scheduler == SchedulerPolicy::kFcfs && column_mode == lane.mode) {
    // Only the oldest access may go, whichever that is now.
    int oldest = -1;
    for (std::uint64_t m = masks_[u].pending[column_mode]; m != 0; m &= m - 1) {
      const int bank = first_bank + lowest_bit(m);
      if (oldest < 0 || queue_[column_mode][bank].candidate_age < queue_[column_mode][oldest].candidate_age)
        oldest = bank;
    }
    hits &= oldest < 0 ? 0 : std::uint64_t{1} << (oldest - first_bank);
    touch_unit(unit);
  }

  // From its cap on, a conflict stops the hits of its bank, but not the access that the row was opened for: the
  // conflict waits for that one.
  const std::uint64_t committed = masks_[u].committed[0] | masks_[u].committed[1];
  const Cycle floor = std::max({floor_, column_bus_, unit_time(column, unit)});
  const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(column) * banks_)];
  const Cycle* const of_group = &group_time_[static_cast<std::size_t>(index(column) * groups_)];
  const BankQueue* const queue = queue_[column_mode].data();
  const Cycle t =
      find_best(kColumns, unit, hits, floor, queue_[column_mode].data(), &BankQueue::hit_age, [&](int bank) {
        const Cycle r = std::max(of_bank[bank], of_group[group_of_[static_cast<std::size_t>(bank)]]);
        const auto may = static_cast<std::uint64_t>(std::max(r, floor) < queue[bank].capped_from) |
                         ((committed >> (bank - first_bank)) & 1);
        return may != 0 ? r : kNever;
      });
  if (t < best.t) best = {t, What::kColumn, unit, best_[u][kColumns].bank, false};
}

/// The row command that comes first. That of a unit in which nothing has changed stands unless the bus is busy then.
void Engine::Impl::decide_rows() {
  const Cycle floor = std::max(floor_, row_bus_);
  row_decision_ = &kNoDecision;
  for (std::uint64_t m = busy_units_; m != 0; m &= m - 1) {
    const int unit = lowest_bit(m);
    Decision& d = row_of_unit_[static_cast<std::size_t>(unit)];
    if (d.t < floor || ((stale_rows_ >> unit) & 1) != 0 || !plain_rows_ || !closed_form_) {
      stale_rows_ &= ~(std::uint64_t{1} << unit);
      d.t = kNever;
      d.what = What::kNothing;
      decide_row(unit, d);
    }
    // Against its deadline, the oldest ACT1 is completed before anything else goes on the row pins.
    if (d.t < row_decision_->t ||
        (d.t == row_decision_->t && d.what == What::kActivate2 &&
         (row_decision_->what != What::kActivate2 ||
          second_from_[static_cast<std::size_t>(unit)] < second_from_[static_cast<std::size_t>(row_decision_->unit)])))
      row_decision_ = &d;
  }
  row_known_ = true;
}

/// The row command of a unit that comes first.
void Engine::Impl::decide_row(int unit, Decision& best_row) {
  const auto u = static_cast<std::size_t>(unit);
  const Refresh& refresh = refresh_[u];
  const std::uint64_t work = work_mask(unit);
  const int first_bank = unit * banks_per_unit_;
  const Cycle row_floor = std::max(floor_, row_bus_);

  const auto offer = [&](Cycle t, What what, int bank, bool conflict) {
    if (t < best_row.t) best_row = {t, what, unit, bank, conflict};
  };
  if (down_[u]) {
    if (refresh.active || work != 0)
      offer(std::max(row_floor, unit_time(Cmd::kPdExit, unit)), What::kPowerUp, 0, false);
    return;
  }
  if (second_bank_[u] >= 0) {
    best_row = {std::max(row_floor, second_from_[u]), What::kActivate2, unit, second_bank_[u], false};
  }

  const std::uint64_t reserved = refresh.active ? refresh.banks : 0;
  if (refresh.active) {
    const std::uint64_t open = masks_[u].open & refresh.banks;
    if (open != 0) {
      const bool all = config_.refresh == RefreshPolicy::kAllBank;
      Cycle t = std::max(row_floor, unit_time(Cmd::kPre, unit));
      int bank = 0;
      if (all) {
        for (std::uint64_t m = open; m != 0; m &= m - 1)
          t = std::max(t, bank_time(Cmd::kPre, first_bank + lowest_bit(m)));
        offer(t, What::kPrechargeAll, 0, false);
      } else {
        Cycle earliest = kNever;
        for (std::uint64_t m = open; m != 0; m &= m - 1) {
          const int b = first_bank + lowest_bit(m);
          if (bank_time(Cmd::kPre, b) < earliest) earliest = bank_time(Cmd::kPre, b), bank = b;
        }
        offer(std::max(t, earliest), What::kPrecharge, bank, false);
      }
    } else {
      const Cmd cmd = config_.refresh == RefreshPolicy::kAllBank ? Cmd::kRef : Cmd::kRefPb;
      Cycle t = std::max(row_floor, unit_time(cmd, unit));
      if (cmd == Cmd::kRefPb)
        for (std::uint64_t m = refresh.banks; m != 0; m &= m - 1)
          t = std::max(t, bank_time(cmd, first_bank + lowest_bit(m)));
      offer(t, What::kRefresh, 0, false);
    }
  }

  // Row commands: for what is being served, then to close unused rows. A row that was opened for a request stays until
  // that request is served: closing it would throw an activate away.
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const int mode = lane.mode, column_mode = lane.column_mode;
  const std::uint64_t open = masks_[u].open;
  const std::uint64_t wanted = masks_[u].pending[mode] & ~reserved;
  Cycle best = kNever;
  What what = What::kNothing;
  int best_bank = 0;
  bool conflict = false;
  const Cycle activate_floor = std::max(row_floor, unit_time(Cmd::kAct, unit));
  if (second_bank_[u] < 0) {
    const Cycle floor = std::max(row_floor, unit_time(Cmd::kPre, unit));
    const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(Cmd::kPre) * banks_)];
    const BankQueue* const queue = queue_[mode].data();
    const std::uint64_t hit = masks_[u].hit[mode];
    // A row opened for the other kind keeps its bank only while that kind is still being served: it was opened when the
    // bus was about to turn to it. Should the bus turn back first, nothing would ever use or close it.
    const std::uint64_t kept = masks_[u].committed[mode] | masks_[u].committed[column_mode];
    const Cycle t = find_best(kClosing, unit, wanted & open & ~kept & (~hit | masks_[u].older_conflict[mode]), floor,
                              queue, &BankQueue::candidate_age, [&](int bank) {
                                const Cycle capped =
                                    ((hit >> (bank - first_bank)) & 1) != 0 ? queue[bank].capped_from : 0;
                                return std::max(of_bank[bank], capped);
                              });
    if (t < kNever) {
      best = t;
      what = What::kPrecharge;
      best_bank = best_[u][kClosing].bank;
      conflict = true;
    }
  }
  if (second_bank_[u] < 0 && activate_floor <= best) {
    const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(Cmd::kAct) * banks_)];
    const Cycle* const of_group = &group_time_[static_cast<std::size_t>(index(Cmd::kAct) * groups_)];
    const Cycle t = find_best(
        kOpening, unit, wanted & ~open, activate_floor, queue_[mode].data(), &BankQueue::candidate_age,
        [&](int bank) { return std::max(of_bank[bank], of_group[group_of_[static_cast<std::size_t>(bank)]]); });
    if (t < best || (t == best && t < kNever && best_[u][kOpening].age < best_[u][kClosing].age)) {
      best = t;
      what = What::kActivate;
      best_bank = best_[u][kOpening].bank;
      conflict = false;
    }
  }
  if (config_.page_policy != PagePolicy::kOpen) {
    const std::uint64_t unused = open & ~reserved & ~work;
    const Cycle floor = std::max(row_floor, unit_time(Cmd::kPre, unit));
    for (std::uint64_t m = unused; m != 0; m &= m - 1) {
      const int bank = first_bank + lowest_bit(m);
      Cycle t = std::max(floor, bank_time(Cmd::kPre, bank));
      if (config_.page_policy == PagePolicy::kAdaptive)
        t = std::max(t, last_use_[static_cast<std::size_t>(bank)] + config_.page_timeout_cycles);
      if (second_bank_[u] == bank || t >= best) continue;
      best = t;
      what = What::kPrecharge;
      best_bank = bank;
      conflict = false;
    }
  }
  offer(best, what, best_bank, conflict);
  if (config_.power_down_idle_cycles > 0 && work == 0 && !refresh.active && second_bank_[u] < 0) {
    Cycle t = std::max({row_floor, unit_time(Cmd::kPdEnter, unit), idle_since_[u] + config_.power_down_idle_cycles});
    offer(t, What::kPowerDown, 0, false);
  }
}

const Decision& Engine::Impl::decide() {
  if (!closed_form_) {
    forget();
    for (int unit = 0; unit < units_; ++unit) touch_unit(unit);
  }
  if (!event_known_) {
    decide_event();
    event_known_ = true;
  }
  // Nothing comes before the floor, and of equals the event does.
  if (event_decision_.t <= floor_) return event_decision_;
  if (!column_known_) {
    land();
    column_decision_ = Decision{};
    for (std::uint64_t m = busy_units_; m != 0; m &= m - 1) decide_column(lowest_bit(m), column_decision_);
    column_known_ = true;
  }
  if (!row_known_) {
    decide_rows();
  }
  return first_of(column_decision_);
}

void Engine::Impl::decide_event() {
  Decision event;
  for (int unit = 0; unit < units_; ++unit) {
    const auto u = static_cast<std::size_t>(unit);
    const Refresh& r = refresh_[u];
    if (r.active || r.due == kNever) continue;
    Cycle t = r.due;
    if (work_mask(unit) == 0 && config_.refresh == RefreshPolicy::kAllBank) {
      // Idle: pay back postponed refreshes at once, and pull the next ones in after a while.
      if (r.owed > 0)
        t = std::min(t, idle_since_[u]);
      else if (config_.refresh_pull_in > 0)
        t = std::min(t, std::max(idle_since_[u] + config_[Param::RFC],
                                 r.due - static_cast<Cycle>(config_.refresh_pull_in) * config_[Param::REFI]));
    }
    t = std::max(t, floor_);
    if (t < event.t) event = {t, What::kRefreshDue, unit, 0, false};
  }
  for (int lane = 0; lane < lanes_; ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    if (lane_[l].mode != 0 || lane_waiting_[1][l] == lane_blocked_[1][l]) continue;
    const Cycle due = write_due(lane);
    if (due == kNever) continue;
    const Cycle t = std::max(floor_, due);
    if (t < event.t) event = {t, What::kModeSwitch, lane, 0, false};
  }
  event_decision_ = event;
}

/// Of a column command and the row command and event that were found last: which comes first.
const Decision& Engine::Impl::first_of(const Decision& column) const {
  const Decision &row = *row_decision_, &event = event_decision_;
  if (event.t <= column.t && event.t <= row.t) return event;
  if (row.what == What::kNothing) return column;
  if (table_.split_command_bus) return column.t <= row.t ? column : row;
  // ACT2 must come in time.
  if (row.what == What::kActivate2 &&
      column.t >= second_from_[static_cast<std::size_t>(row.unit)] + config_[Param::AAD] - 2)
    return row;
  // One bus: what leaves it first goes first. Of equals, a one-cycle activate (FAW makes slots for activates the
  // scarcer good), else the column command (the data bus is).
  static constexpr Cmd kCommandOf[] = {Cmd::kAct, Cmd::kAct,    Cmd::kAct, Cmd::kRd,      Cmd::kAct,   Cmd::kAct2,
                                       Cmd::kPre, Cmd::kPreAll, Cmd::kRef, Cmd::kPdEnter, Cmd::kPdExit};
  const int row_length = table_.command_cycles[static_cast<std::size_t>(index(kCommandOf[static_cast<int>(row.what)]))];
  const Cycle column_end = column.t + table_.command_cycles[static_cast<std::size_t>(index(Cmd::kRd))],
              row_end = row.t + row_length;
  if (column_end != row_end) return column_end < row_end ? column : row;
  return row.what == What::kActivate && row_length == 1 && !table_.split_activate ? row : column;
}

void Engine::Impl::run_until(Cycle limit) {
  wake_known_ = false;
  limit_ = limit;
  while (true) {
    Cycle until = std::min(limit, first_arrival());
    if (stream_.live && !(decided_ && decision_->t > until)) {
      stream_.live = false;
      if (decided_ && decision_ == &column_decision_ && !stream_.joined) {
        decided_ = column_known_ = false;
        set_horizon(until);
        serve(until);
      } else {
        refresh_stream();
        if (interlude(until)) serve(until);
      }
      continue;
    }
    const Decision& d = next_decision();
    if (d.t > until) {
      if (first_arrival() > limit) break;
      take_in_arrival();
      continue;
    }
    land();
    if (d.what == What::kColumn && worth_streaming(d.bank) && stream(d, until)) continue;
    const Cycle next_column = column_decision_.t;
    perform(d);
    if (d.what == What::kActivate && table_.split_activate)
      follow_activate({d.t + 1, What::kActivate2, d.unit, d.bank, false}, std::min(next_column - 1, until));
  }
  done_until_ = limit;
  if (floor_ <= limit) floor_ = limit + 1;
}

/// ACT2 right behind ACT1 unless something else could come first: what the next decision would find. Nothing but row
/// commands comes up to the limit.
void Engine::Impl::follow_activate(const Decision& d, Cycle limit) {
  if (d.t > std::min(limit, event_decision_.t - 1)) return;
  for (int unit = 0; unit < units_; ++unit)
    if (unit != d.unit && second_bank_[static_cast<std::size_t>(unit)] >= 0) return;
  perform(d);
}

void Engine::Impl::perform(const Decision& d) {
  decided_ = false;
  switch (d.what) {
    case What::kColumn:
    case What::kActivate:
    case What::kActivate2:
    case What::kPrecharge:
      break;  // part of what was decided may stand
    default:
      forget();
      if (d.what != What::kModeSwitch) touch_unit(d.unit);
  }
  if (d.t > floor_) floor_ = d.t;
  const auto u = static_cast<std::size_t>(d.unit);
  const Cycle t = d.t;
  const auto count = [&](Cmd c) {
    ++stats_.commands[static_cast<std::size_t>(index(c))];
    ++unit_commands_[u][static_cast<std::size_t>(index(c))];
  };
  switch (d.what) {
    case What::kNothing:
      return;
    case What::kModeSwitch:
      update_mode(d.unit, t);
      return;
    case What::kRefreshDue: {
      Refresh& r = refresh_[u];
      const bool all = config_.refresh == RefreshPolicy::kAllBank;
      if (t >= r.due) {
        const Cycle interval = config_[all ? Param::REFI : Param::REFIpb];
        if (all && r.owed < config_.refresh_postpone && work_mask(d.unit) != 0) {
          ++r.owed;
          r.due += interval;
          return;
        }
        r.due += interval;
      } else if (r.owed > 0) {
        --r.owed;
      } else {
        r.due += config_[Param::REFI];
      }
      r.active = true;
      set_busy(d.unit);
      touch_unit(d.unit);
      if (all) {
        r.banks = banks_per_unit_ == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << banks_per_unit_) - 1;
      } else if (table_.same_bank_refresh) {
        r.banks = 0;
        for (int g = 0; g < config_.bankgroups; ++g)
          r.banks |= std::uint64_t{1} << (g * config_.banks_per_group + r.slot);
        r.slot = (r.slot + 1) % config_.banks_per_group;
      } else {
        r.banks = std::uint64_t{1} << r.slot;
        r.slot = (r.slot + 1) % banks_per_unit_;
      }
      return;
    }
    case What::kColumn:
      issue_column(d);
      return;
    case What::kActivate: {
      const std::uint64_t bit = bank_bit(d.bank);
      const int mode = lane_[static_cast<std::size_t>(lane_of(d.unit))].mode;
      const std::uint32_t for_run =
          queue_[mode][d.bank].candidate != kNone ? queue_[mode][d.bank].candidate : queue_[1 - mode][d.bank].candidate;
      const Run& run = runs_[for_run];
      open_row_[d.bank] = run.row;
      masks_[u].open |= bit;
      masks_[u].fresh |= bit;
      last_use_[static_cast<std::size_t>(d.bank)] = t;
      count(Cmd::kAct);
      ++(closed_by_conflict_[d.bank] ? stats_.row_conflicts : stats_.row_misses);
      closed_by_conflict_[d.bank] = 0;
      committed_[static_cast<std::size_t>(d.bank)] = for_run;
      masks_[u].committed[run.op] |= bit;
      if (!observers_.empty())
        record(Cmd::kAct, t, d.unit, d.bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
      apply(Cmd::kAct, d.unit, d.bank, t);
      occupy(Cmd::kAct, t);
      activity_[u].activate(t);
      if (table_.split_activate) {
        second_bank_[u] = d.bank;
        set_busy(d.unit);
        second_from_[u] = t + 1;
      }
      touch(d.bank);
      for (int op = 0; op < 2; ++op) {
        if (queue_[op][d.bank].candidate == kNone) continue;
        find_hit(op, d.bank, queue_[op][d.bank].candidate);
        set_masks(op, d.bank);
      }
      if (table_.split_activate) {
        // No column command to this bank before ACT2: hold it back by its time.
        for (Cmd c : {Cmd::kRd, Cmd::kWr}) bank_time(c, d.bank) = std::max(bank_time(c, d.bank), t + 2);
      }
      keep_column_beside(std::min(bank_time(Cmd::kRd, d.bank), bank_time(Cmd::kWr, d.bank)));
      return;
    }
    case What::kActivate2:
      count(Cmd::kAct2);
      if (!observers_.empty()) record(Cmd::kAct2, t, d.unit, d.bank, open_row_[d.bank], 0);
      occupy(Cmd::kAct2, t);
      for (Cmd c : {Cmd::kRd, Cmd::kWr}) bank_time(c, d.bank) = std::max(bank_time(c, d.bank), t + 1);
      second_bank_[u] = -1;
      set_busy(d.unit);
      touch(d.bank);
      keep_column_beside(std::min(bank_time(Cmd::kRd, d.bank), bank_time(Cmd::kWr, d.bank)));
      return;
    case What::kPrecharge: {
      const std::uint64_t bit = bank_bit(d.bank);
      const bool hits = ((masks_[u].hit[0] | masks_[u].hit[1]) & bit) != 0;
      count(Cmd::kPre);
      if (!observers_.empty()) record(Cmd::kPre, t, d.unit, d.bank, open_row_[d.bank], 0);
      apply(Cmd::kPre, d.unit, d.bank, t);
      occupy(Cmd::kPre, t);
      activity_[u].precharge(t);
      ++precharges_[u];
      open_row_[d.bank] = -1;
      masks_[u].open &= ~bit;
      masks_[u].fresh &= ~bit;
      uncommit(d.bank);
      closed_by_conflict_[d.bank] = d.conflict ? 1 : 0;
      touch(d.bank);
      for (int op = 0; op < 2; ++op) {
        if (queue_[op][d.bank].hit == kNone) continue;
        queue_[op][d.bank].hit = kNone;
        set_masks(op, d.bank);
      }
      keep_column_beside(hits ? 0 : kNever);
      // A refresh may have closed the last row that the old kind of column command was still owed.
      update_mode(lane_of(d.unit), t);
      return;
    }
    case What::kPrechargeAll: {
      count(Cmd::kPreAll);
      if (!observers_.empty()) record(Cmd::kPreAll, t, d.unit, -1, -1, -1);
      apply(Cmd::kPreAll, d.unit, -1, t);
      occupy(Cmd::kPreAll, t);
      activity_[u].precharge_all(t);
      for (std::uint64_t m = masks_[u].open; m != 0; m &= m - 1) {
        const int bank = d.unit * banks_per_unit_ + lowest_bit(m);
        open_row_[bank] = -1;
        closed_by_conflict_[bank] = 0;
        uncommit(bank);
        ++precharges_[u];
        for (int op = 0; op < 2; ++op) queue_[op][bank].hit = kNone;
      }
      for (int op = 0; op < 2; ++op) masks_[u].hit[op] = masks_[u].older_conflict[op] = 0;
      masks_[u].open = masks_[u].fresh = 0;
      touch_unit(d.unit);
      update_mode(lane_of(d.unit), t);
      return;
    }
    case What::kRefresh: {
      Refresh& r = refresh_[u];
      if (config_.refresh == RefreshPolicy::kAllBank) {
        count(Cmd::kRef);
        if (!observers_.empty()) record(Cmd::kRef, t, d.unit, -1, -1, -1);
        apply(Cmd::kRef, d.unit, -1, t);
        occupy(Cmd::kRef, t);
        activity_[u].refresh(t, config_[Param::RFC], banks_per_unit_);
        stats_.refresh_cycles += config_[Param::RFC];
      } else {
        count(Cmd::kRefPb);
        int banks = 0;
        const int first = d.unit * banks_per_unit_;
        for (std::uint64_t m = r.banks; m != 0; m &= m - 1, ++banks) {
          const int bank = first + lowest_bit(m);
          if (banks == 0 && !observers_.empty()) record(Cmd::kRefPb, t, d.unit, bank, -1, -1);
          apply(Cmd::kRefPb, d.unit, bank, t);
        }
        occupy(Cmd::kRefPb, t);
        activity_[u].refresh_banks(config_[Param::RFCpb], banks);
        stats_.refresh_cycles += static_cast<Cycle>(config_[Param::RFCpb]) * banks / banks_per_unit_;
      }
      r.active = false;
      set_busy(d.unit);
      touch_unit(d.unit);
      idle_since_[u] = std::max(idle_since_[u], t);
      return;
    }
    case What::kPowerDown:
      count(Cmd::kPdEnter);
      if (!observers_.empty()) record(Cmd::kPdEnter, t, d.unit, -1, -1, -1);
      apply(Cmd::kPdEnter, d.unit, -1, t);
      occupy(Cmd::kPdEnter, t);
      activity_[u].power_down(t);
      down_[u] = 1;
      return;
    case What::kPowerUp:
      count(Cmd::kPdExit);
      if (!observers_.empty()) record(Cmd::kPdExit, t, d.unit, -1, -1, -1);
      apply(Cmd::kPdExit, d.unit, -1, t);
      occupy(Cmd::kPdExit, t);
      activity_[u].power_up(t);
      down_[u] = 0;
      idle_since_[u] = std::max(idle_since_[u], t);
      return;
  }
}

void Engine::Impl::issue_column(const Decision& d) {
  const auto u = static_cast<std::size_t>(d.unit);
  const int lane = lane_of(d.unit);
  Lane& s = lane_[static_cast<std::size_t>(lane)];
  const int op = s.column_mode;
  const std::uint32_t id = queue_[op][d.bank].hit;
  Run& run = runs_[id];
  const Cmd cmd = column_command(op);
  const bool conflict = (masks_[u].older_conflict[op] & bank_bit(d.bank)) != 0;
  Cycle t = d.t;
  if (table_.wck_sync) {
    if (t >= wck_until_[u]) {
      send_cas(op, d.unit, d.bank, t);
      ++t;
    }
    wck_until_[u] = t + latency_[op] + config_[Param::WCKPST];
  }
  ++stats_.commands[static_cast<std::size_t>(index(cmd))];
  ++unit_commands_[u][static_cast<std::size_t>(index(cmd))];
  if (!observers_.empty())
    record(cmd, t, d.unit, d.bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
  apply(cmd, d.unit, d.bank, t);
  occupy(cmd, t);
  last_use_[static_cast<std::size_t>(d.bank)] = t;
  masks_[u].fresh &= ~bank_bit(d.bank);
  idle_since_[u] = t;
  if (s.last_op != op) {
    if (s.last_op >= 0) ++stats_.turnarounds;
    s.last_op = op;
  }
  if (op == s.mode) ++s.served;
  stats_.queue_integral[op] += static_cast<double>(t - run.offered);
  ++stats_.bursts[op];
  --waiting_[op];
  --lane_waiting_[op][static_cast<std::size_t>(lane)];

  if (--requests_[run.request].bursts == 0) complete(run.request, t);
  if (--run.count == 0) {
    if (committed_[static_cast<std::size_t>(d.bank)] == id) uncommit(d.bank);
    remove_run(id);
  } else {
    run.burst = (((run.burst | ~column_.mask()) + 1) & column_.mask()) | (run.burst & ~column_.mask());
    queue_[op][d.bank].hit_age = run.age();
    if (queue_[op][d.bank].candidate == id) queue_[op][d.bank].candidate_age = run.age();
    touch(d.bank);
  }
  column_known_ = false;
  if (op == 1 || refreshes_when_idle_) event_known_ = false;
  keep_row_beside(d.bank, conflict);
  if (staged_.left > 0) {
    forget();
    take_in_staged();
  }
  update_mode(lane, t);
}

/// After a row command that lets no column come before `from`, but those that could before.
void Engine::Impl::keep_column_beside(Cycle from) {
  row_known_ = false;
  if (column_decision_.t < column_bus_ || column_decision_.t >= from || config_.scheduler == SchedulerPolicy::kFcfs)
    column_known_ = false;
}

/// After a column command in this bank: others' row commands stand unless the bus is not free for them now or one for
/// this bank could come first.
void Engine::Impl::keep_row_beside(int bank, bool conflict_before) {
  const int unit = unit_of(bank);
  const auto u = static_cast<std::size_t>(unit);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const std::uint64_t bit = bank_bit(bank);
  if (!plain_rows_ || refresh_[u].active || lane.mode != lane.column_mode || row_decision_->t < row_bus_ ||
      conflict_before || (masks_[u].older_conflict[lane.mode] & bit) != 0 ||
      ((masks_[u].pending[lane.mode] & ~masks_[u].hit[lane.mode] & bit) != 0 &&
       bank_time(Cmd::kPre, bank) <= row_decision_->t))
    row_known_ = false;
}

/// WCK is out of step: CAS goes in the cycle before the column command.
void Engine::Impl::send_cas(int op, int unit, int bank, Cycle t) {
  const auto cas = static_cast<std::size_t>(index(op == 0 ? Cmd::kCasRd : Cmd::kCasWr));
  ++stats_.commands[cas];
  ++unit_commands_[static_cast<std::size_t>(unit)][cas];
  if (observers_.empty()) return;
  const Run& run = runs_[queue_[op][bank].hit];
  record(static_cast<Cmd>(cas), t, unit, bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
}

/// The last burst of a request is on the bus at t.
void Engine::Impl::complete(std::uint32_t id, Cycle t) {
  const Pending& request = requests_[id];
  const int op = index(request.op);
  const Cycle done = t + latency_[op] + config_.backend_cycles;
  completions_.push_back({request.tag, done, request.offered, request.op});
  stats_.latency[op].add(done - request.offered);
  ++stats_.requests[op];
  stats_.bytes[op] += request.length;
  if (done > stats_.last_done) stats_.last_done = done;
  free_requests_.push_back(id);
  --active_;
}

// ------------------------------------------------------------------------------------------------------- interface

Cycle Engine::Impl::next_wake(bool for_room) {
  if (active_ == 0) return kNever;
  if (!wake_known_ || (for_room && !room_known_)) {
    if (!arrivals_.empty()) advance(last_push_);
    find_wake();
    wake_known_ = room_known_ = true;
  }
  // Not before the cycle after the last `now`.
  return std::max(
      {for_room ? std::min(wake_, room_) : wake_, done_until_ - config_.frontend_cycles + 2, last_push_ + 1});
}

void Engine::Impl::find_wake() {
  wake_ = room_ = kNever;
  const Decision& d = next_decision();
  if (d.t >= kNever) return;
  const Cycle spacing = std::max(1, burst_ / lanes_);
  // A full queue has room again when what is beyond its capacity has passed the bus. None has before the request that
  // is being taken in piece by piece is in as a whole; each piece but the last is as long as the queue.
  Cycle taken_in = 0;
  if (staged_.left > 0)
    taken_in = waiting_[index(staged_.op)] - capacity_ +
               static_cast<Cycle>((staged_.left - 1) / static_cast<std::uint64_t>(capacity_)) * capacity_;
  for (int op = 0; op < 2; ++op) {
    Cycle before = waiting_[op] - capacity_;
    if (staged_.left > 0 && index(staged_.op) == op) before += static_cast<Cycle>(staged_.left);
    if (before >= 0 || staged_.left > 0)
      room_ = std::min(room_, d.t + std::max(before, taken_in) * spacing + 1 - config_.frontend_cycles);
  }
  // The request with the fewest bursts left cannot end before those have passed the bus.
  Cycle bursts = 1;
  if (requests_.size() <= 32) {
    if (stream_.live)
      for (int k = 0; k < stream_.n; ++k) count_hit(stream_.hits[stream_.order[k]]);
    bursts = kNever;
    for (const Pending& r : requests_)
      if (r.bursts > 0) bursts = std::min<Cycle>(bursts, r.bursts);
  }
  wake_ = d.t + least_time(bursts);
}

Cycle Engine::Impl::drain() {
  while (active_ > 0) {
    const Cycle t = std::min(next_decision().t, first_arrival());
    if (t >= kNever) throw std::logic_error("dram::Engine: requests wait and no command can ever be issued");
    run_until(t);
  }
  return stats_.last_done;
}

void Engine::Impl::finish(Cycle now) {
  advance(now);
  land();
  stats_.busy_until = now;
  stats_.energy = Energy{};
  const std::uint64_t activates = stats_.commands[static_cast<std::size_t>(index(Cmd::kAct))];
  const std::uint64_t bursts = stats_.bursts[0] + stats_.bursts[1];
  stats_.row_hits = bursts > activates ? bursts - activates : 0;
  for (int unit = 0; unit < units_; ++unit) {
    const auto u = static_cast<std::size_t>(unit);
    const Energy e = energy_of(config_, unit_commands_[u], precharges_[u], activity_[u].at(now, down_[u] != 0));
    stats_.energy.activate += e.activate;
    stats_.energy.precharge += e.precharge;
    stats_.energy.read += e.read;
    stats_.energy.write += e.write;
    stats_.energy.refresh += e.refresh;
    stats_.energy.background_active += e.background_active;
    stats_.energy.background_precharged += e.background_precharged;
    stats_.energy.background_power_down += e.background_power_down;
  }
}

Engine::Engine(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
const Config& Engine::config() const { return impl_->config(); }
bool Engine::can_accept(Op op) const { return impl_->can_accept(op); }
void Engine::push(const Request& request, Cycle now) { impl_->push(request, now); }
void Engine::advance(Cycle now) { impl_->advance(now); }
std::vector<Completion>& Engine::completions() { return impl_->completions(); }
Cycle Engine::next_wake(bool for_room) const { return impl_->next_wake(for_room); }
std::size_t Engine::in_flight() const { return impl_->in_flight(); }
Cycle Engine::drain() { return impl_->drain(); }
void Engine::finish(Cycle now) { impl_->finish(now); }
const Statistics& Engine::statistics() const { return impl_->statistics(); }
void Engine::add_observer(CommandObserver* observer) { impl_->observers_.push_back(observer); }
void Engine::remove_observer(CommandObserver* observer) {
  auto& list = impl_->observers_;
  list.erase(std::remove(list.begin(), list.end(), observer), list.end());
}

}  // namespace harmonia::dram
