#include "harmonia/hw/dram/engine/column_patterns.h"

#include <algorithm>

namespace harmonia::dram {

ColumnRound::ColumnRound(const AddressField& column) {
  if (column.mask() == 0 || column.pieces() > 2) return;
  // Columns of one piece ascend by the same step each time; of two pieces, every time the lower one has gone round.
  length = column.pieces() == 1 ? 1 : 1 << column.width_of_first();
  mask = column.deposit(static_cast<std::uint64_t>(length - 1));
  step = length > 1 ? static_cast<std::int64_t>(column.deposit(1)) : 0;
  advance = static_cast<std::int64_t>(column.deposit(static_cast<std::uint64_t>(length)));
  length_shift = __builtin_ctz(static_cast<unsigned>(length));
  advance_shift = __builtin_ctzll(static_cast<unsigned long long>(advance));
}

namespace {

/// Plays one period among the first so many banks.
class PatternPlay {
 public:
  PatternPlay(const std::vector<PatternBank>& banks, std::size_t members, const ColumnRound& round, Cycle to_group,
              Cycle to_unit)
      : banks_(banks), members_(members), round_(round), to_group_(to_group), to_unit_(to_unit) {
    pattern_.members = static_cast<int>(members);
    for (std::size_t k = 0; k < members; ++k) {
      ColumnPattern::Member& m = pattern_.member[k];
      while (banks[static_cast<std::size_t>(m.group)].group != banks[k].group) ++m.group;
      m.least.fill(-kNever);
      m.most.fill(kNever);
    }
  }

  /// False when the order does not repeat after one round of each member.
  bool play() {
    const int steps = static_cast<int>(members_) * round_.length;
    for (Cycle t = 0; pattern_.steps < steps; ++pattern_.steps, t += to_unit_) {
      const std::size_t chosen = oldest_ready(t);
      if (chosen == members_ || turns_[chosen] == round_.length) return false;
      bound_ages(chosen, t);
      serve(chosen, t);
    }
    pattern_.length = steps * to_unit_;
    // It leads back to where it began if everybody is ready in time for the next period.
    for (std::size_t k = 0; k < members_; ++k) {
      const auto g = static_cast<std::size_t>(pattern_.member[k].group);
      if (group_free_[g] - pattern_.length > pattern_.member[g].first) return false;
    }
    return true;
  }
  std::int64_t youngest() const {
    std::int64_t youngest = banks_[0].age;
    for (std::size_t k = 0; k < members_; ++k)
      youngest = std::max(youngest, banks_[k].age + pattern_.member[k].advance);
    return youngest;
  }
  const ColumnPattern& pattern() const { return pattern_; }

 private:
  bool ready(std::size_t k, Cycle t) const {
    return group_free_[static_cast<std::size_t>(pattern_.member[k].group)] <= t;
  }
  std::int64_t age(std::size_t k) const { return banks_[k].age + advance_[k]; }
  std::size_t oldest_ready(Cycle t) const {
    std::size_t oldest = members_;
    for (std::size_t k = 0; k < members_; ++k)
      if (ready(k, t) && (oldest == members_ || age(k) < age(oldest))) oldest = k;
    return oldest;
  }
  /// The choice holds as long as every other bank that is ready is younger than the chosen one.
  void bound_ages(std::size_t chosen, Cycle t) {
    for (std::size_t k = 0; k < members_; ++k) {
      if (k == chosen || !ready(k, t)) continue;
      ColumnPattern::Member& later = pattern_.member[std::max(k, chosen)];
      if (chosen < k)
        later.least[chosen] = std::max(later.least[chosen], advance_[chosen] - advance_[k] + 1);
      else
        later.most[k] = std::min(later.most[k], advance_[k] - advance_[chosen] - 1);
    }
  }
  void serve(std::size_t k, Cycle t) {
    ColumnPattern::Member& m = pattern_.member[k];
    if (turns_[k] == 0) m.first = t;
    m.advance = advance_[k];
    ++turns_[k];
    advance_[k] = turns_[k] / round_.length * round_.advance + turns_[k] % round_.length * round_.step;
    pattern_.sum_of_times += t;
    group_free_[static_cast<std::size_t>(m.group)] = t + to_group_;
    pattern_.step[static_cast<std::size_t>(pattern_.steps)] = static_cast<std::uint32_t>(k);
  }

  const std::vector<PatternBank>& banks_;
  std::size_t members_;
  const ColumnRound& round_;
  Cycle to_group_, to_unit_;
  ColumnPattern pattern_;
  std::array<Cycle, kMostMembers> group_free_{};
  std::array<int, kMostMembers> turns_{};
  std::array<std::int64_t, kMostMembers> advance_{};
};

}  // namespace

std::unique_ptr<const ColumnPattern> find_column_pattern(const std::vector<PatternBank>& banks,
                                                         const ColumnRound& round, Cycle to_group, Cycle to_unit) {
  for (std::size_t members = 1; members <= std::min(banks.size(), kMostMembers); ++members) {
    if (static_cast<int>(members) * round.length > kLongestPeriod || !round.begins_at(banks[members - 1].burst)) break;
    PatternPlay play(banks, members, round, to_group, to_unit);
    if (!play.play()) continue;
    // Nor is it worth anything when others must come in between soon.
    if (members < banks.size() && banks[members].age <= play.youngest() + round.advance) continue;
    return std::make_unique<const ColumnPattern>(play.pattern());
  }
  return nullptr;
}

}  // namespace harmonia::dram
