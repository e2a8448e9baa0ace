// Functional coverage of a channel's commands: hand-made commands, and closure by the engine.
#include "harmonia/hw/dram/coverage.h"

#include <random>

#include "harmonia/hw/dram/engine.h"
#include "harmonia/testbench/dram/traffic.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::dram;

namespace {

std::uint64_t hits(const std::vector<coverage::Group>& groups, const std::string& type, const std::string& point,
                   const std::string& bin) {
  for (const coverage::Group& g : groups)
    if (g.type() == type) {
      const coverage::Point& p = g.points()[g.index_of(point)];
      return p.bins()[p.index_of(bin)].hits;
    }
  FAIL("no covergroup " << type);
  return 0;
}

/// Requests from a fixed list.
class Listed : public testbench::TrafficSource {
 public:
  explicit Listed(std::vector<testbench::TrafficRequest> requests) : requests_(std::move(requests)) {}
  bool next(testbench::TrafficRequest& r) override {
    if (at_ == requests_.size()) return false;
    r = requests_[at_++];
    return true;
  }

 private:
  std::vector<testbench::TrafficRequest> requests_;
  std::size_t at_ = 0;
};

}  // namespace

TEST_CASE("dram coverage: each command counts with the state that it meets") {
  const Config& c = find_preset("DDR4-3200");
  CommandCoverage coverage(c, "channel");
  const auto command = [&](Cycle cycle, Cmd cmd, int bank, int row, int column) {
    coverage.on_command(
        {cycle, cmd, 0, static_cast<std::int16_t>(bank < 0 ? -1 : 0), static_cast<std::int16_t>(bank), row, column});
  };
  command(100, Cmd::kAct, 0, 7, -1);
  command(130, Cmd::kRd, 0, 7, 0);
  command(134, Cmd::kRd, 0, 7, 1);
  command(200, Cmd::kWr, 0, 7, 2);
  command(300, Cmd::kAct, 1, 9, -1);
  command(330, Cmd::kRd, 1, 9, 0);
  command(400, Cmd::kPreAll, -1, -1, -1);
  command(430, Cmd::kRef, -1, -1, -1);
  command(2000, Cmd::kRef, -1, -1, -1);
  const std::vector<coverage::Group> groups = coverage.finish();
  REQUIRE(hits(groups, "dram.commands", "command", "RD") == 3);
  REQUIRE(hits(groups, "dram.commands", "state", "the command's row open") == 4);
  REQUIRE(hits(groups, "dram.columns", "pair", "RD after RD") == 1);
  REQUIRE(hits(groups, "dram.columns", "pair", "RD after WR") == 1);
  REQUIRE(hits(groups, "dram.columns", "place", "other bank of the group") == 1);
  REQUIRE(hits(groups, "dram.columns", "gap", "as close as data allow") == 1);
  REQUIRE(hits(groups, "dram.rows", "use", "both") == 1);
  REQUIRE(hits(groups, "dram.rows", "columns", "one") == 1);
  REQUIRE(hits(groups, "dram.write_runs", "writes", "one") == 1);
  // The banks that were closed for the first refresh had long been closed at the second one.
  REQUIRE(hits(groups, "dram.refreshes", "collision", "were closed for the refresh") == 0);
  REQUIRE(hits(groups, "dram.refreshes", "collision", "had been closed for longer than RP") == 2);
  for (const coverage::Group& g : groups) REQUIRE(g.score().illegal_hits == 0);
}

TEST_CASE("dram coverage: commands that no state of the bank allows hit illegal bins") {
  const Config& c = find_preset("DDR4-3200");
  const auto illegal_hits = [&](std::vector<Command> commands) {
    CommandCoverage coverage(c, "channel");
    for (const Command& command : commands) coverage.on_command(command);
    std::uint64_t all = 0;
    for (const coverage::Group& g : coverage.finish()) all += g.score().illegal_hits;
    return all;
  };
  const Command activate = {10, Cmd::kAct, 0, 0, 0, 5, -1};
  REQUIRE(illegal_hits({activate, {40, Cmd::kRd, 0, 0, 0, 5, 0}}) == 0);
  REQUIRE(illegal_hits({{40, Cmd::kRd, 0, 0, 0, 5, 0}}) == 1);            // of a closed bank
  REQUIRE(illegal_hits({activate, {40, Cmd::kWr, 0, 0, 0, 6, 0}}) == 1);  // of another row
  REQUIRE(illegal_hits({activate, {60, Cmd::kAct, 0, 0, 0, 6, -1}}) == 1);
  REQUIRE(illegal_hits({activate, {60, Cmd::kRef, 0, -1, -1, -1, -1}}) == 1);
  std::vector<Command> burst;  // five activates in one window of four
  for (std::int16_t bank = 0; bank < 4; ++bank) burst.push_back({10 + bank, Cmd::kAct, 0, 0, bank, 5, -1});
  burst.push_back({20, Cmd::kAct, 0, 1, 0, 5, -1});
  REQUIRE(illegal_hits(burst) == 1);
}

TEST_CASE("dram coverage: directed and random traffic reaches every bin of every kind of channel") {
  const unsigned seed = 5;
  CAPTURE(seed);
  for (const char* preset : {"DDR4-3200", "DDR5-4800", "LPDDR4-3200", "LPDDR5-6400", "LPDDR5X-8533", "HBM2-2000",
                             "HBM3-6400", "GDDR6-16000"}) {
    CAPTURE(preset);
    std::mt19937_64 random(seed);
    coverage::Database all;
    for (const PagePolicy policy : {PagePolicy::kOpen, PagePolicy::kAdaptive})
      for (const int sort : {0, 1, 2, 3}) {
        Config c = find_preset(preset);
        c.page_policy = policy;
        if (sort == 1) set_key(c, "queue_entries", "4");
        c.finish();
        const std::uint64_t burst = static_cast<std::uint64_t>(c.burst_bytes()), capacity = c.capacity_bytes();
        std::vector<testbench::TrafficRequest> requests;
        std::uint64_t at = 0;
        for (int i = 0; i < 6000; ++i) {
          // 0: anywhere; 1: few places, so that rows are met again by either kind; 2: in order; 3: anywhere, rarely.
          if (sort == 0 || sort == 3)
            at = random() % (capacity / burst) * burst;
          else if (sort == 1)
            at = random() % 64 * burst + random() % 2 * (capacity / 2);
          else
            at += burst;
          const bool write = sort == 2 ? i % 1500 > 800 : random() % 3 == 0;
          requests.push_back({at, static_cast<std::uint32_t>(burst), write ? Op::kWrite : Op::kRead, 0});
        }
        Listed source(requests);
        Engine engine(c);
        CommandCoverage coverage(c, preset);
        engine.add_observer(&coverage);
        testbench::TrafficLimits limits;
        limits.in_flight = 64;
        limits.gap_cycles = sort == 3 ? 2000 : 0;
        testbench::run_traffic(engine, source, limits, {});
        all.merge({{}, coverage.finish()});
      }
    std::string holes;
    for (const coverage::Hole& h : coverage::holes_of(all)) holes += h.group + ", " + h.point + ": " + h.bin + "\n";
    CHECK(holes == "");
  }
}
