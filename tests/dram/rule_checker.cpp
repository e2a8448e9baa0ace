// The rule checker itself: each rule by hand at its limit and one clock before, and each rule broken on purpose in the
// engine.
#include "harmonia/hw/dram/rule_checker.h"

#include <array>
#include <string>
#include <vector>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

struct Step {
  Cycle cycle;
  Cmd cmd;
  int bankgroup = -1, bank = -1, row = 0, column = 0, unit = 0;
};

RuleChecker checked(const Config& c, const std::vector<Step>& steps) {
  RuleChecker checker(c);
  for (const Step& s : steps)
    checker.on_command({s.cycle, s.cmd, static_cast<std::int16_t>(s.unit), static_cast<std::int16_t>(s.bankgroup),
                        static_cast<std::int16_t>(s.bank), s.row, s.column});
  return checker;
}

/// Legal as it stands; with the last command one cycle earlier exactly `rule` is broken, once.
void at_the_limit(const Config& c, Rule rule, std::vector<Step> steps) {
  INFO(c.name << " " << rule_name(rule));
  CHECK(checked(c, steps).report() == "");
  --steps.back().cycle;
  const RuleChecker early = checked(c, steps);
  INFO(early.report());
  CHECK(early.violations(rule) == 1);
  CHECK(early.violations() == 1);
}

void broken(const Config& c, Rule rule, const std::vector<Step>& steps) {
  const RuleChecker checker = checked(c, steps);
  INFO(c.name << " " << rule_name(rule) << "\n" << checker.report());
  CHECK(checker.violations(rule) == 1);
  CHECK(checker.violations() == 1);
}

constexpr Cmd kAct = Cmd::kAct, kAct2 = Cmd::kAct2, kPre = Cmd::kPre, kPreA = Cmd::kPreAll, kRd = Cmd::kRd,
              kWr = Cmd::kWr, kRef = Cmd::kRef, kRefPb = Cmd::kRefPb, kPde = Cmd::kPdEnter, kPdx = Cmd::kPdExit,
              kCasR = Cmd::kCasRd, kCasW = Cmd::kCasWr;

}  // namespace

