// The timing state alone: after one command, the first cycle of the next, for each rule of each standard. The rule
// checker, which is written from the definitions and does not know the tables, must find the command legal at that
// cycle and not one cycle before.
#include "harmonia/hw/dram/engine/timing_state.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

constexpr Cycle kPrepared = 1000, kPrevious = 50000;

/// A timing state and a rule checker that see the same commands.
class Pair {
 public:
  explicit Pair(const Config& config) : config_(config), organisation_(config), timing(config, organisation_) {}

  /// Bank of the unit, -1 for a command to all of them.
  Command command(Cmd cmd, int unit, int bank, Cycle t) const {
    Command c{t, cmd, static_cast<std::int16_t>(unit), -1, -1, 0, 0};
    if (bank < 0) return c;
    c.bankgroup = static_cast<std::int16_t>(bank / config_.banks_per_group);
    c.bank_in_group = static_cast<std::int16_t>(bank % config_.banks_per_group);
    return c;
  }
  void issue(Cmd cmd, int unit, int bank, Cycle t) {
    commands_.push_back(command(cmd, unit, bank, t));
    timing.issue(cmd, unit, flat(unit, bank), t);
  }
  Cycle earliest(Cmd cmd, int unit, int bank) const { return timing.earliest(cmd, unit, flat(unit, bank)); }

  /// Distances that the rule checker finds too short when the command follows at t. What it says of open and closed
  /// rows, ACT2, WCK and refresh intervals is not the matter of the timing state.
  std::string too_short(Cmd cmd, int unit, int bank, Cycle t) const {
    RuleChecker checker(config_);
    for (const Command& c : commands_) checker.on_command(c);
    const auto distances = [&checker] {
      std::map<Rule, std::uint64_t> broken;
      for (int r = 0; r < kRuleCount; ++r) broken[static_cast<Rule>(r)] = checker.violations(static_cast<Rule>(r));
      for (const Rule other :
           {Rule::act_closed, Rule::cas_row, Rule::refresh_closed, Rule::tREFI, Rule::tAAD, Rule::tWCK})
        broken.erase(other);
      return broken;
    };
    const auto before = distances();
    checker.on_command(command(cmd, unit, bank, t));
    std::string names;
    for (const auto& [rule, count] : distances())
      if (count != before.at(rule)) names += std::string(names.empty() ? "" : " ") + rule_name(rule);
    return names;
  }

 private:
  int flat(int unit, int bank) const { return bank < 0 ? -1 : organisation_.first_bank(unit) + bank; }

  Config config_;
  Organisation organisation_;
  std::vector<Command> commands_;

 public:
  TimingState timing;
};

bool is_of_unit(Cmd c) { return c == Cmd::kPreAll || c == Cmd::kRef || c == Cmd::kPdEnter || c == Cmd::kPdExit; }
bool is_column(Cmd c) { return c == Cmd::kRd || c == Cmd::kWr; }

/// A bank that shares with bank 0 of the unit just what the level says.
int bank_at(Level level, const Config& c) {
  switch (level) {
    case Level::kBank:
      return 0;
    case Level::kBankGroup:
      return 1;
    default:  // nor the place in its group: DDR5 refreshes the same bank of every group
      return c.bankgroups > 1 ? c.banks_per_group + 1 : 1;
  }
}

/// The rule's first command at kPrevious, on bank 0 of unit 0, after what must precede it.
void issue_previous(Pair& pair, const TimingRule& rule, const Config& c, int unit, int bank) {
  if (rule.previous == Cmd::kPdExit) pair.issue(Cmd::kPdEnter, 0, -1, kPrepared);
  if (is_column(rule.previous) || rule.previous == Cmd::kPre) pair.issue(Cmd::kAct, 0, 0, kPrepared);
  if ((is_column(rule.next) || rule.next == Cmd::kPre) && (unit != 0 || bank != 0))
    pair.issue(Cmd::kAct, unit, bank, 2 * kPrepared);
  if (rule.window > 1) {
    Cycle t = kPrevious;
    for (int i = 0; i < rule.window; ++i) {
      const int of_group = i % c.bankgroups, in_group = i / c.bankgroups;
      const int other = of_group * c.banks_per_group + in_group;
      t = std::max(t, pair.earliest(rule.previous, 0, other));
      pair.issue(rule.previous, 0, other, t);
    }
    return;
  }
  pair.issue(rule.previous, 0, is_of_unit(rule.previous) ? -1 : 0, kPrevious);
}

/// The checker has no such rule, or lets power-down begin a clock before: what is at work is to be finished.
bool only_in_the_tables(const TimingRule& r) { return r.next == Cmd::kPdEnter && r.previous != Cmd::kRd; }

bool is_sent(const TimingRule& r, const Config& c) {
  for (const Cmd cmd : {r.previous, r.next})
    if ((cmd == Cmd::kRefPb && c.refresh != RefreshPolicy::kPerBank) ||
        (cmd == Cmd::kRef && c.refresh != RefreshPolicy::kAllBank))
      return false;
  return r.level != Level::kOtherUnit || c.ranks > 1;
}

/// A part of the standard with each kind of refresh that it has, power-down and, where there are ranks, two of them.
std::vector<Config> variants(const Standard& s) {
  std::vector<Config> all;
  for (const char* refresh : {"all_bank", "per_bank"}) {
    Config c = find_preset(s.presets.front().name);
    if (std::string(refresh) == "per_bank" && c[Param::RFCpb] == 0) continue;
    set_key(c, "refresh", refresh);
    set_key(c, "power_down_idle_cycles", "100");
    if (s.has_ranks) set_key(c, "ranks", "2");
    if (s.has_ranks) set_key(c, "mapping", "rbc");
    c.finish();
    all.push_back(c);
  }
  return all;
}

}  // namespace

