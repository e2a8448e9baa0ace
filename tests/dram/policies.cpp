// Each policy does visibly what its name says.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

constexpr std::uint64_t kRow = std::uint64_t{1} << 17;  // DDR4 bgi: bank group at 6, column at 8, bank at 15, row at 17

std::uint64_t count(const CheckedEngine& e, Cmd c) {
  return static_cast<std::uint64_t>(
      std::count_if(e.commands().begin(), e.commands().end(), [c](const Command& x) { return x.cmd == c; }));
}

std::vector<Cycle> cycles(const CheckedEngine& e, Cmd c) {
  std::vector<Cycle> list;
  for (const Command& x : e.commands())
    if (x.cmd == c) list.push_back(x.cycle);
  return list;
}

}  // namespace

TEST_CASE("Policy: open, closed and adaptive pages") {
  const auto latencies = [](const char* policy) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"page_policy", policy}, {"page_timeout_cycles", "150"}});
    CheckedEngine e(c, true);
    std::vector<Cycle> list;
    // The same row 50 clocks after the data, the same row much later, another row much later.
    list.push_back(e.one({0, 64, Op::kRead, 0}, 0).done);
    list.push_back(e.one({256, 64, Op::kRead, 0}, 100).done - 100);
    list.push_back(e.one({512, 64, Op::kRead, 0}, 2000).done - 2000);
    list.push_back(e.one({kRow, 64, Op::kRead, 0}, 4000).done - 4000);
    e.engine.finish(6000);
    e.check();
    return std::pair(list, cycles(e, Cmd::kPre));
  };
  using T = std::vector<Cycle>;
  // Closed 49, hit 27, conflict 71.
  CHECK(latencies("open") == std::pair(T{49, 27, 27, 71}, T{4001}));
  // Closed as soon as it may be: RAS after each activate (1, 101, 2001, 4001).
  CHECK(latencies("closed") == std::pair(T{49, 49, 49, 49}, T{53, 153, 2053, 4053}));
  // Closed 150 after the last use (101, 2023, 4023).
  CHECK(latencies("adaptive") == std::pair(T{49, 27, 49, 49}, T{251, 2173, 4173}));
}

TEST_CASE("Policy: FR-FCFS takes the hit first, FCFS the older") {
  const auto order = [](const char* scheduler) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"scheduler", scheduler}});
    CheckedEngine e(c);
    e.engine.push({0, 64, Op::kRead, 0}, 0);
    e.engine.push({kRow, 64, Op::kRead, 1}, 1);
    e.engine.push({256, 64, Op::kRead, 2}, 2);
    e.engine.drain();
    e.check();
    std::vector<std::uint64_t> tags;
    for (const Completion& x : e.engine.completions()) tags.push_back(x.tag);
    return tags;
  };
  CHECK(order("FR-FCFS") == std::vector<std::uint64_t>{0, 2, 1});
  CHECK(order("FCFS") == std::vector<std::uint64_t>{0, 1, 2});
}

TEST_CASE("Policy: the fairness cap ends the starving of a conflict") {
  const auto worst = [](const char* cap) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"fairness_cap_cycles", cap}});
    CheckedEngine e(c);
    Cycle latency = 0;
    std::uint64_t column = 0;
    for (Cycle t = 0; t < 8000; t += 4) {  // hits of one row without end, twice as many as the bank can serve
      while (!e.engine.can_accept(Op::kRead)) e.engine.advance(t += 4);
      e.engine.push({(column++ % 128) * 256, 64, Op::kRead, 0}, t);
      if (t == 400) e.engine.push({kRow, 64, Op::kRead, 1}, t);
      for (const Completion& x : e.engine.completions())
        if (x.tag == 1) latency = x.done - x.offered;
      e.engine.completions().clear();
    }
    e.engine.drain();
    for (const Completion& x : e.engine.completions())
      if (x.tag == 1) latency = x.done - x.offered;
    e.check();
    return latency;
  };
  const Cycle capped = worst("600"), never = worst("0");
  CHECK(never > 7000);
  // The cap, then PRE, ACT, RD and its data.
  CHECK(capped >= 600 + 22 + 22 + 26);
  CHECK(capped <= 600 + 12 + 22 + 22 + 26 + 8);
}