TEST_CASE("Rule checker: DDR4-3200 distances by hand") {
  // CL 22 CWL 16 RCD 22 RP 22 RAS 52 RC 74 WR 24 RTP 12 CCD 4/8 RRD 4/8 WTR 4/12 RTW 12 FAW 34 RFC 560 REFI 12480 XP 10
  // CKE 8, burst 4.
  const Config c = configured("ddr4_3200.bgi");
  at_the_limit(c, Rule::tRCD, {{0, kAct, 0, 0}, {22, kRd, 0, 0}});
  at_the_limit(c, Rule::tRCD, {{0, kAct, 0, 0}, {22, kWr, 0, 0}});
  at_the_limit(c, Rule::tRAS, {{0, kAct, 0, 0}, {52, kPre, 0, 0}});
  at_the_limit(c, Rule::tRAS, {{0, kAct, 0, 0}, {52, kPreA}});
  at_the_limit(c, Rule::tRP, {{0, kAct, 0, 0}, {53, kPre, 0, 0}, {75, kAct, 0, 0}});
  at_the_limit(configured("ddr4_3200.bgi", {{"RC", "80"}}), Rule::tRC,
               {{0, kAct, 0, 0}, {52, kPre, 0, 0}, {80, kAct, 0, 0}});
  at_the_limit(configured("ddr4_3200.bgi", {{"RPab", "30"}}), Rule::tRPab,
               {{0, kAct, 0, 0}, {60, kPreA}, {90, kAct, 0, 0}});
  at_the_limit(c, Rule::tRRD_S, {{0, kAct, 0, 0}, {4, kAct, 1, 0}});
  at_the_limit(c, Rule::tRRD_L, {{0, kAct, 0, 0}, {8, kAct, 0, 1}});
  at_the_limit(c, Rule::tFAW, {{0, kAct, 0, 0}, {4, kAct, 1, 0}, {8, kAct, 2, 0}, {12, kAct, 3, 0}, {34, kAct, 0, 1}});
  at_the_limit(configured("ddr4_3200.bgi", {{"CCD_S", "5"}}), Rule::tCCD_S,
               {{0, kAct, 0, 0}, {4, kAct, 1, 0}, {26, kRd, 0, 0}, {31, kRd, 1, 0}});
  at_the_limit(c, Rule::tCCD_L, {{0, kAct, 0, 0}, {22, kRd, 0, 0}, {30, kRd, 0, 0}});
  at_the_limit(c, Rule::tCCD_L, {{0, kAct, 0, 0}, {22, kWr, 0, 0}, {30, kWr, 0, 0}});
  at_the_limit(c, Rule::tWTR_S, {{0, kAct, 0, 0}, {4, kAct, 1, 0}, {26, kWr, 0, 0}, {50, kRd, 1, 0}});
  at_the_limit(c, Rule::tWTR_L, {{0, kAct, 0, 0}, {22, kWr, 0, 0}, {54, kRd, 0, 0}});
  at_the_limit(c, Rule::tRTW, {{0, kAct, 0, 0}, {22, kRd, 0, 0}, {34, kWr, 0, 0}});
  at_the_limit(c, Rule::tRTP, {{0, kAct, 0, 0}, {50, kRd, 0, 0}, {62, kPre, 0, 0}});
  at_the_limit(c, Rule::tWR, {{0, kAct, 0, 0}, {22, kWr, 0, 0}, {66, kPre, 0, 0}});
  at_the_limit(c, Rule::tRFC, {{12480, kRef}, {13040, kAct, 0, 0}});
  at_the_limit(c, Rule::tREFI, {{12480, kRef}});
  at_the_limit(c, Rule::tRP_refresh, {{0, kAct, 0, 0}, {12468, kPre, 0, 0}, {12490, kRef}});
  at_the_limit(configured("ddr4_3200.bgi", {{"RPREF", "30"}}), Rule::tRP_refresh,
               {{0, kAct, 0, 0}, {12460, kPreA}, {12490, kRef}});
  at_the_limit(c, Rule::tXP, {{100, kPde}, {108, kPdx}, {118, kAct, 0, 0}});
  at_the_limit(c, Rule::tCKE, {{100, kPde}, {108, kPdx}});
  at_the_limit(c, Rule::tCKE, {{100, kPde}, {110, kPdx}, {118, kPde}});
  at_the_limit(c, Rule::power_down, {{0, kAct, 0, 0}, {22, kRd, 0, 0}, {49, kPde}});
  at_the_limit(c, Rule::power_down, {{0, kAct, 0, 0}, {22, kWr, 0, 0}, {66, kPde}});
  // A read's data end at 22 + 22 + 4 = 48; a write 10 after the read puts its data right behind them.
  at_the_limit(configured("ddr4_3200.bgi", {{"RTW", "1"}}), Rule::data_bus,
               {{0, kAct, 0, 0}, {22, kRd, 0, 0}, {32, kWr, 0, 0}});
  at_the_limit(
      configured("ddr4_3200.bgi", {{"ranks", "2"}, {"mapping", "bgi"}}), Rule::tRTRS,
      {{0, kAct, 0, 0, 0, 0, 0}, {2, kAct, 0, 0, 0, 0, 1}, {30, kRd, 0, 0, 0, 0, 0}, {36, kRd, 0, 0, 0, 0, 1}});
  at_the_limit(c, Rule::command_bus, {{0, kAct, 0, 0}, {52, kRd, 0, 0}, {53, kAct, 1, 0}});
}

TEST_CASE("Rule checker: states of banks, rows, power and time by hand") {
  const Config c = configured("ddr4_3200.bgi");
  broken(c, Rule::act_closed, {{0, kAct, 0, 0, 5}, {80, kAct, 0, 0, 6}});
  broken(c, Rule::cas_row, {{0, kAct, 0, 0, 5}, {22, kRd, 0, 0, 6}});
  broken(c, Rule::cas_row, {{0, kAct, 0, 0, 5}, {22, kRd, 0, 1, 5}});
  broken(c, Rule::cas_row, {{0, kAct, 0, 0, 5}, {60, kPre, 0, 0}, {70, kWr, 0, 0, 5}});
  broken(c, Rule::refresh_closed, {{0, kAct, 2, 3, 5}, {12480, kRef}});
  broken(c, Rule::power_down, {{100, kPde}, {200, kAct, 0, 0}});
  broken(c, Rule::power_down, {{100, kPdx}});
  broken(c, Rule::coordinates, {{0, kAct, 4, 0}});
  broken(c, Rule::coordinates, {{0, kAct, 0, 0, 65536}});
  broken(c, Rule::coordinates, {{0, kAct, 0, 0}, {22, kRd, 0, 0, 0, 128}});
  CHECK(checked(c, {{12480, kRef}, {100, kPreA}}).violations(Rule::order) == 1);
  // A refresh may be late by the closing of the banks, not by a thousand cycles, unless it may be postponed.
  broken(c, Rule::tREFI, {{13480, kRef}});
  CHECK(checked(configured("ddr4_3200.bgi", {{"refresh_postpone", "1"}}), {{13480, kRef}}).report() == "");
  broken(configured("ddr4_3200.bgi", {{"refresh_postpone", "1"}}), Rule::tREFI, {{26000, kRef}});
  CHECK(checked(configured("ddr4_3200.bgi", {{"refresh_pull_in", "1"}}), {{100, kRef}}).report() == "");
  RuleChecker none(c);
  none.finish(12480);
  CHECK(none.report() == "");
  none.finish(14000);
  CHECK(none.violations(Rule::tREFI) == 1);
}

