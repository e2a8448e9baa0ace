// Presets: which there are, that they are whole and say where their values come from, and that the reference ones are
// the measured configurations.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "tests/dram/checked.h"
#include "tests/dram/page.h"
#include "tests/support/data.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

TEST_CASE("Presets: every standard and speed is there, with sources and assumptions") {
  std::set<std::string> names;
  const std::vector<std::string> keys = config_keys();
  for (const Config& preset : presets()) {
    INFO(preset.name);
    CHECK(names.insert(preset.name).second);
    CHECK_FALSE(preset.source.empty());
    CHECK_FALSE(preset.description.empty());
    for (const std::string& key : preset.assumed) {
      INFO(key);
      CHECK((key == "currents" || std::find(keys.begin(), keys.end(), key) != keys.end()));
    }
    // No contradiction. FAW may fall below 4 RRD_S only by the rounding of RRD_S to whole clocks.
    Config c = preset;
    for (const Contradiction& w : c.finish()) {
      INFO(w.rule);
      CHECK((w.rule.find("FAW < 4 RRD_S") == 0 && c[Param::FAW] > 4 * (c[Param::RRD_S] - 1)));
    }
    // A whole number of clocks to a burst, and the bus can be full.
    CHECK(c.burst_cycles() * c.tCK_ps * 1e-12 * c.rate_MTs * 1e6 == Approx(c.BL).epsilon(0.001));
    CHECK(c[Param::CCD_S] == c.burst_cycles());
  }
  for (const char* name :
       {"DDR4-2400", "DDR4-3200", "DDR5-4800", "DDR5-6400", "LPDDR4-3200", "LPDDR4-4266", "LPDDR5-6400", "LPDDR5X-8533",
        "HBM2-2000", "HBM2-2400", "HBM2E-3200", "HBM3-6400", "GDDR6-16000", "GDDR6-18000"}) {
    INFO(name);
    CHECK(names.count(name) == 1);
  }
  CHECK_THROWS_AS(find_preset("DDR4-3201"), config::InputError);
}

TEST_CASE("Presets: each part of a standard meets the same rules in ns") {
  // Minimum times that the standards give in ns must not shrink with the clock: rounding up to a whole clock at most.
  const struct {
    const char *slow, *fast;
    std::vector<Param> rules;
  } pairs[] = {
      {"DDR4-3200", "DDR4-2400", {Param::WR, Param::RTP, Param::RFC, Param::REFI, Param::WTR_L}},
      {"DDR5-4800", "DDR5-6400", {Param::WR, Param::RTP, Param::RFC, Param::RFCpb, Param::REFI}},
      {"HBM2-2000", "HBM2E-3200", {Param::RP, Param::RAS, Param::RFC, Param::RFCpb, Param::REFI, Param::FAW}},
      {"LPDDR5-6400",
       "LPDDR5X-8533",
       {Param::RCDRD, Param::RP, Param::RAS, Param::FAW, Param::RFC, Param::REFI, Param::WR}},
      {"GDDR6-16000", "GDDR6-18000", {Param::RCDRD, Param::RP, Param::RAS, Param::FAW, Param::RFC, Param::REFI}},
  };
  for (const auto& x : pairs)
    for (Param p : x.rules) {
      const Config &a = find_preset(x.slow), &b = find_preset(x.fast);
      INFO(x.slow << " " << x.fast << " " << param_name(p));
      const double clock = std::max(a.tCK_ps, b.tCK_ps);
      CHECK(std::abs(a[p] * a.tCK_ps - b[p] * b.tCK_ps) <= 1.5 * clock);
    }
}

TEST_CASE("Presets: the reference configurations are the measured ones, bit for bit of their mapping") {
  HARMONIA_REQUIRE_DATA(data);
  std::ifstream in(data / "reference" / "dram" / "configs.json");
  REQUIRE(in);
  const auto all = nlohmann::json::parse(in);
  for (const auto& [name, values] : all.items()) {
    INFO(name);
    const Config& c = find_preset(name);
    CHECK(c.standard->name == values["standard"].get<std::string>());
    CHECK(c.tCK_ps == values["tCK_ps"].get<double>());
    CHECK((c.refresh != RefreshPolicy::kNone) == values["refresh"].get<bool>());
    CHECK(c.peak_GBs() == Approx(values["peak_GBs"].get<double>()));
    CHECK(c.burst_cycles() == values["burst_cycles"].get<int>());
    for (const auto& [key, value] : values.items()) {
      if (!value.is_number_integer() || key == "burst_bytes" || key == "burst_cycles") continue;
      INFO(key);
      for (const auto& [ours, text] : describe(c))
        if (ours == key || (key == "RCD" && (ours == "RCDRD" || ours == "RCDWR")))
          CHECK(std::stod(text) == value.get<double>());
    }
    const auto& bits = values["address_bits"];
    CHECK(c.mapping.column == bits["co"].get<std::vector<int>>());
    CHECK(c.mapping.bankgroup == bits["bg"].get<std::vector<int>>());
    CHECK(c.mapping.bank == bits["ba"].get<std::vector<int>>());
    CHECK(c.mapping.row == bits["ro"].get<std::vector<int>>());
  }
}

