#include "harmonia/hw/dram/rule_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

std::string text_of(const Command& c) {
  std::string s = fmt::format("{} at {} unit {}", cmd_name(c.cmd), c.cycle, c.unit);
  if (c.bankgroup >= 0) s += fmt::format(" bank {}.{}", c.bankgroup, c.bank_in_group);
  if (c.row >= 0) s += fmt::format(" row {}", c.row);
  return s;
}

}  // namespace

const char* rule_name(Rule r) {
  static const char* const names[] = {
#define X(name, definition) #name,
      HARMONIA_DRAM_RULES(X)
#undef X
  };
  return names[static_cast<int>(r)];
}

const char* rule_definition(Rule r) {
  static const char* const definitions[] = {
#define X(name, definition) definition,
      HARMONIA_DRAM_RULES(X)
#undef X
  };
  return definitions[static_cast<int>(r)];
}

RuleChecker::RuleChecker(const Config& config)
    : config_(config),
      standard_(*config.standard),
      burst_(config.burst_cycles()),
      write_lead_(config.standard->write_data_delay) {
  Unit u;
  u.banks.resize(static_cast<std::size_t>(config_.banks_per_unit()));
  for (auto* list : {&u.act, &u.rd, &u.wr}) list->assign(static_cast<std::size_t>(config_.bankgroups), -kNever);
  u.window.fill(-kNever);
  units_.assign(static_cast<std::size_t>(config_.units()), u);
  data_bus_.resize(static_cast<std::size_t>(config_.pseudo_channels));
  slack_.fill(kNever);
  // A refresh that is due first waits for the power-down to end and the banks to close: the longest that a bank keeps
  // itself open is an activate just before with a write. Commands of other units may go in between.
  const int recovery = std::max(at(Param::RAS), std::max(at(Param::RCDRD), at(Param::RCDWR)) + at(Param::CWL) +
                                                    write_lead_ + burst_ + at(Param::WR));
  refresh_slack_ = at(Param::CKE) + at(Param::XP) + recovery + std::max(at(Param::RPab), at(Param::RP)) +
                   std::max(at(Param::PBR2PBR), at(Param::RRD_S)) + 32 * config_.units();
}

/// Clocks that a command takes on its pins.
int RuleChecker::length(Cmd c) const { return standard_.command_cycles[static_cast<std::size_t>(c)]; }

void RuleChecker::bad(Rule rule, const Command& c, const std::string& why) {
  const auto r = static_cast<std::size_t>(rule);
  if (broken_[r]++ == 0) example_[r] = text_of(c) + ": " + why;
}

void RuleChecker::need(Rule rule, const Command& c, Cycle t, Cycle since, Cycle distance) {
  if (since <= -kNever) return;
  const Cycle slack = t - since - distance;
  Cycle& smallest = slack_[static_cast<std::size_t>(rule)];
  if (slack < smallest) smallest = slack;
  if (slack < 0) bad(rule, c, fmt::format("{} cycles, expected at least {}", t - since, distance));
}

std::uint64_t RuleChecker::violations() const {
  return std::accumulate(broken_.begin(), broken_.end(), std::uint64_t{0});
}

std::string RuleChecker::report() const {
  std::string text;
  for (int r = 0; r < kRuleCount; ++r)
    if (broken_[static_cast<std::size_t>(r)] != 0)
      text += fmt::format("{} ({}) broken {} times, first {}\n", rule_name(static_cast<Rule>(r)),
                          rule_definition(static_cast<Rule>(r)), broken_[static_cast<std::size_t>(r)],
                          example_[static_cast<std::size_t>(r)]);
  return text;
}

