// Each rule of the AXI checker is shown to fire, alone and with its cycle; a link that keeps them is not blamed.
#include <functional>
#include <set>

#include "harmonia/hw/axi/axi_checker.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia::axi;

/// A link of 8 bytes whose pins a test sets by hand. Reset is over and one quiet edge has passed: the next edge is 3.
struct Bench {
  AxiChecker checker{8};
  MasterPins m;
  SlavePins s;
  Bench() {
    edge(false);
    edge(false);
    edge();
  }
  void edge(bool resetn = true) { checker.clock(resetn, m, s); }
  Burst& offer_write(unsigned beats = 1) {
    m.aw_valid = true;
    m.aw = {0x100, 3, static_cast<std::uint8_t>(beats - 1), 3, BurstType::kIncr};
    return m.aw;
  }
  Burst& offer_read(unsigned beats = 1) {
    m.ar_valid = true;
    m.ar = {0x100, 5, static_cast<std::uint8_t>(beats - 1), 3, BurstType::kIncr};
    return m.ar;
  }
  void offer_data(bool last = true) {
    m.w_valid = true;
    m.w_strobes = {0xff, 0};
    m.w_last = last;
  }
  void offer_b() {
    s.b_valid = true;
    s.b_id = 3;
  }
  void offer_r(bool last = true) {
    s.r_valid = true;
    s.r_id = 5;
    s.r_last = last;
  }
  /// A write whose address and data are taken at this edge.
  void take_write() {
    offer_write();
    offer_data();
    s.aw_ready = s.w_ready = true;
    edge();
    quiet();
  }
  void take_read(unsigned beats = 1) {
    offer_read(beats);
    s.ar_ready = true;
    edge();
    quiet();
  }
  void quiet() {
    m = {};
    s = {};
  }
};

using Break = std::function<void(Bench&)>;

/// A burst that is forbidden, taken as a write or as a read.
Break taken(bool write, const std::function<void(Burst&)>& change) {
  return [=](Bench& b) {
    change(write ? b.offer_write() : b.offer_read());
    b.s.aw_ready = b.s.ar_ready = true;
    b.edge();
  };
}

