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