TEST_CASE("Rule checker: LPDDR4 counts from the last of four or two clocks") {
  // RCD 29 RP 29 RPab 34 RAS 68 RC 97 WR 29 RTP 12 WTR 16 CL 28 CWL 14 PPD 4, burst 8. ACT, RD, WR take 4 clocks,
  // PRE 2.
  const Config c = configured("lpddr4_3200.rbc");
  at_the_limit(c, Rule::tRCD, {{0, kAct, 0, 0}, {29, kRd, 0, 0}});
  at_the_limit(c, Rule::tRAS, {{0, kAct, 0, 0}, {70, kPre, 0, 0}});
  at_the_limit(c, Rule::tRP, {{0, kAct, 0, 0}, {75, kPre, 0, 0}, {102, kAct, 0, 0}});
  at_the_limit(c, Rule::tRPab, {{0, kAct, 0, 0}, {75, kPreA}, {107, kAct, 0, 0}});
  at_the_limit(c, Rule::tRTP, {{0, kAct, 0, 0}, {70, kRd, 0, 0}, {84, kPre, 0, 0}});
  at_the_limit(c, Rule::tWR, {{0, kAct, 0, 0}, {29, kWr, 0, 0}, {83, kPre, 0, 0}});
  at_the_limit(c, Rule::tWTR_L, {{0, kAct, 0, 0}, {29, kWr, 0, 0}, {68, kRd, 0, 0}});
  at_the_limit(c, Rule::tRTW, {{0, kAct, 0, 0}, {29, kRd, 0, 0}, {53, kWr, 0, 0}});
  at_the_limit(c, Rule::tPPD, {{0, kAct, 0, 0}, {20, kAct, 0, 1}, {100, kPre, 0, 0}, {104, kPre, 0, 1}});
  at_the_limit(c, Rule::command_bus, {{0, kAct, 0, 1}, {50, kAct, 0, 0}, {54, kRd, 0, 1}});
  at_the_limit(c, Rule::command_bus, {{0, kAct, 0, 1}, {90, kPre, 0, 1}, {92, kAct, 0, 0}});
}

TEST_CASE("Rule checker: HBM2 counts from the second clock of ACT and has two command buses") {
  // RCDRD 14 RCDWR 12 RP 14 RAS 34 RRD 4/6.
  const Config c = configured("hbm2_2000.rbc");
  at_the_limit(c, Rule::tRCD, {{0, kAct, 0, 0}, {15, kRd, 0, 0}});
  at_the_limit(c, Rule::tRCD, {{0, kAct, 0, 0}, {13, kWr, 0, 0}});
  at_the_limit(c, Rule::tRAS, {{0, kAct, 0, 0}, {35, kPre, 0, 0}});
  at_the_limit(c, Rule::tRP, {{0, kAct, 0, 0}, {60, kPre, 0, 0}, {73, kAct, 0, 0}});
  at_the_limit(c, Rule::tRRD_L, {{0, kAct, 0, 0}, {6, kAct, 0, 1}});
  at_the_limit(c, Rule::command_bus, {{0, kAct, 0, 0}, {50, kAct, 1, 0}, {52, kPre, 0, 0}});
  CHECK(
      checked(c, {{0, kAct, 0, 0}, {15, kRd, 0, 0}, {15, kAct, 1, 0}, {16, kRd, 0, 0}}).violations(Rule::command_bus) ==
      0);
}

