// Traces and configurations of other simulators: what is read as they read it, and what is recognised and refused by name.
#include <filesystem>
#include <fstream>

#include "harmonia/config/error.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/dram/address_trace.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/dram/foreign_file.h"
#include "tests/support/scratch.h"

using namespace harmonia;
using namespace harmonia::testbench;

namespace {

std::vector<TrafficRequest> read(const test::Scratch& scratch, const std::string& text,
                                 std::uint64_t* inside = nullptr) {
  AddressTrace trace(scratch.write("a.trace", text), dram::find_preset("DDR4-3200"), {});
  std::vector<TrafficRequest> all;
  TrafficRequest r;
  while (trace.next(r)) all.push_back(r);
  if (inside) *inside = trace.inside_burst();
  return all;
}

}  // namespace

TEST_CASE("address traces: an address inside a burst is that burst, and the trace says how many") {
  const test::Scratch scratch;
  std::uint64_t inside = 0;
  const auto r = read(scratch, "0x18 READ 0\n0x58 READ 1\n0x80 WRITE 2\n", &inside);
  REQUIRE(r.size() == 3);
  CHECK(r[0].address == 0);
  CHECK(r[1].address == 0x40);
  CHECK(r[2].address == 0x80);
  CHECK(inside == 2);
  CHECK(read(scratch, "LD 24\n")[0].address == 0);
  // STL gives lengths, so that a request may well begin inside a burst.
  CHECK(read(scratch, "0: read 0x18\n")[0].address == 0x18);
}

TEST_CASE("address traces: k6 operations, addresses without 0x and comments behind a request") {
  const test::Scratch scratch;
  const auto k6 =
      read(scratch, "# by a tool\n0x00001000 P_MEM_RD 100\n0x00001040 P_MEM_WR 110\n0x00001080 P_FETCH 120\n");
  REQUIRE(k6.size() == 3);
  CHECK(k6[1].op == dram::Op::kWrite);
  CHECK(k6[2].op == dram::Op::kRead);
  CHECK(read(scratch, "1000 READ 0\n1040 WRITE 5\n")[1].address == 0x1040);
  CHECK(read(scratch, "LD 4096 # first\nST 64\n")[0].address == 4096);
}

TEST_CASE("configurations of other simulators are called what they are") {
  const test::Scratch scratch;
  const auto refusal = [&](const std::string& name, const std::string& text) {
    return test::message_of([&] { load_channel(scratch.write(name, text), {}); });
  };
  CHECK_THAT(refusal("a.ini", "; timing\n[dram_structure]\nprotocol = DDR4\n"),
             ContainsSubstring("a configuration of DRAMsim3"));
  CHECK_THAT(refusal("a.yaml", "Frontend: {impl: x}\nMemorySystem: {impl: y}\n"),
             ContainsSubstring("a configuration of Ramulator 2"));
  CHECK_THAT(refusal("a.json", "{\"memspec\": {\"memoryType\": \"DDR4\"}}"),
             ContainsSubstring("a configuration of DRAMSys"));
  CHECK(foreign_by_line("r,2048,64,0,1000") == "a packet trace of gem5 in ASCII");
  CHECK(foreign_by_line("base: DDR4-3200").empty());
}