TEST_CASE("Policy: writes go in batches and wait no longer than their bound") {
  const auto mixed = [](const char* high, const char* low) {
    const Config c = configured("hbm2_2000.rbc", {{"write_high_watermark", high}, {"write_low_watermark", low}});
    CheckedEngine e(c);
    const auto r = e.run("mix", 20000);
    e.check();
    return r;
  };
  const auto batched = mixed("90", "50"), eager = mixed("2", "1");
  CHECK(batched.statistics.turnarounds * 2 < eager.statistics.turnarounds);
  CHECK(batched.last_done < eager.last_done);
  CHECK(batched.statistics.write_batches > 0);

  // One write against reads that always hit: it goes after write_max_wait_cycles, or after write_idle_cycles.
  const auto wait = [](const char* most, const char* idle) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"write_max_wait_cycles", most}, {"write_idle_cycles", idle}});
    CheckedEngine e(c, true);
    std::uint64_t column = 0;
    for (Cycle t = 0; t < 6000; t += 2) {  // more reads than the bus can carry
      e.engine.advance(t);
      if (e.engine.can_accept(Op::kRead)) e.engine.push({(column++ % 512) * 64, 64, Op::kRead, 0}, t);
      if (t == 800) e.engine.push({256 * 64, 64, Op::kWrite, 1}, t);
    }
    e.engine.drain();
    e.check();
    return cycles(e, Cmd::kWr).at(0) - 800;
  };
  CHECK(wait("1500", "0") >= 1500);
  CHECK(wait("1500", "0") <= 1600);
  CHECK(wait("5000", "300") >= 300);
  CHECK(wait("5000", "300") <= 400);
}

TEST_CASE("Policy: refresh of all banks, of one bank, of the same bank of every group, of none") {
  const auto run = [](const char* preset, const char* refresh, const char* mapping = "rbc") {
    const Config c = configured(preset, {{"refresh", refresh}, {"mapping", mapping}});
    auto e = std::make_unique<CheckedEngine>(c, true);
    e->run("rand", 20000);
    e->check();
    return e;
  };
  const auto all = run("LPDDR4-3200", "all_bank"), one = run("LPDDR4-3200", "per_bank"),
             none = run("LPDDR4-3200", "none");
  const auto interval = [](const CheckedEngine& e, Param p) {
    return static_cast<std::uint64_t>(e.engine.statistics().busy_until / e.engine.config()[p]);
  };
  CHECK(count(*all, Cmd::kRef) >= interval(*all, Param::REFI) - 1);
  CHECK(count(*all, Cmd::kRefPb) == 0);
  CHECK(count(*one, Cmd::kRefPb) >= interval(*one, Param::REFIpb) - 1);
  CHECK(count(*one, Cmd::kRef) == 0);
  CHECK(count(*none, Cmd::kRef) + count(*none, Cmd::kRefPb) == 0);
  // One bank rests at a time, in turn; the others go on: faster than resting all.
  std::map<int, int> turns;
  for (const Command& x : one->commands())
    if (x.cmd == Cmd::kRefPb) ++turns[x.bank_in_group];
  REQUIRE(turns.size() == 8);
  for (const auto& t : turns) CHECK(t.second >= turns[0] - 1);
  CHECK(one->engine.statistics().last_done < all->engine.statistics().last_done);
  CHECK(none->engine.statistics().last_done < one->engine.statistics().last_done);

  const auto same = run("DDR5-4800", "same_bank");
  CHECK(count(*same, Cmd::kRefPb) >= interval(*same, Param::REFIpb) - 1);
  std::set<int> banks;
  for (const Command& x : same->commands())
    if (x.cmd == Cmd::kRefPb) banks.insert(x.bank_in_group);
  CHECK(banks.size() == 4);
}

TEST_CASE("Policy: refreshes wait while requests do, and come early in idle time") {
  // Under load the first refresh comes when nine are due; afterwards the channel pays its debts at once.
  const Config late = configured("ddr4_3200.bgi", {{"refresh_postpone", "8"}});
  CheckedEngine busy(late, true);
  busy.run("seq", 40000);
  busy.engine.finish(busy.engine.statistics().last_done + 20000);
  busy.check();
  const std::vector<Cycle> refreshes = cycles(busy, Cmd::kRef);
  CHECK(refreshes.front() >= 9 * 12480);
  CHECK(refreshes.front() < 9 * 12480 + 200);
  const auto due = busy.engine.statistics().busy_until / 12480;
  CHECK(static_cast<Cycle>(refreshes.size()) == due);

  const Config early = configured("ddr4_3200.bgi", {{"refresh_pull_in", "8"}});
  CheckedEngine idle(early, true);
  idle.engine.finish(20000);
  idle.check();
  // Eight ahead of their time one RFC apart, and the ninth at the end of the first interval.
  CHECK(cycles(idle, Cmd::kRef).size() >= 8);
  CHECK(cycles(idle, Cmd::kRef).at(7) < 12480);
}