void RuleChecker::on_command(const Command& c) {
  ++commands_;
  if (c.cycle < now_) bad(Rule::order, c, fmt::format("after a command at {}", now_));
  now_ = std::max(now_, c.cycle);
  const int bank = c.bankgroup * config_.banks_per_group + c.bank_in_group;
  const bool whole = c.cmd == Cmd::kPreAll || c.cmd == Cmd::kRef || c.cmd == Cmd::kPdEnter || c.cmd == Cmd::kPdExit;
  const bool has_column = c.cmd == Cmd::kRd || c.cmd == Cmd::kWr;
  const bool has_row = has_column || c.cmd == Cmd::kAct;
  if (c.unit < 0 || c.unit >= config_.units() ||
      (!whole && (c.bankgroup < 0 || c.bankgroup >= config_.bankgroups || c.bank_in_group < 0 ||
                  c.bank_in_group >= config_.banks_per_group)) ||
      (has_row && (c.row < 0 || c.row >= config_.rows)) ||
      (has_column && (c.column < 0 || c.column >= config_.bursts_per_row()))) {
    bad(Rule::coordinates, c, "outside the organisation");
    return;
  }
  Unit& u = units_[static_cast<std::size_t>(c.unit)];

  Cycle& bus = bus_free_[standard_.split_command_bus && has_column ? 1 : 0];
  need(Rule::command_bus, c, c.cycle, bus, 0);
  bus = std::max(bus, c.cycle + length(c.cmd));

  if (u.down && c.cmd != Cmd::kPdExit) bad(Rule::power_down, c, "the unit is in power-down");
  if (c.cmd != Cmd::kPdExit && c.cmd != Cmd::kPdEnter) need(Rule::tXP, c, c.cycle, u.exit, at(Param::XP));

  const Cycle t = edge(c);
  if (u.half_open >= 0 && (c.cmd == Cmd::kAct || (!whole && c.cmd != Cmd::kAct2 && bank == u.half_open) || whole))
    bad(Rule::tAAD, c, "ACT2 is still to come");
  switch (c.cmd) {
    case Cmd::kAct:
      activate(c, u, u.banks[static_cast<std::size_t>(bank)], t);
      if (standard_.split_activate) {
        u.half_open = bank;
        u.act1 = t;
      }
      break;
    case Cmd::kAct2:
      if (u.half_open != bank)
        bad(Rule::tAAD, c, "no ACT1 before");
      else if (t - u.act1 > at(Param::AAD))
        bad(Rule::tAAD, c, fmt::format("{} cycles after ACT1, expected at most {}", t - u.act1, at(Param::AAD)));
      u.half_open = -1;
      break;
    case Cmd::kRd:
    case Cmd::kWr:
      column(c, u, u.banks[static_cast<std::size_t>(bank)], t);
      break;
    case Cmd::kCasRd:
    case Cmd::kCasWr:
      u.cas[c.cmd == Cmd::kCasWr ? 1 : 0] = c.cycle;
      break;
    case Cmd::kPre:
      need(Rule::tPPD, c, t, u.pre, at(Param::PPD));
      close(c, u.banks[static_cast<std::size_t>(bank)], t);
      u.pre = t;
      break;
    case Cmd::kPreAll:
      need(Rule::tPPD, c, t, u.pre, at(Param::PPD));
      for (Bank& b : u.banks) close(c, b, t);
      u.pre_all = t;
      break;
    case Cmd::kRef:
      refresh(c, u, t);
      break;
    case Cmd::kRefPb:
      refresh_banks(c, u, t);
      break;
    case Cmd::kPdEnter: {
      need(Rule::tCKE, c, c.cycle, u.exit, at(Param::CKE));
      const int tail = at(Param::CL) + at(Param::DQSCK) + burst_ + 1;
      need(Rule::power_down, c, t, u.last_rd, tail);
      need(Rule::power_down, c, t, u.last_wr, at(Param::CWL) + write_lead_ + burst_ + at(Param::WR));
      u.down = true;
      u.entry = c.cycle;
      break;
    }
    case Cmd::kPdExit:
      if (!u.down) bad(Rule::power_down, c, "the unit is not in power-down");
      need(Rule::tCKE, c, c.cycle, u.entry, at(Param::CKE));
      u.down = false;
      u.exit = c.cycle;
      break;
  }
}

