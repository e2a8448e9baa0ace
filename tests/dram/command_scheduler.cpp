// The command scheduler alone: what it decides in states that the test makes, with decisions kept and made anew.
#include "harmonia/hw/dram/engine/command_scheduler.h"

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// A channel's state and its scheduler. Banks are opened and accesses queued by the test; nothing is issued.
struct Scheduled {
  explicit Scheduled(const Config& c, bool keep = true) : state(c), scheduler(state, keep) {}
  ChannelState state;
  CommandScheduler scheduler;

  std::uint32_t add(Op op, int bank, int row, Cycle offered = 0) {
    const std::uint64_t burst = next_burst_ += 256;
    state.queues.add({static_cast<std::uint32_t>(bank), static_cast<std::uint32_t>(row)}, burst, burst, 1,
                     next_age_++ - static_cast<std::int64_t>(burst), 0, op, offered);
    return state.queues.last_added();
  }
  /// An activate at t on behalf of an access that has been made since.
  void open(int bank, int row, Cycle t) {
    const int unit = state.organisation.unit_of(bank);
    state.timing.issue(Cmd::kAct, unit, bank, t);
    state.banks.activate(bank, row, t, kServed, 0);
    state.banks.release(bank);
    state.queues.row_opened(bank);
  }
  /// The decision from cycle t on.
  Decision at(Cycle t) {
    scheduler.invalidate();
    scheduler.set_floor(t);
    scheduler.needs_commands();
    return scheduler.decide();
  }

 private:
  static constexpr std::uint32_t kServed = 1000;
  std::uint64_t next_burst_ = 0;
  std::int64_t next_age_ = 0;
};

Config ddr4(std::initializer_list<std::pair<const char*, const char*>> keys = {}) {
  return configured("ddr4_3200.bgi.noref", keys);
}

void check(const Decision& d, Action action, int bank, Cycle t) {
  CHECK(static_cast<int>(d.action) == static_cast<int>(action));
  CHECK(d.bank == bank);
  CHECK(d.t == t);
}

}  // namespace

TEST_CASE("Scheduler: nothing waits, nothing comes") {
  Scheduled s(ddr4());
  CHECK(s.at(100).t >= kNever);
}

TEST_CASE("Scheduler: opens the bank of the oldest access, as soon as the rules allow") {
  for (const bool keep : {true, false}) {
    Scheduled s(ddr4(), keep);
    s.add(Op::kRead, 5, 3);
    s.add(Op::kRead, 2, 4);
    check(s.at(100), Action::kActivate, 5, 100);
    s.open(6, 1, 99);  // same bank group as 5: RRD_L 8; RRD_S 4 for bank 2
    check(s.at(100), Action::kActivate, 2, 103);
  }
}

TEST_CASE("Scheduler: of the hits that are ready those go first whose bank an older access wants for another row") {
  for (const bool keep : {true, false}) {
    Scheduled s(ddr4(), keep);
    s.open(0, 1, 100);
    s.open(4, 1, 104);
    s.add(Op::kRead, 4, 1);
    s.add(Op::kRead, 0, 1);
    check(s.at(200), Action::kColumn, 4, 200);  // the oldest
    Scheduled t(ddr4(), keep);
    t.open(0, 1, 100);
    t.open(4, 1, 104);
    t.add(Op::kRead, 4, 1);
    t.add(Op::kRead, 0, 9);
    t.add(Op::kRead, 0, 1);
    check(t.at(200), Action::kColumn, 0, 200);  // row 9 waits for it
  }
}

TEST_CASE("Scheduler: FR-FCFS takes the oldest of the hits that are ready") {
  for (const bool keep : {true, false}) {
    Scheduled s(ddr4(), keep);
    s.open(0, 1, 100);
    s.open(4, 1, 104);
    s.add(Op::kRead, 4, 1);
    s.add(Op::kRead, 0, 1);
    check(s.at(110), Action::kColumn, 0, 122);  // RCD 22; bank 4 could at 126
    check(s.at(130), Action::kColumn, 4, 130);  // both could: the older
  }
}

TEST_CASE("Scheduler: a hit goes before an older conflict of its bank under FR-FCFS, not under FCFS") {
  for (const bool keep : {true, false}) {
    Scheduled first_ready(ddr4(), keep);
    first_ready.open(0, 1, 100);
    first_ready.add(Op::kRead, 0, 2);
    first_ready.add(Op::kRead, 0, 1);
    check(first_ready.at(200), Action::kColumn, 0, 200);

    Scheduled in_order(ddr4({{"scheduler", "FCFS"}}), keep);
    in_order.open(0, 1, 100);
    in_order.add(Op::kRead, 0, 2);
    in_order.add(Op::kRead, 0, 1);
    const Decision d = in_order.at(200);
    check(d, Action::kPrecharge, 0, 200);
    CHECK(d.for_conflict);
  }
}

