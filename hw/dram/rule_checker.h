// Checks a stream of DRAM commands against the rules of its standard, one rule after the other.
//
// Models: minimum distances between all pairs of commands of a rank or pseudo channel, the state of banks and rows,
// occupation of the command and data buses, the bound on the refresh interval, power-down, and what is peculiar to a
// standard (last-edge counting of long commands on LPDDR4 and HBM, ACT1/ACT2 and WCK on LPDDR5, same-bank refresh on
// DDR5). Written from the definitions and deliberately without the timing rules of the tables and the state of the
// engine: a rule that is wrong there is not wrong here for the same reason. From the tables it takes the traits of the
// standard and the lengths of commands, which tests/dram/standards.cpp states again. Does not model: which legal command
// is the best one (policies); values of parameters (a wrong CL in the configuration is wrong for both).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/dram/standard.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

/// X(name, definition)
#define HARMONIA_DRAM_RULES(X)                                                                       \
  X(tRCD, "ACT to RD or WR, same bank")                                                              \
  X(tRP, "PRE to ACT, same bank")                                                                    \
  X(tRPab, "PREA to ACT")                                                                            \
  X(tRAS, "ACT to PRE or PREA, same bank")                                                           \
  X(tRC, "ACT to ACT, same bank")                                                                    \
  X(tRRD_S, "ACT to ACT, other bank group")                                                          \
  X(tRRD_L, "ACT to ACT, same bank group")                                                           \
  X(tFAW, "first to fifth of five ACT")                                                              \
  X(tCCD_S, "RD to RD or WR to WR, other bank group")                                                \
  X(tCCD_L, "RD to RD or WR to WR, same bank group")                                                 \
  X(tWTR_S, "end of write data to RD, other bank group")                                             \
  X(tWTR_L, "end of write data to RD, same bank group")                                              \
  X(tRTW, "RD to WR")                                                                                \
  X(tRTP, "RD to PRE or PREA, same bank")                                                            \
  X(tWR, "end of write data to PRE or PREA, same bank")                                              \
  X(tRFC, "REF to ACT or refresh")                                                                   \
  X(tRFCpb, "REFpb to ACT or refresh of the bank")                                                   \
  X(tPBR2PBR, "REFpb to REFpb of another bank")                                                      \
  X(tRREFD, "REFpb to ACT of another bank")                                                          \
  X(tRP_refresh, "PRE or PREA to REF or REFpb")                                                      \
  X(tRC_refresh, "ACT to REFpb, same bank; tRRD_S from other banks")                                 \
  X(tREFI, "n-th refresh within the postponement and pull-in allowed around n tREFI")                \
  X(tPPD, "PRE to PRE, any bank")                                                                    \
  X(tAAD, "ACT1 to ACT2 at most; nothing to the bank and no other ACT1 between")                     \
  X(tWCK, "RD or WR while WCK is in step, else right behind its CAS")                                \
  X(tRTRS, "bubble on the data bus between two ranks")                                               \
  X(tXP, "power-down exit to any command")                                                           \
  X(tCKE, "power-down entry to exit and exit to entry")                                              \
  X(power_down, "no command in power-down; no entry with data on the way or write recovery running") \
  X(data_bus, "one burst at a time on a data bus")                                                   \
  X(command_bus, "one command at a time on a command bus")                                           \
  X(act_closed, "ACT only to a closed bank")                                                         \
  X(cas_row, "RD and WR only to the open row")                                                       \
  X(refresh_closed, "refresh only of closed banks")                                                  \
  X(coordinates, "bank, row and column exist")                                                       \
  X(order, "commands are reported in the order of time")

enum class Rule : std::uint8_t {
#define X(name, definition) name,
  HARMONIA_DRAM_RULES(X)
#undef X
      kCount
};
constexpr int kRuleCount = static_cast<int>(Rule::kCount);
const char* rule_name(Rule r);
const char* rule_definition(Rule r);

class RuleChecker final : public CommandObserver {
 public:
  /// The configuration must have been completed by Config::finish(); it is copied.
  explicit RuleChecker(const Config& config);

  /// Commands in the order of issue.
  void on_command(const Command& c) override;
  /// What only the end shows: refreshes that are missing at `now`.
  void finish(Cycle now);

  std::uint64_t commands() const { return commands_; }
  std::uint64_t violations() const;
  std::uint64_t violations(Rule r) const { return broken_[static_cast<std::size_t>(r)]; }
  /// Smallest distance seen beyond the rule's minimum: 0 when the rule has been met exactly, negative when broken,
  /// kNever when it never applied. Only for rules that are minimum distances.
  Cycle slack(Rule r) const { return slack_[static_cast<std::size_t>(r)]; }
  /// One line per broken rule with its first case; empty when there is none.
  std::string report() const;

 private:
  struct Bank {
    std::int32_t row = -1;
    bool half_open = false;  // ACT1 without ACT2
    Cycle act = -kNever, pre = -kNever, rd = -kNever, wr = -kNever, refresh = -kNever;
  };
  struct Unit {
    std::vector<Bank> banks;
    std::vector<Cycle> act, rd, wr;  // newest by bank group
    std::array<Cycle, 4> window{};   // of ACT
    std::uint64_t acts = 0;
    Cycle ref = -kNever, ref_pb = -kNever, pre = -kNever, pre_all = -kNever, last_rd = -kNever, last_wr = -kNever;
    std::uint64_t refreshes = 0;
    int half_open = -1;  // bank that waits for ACT2
    Cycle act1 = -kNever;
    Cycle cas[2] = {-kNever, -kNever};
    Cycle wck_until = -kNever;  // first cycle at which WCK is out of step
    bool down = false;
    Cycle entry = -kNever, exit = -kNever;
  };
  struct DataBus {
    Cycle end = -kNever;
    int unit = -1;
  };

  void bad(Rule rule, const Command& c, const std::string& why);
  void need(Rule rule, const Command& c, Cycle t, Cycle since, Cycle distance);
  void activate(const Command& c, Unit& u, Bank& b, Cycle t);
  void column(const Command& c, Unit& u, Bank& b, Cycle t);
  void close(const Command& c, Bank& b, Cycle t);
  void refresh(const Command& c, Unit& u, Cycle t);
  void refresh_banks(const Command& c, Unit& u, Cycle t);
  void refresh_time(const Command& c, Unit& u);
  int at(Param p) const { return config_[p]; }
  int length(Cmd c) const;
  Cycle edge(const Command& c) const { return standard_.from_last_edge ? c.cycle + length(c.cmd) - 1 : c.cycle; }

  Config config_;
  const Standard& standard_;
  int burst_, write_lead_;  // cycles; clocks between CWL and the write data beyond CWL
  Cycle refresh_slack_;
  std::vector<Unit> units_;
  std::vector<DataBus> data_bus_;           // by pseudo channel
  Cycle bus_free_[2] = {-kNever, -kNever};  // row pins, column pins
  Cycle now_ = -kNever;
  std::uint64_t commands_ = 0;
  std::array<std::uint64_t, kRuleCount> broken_{};
  std::array<Cycle, kRuleCount> slack_;
  std::array<std::string, kRuleCount> example_;
};

}  // namespace harmonia::dram
