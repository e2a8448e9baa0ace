// The bare engine: latencies and small cases by hand to the clock, order of dependent accesses, back-pressure,
// counting.
#include "harmonia/hw/dram/engine.h"

#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// Byte address of coordinates, from the lists of address bits alone.
std::uint64_t address_of(const Config& c, int bankgroup, int bank, int row, int column = 0, int rank = 0,
                         int pseudo_channel = 0) {
  std::uint64_t a = 0;
  const auto place = [&a](const std::vector<int>& bits, int value) {
    for (std::size_t i = 0; i < bits.size(); ++i) a |= static_cast<std::uint64_t>((value >> i) & 1) << bits[i];
  };
  place(c.mapping.bankgroup, bankgroup);
  place(c.mapping.bank, bank);
  place(c.mapping.row, row);
  place(c.mapping.column, column);
  place(c.mapping.rank, rank);
  place(c.mapping.pseudo_channel, pseudo_channel);
  return a;
}

Request access(const Config& c, Op op, int bankgroup, int bank, int row, int column = 0, std::uint64_t tag = 0) {
  return {address_of(c, bankgroup, bank, row, column), static_cast<std::uint32_t>(c.burst_bytes()), op, tag};
}

/// Done cycle by tag of requests that are all offered at the given cycles.
std::vector<Cycle> done(CheckedEngine& e, const std::vector<std::pair<Request, Cycle>>& requests) {
  std::vector<Cycle> at(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Request r = requests[i].first;
    r.tag = i;
    e.engine.push(r, requests[i].second);
  }
  e.engine.drain();
  for (const Completion& c : e.engine.completions()) at[c.tag] = c.done;
  e.engine.completions().clear();
  return at;
}

}  // namespace

TEST_CASE("Engine: unloaded latencies by hand") {
  // One clock in front, then: hit CL + burst; closed RCD + CL + burst; conflict RP + RCD + CL + burst. HBM2 and LPDDR4
  // count from the last clock of a command (ACT 2 on HBM2; ACT and RD 4, PRE 2 on LPDDR4). LPDDR5 needs CAS before a
  // read when WCK is out of step, in the clock in which the read could have gone.
  const struct {
    const char* preset;
    Cycle closed, hit, conflict;
  } cases[] = {
      {"ddr4_3200.bgi.noref", 1 + 22 + 22 + 4, 1 + 22 + 4, 1 + 22 + 22 + 22 + 4},
      {"hbm2_2000.rbc.noref", 1 + 1 + 14 + 14 + 2, 1 + 14 + 2, 1 + 14 + 14 + 14 + 2},
      {"lpddr4_3200.rbc.noref", 1 + 29 + 3 + 28 + 8, 1 + 3 + 28 + 8, 1 + 1 + 29 + 29 + 28 + 8},
      {"lpddr5_6400.cbg.noref", 1 + 15 + 1 + 17 + 2, 1 + 1 + 17 + 2, 1 + 15 + 15 + 1 + 17 + 2},
  };
  for (const auto& x : cases) {
    INFO(x.preset);
    const Config& c = find_preset(x.preset);
    CheckedEngine e(c);
    CHECK(e.one(access(c, Op::kRead, 0, 1, 5), 0).done == x.closed);
    CHECK(e.one(access(c, Op::kRead, 0, 1, 5, 3), 1000).done == 1000 + x.hit);
    CHECK(e.one(access(c, Op::kRead, 0, 1, 6), 2000).done == 2000 + x.conflict);
    e.check();
  }
}

