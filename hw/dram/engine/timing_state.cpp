#include "harmonia/hw/dram/engine/timing_state.h"

#include <stdexcept>

namespace harmonia::dram {
namespace {

/// Before commands that are never sent there is nothing to keep.
bool is_sent(Cmd c, const Config& config) {
  switch (c) {
    case Cmd::kRefPb:
      return config.refresh == RefreshPolicy::kPerBank;
    case Cmd::kRef:
      return config.refresh == RefreshPolicy::kAllBank;
    case Cmd::kPdEnter:
    case Cmd::kPdExit:
      return config.power_down_idle_cycles > 0;
    default:
      return true;
  }
}

}  // namespace

TimingState::TimingState(const Config& config, const Organisation& organisation)
    : organisation_(organisation),
      split_bus_(config.standard->split_command_bus),
      from_last_edge_(config.standard->from_last_edge),
      length_(config.standard->command_cycles),
      bank_time_(static_cast<std::size_t>(kCmdCount * organisation_.banks)),
      group_time_(static_cast<std::size_t>(kCmdCount * organisation_.groups)) {
  for (const TimingRule& rule : config.standard->rules)
    if (is_sent(rule.next, config)) compile(rule, config);
  for (int op = 0; op < 2; ++op) {
    const int edge = from_last_edge_ ? length(column_command(op)) - 1 : 0;
    data_latency_[op] =
        edge + config.burst_cycles() + (op == 0 ? config[Param::CL] + config[Param::DQSCK] : config[Param::CWL]);
  }
  find_spacings(config);
}

void TimingState::compile(const TimingRule& rule, const Config& config) {
  int cycles = evaluate(rule.distance, config);
  // Out of power-down every command may begin XP later, however long it is.
  if (from_last_edge_ && rule.previous != Cmd::kPdExit) cycles += length(rule.previous) - length(rule.next);
  RulesAfter& rules = rules_[index(rule.previous)];
  if (rule.window > 1) {
    if (rule.level != Level::kUnit) throw std::logic_error("a timing window must be of the unit level");
    const auto units = static_cast<std::size_t>(organisation_.units);
    rules.beyond_distances = true;
    rules.windows.push_back({rule.next,
                             cycles,
                             rule.window,
                             std::vector<Cycle>(units * static_cast<std::size_t>(rule.window), -kNever),
                             {}});
    return;
  }
  if (cycles <= 0) return;
  switch (rule.level) {
    case Level::kBank:
      rules.of_bank.push_back({&bank_time_[slot(rule.next, organisation_.banks, 0)], cycles});
      break;
    case Level::kBankGroup:
      rules.of_group.push_back({&group_time_[slot(rule.next, organisation_.groups, 0)], cycles});
      break;
    case Level::kUnit:
      rules.of_unit.push_back({&unit_time_[0][static_cast<std::size_t>(index(rule.next))], cycles});
      break;
    case Level::kOtherUnit:
      if (config.ranks == 1) break;
      rules.beyond_distances = true;
      rules.of_ranks.push_back({rule.next, cycles});
      break;
  }
}

void TimingState::find_spacings(const Config& config) {
  for (int op = 0; op < 2; ++op) {
    const Cmd c = column_command(op);
    Cycle* spacing = column_spacing_[op];
    spacing[1] = length(c);
    for (const TimingRule& r : config.standard->rules) {
      if (r.previous != c || r.next != c) continue;
      const Cycle cycles = evaluate(r.distance, config);
      if (r.level == Level::kBankGroup) spacing[0] = std::max(spacing[0], cycles);
      if (r.level == Level::kUnit) spacing[1] = std::max(spacing[1], cycles);
    }
    for (const RankDistance& r : rules_[index(c)].of_ranks)
      if (r.next == c) spacing[2] = std::max(spacing[2], r.cycles);
  }
}

void TimingState::apply_windows_and_ranks(RulesAfter& rules, int unit, Cycle t) {
  for (Window& w : rules.windows) {
    std::uint32_t& place = w.place[unit];
    Cycle* issued = &w.issued[static_cast<std::size_t>(unit * w.size)];
    issued[place] = t;
    place = place + 1 == static_cast<std::uint32_t>(w.size) ? 0 : place + 1;
    Cycle& time = unit_time_[unit][static_cast<std::size_t>(index(w.next))];
    time = std::max(time, issued[place] + w.cycles);
  }
  if (rules.of_ranks.empty()) return;
  for (int u = organisation_.pseudo_channel_of(unit); u < organisation_.units; u += organisation_.pseudo_channels)
    if (u != unit)
      for (const RankDistance& r : rules.of_ranks) {
        Cycle& time = unit_time_[u][static_cast<std::size_t>(index(r.next))];
        time = std::max(time, t + r.cycles);
      }
}

}  // namespace harmonia::dram