TEST_CASE("Timing state: each rule of each standard lets the command go at its cycle and not before") {
  for (const Standard& s : all_standards()) {
    const std::vector<Config> configs = variants(s);
    for (const TimingRule& rule : s.rules) {
      INFO(s.name << ": " << cmd_name(rule.previous) << " to " << cmd_name(rule.next) << ", " << rule.distance);
      for (const Config& c : configs) {
        if (!is_sent(rule, c) || evaluate(rule.distance, c) <= 0) continue;
        const int unit = rule.level == Level::kOtherUnit ? 1 : 0;
        const int bank = is_of_unit(rule.next) ? -1 : rule.window > 1 ? c.banks_per_unit() - 1 : bank_at(rule.level, c);
        Pair pair(c);
        issue_previous(pair, rule, c, unit, bank);
        const Cycle t = pair.earliest(rule.next, unit, bank);
        INFO("first at " << t - kPrevious << " cycles after, too short: " << pair.too_short(rule.next, unit, bank, t));
        CHECK(t > kPrevious);
        CHECK(pair.too_short(rule.next, unit, bank, t) == "");
        if (!only_in_the_tables(rule)) CHECK(pair.too_short(rule.next, unit, bank, t - 1) != "");
      }
    }
  }
}

TEST_CASE("Timing state: DDR4-3200 by hand") {
  // RCD 22, RAS 52, RC 74, RRD 4/8, FAW 34, RP 22, CCD 4/8, RTP 12, WR 24, CWL 16, burst 4, WTR 4/12, RTW 12.
  const Config c = configured("ddr4_3200.bgi");
  const auto after = [&](Cmd previous, int bank, Cmd next, int next_bank) {
    TimingState timing(c, Organisation(c));
    timing.issue(previous, 0, bank, 100);
    return timing.earliest(next, 0, next_bank) - 100;
  };
  CHECK(after(Cmd::kAct, 0, Cmd::kRd, 0) == 22);
  CHECK(after(Cmd::kAct, 0, Cmd::kPre, 0) == 52);
  CHECK(after(Cmd::kAct, 0, Cmd::kAct, 0) == 74);
  CHECK(after(Cmd::kAct, 0, Cmd::kAct, 1) == 8);
  CHECK(after(Cmd::kAct, 0, Cmd::kAct, 4) == 4);
  CHECK(after(Cmd::kAct, 0, Cmd::kRd, 4) == 1);  // the command bus alone
  CHECK(after(Cmd::kPre, 0, Cmd::kAct, 0) == 22);
  CHECK(after(Cmd::kRd, 0, Cmd::kRd, 1) == 8);
  CHECK(after(Cmd::kRd, 0, Cmd::kRd, 4) == 4);
  CHECK(after(Cmd::kRd, 0, Cmd::kPre, 0) == 12);
  CHECK(after(Cmd::kRd, 0, Cmd::kWr, 4) == 12);
  CHECK(after(Cmd::kWr, 0, Cmd::kPre, 0) == 16 + 4 + 24);
  CHECK(after(Cmd::kWr, 0, Cmd::kRd, 1) == 16 + 4 + 12);
  CHECK(after(Cmd::kWr, 0, Cmd::kRd, 4) == 16 + 4 + 4);
  CHECK(after(Cmd::kRef, -1, Cmd::kAct, 0) == 560);

  TimingState timing(c, Organisation(c));
  for (int i = 0; i < 4; ++i) timing.issue(Cmd::kAct, 0, 4 * i, 100 + 4 * i);
  CHECK(timing.earliest(Cmd::kAct, 0, 1) == 100 + 34);
}

TEST_CASE("Timing state: command buses") {
  const auto second = [](const char* preset, Cmd first, Cmd next) {
    const Config c = configured(preset);
    TimingState timing(c, Organisation(c));
    timing.issue(first, 0, 0, 100);
    return std::max<Cycle>(timing.earliest(next, 0, c.banks_per_unit() - 1), 100) - 100;
  };
  // LPDDR4: ACT takes four clocks of the one bus. HBM2: two clocks of the row pins; the column pins are free.
  CHECK(second("lpddr4_3200.rbc", Cmd::kAct, Cmd::kRd) == 4);
  CHECK(second("hbm2_2000.rbc", Cmd::kAct, Cmd::kRd) == 0);
  CHECK(second("hbm2_2000.rbc", Cmd::kAct, Cmd::kPre) == 2);
  CHECK(second("hbm2_2000.rbc", Cmd::kRd, Cmd::kPre) == 0);
}

TEST_CASE("Timing state: spacing of columns and data latency") {
  const Config c = configured("ddr4_3200.bgi", {{"ranks", "2"}, {"mapping", "rbc"}});
  const TimingState timing(c, Organisation(c));
  CHECK(timing.column_spacing_in_group(0) == 8);
  CHECK(timing.column_spacing_in_unit(0) == 4);
  CHECK(timing.column_spacing_of_ranks(0) == 4 + 2);  // burst and RTRS
  CHECK(timing.data_latency(0) == 22 + 4);
  CHECK(timing.data_latency(1) == 16 + 4);
}

TEST_CASE("Timing state: a held bank waits, and only that bank and command") {
  const Config c = configured("lpddr5_6400.cbg");
  TimingState timing(c, Organisation(c));
  timing.hold_bank(Cmd::kRd, 3, 70);
  CHECK(timing.earliest(Cmd::kRd, 0, 3) == 70);
  CHECK(timing.earliest(Cmd::kWr, 0, 3) == 0);
  CHECK(timing.earliest(Cmd::kRd, 0, 2) == 0);
}