TEST_CASE("Engine: unloaded latencies of every preset by the formula") {
  for (const Config& preset : presets()) {
    Config c = preset;
    c.refresh = RefreshPolicy::kNone;
    INFO(c.name);
    CheckedEngine e(c);
    const bool last_edge = c.standard->from_last_edge;
    const auto length = [&](Cmd cmd) { return int{c.standard->command_cycles[static_cast<std::size_t>(cmd)]}; };
    const int act = length(Cmd::kAct), rd = length(Cmd::kRd), pre = length(Cmd::kPre);
    const int cas = c.standard->wck_sync ? 1 : 0;
    const Cycle data = cas + c[Param::CL] + c.burst_cycles() + (last_edge ? rd - 1 : 0);
    const Cycle open = c[Param::RCDRD] + (last_edge ? act - rd : 0);
    CHECK(e.one(access(c, Op::kRead, 0, 0, 5), 0).done == c.frontend_cycles + open + data);
    CHECK(e.one(access(c, Op::kRead, 0, 0, 5, 1), 10000).done == 10000 + c.frontend_cycles + data);
    const Cycle close = c[Param::RP] - (last_edge ? act - pre : 0);
    CHECK(e.one(access(c, Op::kRead, 0, 0, 6), 20000).done == 20000 + c.frontend_cycles + close + open + data);
    e.check();
  }
}

TEST_CASE("Engine: small cases by hand on DDR4-3200") {
  // CL 22 CWL 16 RCD 22 RP 22 RAS 52 RTP 12 WR 24 CCD 4/8 RRD 4/8 WTR 4/12 RTW 12 FAW 34 RFC 560, burst 4.
  const Config& c = find_preset("ddr4_3200.bgi.noref");
  const auto times = [&](std::vector<std::pair<Request, Cycle>> requests) {
    CheckedEngine e(c);
    const auto t = done(e, requests);
    e.check();
    return t;
  };
  const auto rd = [&](int group, int bank, int row, int column = 0) {
    return access(c, Op::kRead, group, bank, row, column);
  };
  const auto wr = [&](int group, int bank, int row, int column = 0) {
    return access(c, Op::kWrite, group, bank, row, column);
  };
  using T = std::vector<Cycle>;
  // Two columns of a row: the second CCD_L behind. ACT 1, RD 23 and 31.
  CHECK(times({{rd(0, 0, 0, 0), 0}, {rd(0, 0, 0, 1), 0}}) == T{23 + 26, 31 + 26});
  // Two groups: ACT 1 and 5 (RRD_S), RD 23 and 27 (CCD_S).
  CHECK(times({{rd(0, 0, 0), 0}, {rd(1, 0, 0), 0}}) == T{23 + 26, 27 + 26});
  // Two banks of a group: ACT 1 and 9 (RRD_L), RD 23 and 31.
  CHECK(times({{rd(0, 0, 0), 0}, {rd(0, 1, 0), 0}}) == T{23 + 26, 31 + 26});
  // Five activates: 1, 5, 9, 13 and, a window later, 35, where it keeps the fourth read from the command bus; its own
  // read at 57.
  CHECK(times({{rd(0, 0, 0), 0}, {rd(1, 0, 0), 0}, {rd(2, 0, 0), 0}, {rd(3, 0, 0), 0}, {rd(0, 1, 0), 0}}) ==
        T{49, 53, 57, 36 + 26, 57 + 26});
  // A conflict behind a hit: RD 23, PRE at RAS 53, ACT 75, RD 97.
  CHECK(times({{rd(0, 0, 0), 0}, {rd(0, 0, 1), 0}}) == T{49, 97 + 26});
  // Write, then read of the same bank: WR 23 with data 39..43, RD at 43 + WTR_L 12 = 55.
  CHECK(times({{wr(0, 0, 0), 0}, {rd(0, 0, 0, 0), 1}}) == T{43, 55 + 26});
  // Write and a conflict: write recovery. WR 23, data to 43, PRE 67, ACT 89, RD 111.
  CHECK(times({{wr(0, 0, 0), 0}, {rd(0, 0, 1), 30}}) == T{43, 111 + 26});
  // Read, then write of the same burst: RD 23, WR at 23 + RTW 12 = 35, data 51..55.
  CHECK(times({{rd(0, 0, 0), 0}, {wr(0, 0, 0), 0}}) == T{49, 55});

  // A refresh falls due at 12480 just when a request comes: REF, ACT RFC later at 13040, RD 13062.
  CheckedEngine e(find_preset("ddr4_3200.bgi"));
  CHECK(e.one(rd(0, 0, 0), 12479).done == 13062 + 26);
  // The row is open at the next one: PREA 24960, REF 24982, ACT 25542, RD 25564.
  CHECK(e.one(rd(0, 0, 0), 24959).done == 25564 + 26);
  e.check();
}