/// Ends at the edge at which the rule is broken.
const std::vector<std::pair<std::string, Break>>& breaks() {
  static const std::vector<std::pair<std::string, Break>> all = {
      {"RESET_MASTER",
       [](Bench& b) {
         b.edge(false);
         b.offer_write();
         b.edge();
       }},
      {"RESET_SLAVE",
       [](Bench& b) {
         b.offer_b();
         b.edge(false);
       }},
      {"AW_HELD",
       [](Bench& b) {
         b.offer_write();
         b.edge();
         b.quiet();
         b.edge();
       }},
      {"AW_STABLE",
       [](Bench& b) {
         b.offer_write();
         b.edge();
         b.m.aw.address += 8;
         b.edge();
       }},
      {"W_HELD",
       [](Bench& b) {
         b.offer_data();
         b.edge();
         b.quiet();
         b.edge();
       }},
      {"W_STABLE",
       [](Bench& b) {
         b.offer_data();
         b.edge();
         b.m.w_data[7] ^= 1;
         b.edge();
       }},
      {"B_HELD",
       [](Bench& b) {
         b.take_write();
         b.offer_b();
         b.edge();
         b.quiet();
         b.edge();
       }},
      {"B_STABLE",
       [](Bench& b) {
         b.take_write();
         b.offer_b();
         b.edge();
         b.s.b_response = kSlverr;
         b.edge();
       }},
      {"AR_HELD",
       [](Bench& b) {
         b.offer_read();
         b.edge();
         b.quiet();
         b.edge();
       }},
      {"AR_STABLE",
       [](Bench& b) {
         b.offer_read();
         b.edge();
         b.m.ar.length = 1;
         b.edge();
       }},
      {"R_HELD",
       [](Bench& b) {
         b.take_read();
         b.offer_r();
         b.edge();
         b.quiet();
         b.edge();
       }},
      {"R_STABLE",
       [](Bench& b) {
         b.take_read();
         b.offer_r();
         b.edge();
         b.s.r_data[0] ^= 1;
         b.edge();
       }},
      {"AW_BURST", taken(true, [](Burst& burst) { burst.type = BurstType::kReserved; })},
      {"AR_BURST", taken(false, [](Burst& burst) { burst.type = BurstType::kReserved; })},
      {"AW_SIZE", taken(true, [](Burst& burst) { burst.size = 4; })},
      {"AR_SIZE", taken(false, [](Burst& burst) { burst.size = 4; })},
      {"AW_BOUNDARY", taken(true, [](Burst& burst) { burst.address = 0xff8, burst.length = 1; })},
      {"AR_BOUNDARY", taken(false, [](Burst& burst) { burst.address = 0xff8, burst.length = 1; })},
      {"AW_FIXED_LEN", taken(true, [](Burst& burst) { burst.type = BurstType::kFixed, burst.length = 16; })},
      {"AR_FIXED_LEN", taken(false, [](Burst& burst) { burst.type = BurstType::kFixed, burst.length = 16; })},
      {"AW_WRAP_LEN", taken(true, [](Burst& burst) { burst.type = BurstType::kWrap, burst.length = 2; })},
      {"AR_WRAP_LEN", taken(false, [](Burst& burst) { burst.type = BurstType::kWrap, burst.length = 2; })},
      {"AW_WRAP_ALIGN",
       taken(true, [](Burst& burst) { burst.type = BurstType::kWrap, burst.length = 3, burst.address = 4; })},
      {"AR_WRAP_ALIGN",
       taken(false, [](Burst& burst) { burst.type = BurstType::kWrap, burst.length = 3, burst.address = 4; })},
      {"W_LAST",
       [](Bench& b) {
         b.offer_write(2);
         b.offer_data(true);
         b.s.aw_ready = b.s.w_ready = true;
         b.edge();
       }},
      {"W_STROBES",
       [](Bench& b) {
         b.offer_write().size = 2;
         b.offer_data();
         b.s.aw_ready = b.s.w_ready = true;
         b.edge();
       }},
      {"B_REQUEST",
       [](Bench& b) {
         b.offer_b();
         b.edge();
       }},
      {"R_REQUEST",
       [](Bench& b) {
         b.offer_r();
         b.edge();
       }},
      {"R_LAST",
       [](Bench& b) {
         b.take_read(2);
         b.offer_r(true);
         b.m.r_ready = true;
         b.edge();
       }},
      {"B_RESPONSE",
       [](Bench& b) {
         b.take_write();
         b.offer_b();
         b.s.b_response = kExokay;
         b.edge();
       }},
      {"R_RESPONSE",
       [](Bench& b) {
         b.take_read();
         b.offer_r();
         b.s.r_response = kExokay;
         b.edge();
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("AXI checker: each rule fires alone, with its cycle") {
  for (const auto& [rule, make] : breaks()) {
    Bench bench;
    REQUIRE(bench.checker.total() == 0);
    make(bench);
    INFO(rule);
    REQUIRE(bench.checker.total() >= 1);
    CHECK(bench.checker.counts() ==
          std::map<std::string, std::uint64_t>{{rule, bench.checker.counts().begin()->second}});
    CHECK(bench.checker.violations().back().rule == rule);
    CHECK(bench.checker.violations().back().cycle == bench.checker.cycles() - 1);
  }
}

TEST_CASE("AXI checker: every rule that is listed has a break") {
  std::set<std::string> listed, broken;
  for (const Rule& rule : rules()) listed.insert(rule.name);
  for (const auto& entry : breaks()) broken.insert(entry.first);
  CHECK(listed == broken);
}

TEST_CASE("AXI checker: a late WLAST and data before their address are judged when both are known") {
  Bench b;
  b.s.aw_ready = b.s.w_ready = true;
  b.offer_data(false);
  b.edge();  // 3: the first of two beats, its address is not there
  CHECK(b.checker.total() == 0);
  b.offer_data(false);
  b.edge();  // 4: the second, which should be the last
  b.m.w_valid = false;
  b.offer_write(2);
  b.edge();
  REQUIRE(b.checker.violations().size() == 1);
  CHECK(b.checker.violations()[0].rule == "W_LAST");
  CHECK(b.checker.violations()[0].cycle == 4);
  CHECK_THAT(b.checker.violations()[0].text, ContainsSubstring("beat 2 of 2"));
}

TEST_CASE("AXI checker: bytes of lanes without a strobe may change") {
  Bench b;
  b.offer_data();
  b.m.w_strobes = {0x0f, 0};
  b.edge();
  b.m.w_data[6] ^= 1;
  b.edge();
  CHECK(b.checker.total() == 0);
}

TEST_CASE("AXI checker: a bus that is no power of two of bytes is refused") {
  CHECK_THROWS_WITH(AxiChecker(12), ContainsSubstring("12 bytes"));
  CHECK_THROWS(AxiChecker(256));
}