TEST_CASE("Scheduler: from the fairness cap on the conflict goes first") {
  for (const bool keep : {true, false}) {
    Scheduled s(ddr4({{"fairness_cap_cycles", "300"}}), keep);
    s.open(0, 1, 100);
    s.add(Op::kRead, 0, 2, 150);
    s.add(Op::kRead, 0, 1, 160);
    check(s.at(449), Action::kColumn, 0, 449);
    check(s.at(450), Action::kPrecharge, 0, 450);
  }
}

TEST_CASE("Scheduler: a refresh that is due comes before all else, closes the rows and refreshes") {
  for (const bool keep : {true, false}) {
    Scheduled s(configured("ddr4_3200.bgi"), keep);
    s.open(0, 1, 100);
    s.add(Op::kRead, 0, 1);
    const Decision due = s.at(12480);
    CHECK(static_cast<int>(due.action) == static_cast<int>(Action::kRefreshDue));
    REQUIRE(s.state.refresh.start(0, true, due.t));
    check(s.at(12480), Action::kPrechargeAll, 0, 12480);
    s.state.timing.issue(Cmd::kPreAll, 0, -1, 12480);
    s.state.banks.precharge(0, false);
    s.state.queues.row_closed(0);
    check(s.at(12481), Action::kRefresh, 0, 12480 + 22);  // RP
  }
}

TEST_CASE("Scheduler: what falls due first comes first") {
  for (const bool keep : {true, false}) {
    Scheduled s(configured("ddr4_3200.bgi"), keep);
    s.open(0, 1, 12460);  // RCD 22: a column at 12482 at the earliest
    s.add(Op::kRead, 0, 1);
    const Decision d = s.at(12470);
    CHECK(static_cast<int>(d.action) == static_cast<int>(Action::kRefreshDue));
    CHECK(d.t == 12480);
  }
}

TEST_CASE("Scheduler: banks that a refresh waits for are not opened") {
  const Config c = configured("lpddr5_6400.cbg", {{"refresh", "per_bank"}});
  for (const bool keep : {true, false}) {
    Scheduled s(c, keep);
    s.add(Op::kRead, 0, 1);
    REQUIRE(s.state.refresh.start(0, true, 391));
    check(s.at(391), Action::kRefresh, 0, 391);
    s.state.timing.issue(Cmd::kPre, 0, 0, 391);  // the bank's refresh must wait for RP 15
    check(s.at(392), Action::kRefresh, 0, 391 + 15);
    s.add(Op::kRead, 3, 1);
    check(s.at(392), Action::kActivate, 3, 392);
  }
}

TEST_CASE("Scheduler: unused rows are closed by the page policy alone") {
  Scheduled open(ddr4());
  open.open(0, 1, 100);
  CHECK(open.at(200).t >= kNever);
  Scheduled closed(ddr4({{"page_policy", "closed"}}));
  closed.open(0, 1, 100);
  check(closed.at(110), Action::kPrecharge, 0, 152);  // RAS
  Scheduled adaptive(ddr4({{"page_policy", "adaptive"}, {"page_timeout_cycles", "120"}}));
  adaptive.open(0, 1, 100);
  check(adaptive.at(110), Action::kPrecharge, 0, 220);
}

TEST_CASE("Scheduler: power-down of an idle unit, and its end when something waits") {
  Scheduled s(ddr4({{"power_down_idle_cycles", "40"}}));
  CHECK(static_cast<int>(s.at(10).action) == static_cast<int>(Action::kPowerDown));
  CHECK(s.at(10).t == 40);
  s.state.timing.issue(Cmd::kPdEnter, 0, -1, 40);
  s.state.power.set_down(0, true);
  CHECK(s.at(41).t >= kNever);
  s.add(Op::kRead, 0, 1);
  CHECK(static_cast<int>(s.at(41).action) == static_cast<int>(Action::kPowerUp));
  CHECK(s.at(41).t == 48);  // CKE
}

TEST_CASE("Scheduler: ACT2 follows ACT1 before other rows, and no column of its bank comes between") {
  for (const bool keep : {true, false}) {
    Scheduled s(configured("lpddr5_6400.cbg.noref"), keep);
    s.add(Op::kRead, 2, 1);
    s.add(Op::kRead, 5, 1);
    s.state.timing.issue(Cmd::kAct, 0, 2, 100);
    s.state.banks.activate(2, 1, 100, kNone, 0);
    s.state.queues.row_opened(2);
    s.state.banks.await_second_activate(2, 101);
    check(s.at(101), Action::kSecondActivate, 2, 101);
  }
}

TEST_CASE("Scheduler: writes that must be served are an event") {
  Scheduled s(ddr4({{"write_max_wait_cycles", "500"}, {"write_idle_cycles", "0"}}));
  s.open(0, 1, 0);
  s.add(Op::kRead, 0, 1);
  s.add(Op::kWrite, 1, 1, 100);
  CHECK(static_cast<int>(s.at(599).action) == static_cast<int>(Action::kColumn));
  CHECK(static_cast<int>(s.at(600).action) == static_cast<int>(Action::kServeWrites));
}
