// What the AXI memory answers, by hand: bytes, order, errors, back-pressure, reset.
#include "harmonia/config/error.h"
#include "harmonia/hw/axi/axi_memory.h"
#include "tests/axi/link.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia;
using namespace harmonia::axi;

/// A memory of 8 bytes a beat behind a checker, with a master that a test drives by hand.
struct Bench {
  explicit Bench(unsigned outstanding = 64) : memory(channel_of("DDR4-3200"), {8, 0, outstanding}) {
    edge(false);
    edge();
    edge();
  }
  ~Bench() { CHECK(checker.total() == 0); }
  void edge(bool resetn = true) {
    seen = memory.pins();
    checker.clock(resetn, m, seen);
    memory.clock(resetn, m);
  }
  void write_address(std::uint64_t address, unsigned beats, unsigned size = 3, BurstType type = BurstType::kIncr,
                     std::uint32_t id = 0) {
    m.aw = {address, id, static_cast<std::uint8_t>(beats - 1), static_cast<std::uint8_t>(size), type};
    m.aw_valid = true;
    do edge();
    while (!seen.aw_ready);
    m.aw_valid = false;
  }
  void write_beat(std::uint64_t value, std::uint8_t strobes, bool last) {
    for (unsigned i = 0; i < 8; ++i) m.w_data[i] = static_cast<std::uint8_t>(value >> (8 * i));
    m.w_strobes = {strobes, 0};
    m.w_last = last;
    m.w_valid = true;
    do edge();
    while (!seen.w_ready);
    m.w_valid = false;
  }
  std::uint8_t response() {
    m.b_ready = true;
    do edge();
    while (!seen.b_valid);
    m.b_ready = false;
    return seen.b_response;
  }
  void read_address(std::uint64_t address, unsigned beats, unsigned size = 3, BurstType type = BurstType::kIncr,
                    std::uint32_t id = 0) {
    m.ar = {address, id, static_cast<std::uint8_t>(beats - 1), static_cast<std::uint8_t>(size), type};
    m.ar_valid = true;
    do edge();
    while (!seen.ar_ready);
    m.ar_valid = false;
  }
  std::uint64_t data() {
    m.r_ready = true;
    do edge();
    while (!seen.r_valid);
    m.r_ready = false;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{seen.r_data[i]} << (8 * i);
    return value;
  }
  std::uint64_t stored(std::uint64_t address) {
    std::uint64_t value = 0;
    memory.storage().read(address, &value, 8);
    return value;
  }

  AxiMemory memory;
  AxiChecker checker{8};
  MasterPins m;
  SlavePins seen;
};

}  // namespace

TEST_CASE("AXI memory: what is written is read, with strobes") {
  Bench b;
  b.write_address(0x40, 2);
  b.write_beat(0x1122334455667788, 0xff, false);
  b.write_beat(0xaabbccddeeff0011, 0x0f, true);
  CHECK(b.response() == kOkay);
  b.read_address(0x40, 2);
  CHECK(b.data() == 0x1122334455667788);
  CHECK_FALSE(b.seen.r_last);
  CHECK(b.data() == 0xeeff0011);
  CHECK(b.seen.r_last);
}

TEST_CASE("AXI memory: narrow beats use the lanes of their addresses") {
  Bench b;
  b.write_address(0x41, 3, 1);  // 1 byte of 0x41, then 0x42-43, 0x44-45
  b.write_beat(0x0000000000001100, 0x02, false);
  b.write_beat(0x0000000033220000, 0x0c, false);
  b.write_beat(0x0000554400000000, 0x30, true);
  CHECK(b.response() == kOkay);
  CHECK(b.stored(0x40) == 0x0000554433221100);
}

TEST_CASE("AXI memory: a WRAP read begins with the word that was asked for") {
  Bench b;
  for (std::uint64_t i = 0; i < 4; ++i) b.memory.storage().write(0x80 + 8 * i, &i, 8);
  b.read_address(0x90, 4, 3, BurstType::kWrap);
  CHECK(b.data() == 2);
  CHECK(b.data() == 3);
  CHECK(b.data() == 0);
  CHECK(b.data() == 1);
  CHECK(b.seen.r_last);
}

TEST_CASE("AXI memory: the last beat of a FIXED write stays") {
  Bench b;
  b.write_address(0x40, 2, 3, BurstType::kFixed);
  b.write_beat(1, 0xff, false);
  b.write_beat(2, 0x01, true);
  CHECK(b.response() == kOkay);
  CHECK(b.stored(0x40) == 2);
}

TEST_CASE("AXI memory: data may come before their address") {
  Bench b;
  b.write_beat(7, 0xff, true);
  b.write_address(0x40, 1);
  CHECK(b.response() == kOkay);
  CHECK(b.stored(0x40) == 7);
}

TEST_CASE("AXI memory: a row hit of another id overtakes a row conflict, one of the same id does not") {
  for (const bool same : {false, true}) {
    Bench b;
    b.read_address(0, 1);
    b.data();
    b.read_address(std::uint64_t{1} << 24, 1, 3, BurstType::kIncr, 1);  // another row of the same bank
    b.read_address(64, 1, 3, BurstType::kIncr, same ? 1 : 2);           // the row that is open
    b.data();
    CHECK(b.seen.r_id == (same ? 1U : 2U));
    b.data();
    CHECK(b.seen.r_id == 1);
  }
}