TEST_CASE("Engine: LPDDR5 sends ACT1, ACT2 and CAS by hand") {
  const Config& c = find_preset("lpddr5_6400.cbg.noref");
  CheckedEngine e(c, true);
  e.engine.push({address_of(c, 0, 0, 7), 64, Op::kRead, 0}, 0);  // two bursts of one bank
  e.engine.drain();
  e.check();
  std::vector<std::pair<Cycle, std::string>> commands;
  for (const Command& x : e.commands()) commands.emplace_back(x.cycle, cmd_name(x.cmd, true));
  using C = std::pair<Cycle, std::string>;
  CHECK(commands == std::vector<C>{{1, "ACT1"}, {2, "ACT2"}, {16, "CAS_RD"}, {17, "RD"}, {21, "RD"}});
}

TEST_CASE("Engine: accesses of the same burst keep their order under reordering") {
  for (const char* preset : {"ddr4_3200.bgi", "hbm2_2000.rbc", "lpddr4_3200.rbc", "lpddr5_6400.cbg"}) {
    const Config& c = find_preset(preset);
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      INFO(preset << " seed " << seed);
      std::mt19937_64 random(seed);
      CheckedEngine e(c, true);
      using Place = std::tuple<int, int, int, int>;
      std::map<Place, std::vector<Op>> offered, seen;
      Cycle t = 0;
      for (int i = 0; i < 1500; ++i) {
        const int group = c.bankgroups > 1 ? static_cast<int>(random() % 2) : 0;
        const int bank = static_cast<int>(random() % 2), row = static_cast<int>(random() % 3);
        const int column = static_cast<int>(random() % 3);
        // One to three bursts, so that parts of longer requests overlap.
        const int bursts = 1 + static_cast<int>(random() % 3);
        const Op op = random() % 2 ? Op::kWrite : Op::kRead;
        Request r = access(c, op, group, bank, row, column);
        for (int b = 0; b < bursts; ++b) {
          // What the next burst address is depends on the mapping: take the coordinates from the bits.
          const std::uint64_t a =
              r.address + static_cast<std::uint64_t>(b) * static_cast<std::uint64_t>(c.burst_bytes());
          const auto field = [a](const std::vector<int>& bits) {
            int v = 0;
            for (std::size_t k = 0; k < bits.size(); ++k) v |= static_cast<int>((a >> bits[k]) & 1) << k;
            return v;
          };
          offered[{field(c.mapping.bankgroup), field(c.mapping.bank), field(c.mapping.row), field(c.mapping.column)}]
              .push_back(op);
        }
        r.length *= static_cast<std::uint32_t>(bursts);
        e.engine.advance(t);
        while (!e.engine.can_accept(op)) {
          t = e.engine.next_wake();
          e.engine.advance(t);
        }
        e.engine.push(r, t);
        t += static_cast<Cycle>(random() % 12);
      }
      e.engine.drain();
      CHECK(e.engine.completions().size() == 1500);
      CHECK(e.engine.in_flight() == 0);
      for (const Command& x : e.commands())
        if (x.cmd == Cmd::kRd || x.cmd == Cmd::kWr)
          seen[{x.bankgroup, x.bank_in_group, x.row, x.column}].push_back(x.cmd == Cmd::kWr ? Op::kWrite : Op::kRead);
      CHECK(seen == offered);
      e.check();
    }
  }
}

TEST_CASE("Engine: accepts no more than its queue and says so") {
  const Config c = configured("ddr4_3200.bgi.noref", {{"queue_entries", "4"}});
  Engine e(c);
  for (std::uint64_t i = 0; i < 4; ++i) {
    REQUIRE(e.can_accept(Op::kRead));
    e.push(access(c, Op::kRead, 0, 0, static_cast<int>(i)), 0);
  }
  CHECK_FALSE(e.can_accept(Op::kRead));
  CHECK(e.can_accept(Op::kWrite));
  CHECK_THROWS_AS(e.push(access(c, Op::kRead, 0, 0, 9), 0), std::logic_error);
  // The first access leaves at 23 and makes room.
  e.advance(22);
  CHECK_FALSE(e.can_accept(Op::kRead));
  CHECK(e.next_wake() <= 23);
  e.advance(23);
  CHECK(e.can_accept(Op::kRead));
  CHECK_THROWS_AS(e.push({0, 0, Op::kRead, 0}, 23), std::logic_error);
}