TEST_CASE("Rule checker: LPDDR5 activates in two commands and needs WCK in step") {
  // RCD 15 AAD 8 CL 17 CWL 9 WCKPST 1 BL/n_max 4 WTR 5/10, burst 2.
  const Config c = configured("lpddr5_6400.cbg");
  CHECK(checked(c, {{0, kAct, 0, 0}, {8, kAct2, 0, 0}, {14, kCasR, 0, 0}, {15, kRd, 0, 0}}).report() == "");
  broken(c, Rule::tAAD, {{0, kAct, 0, 0}, {9, kAct2, 0, 0}});
  broken(c, Rule::tAAD, {{0, kAct, 0, 0}, {1, kAct2, 1, 0}});
  broken(c, Rule::tAAD, {{0, kAct, 0, 0}, {4, kAct, 1, 0}});
  broken(c, Rule::tAAD, {{0, kAct, 0, 0}, {14, kCasR, 1, 0}, {15, kRd, 0, 0}});
  broken(c, Rule::tWCK, {{0, kAct, 0, 0}, {1, kAct2, 0, 0}, {15, kRd, 0, 0}});
  broken(c, Rule::tWCK, {{0, kAct, 0, 0}, {1, kAct2, 0, 0}, {14, kCasW, 0, 0}, {15, kRd, 0, 0}});
  // Data from 32 to 34, in step up to 34: a read at 34 needs no CAS, one at 35 does.
  const std::vector<Step> begin = {{0, kAct, 0, 0}, {1, kAct2, 0, 0}, {14, kCasR, 0, 0}, {15, kRd, 0, 0}};
  std::vector<Step> in_step = begin, out_of_step = begin;
  in_step.push_back({34, kRd, 0, 0});
  out_of_step.push_back({35, kRd, 0, 0});
  CHECK(checked(c, in_step).report() == "");
  broken(c, Rule::tWCK, out_of_step);
  // Written data from 24; the own bank group is busy to 28 (BL/n_max) and may be read 10 later. WCK is in step to 26.
  at_the_limit(configured("lpddr5_6400.cbg", {{"WCKPST", "20"}}), Rule::tWTR_L,
               {{0, kAct, 0, 0}, {1, kAct2, 0, 0}, {14, kCasW, 0, 0}, {15, kWr, 0, 0}, {38, kRd, 0, 0}});
  at_the_limit(configured("lpddr5_6400.cbg", {{"WCKPST", "20"}}), Rule::tWTR_S,
               {{0, kAct, 0, 0},
                {1, kAct2, 0, 0},
                {4, kAct, 1, 0},
                {5, kAct2, 1, 0},
                {18, kCasW, 0, 0},
                {19, kWr, 0, 0},
                {35, kRd, 1, 0}});
}

TEST_CASE("Rule checker: per-bank and same-bank refresh by hand") {
  // LPDDR4: REFIpb 6246 / 8 = 780 RFCpb 224 RREFD 16 RRD 16 RC 97; REFpb takes 2 clocks, ACT 4, counted from the last.
  const Config c = configured("lpddr4_3200.rbc", {{"refresh", "per_bank"}});
  at_the_limit(c, Rule::tREFI, {{780, kRefPb, 0, 0}});
  at_the_limit(c, Rule::tRFCpb, {{780, kRefPb, 0, 0}, {1002, kAct, 0, 0}});
  at_the_limit(c, Rule::tRREFD, {{780, kRefPb, 0, 0}, {794, kAct, 0, 1}});
  at_the_limit(configured("lpddr4_3200.rbc", {{"refresh", "per_bank"}, {"PBR2PBR", "790"}}), Rule::tPBR2PBR,
               {{780, kRefPb, 0, 0}, {1570, kRefPb, 0, 1}});
  at_the_limit(configured("lpddr4_3200.rbc", {{"refresh", "per_bank"}, {"RC", "110"}}), Rule::tRC_refresh,
               {{690, kAct, 0, 0}, {760, kPre, 0, 0}, {802, kRefPb, 0, 0}});
  at_the_limit(c, Rule::tRC_refresh, {{780, kAct, 0, 1}, {798, kRefPb, 0, 0}});
  at_the_limit(c, Rule::tRP_refresh, {{600, kAct, 0, 0}, {780, kPre, 0, 0}, {809, kRefPb, 0, 0}});
  broken(c, Rule::refresh_closed, {{600, kAct, 0, 0}, {780, kRefPb, 0, 0}});
  // DDR5: bank 1 of every group at once, RFCpb 312.
  const Config d = configured("DDR5-4800", {{"refresh", "same_bank"}});
  const Cycle due = d[Param::REFIpb];
  at_the_limit(d, Rule::tRFCpb, {{due, kRefPb, 0, 1}, {due + 312, kAct, 5, 1}});
  at_the_limit(d, Rule::tRREFD, {{due, kRefPb, 0, 1}, {due + 72, kAct, 5, 0}});
  broken(d, Rule::refresh_closed, {{due - 400, kAct, 7, 1}, {due, kRefPb, 0, 1}});
}