void RuleChecker::activate(const Command& c, Unit& u, Bank& b, Cycle t) {
  if (b.row >= 0) bad(Rule::act_closed, c, fmt::format("row {} is open", b.row));
  need(Rule::tRP, c, t, b.pre, at(Param::RP));
  need(Rule::tRPab, c, t, u.pre_all, at(Param::RPab));
  need(Rule::tRC, c, t, b.act, at(Param::RC));
  for (int g = 0; g < config_.bankgroups; ++g) {
    const bool same = g == c.bankgroup;
    need(same ? Rule::tRRD_L : Rule::tRRD_S, c, t, u.act[static_cast<std::size_t>(g)],
         at(same ? Param::RRD_L : Param::RRD_S));
  }
  need(Rule::tFAW, c, t, u.window[u.acts % 4], at(Param::FAW));
  need(Rule::tRFC, c, t, u.ref, at(Param::RFC));
  need(Rule::tRFCpb, c, t, b.refresh, at(Param::RFCpb));
  need(Rule::tRREFD, c, t, u.ref_pb, at(Param::RREFD));
  u.window[u.acts++ % 4] = t;
  u.act[static_cast<std::size_t>(c.bankgroup)] = t;
  b.act = t;
  b.row = c.row;
}

void RuleChecker::column(const Command& c, Unit& u, Bank& b, Cycle t) {
  const bool write = c.cmd == Cmd::kWr;
  if (b.row != c.row)
    bad(Rule::cas_row, c, b.row < 0 ? std::string("the bank is closed") : fmt::format("row {} is open", b.row));
  need(Rule::tRCD, c, t, b.act, at(write ? Param::RCDWR : Param::RCDRD));
  const int write_data = at(Param::CWL) + write_lead_;  // WR to its first data beat
  for (int g = 0; g < config_.bankgroups; ++g) {
    const bool same = g == c.bankgroup;
    const auto i = static_cast<std::size_t>(g);
    need(same ? Rule::tCCD_L : Rule::tCCD_S, c, t, (write ? u.wr : u.rd)[i],
         at(!same   ? Param::CCD_S
            : write ? Param::CCD_L_WR
                    : Param::CCD_L));
    if (!write) {
      const int data = same && standard_.has_group_burst ? at(Param::BLMAX) : burst_;
      need(same ? Rule::tWTR_L : Rule::tWTR_S, c, t, u.wr[i],
           write_data + data + at(same ? Param::WTR_L : Param::WTR_S));
    }
  }
  if (write) need(Rule::tRTW, c, t, u.last_rd, at(Param::RTW));

  const Cycle start = t + (write ? at(Param::CWL) : at(Param::CL) + at(Param::DQSCK)), end = start + burst_;
  DataBus& bus = data_bus_[static_cast<std::size_t>(c.unit % config_.pseudo_channels)];
  need(Rule::data_bus, c, start, bus.end, 0);
  if (bus.unit >= 0 && bus.unit != c.unit) need(Rule::tRTRS, c, start, bus.end, at(Param::RTRS));
  bus = {std::max(bus.end, end), c.unit};

  if (standard_.wck_sync) {
    if (c.cycle >= u.wck_until && u.cas[write ? 1 : 0] != c.cycle - 1)
      bad(Rule::tWCK, c, fmt::format("WCK is out of step since {}", u.wck_until));
    u.wck_until = end + at(Param::WCKPST);
  }
  (write ? u.wr : u.rd)[static_cast<std::size_t>(c.bankgroup)] = t;
  (write ? b.wr : b.rd) = t;
  (write ? u.last_wr : u.last_rd) = t;
}

