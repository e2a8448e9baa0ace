// Standards as data: what JEDEC says of each, stated here a second time, and what the registry does with it.
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/standard.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::dram;

namespace {

int clocks(const Standard& s, Cmd c) { return s.command_cycles[static_cast<std::size_t>(c)]; }

}  // namespace

TEST_CASE("Standards: commands take as many clocks of their bus as JEDEC says") {
  struct Lengths {
    int act, column, precharge, refresh;
  };
  const std::map<std::string, Lengths> expected = {
      {"DDR4", {1, 1, 1, 1}},   {"GDDR6", {1, 1, 1, 1}}, {"LPDDR5", {1, 1, 1, 1}}, {"DDR5", {2, 2, 1, 1}},
      {"LPDDR4", {4, 4, 2, 2}}, {"HBM2", {2, 1, 1, 1}},  {"HBM3", {2, 1, 1, 1}},
  };
  for (const auto& [name, lengths] : expected) {
    INFO(name);
    const Standard* s = find_standard(name);
    REQUIRE(s != nullptr);
    CHECK(clocks(*s, Cmd::kAct) == lengths.act);
    for (Cmd c : {Cmd::kRd, Cmd::kWr}) CHECK(clocks(*s, c) == lengths.column);
    for (Cmd c : {Cmd::kPre, Cmd::kPreAll}) CHECK(clocks(*s, c) == lengths.precharge);
    for (Cmd c : {Cmd::kRef, Cmd::kRefPb}) CHECK(clocks(*s, c) == lengths.refresh);
    for (Cmd c : {Cmd::kAct2, Cmd::kCasRd, Cmd::kCasWr, Cmd::kPdEnter, Cmd::kPdExit}) CHECK(clocks(*s, c) == 1);
  }
}

TEST_CASE("Standards: each has the traits that JEDEC gives it and no other") {
  const auto with = [](bool Standard::*trait) {
    std::set<std::string> names;
    for (const Standard& s : all_standards())
      if (s.*trait) names.insert(s.name);
    return names;
  };
  using Names = std::set<std::string>;
  CHECK(with(&Standard::split_command_bus) == Names{"HBM2", "HBM3"});
  CHECK(with(&Standard::from_last_edge) == Names{"HBM2", "HBM3", "LPDDR4"});
  CHECK(with(&Standard::has_pseudo_channels) == Names{"HBM2", "HBM3"});
  CHECK(with(&Standard::has_ranks) == Names{"DDR4", "DDR5", "LPDDR4", "LPDDR5"});
  CHECK(with(&Standard::has_bank_groups) == Names{"DDR4", "DDR5", "GDDR6", "HBM2", "HBM3", "LPDDR5"});
  CHECK(with(&Standard::split_activate) == Names{"LPDDR5"});
  CHECK(with(&Standard::wck_sync) == Names{"LPDDR5"});
  CHECK(with(&Standard::has_group_burst) == Names{"LPDDR5"});
  CHECK(with(&Standard::same_bank_refresh) == Names{"DDR5"});
  CHECK(with(&Standard::read_recovery_after_burst) == Names{"LPDDR4"});
  CHECK(with(&Standard::has_read_strobe_delay) == Names{"LPDDR4"});
  for (const Standard& s : all_standards()) CHECK(s.write_data_delay == (s.name == "LPDDR4" ? 1 : 0));
}

TEST_CASE("Standards: a name or that of a speed extension finds the rules, another word does not") {
  CHECK(find_standard("LPDDR5X") == find_standard("LPDDR5"));
  CHECK(find_standard("HBM2E") == find_standard("HBM2"));
  CHECK(find_standard("DDR7") == nullptr);
  std::set<std::string> names;
  for (const Standard& s : all_standards()) {
    INFO(s.name);
    CHECK(names.insert(s.name).second);
    CHECK_FALSE(s.rules.empty());
    CHECK_FALSE(s.presets.empty());
    for (const Preset& p : s.presets) CHECK(find_preset(p.name).standard == &s);
  }
}

TEST_CASE("Standards: a parameter left at 0 follows the standard's default, else the usual one") {
  const auto filled = [](const char* preset, Param parameter) {
    Config c = find_preset(preset);
    c[parameter] = 0;
    c.finish();
    return c[parameter];
  };
  const Config &ddr4 = find_preset("DDR4-3200"), &lpddr5 = find_preset("LPDDR5-6400"), &ddr5 = find_preset("DDR5-4800");
  CHECK(filled("DDR4-3200", Param::RPREF) == ddr4[Param::RPab]);
  CHECK(filled("LPDDR5-6400", Param::RPREF) == lpddr5[Param::RP]);
  CHECK(filled("DDR4-3200", Param::BLMAX) == ddr4.burst_cycles());
  CHECK(filled("LPDDR5-6400", Param::BLMAX) == lpddr5[Param::CCD_L]);
  CHECK(filled("DDR4-3200", Param::WCKPST) == 0);
  CHECK(filled("LPDDR5-6400", Param::WCKPST) == 1);
  CHECK(filled("DDR4-3200", Param::RTW) == 22 + 4 + 2 - 16);
  // Same-bank refresh covers all banks in as many commands as a group has banks, other partial refreshes one a bank.
  CHECK(filled("DDR5-4800", Param::REFIpb) == ddr5[Param::REFI] / 4);
  CHECK(filled("HBM2-2000", Param::REFIpb) == find_preset("HBM2-2000")[Param::REFI] / 16);
}

TEST_CASE("Standards: a file that leaves out what its standard fixes gets what the presets of the standard have") {
  // Of the parameters with a default, those that do not depend on the speed.
  for (const Standard& s : all_standards())
    for (const Preset& p : s.presets) {
      const Config& preset = find_preset(p.name);
      for (const Param parameter : {Param::PPD, Param::AAD, Param::WCKPST, Param::BLMAX, Param::RTRS}) {
        Config c = preset;
        c[parameter] = 0;
        c.finish();
        INFO(p.name << " " << param_name(parameter));
        CHECK(c[parameter] == preset[parameter]);
      }
    }
  CHECK(find_preset("LPDDR4-3200")[Param::PPD] == 4);
  CHECK(find_preset("LPDDR5-6400")[Param::PPD] == 2);
  CHECK(find_preset("DDR5-4800")[Param::PPD] == 2);
  CHECK(find_preset("HBM3-6400")[Param::PPD] == 2);
  CHECK(find_preset("DDR4-3200")[Param::PPD] == 1);
}

TEST_CASE("Standards: a distance is a sum of parameters, numbers and the burst") {
  const Config& c = find_preset("DDR4-3200");
  CHECK(evaluate("CWL + BURST + WTR_L", c) == 16 + 4 + 12);
  CHECK(evaluate("CL - CWL + 1", c) == 22 - 16 + 1);
  for (const char* wrong : {"", "CL +", "CL CWL", "tCL", "+ CL"}) {
    INFO(wrong);
    CHECK_THROWS_AS(evaluate(wrong, c), std::logic_error);
  }
}
