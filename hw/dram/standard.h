// A DRAM standard as data: command lengths and a table of timing rules (level, previous command, next command,
// distance).
//
// Models: minimum distances between commands as the JEDEC standards define them. Adding a standard is adding one file
// with such a table and its presets to standards/. Does not model: rules that are not minimum distances between two
// commands (bank state, buses); those are the engine's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
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

struct StandardTable {
  Standard standard;
  /// HBM: row and column commands travel on separate pins.
  bool split_command_bus;
  /// LPDDR5: an activate is two commands, ACT1 and, at most AAD later, ACT2.
  bool split_activate;
  /// LPDDR5: a column command needs WCK in step; otherwise CAS goes in the cycle before it.
  bool wck_sync;
  /// Distances and latencies count from the last clock edge of a command to the last of the next one. Otherwise from
  /// the first to the first.
  bool from_last_edge;
  std::array<std::uint8_t, kCmdCount> command_cycles;  // on its command bus, by Cmd
  std::vector<TimingRule> rules;
};

/// The rules that all the standards here share; each file adds its own.
const std::vector<TimingRule>& common_rules();

const StandardTable& standard_table(Standard s);

/// Value of a distance formula in cycles. Throws std::logic_error on a malformed formula.
int evaluate(const std::string& formula, const Config& c);

/// One preset as text: "key=value key=value ...".
struct PresetText {
  const char* name;
  const char* description;
  const char* source;
  const char* assumed;  // keys separated by blanks
  const char* values;
};

// standards/*.cpp
const StandardTable& ddr4_table();
const StandardTable& ddr5_table();
const StandardTable& lpddr4_table();
const StandardTable& lpddr5_table();
const StandardTable& hbm2_table();
const StandardTable& hbm3_table();
const StandardTable& gddr6_table();
const std::vector<PresetText>& ddr4_presets();
const std::vector<PresetText>& ddr5_presets();
const std::vector<PresetText>& lpddr4_presets();
const std::vector<PresetText>& lpddr5_presets();
const std::vector<PresetText>& hbm2_presets();
const std::vector<PresetText>& hbm3_presets();
const std::vector<PresetText>& gddr6_presets();

}  // namespace harmonia::dram