TEST_CASE("Engine: takes requests of any length and alignment, longer than its queue") {
  for (const char* preset : {"DDR4-3200", "HBM2-2000", "LPDDR5-6400", "GDDR6-16000"}) {
    INFO(preset);
    const Config& c = find_preset(preset);
    CheckedEngine e(c);
    const auto burst = static_cast<std::uint64_t>(c.burst_bytes());
    std::uint64_t bursts = 0;
    Cycle t = 0;
    for (const auto& [address, length] : std::vector<std::pair<std::uint64_t, std::uint32_t>>{
             {0, 1}, {burst - 1, 2}, {12345, 100000}, {4096, 1 << 20}, {c.capacity_bytes() - burst, 64}}) {
      const Completion done = e.one({address, length, Op::kRead, 7}, t);
      CHECK(done.tag == 7);
      t = done.done;
      bursts += (address + length - 1) / burst - address / burst + 1;
      CHECK(e.engine.statistics().bursts[0] == bursts);
    }
    e.engine.finish(t);
    e.check();
  }
}

TEST_CASE("Engine: loses and repeats no request under random configurations") {
  const char* const pages[] = {"open", "closed", "adaptive"};
  const char* const mappings[] = {"bgi", "rbc", "cbg"};
  const std::vector<std::string> kinds = testbench::traffic_kinds();
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](int low, int high) {
      return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
    };
    const auto set = [](Config& c, const char* key, const std::string& value) { set_key(c, key, value); };
    Config c = presets()[random() % presets().size()];
    set(c, "queue_entries", std::to_string(pick(1, 100)));
    set(c, "page_policy", pages[random() % 3]);
    set(c, "page_timeout_cycles", std::to_string(pick(1, 400)));
    set(c, "scheduler", random() % 4 ? "FR-FCFS" : "FCFS");
    set(c, "fairness_cap_cycles", std::to_string(random() % 3 ? pick(1, 2000) : 0));
    set(c, "write_max_wait_cycles", std::to_string(random() % 3 ? pick(1, 5000) : 0));
    set(c, "write_idle_cycles", std::to_string(random() % 3 ? pick(1, 500) : 0));
    set(c, "refresh", random() % 4 == 0 ? "none" : random() % 2 && c[Param::RFCpb] > 0 ? "per_bank" : "all_bank");
    set(c, "refresh_urgency", random() % 2 ? "at_once" : "after_access");
    set(c, "refresh_postpone", std::to_string(pick(0, 8)));
    set(c, "refresh_pull_in", std::to_string(pick(0, 8)));
    set(c, "power_down_idle_cycles", std::to_string(random() % 2 ? pick(1, 100) : 0));
    set(c, "ranks", std::to_string(1 << pick(0, 1)));
    set(c, "pseudo_channels", std::to_string(1 << pick(0, 1)));
    set(c, "mapping", mappings[random() % 3]);
    const std::string kind = kinds[random() % kinds.size()];
    const int in_flight = pick(1, 200);
    INFO("seed " << seed << " " << c.name << " " << kind << " " << in_flight);
    c.finish();
    CheckedEngine e(c);
    // run_traffic throws when a request is lost or answered twice.
    const auto r = e.run(kind, 600, {in_flight, random() % 2 ? static_cast<double>(pick(1, 200)) : 0.0, false});
    CHECK(r.statistics.requests[0] + r.statistics.requests[1] == 600);
    // Per-bank refreshes that cannot keep up (the configuration was warned of) are no rule of the engine's.
    if (c.refresh != RefreshPolicy::kPerBank || c[Param::PBR2PBR] * 2 < c[Param::REFIpb]) e.check();
  }
}
