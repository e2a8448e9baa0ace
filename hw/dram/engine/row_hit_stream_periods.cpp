// The repeating orders of RowHitStream: patterns that are known, and periods that have just been seen.
#include <algorithm>

#include "harmonia/hw/dram/engine/channel_controller.h"
#include "harmonia/hw/dram/engine/row_hit_stream.h"

namespace harmonia::dram {

// ------------------------------------------------------------------------------------------------------------ patterns

/// Begins to follow a pattern, if one that is known fits. False when none does.
bool RowHitStream::enter_pattern() {
  if (place_ != 0 || t_ != floor_ || round_.length == 0) return false;
  const Bank& first = slots_[next_];
  if (!round_.begins_at(first.burst) || first.left < static_cast<std::uint32_t>(round_.length)) return false;
  auto& known = patterns_[op_];
  for (std::size_t i = 0; i < known.size(); ++i) {
    const ColumnPattern& p = *known[i];
    if (!matches(p)) continue;
    std::uint32_t fewest = ~std::uint32_t{0};
    for (int k = 0; k < p.members; ++k) {
      Bank& b = at_place(k);
      member_[static_cast<std::size_t>(k)] = &b;
      fewest = std::min(fewest, b.left);
    }
    periods_ = fewest >> round_.length_shift;
    youngest_ = youngest_of(p);
    if (n_ > p.members) {  // the others are younger up to the end
      const std::int64_t apart = at_place(p.members).age() - youngest_;
      const std::int64_t until_younger = (apart + round_.advance - 1) >> round_.advance_shift;
      if (until_younger < std::min<std::int64_t>(periods_, 2)) continue;
      periods_ = std::min(periods_, until_younger);
    }
    if (i > 0) std::swap(known[i], known[i - 1]);
    whole_periods_ = std::min<std::int64_t>(periods_, (fewest - 1) >> round_.length_shift);
    youngest_ += (periods_ - 1) * round_.advance;
    pattern_ = &p;
    older_came_ = false;
    step_ = 0;
    next_ = static_cast<std::uint8_t>(state_.organisation.in_unit(member_[p.step[0]]->bank));
    return true;
  }
  if (++misses_ % 64 == 0) learn_pattern();
  return false;
}

bool RowHitStream::matches(const ColumnPattern& p) const {
  if (n_ < p.members) return false;
  for (int k = 0; k < p.members; ++k) {
    const Bank& b = at_place(k);
    const ColumnPattern::Member& m = p.member[static_cast<std::size_t>(k)];
    if (!round_.begins_at(b.burst) || b.left < static_cast<std::uint32_t>(round_.length) ||
        std::max(b.ready, of_group_[b.group]) > t_ + m.first)
      return false;
    int group = k;
    for (int j = k; j-- > 0;) {
      const Bank& older = at_place(j);
      const std::int64_t apart = b.age() - older.age();
      if (apart < m.least[static_cast<std::size_t>(j)] || apart > m.most[static_cast<std::size_t>(j)]) return false;
      if (older.group == b.group) group = j;
    }
    if (group != m.group) return false;
  }
  return true;
}

/// Age of the youngest access of a period from here on.
std::int64_t RowHitStream::youngest_of(const ColumnPattern& p) const {
  std::int64_t youngest = 0;
  for (int k = 0; k < p.members; ++k) {
    const std::int64_t age = at_place(k).age() + p.member[static_cast<std::size_t>(k)].advance;
    youngest = k == 0 ? age : std::max(youngest, age);
  }
  return youngest;
}

void RowHitStream::learn_pattern() {
  std::vector<PatternBank> oldest_first;
  for (int k = 0; k < n_; ++k) oldest_first.push_back({at_place(k).burst, at_place(k).age(), at_place(k).group});
  auto pattern = find_column_pattern(oldest_first, round_, in_group(), in_unit());
  if (!pattern) return;
  auto& known = patterns_[op_];
  if (known.size() >= 8) known.pop_back();
  known.insert(known.begin(), std::move(pattern));
}

/// Whole periods at once: those in which no run ends, up to the horizon. False when there is none.
bool RowHitStream::issue_pattern_periods() {
  const ColumnPattern& p = *pattern_;
  const Cycle last = p.length - in_unit();
  if (whole_periods_ == 0 || horizon_ < t_ + last) return false;
  const std::int64_t periods = std::min<std::int64_t>(whole_periods_, (horizon_ - t_ - last) / p.length + 1);
  const AddressField& column = state_.decoder.column();
  if (state_.observed())
    for (std::int64_t j = 0; j < periods; ++j) {
      std::array<int, kMostMembers> turns{};
      for (int i = 0; i < p.steps; ++i) {
        const std::size_t k = p.step[static_cast<std::size_t>(i)];
        const Bank& b = *member_[k];
        const auto c = column.extract(b.burst) + static_cast<std::uint64_t>(j * round_.length + turns[k]++);
        state_.tell_observers(cmd_, t_ + j * p.length + i * in_unit(), unit_, b.bank, state_.banks.open_row(b.bank),
                              static_cast<std::int32_t>(c));
      }
    }
  const auto each = static_cast<std::uint32_t>(periods * round_.length);
  for (int k = 0; k < p.members; ++k) {
    Bank& b = *member_[static_cast<std::size_t>(k)];
    b.left -= each;
    b.unwritten = true;
    b.burst = (b.burst & ~column.mask()) | column.deposit(column.extract(b.burst) + each);
  }
  const Cycle start = t_ + (periods - 1) * p.length;
  for (int i = 0; i < p.steps; ++i) member_[p.step[static_cast<std::size_t>(i)]]->last = start + i * in_unit();
  waited_ += periods * (p.steps * t_ + p.sum_of_times) + p.steps * p.length * (periods * (periods - 1) / 2);
  accesses_ += periods * p.steps;
  periods_ -= periods;
  whole_periods_ -= periods;
  last_t_ = start + last;
  advance_in_pattern();
  return true;
}

/// Step by step up to the horizon, the end of a run or a whole period that can be taken at once.
void RowHitStream::issue_pattern_steps() {
  const ColumnPattern& p = *pattern_;
  const Cycle spacing = in_unit(), last = p.length - spacing;
  Cycle t = t_;
  std::int64_t n = 0;
  Bank* b = nullptr;
  do {
    b = member_[p.step[static_cast<std::size_t>(step_)]];
    access(*b, t);
    ++n;
    t += spacing;
    if (++step_ == p.steps) {
      step_ = 0;
      --periods_;
      if (whole_periods_ > 0) --whole_periods_;
      if (periods_ == 0 || (whole_periods_ > 0 && t + last <= horizon_)) break;
    }
  } while (b->left > 0 && t <= horizon_);
  last_t_ = t - spacing;
  accesses_ += n;
  waited_ += n * t_ + n * (n - 1) / 2 * spacing;
  if (b->left == 0) end_run(place_of(static_cast<std::uint8_t>(state_.organisation.in_unit(b->bank))));
  advance_in_pattern();
}

/// To the next access of the pattern, or out of it at its end.
void RowHitStream::advance_in_pattern() {
  t_ = floor_ = last_t_ + in_unit();
  if ((step_ == 0 && periods_ == 0) || older_came_)
    leave_pattern();
  else
    next_ = static_cast<std::uint8_t>(
        state_.organisation.in_unit(member_[pattern_->step[static_cast<std::size_t>(step_)]]->bank));
}

void RowHitStream::leave_pattern() {
  step_ = -1;
  for (int k = 0; k < pattern_->members; ++k) {
    const Bank& b = *member_[static_cast<std::size_t>(k)];
    Cycle& group = of_group_[b.group];
    group = std::max(group, b.last + in_group());
  }
  sort_all();
  choose_next();
}

// ------------------------------------------------------------------------------------------------------------- periods

/// The choices from here on may turn out to be periodic, if there is room for it. Returns how often to try.
int RowHitStream::watch_attempts() {
  if (round_.length == 0 || n_ == 0 || horizon_ - t_ < 16 * in_unit() ||
      slots_[next_].left <= static_cast<std::uint32_t>(round_.length) + 1)
    return 0;
  begin_period();
  return 3;
}

void RowHitStream::begin_period() {
  period_.steps = 0;
  period_.start = t_;
  period_.floor = floor_;
  period_.dense = t_ == floor_;
  for (int k = 0; k < n_; ++k) {
    Bank& b = at_place(k);
    b.start_ready = std::max({b.ready, of_group_[b.group], floor_}) - t_;
    b.start_age = b.age();
    b.turns = 0;
  }
}

/// The access that is about to be issued belongs to the period.
void RowHitStream::note_step() {
  period_.step[static_cast<std::size_t>(period_.steps++)] = {next_, slots_[next_].turns++, t_ - period_.start};
}

bool RowHitStream::period_is_over() const {
  return next_ == period_.step[0].slot && slots_[next_].turns == round_.length;
}

/// How often the period that has just been seen is certain to come again.
std::int64_t RowHitStream::certain_repetitions() const {
  const Cycle length = t_ - period_.start;
  if (floor_ - period_.floor != length) return 0;
  std::uint32_t fewest = ~std::uint32_t{0};
  std::int64_t youngest = 0, moved = 0;
  bool any = false, same_steps = true;
  for (int k = 0; k < n_; ++k) {
    const Bank& b = at_place(k);
    if (b.turns == 0) continue;
    // All have had as many turns, are as far from their next access as at first, and have grown older by as much.
    if (b.turns != round_.length || std::max({b.ready, of_group_[b.group], floor_}) - t_ != b.start_ready) return 0;
    const std::int64_t step = b.age() - b.start_age;
    same_steps = same_steps && (!any || step == moved);
    moved = step;
    fewest = std::min(fewest, b.left - 1);
    youngest = any ? std::max(youngest, b.age()) : b.age();
    any = true;
  }
  if (!any || !same_steps || fewest == 0) return 0;
  // Whoever was not served must not come to be: not ready yet or, where every access comes as soon as any can, younger
  // than all that are served up to the end.
  std::int64_t periods = fewest / static_cast<std::uint32_t>(round_.length);
  youngest += moved * periods;
  Cycle horizon = horizon_;
  for (int k = 0; k < n_; ++k) {
    const Bank& b = at_place(k);
    if (b.turns == 0 && (!period_.dense || b.age() <= youngest)) horizon = std::min(horizon, b.ready - 1);
  }
  const Cycle last = period_.step[static_cast<std::size_t>(period_.steps - 1)].at;
  return horizon < t_ + last ? 0 : std::min(periods, (horizon - t_ - last) / length + 1);
}

void RowHitStream::repeat_period(std::int64_t periods) {
  const Cycle length = t_ - period_.start, moved = periods * length;
  const AddressField& column = state_.decoder.column();
  if (state_.observed())
    for (std::int64_t k = 1; k <= periods; ++k)
      for (int i = 0; i < period_.steps; ++i) {
        const Period::Step& step = period_.step[static_cast<std::size_t>(i)];
        const Bank& b = slots_[static_cast<std::size_t>(step.slot)];
        const auto c = column.extract(b.burst) + static_cast<std::uint64_t>((k - 1) * round_.length + step.turn);
        state_.tell_observers(cmd_, period_.start + step.at + k * length, unit_, b.bank, state_.banks.open_row(b.bank),
                              static_cast<std::int32_t>(c));
      }
  for (int i = 0; i < period_.steps; ++i)
    waited_ += periods * (period_.start + period_.step[static_cast<std::size_t>(i)].at) +
               length * (periods * (periods + 1) / 2);
  for (int k = 0; k < n_; ++k) {
    Bank& b = at_place(k);
    if (b.turns == 0) continue;
    const auto each = static_cast<std::uint32_t>(periods * round_.length);
    b.left -= each;
    b.last += moved;
    b.burst = (b.burst & ~column.mask()) | column.deposit(column.extract(b.burst) + each);
    Cycle& free = of_group_[b.group];
    free = std::max(free, b.last + in_group());
  }
  // Those that were not served are now older than some that were, if they were not before.
  sort_all();
  accesses_ += periods * period_.steps;
  floor_ += moved;
  last_t_ += moved;
  choose_next();
}

}  // namespace harmonia::dram
