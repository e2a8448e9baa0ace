// Energy of recorded command traces beside DRAMPower's figures for the same commands, and by hand.
#include "harmonia/hw/dram/energy.h"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "tests/dram/checked.h"
#include "tests/support/data.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// Energy of a command trace of one rank, cycle,cmd,rank,bankgroup,bank,row,col.
Energy of_trace(const std::filesystem::path& file, const Config& c, Cycle cycles) {
  std::ifstream in(file);
  REQUIRE(in);
  std::array<std::uint64_t, kCmdCount> counts{};
  std::uint64_t precharges = 0;
  ActivityMeter meter;
  std::set<std::pair<int, int>> open;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream text(line);
    std::string f[5];
    for (auto& field : f) std::getline(text, field, ',');
    const Cycle t = std::stoll(f[0]);
    const std::pair<int, int> bank{std::stoi(f[3]), std::stoi(f[4])};
    if (f[1] == "ACT") {
      ++counts[static_cast<std::size_t>(Cmd::kAct)];
      meter.activate(t);
      open.insert(bank);
    } else if (f[1] == "PRE") {
      ++counts[static_cast<std::size_t>(Cmd::kPre)];
      if (open.erase(bank) == 0) continue;
      ++precharges;
      meter.precharge(t);
    } else if (f[1] == "PREA") {
      precharges += open.size();
      open.clear();
      meter.precharge_all(t);
    } else if (f[1] == "RD") {
      ++counts[static_cast<std::size_t>(Cmd::kRd)];
    } else if (f[1] == "WR") {
      ++counts[static_cast<std::size_t>(Cmd::kWr)];
    } else if (f[1] == "REF") {
      ++counts[static_cast<std::size_t>(Cmd::kRef)];
      meter.refresh(t, c[Param::RFC], c.banks_per_unit());
    }
  }
  return energy_of(c, counts, precharges, meter.at(cycles, false));
}

}  // namespace

TEST_CASE("Energy: equals DRAMPower on recorded DDR4 traces") {
  HARMONIA_REQUIRE_DATA(data);
  const Config& c = find_preset("ddr4_3200.bgi");
  std::ifstream in(data / "reference" / "dram" / "energy_drampower_ddr4_3200.jsonl");
  REQUIRE(in);
  int traces = 0;
  for (std::string line; std::getline(in, line); ++traces) {
    const auto r = nlohmann::json::parse(line);
    const std::string file = r["file"];
    INFO(file);
    const Energy e = of_trace(data / "reference" / "dram" / "golden" / file, c, r["cycles"].get<Cycle>());
    // The method is the same, so the only tolerance is the six digits that the figures are printed with.
    const auto near = [](double v) { return Approx(v).epsilon(1e-5).margin(1); };
    CHECK(e.activate == near(r["E_act_pJ"]));
    CHECK(e.precharge == near(r["E_pre_pJ"]));
    CHECK(e.read == near(r["E_RD_pJ"]));
    CHECK(e.write == near(r["E_WR_pJ"]));
    CHECK(e.refresh == near(r["E_refAB_pJ"]));
    CHECK(e.background_active + e.background_precharged ==
          Approx(r["E_bg_act_pJ"].get<double>() + r["E_bg_pre_pJ"].get<double>()).epsilon(1e-5).margin(1));
    CHECK(e.total() == Approx(r["E_total_pJ"].get<double>()).epsilon(1e-5));
  }
  CHECK(traces > 10);
}

TEST_CASE("Energy: no class of any preset is negative, whatever commands there were") {
  for (const Config& c : presets()) {
    INFO(c.name);
    REQUIRE(c.currents.devices > 0);
    std::array<std::uint64_t, kCmdCount> one_each;
    one_each.fill(1);
    const Energy e = energy_of(c, one_each, 1, {1000, 1000, 1000, 1000, 2000});
    for (const double joules : {e.activate, e.precharge, e.read, e.write, e.refresh, e.background_active,
                                e.background_precharged, e.background_power_down})
      CHECK(joules >= 0);
    // Opening a row costs something, and far less than refreshing all of them.
    CHECK(e.activate + e.precharge > 0);
    CHECK(e.activate + e.precharge < e.refresh);
  }
}

TEST_CASE("Energy: background between closed and open banks is shared by rho, and the rest goes bank by bank") {
  Config c = find_preset("DDR4-3200");
  Currents& i = c.currents;
  i.VDD = 1;
  i.IDD2N = 20;
  i.IDD3N = 52;
  i.devices = 1;
  c.tCK_ps = 1000;
  const double banks = c.banks_per_unit();
  ActivityMeter::Times times;
  times.active = 100;
  times.bank_open = 100;  // one bank open all the time
  for (const double rho : {0.0, 0.25, 1.0}) {
    i.rho = rho;
    const double expected = 20 + 32 * (rho + (1 - rho) / banks);
    CHECK(open_bank_current(c) == Approx(expected));
    CHECK(energy_of(c, {}, 0, times).background_active == Approx(100 * expected));
  }
}