void RuleChecker::close(const Command& c, Bank& b, Cycle t) {
  if (b.row < 0) return;  // closing a closed bank does nothing
  need(Rule::tRAS, c, t, b.act, at(Param::RAS));
  // LPDDR4: BL/2 + max(8, tRTP) - 8, which is tRTP for the burst of 16 that tRTP >= 8 is given for.
  const int rtp = standard_.read_recovery_after_burst ? burst_ + std::max(8, at(Param::RTP)) - 8 : at(Param::RTP);
  need(Rule::tRTP, c, t, b.rd, rtp);
  need(Rule::tWR, c, t, b.wr, at(Param::CWL) + write_lead_ + burst_ + at(Param::WR));
  b.row = -1;
  b.rd = b.wr = -kNever;
  b.pre = t;
}

void RuleChecker::refresh_time(const Command& c, Unit& u) {
  const bool all = c.cmd == Cmd::kRef;
  const Cycle interval = at(all ? Param::REFI : Param::REFIpb);
  ++u.refreshes;
  const Cycle due = static_cast<Cycle>(u.refreshes) * interval;
  const Cycle late = c.cycle - due;
  if (late > (all ? config_.refresh_postpone * interval : 0) + refresh_slack_ ||
      late < -(all ? config_.refresh_pull_in * interval : 0))
    bad(Rule::tREFI, c, fmt::format("number {} was due at {}", u.refreshes, due));
}

void RuleChecker::refresh(const Command& c, Unit& u, Cycle t) {
  for (std::size_t i = 0; i < u.banks.size(); ++i) {
    const Bank& b = u.banks[i];
    if (b.row >= 0) bad(Rule::refresh_closed, c, fmt::format("bank {} holds row {}", i, b.row));
    need(Rule::tRP_refresh, c, t, b.pre, at(Param::RP));
    need(Rule::tRFCpb, c, t, b.refresh, at(Param::RFCpb));
  }
  need(Rule::tRP_refresh, c, t, u.pre_all, at(Param::RPREF));
  need(Rule::tRFC, c, t, u.ref, at(Param::RFC));
  u.ref = t;
  refresh_time(c, u);
}

void RuleChecker::refresh_banks(const Command& c, Unit& u, Cycle t) {
  // REFsb refreshes the same bank of every group, REFpb one bank.
  for (int g = 0; g < config_.bankgroups; ++g)
    for (int i = 0; i < config_.banks_per_group; ++i) {
      Bank& b = u.banks[static_cast<std::size_t>(g * config_.banks_per_group + i)];
      if (i != c.bank_in_group || (g != c.bankgroup && !standard_.same_bank_refresh)) {
        need(Rule::tRC_refresh, c, t, b.act, at(Param::RRD_S));
        continue;
      }
      if (b.row >= 0) bad(Rule::refresh_closed, c, fmt::format("the bank holds row {}", b.row));
      need(Rule::tRP_refresh, c, t, b.pre, at(Param::RP));
      need(Rule::tRC_refresh, c, t, b.act, at(Param::RC));
      need(Rule::tRFCpb, c, t, b.refresh, at(Param::RFCpb));
      b.refresh = t;
    }
  need(Rule::tRP_refresh, c, t, u.pre_all, at(Param::RPab));
  need(Rule::tRFC, c, t, u.ref, at(Param::RFC));
  need(Rule::tPBR2PBR, c, t, u.ref_pb, at(Param::PBR2PBR));
  u.ref_pb = t;
  refresh_time(c, u);
}

void RuleChecker::finish(Cycle now) {
  if (config_.refresh == RefreshPolicy::kNone) return;
  const bool all = config_.refresh == RefreshPolicy::kAllBank;
  const Cycle interval = at(all ? Param::REFI : Param::REFIpb);
  for (std::size_t i = 0; i < units_.size(); ++i) {
    const Cycle due = static_cast<Cycle>(units_[i].refreshes + 1) * interval;
    if (now > due + (all ? config_.refresh_postpone * interval : 0) + refresh_slack_)
      bad(Rule::tREFI, {now, all ? Cmd::kRef : Cmd::kRefPb, static_cast<std::int16_t>(i), -1, -1, -1, -1},
          fmt::format("number {} was due at {} and has not come", units_[i].refreshes + 1, due));
  }
}

}  // namespace harmonia::dram
