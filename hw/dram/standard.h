// A DRAM standard as data: its traits, the length of its commands, its timing rules and its presets.
//
// Models: minimum distances between commands as the JEDEC standards define them, and the traits in which the standards
// differ. Everything that the rest of the model asks of a standard is a member of `Standard`; nothing outside standards/
// tests which standard it is. Does not model: rules that are not minimum distances between two commands (bank state,
// buses); those are the engine's. How to add a standard is said in standards/README.md.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

/// What two commands must share for a rule to apply: the bank, the bank group, the unit (a rank or a pseudo channel),
/// or the data bus while being in different units (ranks of one pseudo channel).
enum class Level : std::uint8_t { kBank, kBankGroup, kUnit, kOtherUnit };

struct TimingRule {
  Level level;
  Cmd previous;
  Cmd next;
  /// Sum of parameter names and integers, e.g. "CWL + BURST + WTR_L". BURST is the data time of a burst.
  const char* distance;
  /// The rule holds against the window-th previous command (4 for FAW).
  int window = 1;
};

/// The value of a timing parameter that a configuration leaves at 0.
struct ParameterDefault {
  Param parameter;
  const char* formula;
};

/// One preset as text: "key=value key=value ...".
struct Preset {
  const char* name;
  const char* description;
  const char* source;
  const char* assumed;  // keys separated by blanks
  const char* values;
  /// "ddr4_3200.bgi" when other simulators were measured on this part: the name of that measurement, with the address
  /// mapping behind the dot. Such a preset exists twice more, under this name and with refresh off (".noref").
  const char* measured_as = nullptr;
};

struct Standard {
  /// The value of the key `standard`, and other values that mean the same rules at higher speeds ("LPDDR5X").
  std::string name;
  std::vector<std::string> extensions;

  // --- commands
  /// HBM: row and column commands travel on separate pins.
  bool split_command_bus = false;
  /// LPDDR5: an activate is two commands, ACT1 and, at most AAD later, ACT2.
  bool split_activate = false;
  /// LPDDR5: a column command needs WCK in step; otherwise CAS goes in the cycle before it.
  bool wck_sync = false;
  /// Distances and latencies count from the last clock edge of a command to the last of the next one. Otherwise from
  /// the first to the first.
  bool from_last_edge = false;
  /// Files of commands show the last edge of a command, as the tools that read traces of this standard expect.
  bool trace_shows_last_edge = false;
  /// Clocks on the command bus, by Cmd.
  std::array<std::uint8_t, kCmdCount> command_cycles = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  void set_command_cycles(std::initializer_list<std::pair<Cmd, int>> lengths) {
    for (const auto& [cmd, cycles] : lengths)
      command_cycles[static_cast<std::size_t>(cmd)] = static_cast<std::uint8_t>(cycles);
  }

  // --- organisation
  bool has_ranks = true;
  bool has_pseudo_channels = false;
  bool has_bank_groups = true;

  // --- refresh
  /// A refresh of less than all banks takes the same bank of every group (REFsb), not a single bank.
  bool same_bank_refresh = false;
  /// What `refresh_urgency: auto` stands for. A refresh is not postponed unless `refresh_postpone` says so, hence at
  /// once; after the access where an activate takes two commands, of which the first must not be left alone.
  RefreshUrgency refresh_urgency = RefreshUrgency::kAtOnce;
  /// Refreshes of less than all banks that cover every bank once.
  int partial_refreshes(const Config& c) const { return same_bank_refresh ? c.banks_per_group : c.banks_per_unit(); }

  // --- data
  /// Clocks between CWL and the first beat of write data (tDQSS on LPDDR4).
  int write_data_delay = 0;
  /// RD to PRE is BL/2 + max(8, RTP) - 8 clocks (LPDDR4) rather than RTP.
  bool read_recovery_after_burst = false;
  /// The read strobe is late by DQSCK clocks (LPDDR4).
  bool has_read_strobe_delay = false;
  /// A burst occupies its own bank group for BLMAX clocks (BL/n_max on LPDDR5) rather than for the burst.
  bool has_group_burst = false;

  // --- timing
  /// Instead of the usual defaults (see Config::finish) of the same parameters.
  std::vector<ParameterDefault> defaults;
  std::vector<TimingRule> rules;

  std::vector<Preset> presets;
};

/// Every standard, in the order of standards/CMakeLists.txt.
const std::vector<Standard>& all_standards();
/// By name or by the name of an extension; nullptr when there is none.
const Standard* find_standard(const std::string& name);

/// The rules that every standard here shares, and the given ones.
std::vector<TimingRule> with_common_rules(const std::vector<TimingRule>& own);
/// RD to PRE, WR to PRE and WR to RD as DDR4 defines them.
const std::vector<TimingRule>& usual_recovery_rules();

/// Value of a distance formula in cycles. Throws std::logic_error on a malformed formula.
int evaluate(const std::string& formula, const Config& c);

}  // namespace harmonia::dram