TEST_CASE("Policy: address bits flip banks where rows would conflict") {
  // Every access to another row of the same bank; with the low row bits on the bank bits they spread over all.
  const auto time = [](const char* bank_xor) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"bank_xor", bank_xor}});
    CheckedEngine e(c, true);
    for (std::uint64_t i = 0; i < 64; ++i) e.engine.push({i * kRow, 64, Op::kRead, i}, static_cast<Cycle>(i));
    const Cycle end = e.engine.drain();
    e.check();
    std::set<std::pair<int, int>> banks;
    for (const Command& x : e.commands())
      if (x.cmd == Cmd::kAct) banks.insert({x.bankgroup, x.bank_in_group});
    return std::pair(end, banks.size());
  };
  const auto plain = time("[]"), spread = time("[0,17,1,18,2,19,3,20]");
  CHECK(plain.second == 1);
  CHECK(spread.second == 16);
  CHECK(plain.first >= 63 * 74);          // a row cycle each
  CHECK(spread.first < plain.first / 5);  // bound by FAW: 34 per four
}

TEST_CASE("Policy: ranks share the data bus, pseudo channels have one each") {
  const auto run = [](const Config& c, const char* traffic) {
    auto e = std::make_unique<CheckedEngine>(c, true);
    const auto r = e->run(traffic, 20000, {128, 0, false});
    e->check();
    return std::pair(std::move(e), r);
  };
  // Twice the banks behind one bus: random requests, bound by FAW of each rank, gain; the peak does not.
  const auto one = run(configured("DDR4-3200"), "rand"),
             two = run(configured("DDR4-3200", {{"ranks", "2"}, {"mapping", "bgi"}}), "rand");
  CHECK(two.second.utilisation(two.first->engine.config()) > 1.3 * one.second.utilisation(one.first->engine.config()));
  std::set<int> units;
  for (const Command& x : two.first->commands()) units.insert(x.unit);
  CHECK(units == std::set<int>{0, 1});
  // Two pseudo channels carry almost twice as much over one set of command pins.
  const auto half = run(configured("HBM2-2000"), "seq"),
             both = run(configured("HBM2-2000", {{"pseudo_channels", "2"}, {"mapping", "rbc"}}), "seq");
  CHECK(both.first->engine.config().peak_GBs() == Approx(2 * half.first->engine.config().peak_GBs()));
  CHECK(both.second.bandwidth_GBs(both.first->engine.config()) >
        1.7 * half.second.bandwidth_GBs(half.first->engine.config()));
}

TEST_CASE("Policy: an idle channel powers down, and waking costs tXP") {
  const auto run = [](const char* idle) {
    const Config c = configured("ddr4_3200.bgi.noref", {{"power_down_idle_cycles", idle}});
    auto e = std::make_unique<CheckedEngine>(c, true);
    const Cycle first = e->one({0, 64, Op::kRead, 0}, 0).done;
    const Cycle second = e->one({256, 64, Op::kRead, 0}, 5000).done - 5000;
    e->engine.finish(20000);
    e->check();
    CHECK(first == (idle[0] == '0' ? 49 : 49));
    return std::pair(second, std::move(e));
  };
  const auto awake = run("0"), asleep = run("100");
  CHECK(awake.first == 27);
  CHECK(asleep.first == 27 + 10);  // PDX, then tXP 10
  CHECK(count(*awake.second, Cmd::kPdEnter) == 0);
  CHECK(cycles(*asleep.second, Cmd::kPdEnter).at(0) == 23 + 100);
  CHECK(cycles(*asleep.second, Cmd::kPdExit).at(0) == 5001);
  const Energy &a = awake.second->engine.statistics().energy, &b = asleep.second->engine.statistics().energy;
  CHECK(a.background_power_down == 0);
  CHECK(b.background_power_down > 0);
  CHECK(b.total() < a.total());
}