TEST_CASE("Rule checker: the engine obeys every rule of every preset") {
  std::array<Cycle, kRuleCount> slack;
  slack.fill(kNever);
  const auto run = [&](const Config& c, const std::string& kind, std::uint64_t n, int in_flight, double gap = 0) {
    INFO(c.name << " " << kind);
    CheckedEngine e(c);
    e.run(kind, n, {in_flight, gap, false});
    e.check();
    for (int r = 0; r < kRuleCount; ++r) slack[r] = std::min(slack[r], e.checker.slack(static_cast<Rule>(r)));
  };
  for (const Config& c : presets()) {
    for (const char* kind : {"rand", "mix", "stride", "decode64"}) run(c, kind, 1500, 64);
    if (c.name.find('.') != std::string::npos) continue;
    Config other = c;
    other.refresh = c[Param::RFCpb] > 0 ? RefreshPolicy::kPerBank : RefreshPolicy::kAllBank;
    other.page_policy = PagePolicy::kClosed;
    run(other, "mix", 1500, 32);
    other = c;
    other.page_policy = PagePolicy::kAdaptive;
    other.page_timeout_cycles = 60;
    other.refresh_postpone = 8;
    other.refresh_pull_in = 4;
    other.power_down_idle_cycles = 8;
    run(other, "mix", 1500, 4, 40);
    run(other, "mix", 300, 1, 1500);
    other = c;
    set_key(other, "ranks", "2");
    set_key(other, "pseudo_channels", "2");
    set_key(other, "mapping", "cbg");
    other.scheduler = SchedulerPolicy::kFcfs;
    other.finish();
    run(other, "mix", 1500, 64);
  }
  // Every distance has been met exactly somewhere: the engine wastes no clock and the checker sees the rule.
  for (Rule r : {Rule::tRCD, Rule::tRP,    Rule::tRAS,   Rule::tRC,    Rule::tRRD_S,   Rule::tRRD_L,
                 Rule::tFAW, Rule::tCCD_S, Rule::tCCD_L, Rule::tWTR_S, Rule::tWTR_L,   Rule::tRTW,
                 Rule::tRTP, Rule::tWR,    Rule::tRFC,   Rule::tRFCpb, Rule::tRREFD,   Rule::tRP_refresh,
                 Rule::tPPD, Rule::tRTRS,  Rule::tXP,    Rule::tCKE,   Rule::data_bus, Rule::command_bus}) {
    INFO(rule_name(r));
    CHECK(slack[static_cast<std::size_t>(r)] == 0);
  }
}

