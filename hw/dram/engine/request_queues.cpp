#include "harmonia/hw/dram/engine/request_queues.h"

namespace harmonia::dram {

RequestQueues::RequestQueues(const Config& config, const Organisation& organisation, const BankStates& banks,
                             Changes& changes)
    : organisation_(organisation),
      banks_(banks),
      changes_(changes),
      capacity_(config.queue_entries * config.pseudo_channels),
      in_order_(config.scheduler == SchedulerPolicy::kFcfs),
      fairness_cap_(config.fairness_cap_cycles),
      blocked_in_bank_(static_cast<std::size_t>(organisation.banks)) {
  runs_.reserve(1024);
  for (auto& queue : queues_) queue.resize(static_cast<std::size_t>(organisation.banks));
}

Cycle RequestQueues::oldest_write(int pseudo_channel) const {
  const WriteOrder& order = of_channel(pseudo_channel).writes;
  return order.head < order.runs.size() ? runs_[order.runs[order.head]].offered : kNever;
}

std::uint32_t RequestQueues::new_run() {
  if (free_run_ == kNone) {
    runs_.emplace_back();
    return static_cast<std::uint32_t>(runs_.size() - 1);
  }
  const std::uint32_t id = free_run_;
  free_run_ = runs_[id].next;
  return id;
}

RequestQueues::Added RequestQueues::add(BankRow place, std::uint64_t first, std::uint64_t last, std::uint32_t count,
                                        std::int64_t age_bias, std::uint32_t request, Op op_name, Cycle offered) {
  const std::uint32_t id = new_run();
  last_added_ = id;
  const int op = index(op_name), bank = static_cast<int>(place.bank);
  const auto b = static_cast<std::size_t>(bank);
  BankQueue& queue = queues_[op][b];
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
  run.previous = queue.tail;
  run.blocked = (queues_[1 - op][b].head != kNone || blocked_in_bank_[b] != 0) && must_wait(run);
  if (run.previous == kNone)
    queue.head = id;
  else
    runs_[run.previous].next = id;
  queue.tail = id;

  waiting_[op] += static_cast<int>(count);
  if (waiting_[op] > peak_[op]) peak_[op] = waiting_[op];
  PseudoChannel& channel = channel_of_bank(bank);
  channel.waiting[op] += static_cast<int>(count);
  if (op == 1) {
    run.write_number = channel.writes.first + channel.writes.runs.size();
    channel.writes.runs.push_back(id);
    channel.newest_write = offered;
  }
  if (run.blocked) {
    ++blocked_in_bank_[b];
    channel.blocked[op] += static_cast<int>(count);
    return Added::kBlocked;
  }
  const bool leads = queue.candidate == kNone, leads_hits = queue.hit == kNone && run.row == banks_.open_row(bank);
  if (!leads && !leads_hits) return Added::kBehindOthers;
  if (leads) queue.candidate = id;
  if (leads_hits) queue.hit = id;
  update_masks(op, bank);
  return Added::kFirst;
}

bool RequestQueues::must_wait(const Run& run) const {
  const std::int64_t age = run.age();
  const auto older_to_same_bursts = [&](const Run& other) {
    return other.row == run.row && other.burst <= run.last && run.burst <= other.last && other.age() < age;
  };
  for (std::uint32_t i = queues_[1 - run.op][run.bank].head; i != kNone; i = runs_[i].next)
    if (older_to_same_bursts(runs_[i])) return true;
  if (blocked_in_bank_[run.bank] != 0)
    for (std::uint32_t i = queues_[run.op][run.bank].head; i != kNone; i = runs_[i].next)
      if (runs_[i].blocked && older_to_same_bursts(runs_[i])) return true;
  return false;
}

void RequestQueues::forget_write(const Run& run) {
  WriteOrder& order = channel_of_bank(run.bank).writes;
  order.runs[static_cast<std::size_t>(run.write_number - order.first)] = kNone;
  while (order.head < order.runs.size() && order.runs[order.head] == kNone) ++order.head;
  if (order.head == order.runs.size() || (order.head >= 256 && 2 * order.head >= order.runs.size())) {
    order.runs.erase(order.runs.begin(), order.runs.begin() + static_cast<std::ptrdiff_t>(order.head));
    order.first += order.head;
    order.head = 0;
  }
}

bool RequestQueues::remove(std::uint32_t id) {
  Run& run = runs_[id];
  const int op = run.op, bank = run.bank;
  BankQueue& queue = queues_[op][run.bank];
  const std::uint32_t next = run.next;
  if (run.previous == kNone)
    queue.head = next;
  else
    runs_[run.previous].next = next;
  if (next == kNone)
    queue.tail = run.previous;
  else
    runs_[next].previous = run.previous;
  if (op == 1) forget_write(run);
  const bool others_blocked = blocked_in_bank_[run.bank] != 0;
  if (others_blocked) {
    unblock(bank);
    find_candidate(0, bank);
    find_candidate(1, bank);
  } else {
    if (queue.candidate == id) queue.candidate = next;
    if (queue.hit == id) find_hit(op, bank, next);
    update_masks(op, bank);
  }
  run.next = free_run_;
  free_run_ = id;
  return others_blocked;
}

void RequestQueues::unblock(int bank) {
  PseudoChannel& channel = channel_of_bank(bank);
  const auto b = static_cast<std::size_t>(bank);
  for (int op = 0; op < 2; ++op)
    for (std::uint32_t i = queues_[op][b].head; i != kNone; i = runs_[i].next)
      if (runs_[i].blocked && !must_wait(runs_[i])) {
        runs_[i].blocked = false;
        --blocked_in_bank_[b];
        channel.blocked[op] -= static_cast<int>(runs_[i].count);
      }
}

void RequestQueues::advance_to(std::uint32_t id, std::uint64_t next_burst) {
  runs_[id].burst = next_burst;
  update_ages(id);
}

void RequestQueues::find_hit(int op, int bank, std::uint32_t from) {
  const std::int32_t row = banks_.open_row(bank);
  std::uint32_t i = row < 0 ? kNone : from;
  while (i != kNone && (runs_[i].row != row || runs_[i].blocked)) i = runs_[i].next;
  queues_[op][static_cast<std::size_t>(bank)].hit = i;
}

void RequestQueues::find_candidate(int op, int bank) {
  BankQueue& queue = queues_[op][static_cast<std::size_t>(bank)];
  std::uint32_t i = queue.head;
  while (i != kNone && runs_[i].blocked) i = runs_[i].next;
  queue.candidate = i;
  find_hit(op, bank, i);
  update_masks(op, bank);
}

void RequestQueues::update_masks(int op, int bank) {
  BankQueue& q = queues_[op][static_cast<std::size_t>(bank)];
  const int unit = organisation_.unit_of(bank);
  Unit& u = units_[unit];
  const std::uint64_t bit = organisation_.bit_of(bank);
  changes_.bank_of_unit(unit, bit);
  u.older_conflict[op] &= ~bit;
  q.capped_from = kNever;
  if (q.hit == kNone) {
    u.hit[op] &= ~bit;
  } else {
    u.hit[op] |= bit;
    q.hit_age = runs_[q.hit].age();
    if (q.hit != q.candidate) {
      u.older_conflict[op] |= bit;
      q.hit_age -= kBeforeOthers;
      if (in_order_)
        q.capped_from = 0;
      else if (fairness_cap_ > 0)
        q.capped_from = runs_[q.candidate].offered + fairness_cap_;
    }
  }
  const bool had_work = u.pending[op] != 0;
  if (q.candidate == kNone) {
    u.pending[op] &= ~bit;
  } else {
    u.pending[op] |= bit;
    q.candidate_age = runs_[q.candidate].age();
  }
  if ((u.pending[op] != 0) != had_work) changes_.work(unit);
}

void RequestQueues::row_opened(int bank) {
  for (int op = 0; op < 2; ++op) {
    const std::uint32_t candidate = of(op, bank).candidate;
    if (candidate == kNone) continue;
    find_hit(op, bank, candidate);
    update_masks(op, bank);
  }
}

void RequestQueues::row_closed(int bank) {
  for (int op = 0; op < 2; ++op) {
    if (of(op, bank).hit == kNone) continue;
    of(op, bank).hit = kNone;
    update_masks(op, bank);
  }
}

}  // namespace harmonia::dram
