// The refresh manager alone: when a refresh is due, postponing and pulling in, and which banks it takes.
#include "harmonia/hw/dram/engine/refresh_manager.h"

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// A manager with what it needs.
struct Managed {
  explicit Managed(const Config& c) : organisation(c), changes(organisation), refresh(c, organisation, changes) {}
  Organisation organisation;
  Changes changes;
  RefreshManager refresh;
  /// Starts and finishes the refresh at t. False when it is postponed.
  bool done(Cycle t, bool has_work) {
    const bool started = refresh.start(0, has_work, t);
    if (started) refresh.issued(0);
    return started;
  }
};

constexpr Cycle kInterval = 12480;  // REFI of DDR4-3200

}  // namespace

TEST_CASE("Refresh manager: all banks once an interval") {
  Managed m(configured("ddr4_3200.bgi"));
  CHECK(m.refresh.all_bank());
  CHECK(m.refresh.command() == Cmd::kRef);
  CHECK(m.refresh.due(0, true, 0) == kInterval);
  CHECK(m.refresh.due(0, false, 0) == kInterval);
  REQUIRE(m.refresh.start(0, true, kInterval));
  CHECK(m.refresh.active(0));
  CHECK(m.refresh.banks(0) == 0xffff);
  CHECK(m.refresh.due(0, true, 0) == kNever);  // one at a time
  m.refresh.issued(0);
  CHECK_FALSE(m.refresh.active(0));
  CHECK(m.refresh.banks(0) == 0);
  CHECK(m.refresh.due(0, true, 0) == 2 * kInterval);
}

TEST_CASE("Refresh manager: a late refresh does not move the next ones") {
  Managed m(configured("ddr4_3200.bgi"));
  REQUIRE(m.done(kInterval + 300, true));
  CHECK(m.refresh.due(0, true, 0) == 2 * kInterval);
}

TEST_CASE("Refresh manager: none without refresh") {
  Managed m(configured("ddr4_3200.bgi.noref"));
  CHECK(m.refresh.due(0, true, 0) == kNever);
  CHECK(m.refresh.due(0, false, 0) == kNever);
}

TEST_CASE("Refresh manager: postpones while requests wait, as often as it may, and pays back when idle") {
  Managed m(configured("ddr4_3200.bgi", {{"refresh_postpone", "2"}}));
  CHECK_FALSE(m.done(kInterval, true));
  CHECK_FALSE(m.done(2 * kInterval, true));
  CHECK(m.refresh.owed(0) == 2);
  CHECK(m.done(3 * kInterval, true));  // no further
  CHECK(m.refresh.owed(0) == 2);
  CHECK(m.refresh.due(0, true, 0) == 4 * kInterval);
  const Cycle idle_since = 3 * kInterval + 700;
  CHECK(m.refresh.due(0, false, idle_since) == idle_since);
  CHECK(m.done(idle_since, false));
  CHECK(m.done(idle_since + 600, false));
  CHECK(m.refresh.owed(0) == 0);
  CHECK(m.refresh.due(0, false, idle_since) == 4 * kInterval);
}

TEST_CASE("Refresh manager: an idle unit does not postpone") {
  Managed m(configured("ddr4_3200.bgi", {{"refresh_postpone", "2"}}));
  CHECK(m.done(kInterval, false));
  CHECK(m.refresh.owed(0) == 0);
}

TEST_CASE("Refresh manager: pulls in when idle for the time of a refresh, as far as it may") {
  Managed m(configured("ddr4_3200.bgi", {{"refresh_pull_in", "1"}}));
  CHECK(m.refresh.due(0, true, 0) == kInterval);
  CHECK(m.refresh.due(0, false, 100) == 100 + 560);  // RFC
  CHECK(m.done(660, false));
  // The next one is the second: at most one interval early.
  CHECK(m.refresh.due(0, true, 0) == 2 * kInterval);
  CHECK(m.refresh.due(0, false, 700) == kInterval);
}

TEST_CASE("Refresh manager: one bank after the other") {
  const Config c = configured("lpddr5_6400.cbg", {{"refresh", "per_bank"}});
  Managed m(c);
  CHECK_FALSE(m.refresh.all_bank());
  CHECK(m.refresh.command() == Cmd::kRefPb);
  for (int i = 0; i < 2 * 16; ++i) {
    const Cycle due = m.refresh.due(0, true, 0);
    REQUIRE(due == (i + 1) * 391);
    REQUIRE(m.refresh.start(0, true, due));
    REQUIRE(m.refresh.banks(0) == std::uint64_t{1} << (i % 16));
    m.refresh.issued(0);
  }
}

TEST_CASE("Refresh manager: DDR5 takes the same bank of every group") {
  const Config c = configured("DDR5-4800", {{"refresh", "per_bank"}});
  Managed m(c);
  for (int i = 0; i < 2 * c.banks_per_group; ++i) {
    std::uint64_t expected = 0;
    for (int g = 0; g < c.bankgroups; ++g)
      expected |= std::uint64_t{1} << (g * c.banks_per_group + i % c.banks_per_group);
    REQUIRE(m.refresh.start(0, true, m.refresh.due(0, true, 0)));
    REQUIRE(m.refresh.banks(0) == expected);
    m.refresh.issued(0);
  }
}

TEST_CASE("Refresh manager: units are refreshed each by itself") {
  Managed m(configured("DDR4-3200", {{"ranks", "2"}, {"mapping", "rbc"}}));
  REQUIRE(m.refresh.start(1, true, kInterval));
  CHECK(m.refresh.banks(0) == 0);
  CHECK(m.refresh.due(0, true, 0) == kInterval);
  CHECK(m.refresh.due(1, true, 0) == kNever);
}