TEST_CASE("Rule checker: a rule that the engine breaks is caught under its name") {
  struct Mutation {
    Rule rule;
    const char* preset;
    std::vector<std::pair<const char*, const char*>> right;   // configuration of both
    std::vector<std::pair<const char*, const char*>> broken;  // then of the engine alone
    const char* traffic = "mix";
    int in_flight = 64;
    double gap = 0;
  };
  const std::vector<Mutation> mutations = {
      {Rule::tRCD, "ddr4_3200.bgi", {}, {{"RCDRD", "21"}}, "rand"},
      {Rule::tRCD, "ddr4_3200.bgi", {}, {{"RCDWR", "21"}}},
      {Rule::tRP, "ddr4_3200.bgi", {}, {{"RP", "21"}, {"RC", "73"}}},
      {Rule::tRPab, "lpddr5_6400.cbg", {}, {{"RPab", "0"}, {"RPREF", "0"}, {"RFC", "1"}}},
      {Rule::tRP_refresh, "lpddr5_6400.cbg", {{"RPREF", "17"}}, {{"RPREF", "16"}}},
      {Rule::tRAS, "ddr4_3200.bgi", {}, {{"RAS", "51"}}},
      {Rule::tRC, "ddr4_3200.bgi", {{"RC", "90"}}, {{"RC", "89"}}},
      {Rule::tRRD_S, "ddr4_3200.bgi", {}, {{"RRD_S", "3"}}},
      {Rule::tRRD_L, "ddr4_3200.bgi", {}, {{"RRD_L", "7"}}},
      {Rule::tFAW, "ddr4_3200.bgi", {}, {{"FAW", "33"}}},
      {Rule::tCCD_S, "ddr4_3200.bgi", {}, {{"CCD_S", "3"}}, "seq"},
      {Rule::data_bus, "ddr4_3200.bgi", {}, {{"CCD_S", "3"}}, "seq"},
      {Rule::tCCD_L, "ddr4_3200.bgi", {}, {{"CCD_L", "7"}}, "stride"},
      {Rule::tCCD_L, "hbm2_2000.rbc", {}, {{"CCD_L_WR", "3"}}},
      {Rule::tWTR_S, "ddr4_3200.bgi", {}, {{"WTR_S", "3"}}},
      {Rule::tWTR_L, "hbm2_2000.rbc", {}, {{"WTR_L", "6"}}},
      {Rule::tRTW, "ddr4_3200.bgi", {}, {{"RTW", "11"}}},
      {Rule::tRTP, "hbm2_2000.rbc", {}, {{"RTP", "4"}}},
      {Rule::tWR, "ddr4_3200.bgi", {}, {{"WR", "23"}}},
      {Rule::tRFC, "ddr4_3200.bgi", {}, {{"RFC", "559"}}},
      {Rule::tREFI, "ddr4_3200.bgi", {}, {{"REFI", "13480"}}, "seq"},
      {Rule::tREFI, "ddr4_3200.bgi", {}, {{"refresh", "none"}}, "seq"},
      {Rule::tREFI, "ddr4_3200.bgi", {}, {{"refresh_postpone", "2"}}, "seq"},
      {Rule::tREFI, "ddr4_3200.bgi", {}, {{"refresh_pull_in", "2"}}, "seq", 1, 1500},
      {Rule::tPPD, "lpddr4_3200.rbc", {}, {{"PPD", "2"}}},
      {Rule::tRTRS, "ddr4_3200.bgi", {{"ranks", "2"}, {"mapping", "bgi"}}, {{"RTRS", "1"}}},
      {Rule::tXP, "ddr4_3200.bgi", {{"power_down_idle_cycles", "20"}}, {{"XP", "9"}}, "rand", 1, 200},
      {Rule::tCKE, "ddr4_3200.bgi", {{"power_down_idle_cycles", "20"}}, {{"CKE", "2"}}, "rand", 1, 78},
      {Rule::power_down, "ddr4_3200.bgi", {{"power_down_idle_cycles", "1"}}, {{"CL", "8"}}, "rand", 1, 200},
      {Rule::tRFCpb, "lpddr4_3200.rbc", {{"refresh", "per_bank"}}, {{"RFCpb", "223"}}},
      {Rule::tRREFD, "lpddr4_3200.rbc", {{"refresh", "per_bank"}}, {{"RREFD", "15"}}},
      {Rule::tPBR2PBR, "lpddr4_3200.rbc", {{"refresh", "per_bank"}, {"PBR2PBR", "740"}}, {{"PBR2PBR", "700"}}},
      {Rule::tRC_refresh, "lpddr4_3200.rbc", {{"refresh", "per_bank"}, {"RC", "300"}}, {{"RC", "97"}}},
      {Rule::tWCK, "lpddr5_6400.cbg", {}, {{"WCKPST", "4"}}},
      {Rule::command_bus, "GDDR6-16000", {}, {}},
  };
  for (const Mutation& m : mutations) {
    Config right = find_preset(m.preset);
    for (const auto& k : m.right) set_key(right, k.first, k.second);
    right.finish();
    Config wrong = right;
    for (const auto& k : m.broken) set_key(wrong, k.first, k.second);
    if (m.rule == Rule::command_bus) right.standard = find_standard("DDR5");  // whose commands take two clocks
    CheckedEngine e(wrong, right, false);
    const std::uint64_t n = m.rule == Rule::tREFI || m.rule == Rule::tRPab ? 12000 : 4000;
    e.run(m.traffic, n, {m.in_flight, m.gap, false});
    e.checker.finish(e.engine.statistics().busy_until);
    INFO(m.preset << " " << (m.broken.empty() ? "" : m.broken.front().first) << "\n" << e.checker.report());
    CHECK(e.checker.violations(m.rule) > 0);
    // The same traffic obeys the right configuration.
    right.standard = wrong.standard;
    CheckedEngine good(right);
    good.run(m.traffic, n, {m.in_flight, m.gap, false});
    good.check();
  }
}