TEST_CASE("AXI memory: a burst beyond the capacity is answered DECERR, one that AXI forbids SLVERR") {
  AxiMemory memory(channel_of("DDR4-3200"), {});
  const auto answer = [&](std::uint64_t address, unsigned beats) {
    MasterPins m;
    m.r_ready = true;
    m.ar_valid = true;
    m.ar.address = address;
    m.ar.length = static_cast<std::uint8_t>(beats - 1);
    m.ar.size = 3;
    while (!memory.pins().ar_ready) memory.clock(true, MasterPins{});
    memory.clock(true, m);
    m.ar_valid = false;
    unsigned got = 0;
    std::uint8_t response = 0;
    while (got < beats) {
      if (memory.pins().r_valid) ++got, response = memory.pins().r_response;
      memory.clock(true, m);
    }
    return response;
  };
  const std::uint64_t capacity = memory.storage().size_bytes();
  CHECK(answer(capacity - 8, 1) == kOkay);
  CHECK(answer(capacity, 4) == kDecerr);
  CHECK(answer(0xff8, 2) == kSlverr);
}

TEST_CASE("AXI memory: a write with another number of beats than its address says is answered SLVERR and not stored") {
  AxiMemory memory(channel_of("DDR4-3200"), {});
  MasterPins m;
  m.aw_valid = m.w_valid = m.w_last = m.b_ready = true;
  m.w_strobes = {0xff, 0};
  m.w_data[0] = 1;
  m.aw.length = 3;
  m.aw.size = 3;
  while (!memory.pins().aw_ready) memory.clock(true, MasterPins{});
  memory.clock(true, m);
  REQUIRE(memory.pins().b_valid);
  CHECK(memory.pins().b_response == kSlverr);
  std::uint8_t byte = 0xff;
  memory.storage().read(0, &byte, 1);
  CHECK(byte == 0);
}

TEST_CASE("AXI memory: ready goes low when the outstanding requests are used up, and comes back") {
  Bench b(2);
  b.read_address(0, 1);
  b.read_address(64, 1);
  for (int i = 0; i < 200; ++i) {
    b.edge();
    CHECK_FALSE(b.seen.ar_ready);
  }
  b.data();
  b.edge();
  CHECK(b.seen.ar_ready);
}

TEST_CASE("AXI memory: valid comes without ready") {
  Bench b;
  b.read_address(0, 1);
  b.write_address(64, 1);
  b.write_beat(1, 0xff, true);
  bool r = false, w = false;
  for (int i = 0; i < 2000; ++i) {
    b.edge();
    r = r || b.seen.r_valid;
    w = w || b.seen.b_valid;
  }
  CHECK(r);
  CHECK(w);
}

TEST_CASE("AXI memory: reset drops what is under way and keeps the contents") {
  Bench b;
  b.write_address(0x40, 1);
  b.write_beat(5, 0xff, true);
  b.response();
  b.read_address(0x40, 1);
  for (int i = 0; i < 3; ++i) b.edge(false);
  for (int i = 0; i < 300; ++i) {
    b.edge();
    CHECK_FALSE(b.seen.r_valid);
  }
  b.read_address(0x40, 1);
  CHECK(b.data() == 5);
}

TEST_CASE("AXI memory: configurations that cannot be are refused by name") {
  CHECK_THROWS_WITH(channel_of("DDR4-3201"), ContainsSubstring("DDR4-3200"));
  CHECK_THROWS_WITH(channel_of("DDR4-3200 queue_entrees=8"), ContainsSubstring("queue_entries"));
  CHECK_THROWS_WITH(channel_of("DDR4-3200 closed"), ContainsSubstring("key=value"));
  CHECK_THROWS_WITH(channel_of(""), ContainsSubstring("preset"));
  const dram::Config channel = channel_of("DDR4-3200");
  CHECK_THROWS_WITH(AxiMemory(channel, {12, 0, 64}), ContainsSubstring("bus_bytes: 12"));
  CHECK_THROWS_WITH(AxiMemory(channel, {8, -1, 64}), ContainsSubstring("clock_ps"));
  CHECK_THROWS_WITH(AxiMemory(channel, {8, 0, 0}), ContainsSubstring("outstanding"));
}

TEST_CASE("AXI memory: random transactions on every width of bus keep every rule and byte") {
  for (const unsigned bytes : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U}) {
    test::MasterOptions options;
    options.seed = bytes;
    options.bus_bytes = bytes;
    options.transactions = 1000;
    AxiMemory memory(channel_of("LPDDR5-6400"), {bytes, 0, 16});
    test::RandomMaster master(options);
    AxiChecker checker(bytes);
    INFO("bus of " << bytes << " bytes");
    test::run_link(
        master, checker, [&](bool resetn, const MasterPins& pins) { return memory.clock(resetn, pins); }, 2000000);
  }
}