TEST_CASE("Presets: contradictory parameters are named by their rule") {
  const auto finished = [](const char* key, const char* value) {
    Config c = find_preset("DDR4-3200");
    set_key(c, key, value);
    return c.finish();
  };
  const auto first = [&](const char* key, const char* value) {
    const std::vector<Contradiction> w = finished(key, value);
    return w.empty() ? std::string() : w.front().rule;
  };
  CHECK(first("RC", "70").find("RC < RAS + RP") == 0);
  CHECK(first("FAW", "12").find("FAW < 4 RRD_S") == 0);
  CHECK(first("WTR_L", "2").find("WTR_L < WTR_S") == 0);
  CHECK_THROWS_WITH(finished("FAW", "3"), ContainsSubstring("FAW < RRD_S"));
  CHECK_THROWS_WITH(finished("CCD_S", "3"), ContainsSubstring("CCD_S < burst"));
  CHECK_THROWS_WITH(finished("RFC", "13000"), ContainsSubstring("RFC >= REFI"));
  CHECK_THROWS_WITH(finished("tCK_ps", "600"), ContainsSubstring("whole number"));
  Config c;
  CHECK_THROWS_WITH(set_key(c, "tRCD_RD", "3"),
                    ContainsSubstring("unknown key 'tRCD_RD'; nearest known key is 'RCDRD'"));
}

TEST_CASE("Presets: currents of which an energy would become negative are refused, and those at the edge are not") {
  // ACT at the edge: IDD0 x (52 + 22) = Ibeta x 22 + (the background of one open bank) x 52.
  const auto finish = [](const std::vector<std::pair<const char*, const char*>>& changes) {
    Config c = find_preset("DDR4-3200");
    for (const auto& [key, value] : {std::pair{"IDD0", "60"},
                                     {"Ibeta", "45"},
                                     {"IDD2N", "40"},
                                     {"IDD3N", "50"},
                                     {"IDD4R", "50"},
                                     {"IDD4W", "50"},
                                     {"IDD5B", "50"},
                                     {"rho", "1"}})
      set_key(c, key, value);
    for (const auto& [key, value] : changes) set_key(c, key, value);
    c.finish();
  };
  CHECK_NOTHROW(finish({}));
  CHECK_THROWS_WITH(finish({{"IDD4R", "49.9"}}), ContainsSubstring("IDD4R: IDD4R < IDD3N (49.9 < 50 mA)"));
  CHECK_THROWS_WITH(finish({{"IDD4W", "0"}}), ContainsSubstring("IDD4W: IDD4W < IDD3N (0 < 50 mA)"));
  CHECK_THROWS_WITH(finish({{"IDD5B", "49"}}), ContainsSubstring("IDD5B: IDD5B < IDD3N"));
  CHECK_THROWS_WITH(finish({{"Ibeta", "39"}}), ContainsSubstring("Ibeta: Ibeta < IDD2N"));
  CHECK_THROWS_WITH(finish({{"IDD3N", "39"}}), ContainsSubstring("IDD3N: IDD3N < IDD2N"));
  CHECK_THROWS_WITH(finish({{"VDD", "0"}}), ContainsSubstring("VDD: missing"));
  // (45 x 22 + 50 x 52) / 74
  CHECK_NOTHROW(finish({{"IDD0", "48.5136"}}));
  CHECK_THROWS_WITH(finish({{"IDD0", "48.5135"}}), ContainsSubstring("IDD0: 48.5135 mA is less than the 48.513513"));
  // Below IDD3N is no contradiction in itself: that is of all banks.
  CHECK_NOTHROW(finish({{"IDD0", "45"}, {"rho", "0"}}));
  // Without devices no energy is computed, and nothing is asked of the currents.
  CHECK_NOTHROW(finish({{"IDD0", "0"}, {"IDD3N", "0"}, {"devices", "0"}}));
}

TEST_CASE("Presets: the table of the documentation") {
  std::ostringstream out;
  out << "| preset | clock ps | CL / CWL | RCD rd / wr | RP | RAS | RC | WR | RTP | CCD S / L | RRD S / L | WTR S / L "
         "| FAW | RFC | REFI | "
         "source |\n|";
  for (int i = 0; i < 16; ++i) out << "---|";
  out << "\n";
  for (const Config& c : presets()) {
    if (c.name.find('.') != std::string::npos) continue;  // a preset under the name of a measurement
    const auto value = [&c](Param p) {
      const std::string text = std::to_string(c[p]);
      const bool assumed = std::find(c.assumed.begin(), c.assumed.end(), param_name(p)) != c.assumed.end();
      return assumed ? "**" + text + "**" : text;
    };
    out << "| " << c.name << " | " << c.tCK_ps;
    const std::vector<std::vector<Param>> columns = {{Param::CL, Param::CWL},
                                                     {Param::RCDRD, Param::RCDWR},
                                                     {Param::RP},
                                                     {Param::RAS},
                                                     {Param::RC},
                                                     {Param::WR},
                                                     {Param::RTP},
                                                     {Param::CCD_S, Param::CCD_L},
                                                     {Param::RRD_S, Param::RRD_L},
                                                     {Param::WTR_S, Param::WTR_L},
                                                     {Param::FAW},
                                                     {Param::RFC},
                                                     {Param::REFI}};
    for (const auto& column : columns) {
      out << " | " << value(column[0]);
      if (column.size() > 1) out << " / " << value(column[1]);
    }
    out << " | " << c.description << ". " << c.source << " |\n";
  }
  CHECK(out.str().find("HBM3-6400") != std::string::npos);
  publish(out.str(), "HARMONIA_PRESET_TABLE");
}
