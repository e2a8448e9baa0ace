// Times of the AXI memory against those of the TLM channel for the same requests.
#include "harmonia/hw/axi/axi_memory.h"
#include "tests/axi/link.h"
#include "tests/axi/tlm_times.h"
#include "tests/support/catch.h"
#include "tests/support/long.h"

namespace {

using namespace harmonia;

void check_times(const std::string& configuration, std::int64_t clock_ps, const test::MasterOptions& options) {
  const dram::Config channel = axi::channel_of(configuration);
  axi::AxiMemory memory(channel, {options.bus_bytes, clock_ps, 64});
  test::RandomMaster master(options);
  axi::AxiChecker checker(options.bus_bytes);
  test::run_link(
      master, checker, [&](bool resetn, const axi::MasterPins& pins) { return memory.clock(resetn, pins); },
      static_cast<std::int64_t>(options.transactions) * 2000);
  const test::Comparison times = test::compare_with_tlm(master.seen(), channel, clock_ps);
  for (const std::string& difference : times.differences) UNSCOPED_INFO(difference);
  CHECK(times.differences.empty());
  CHECK(times.compared == options.transactions);
  CHECK(times.at_once > options.transactions / 20);
}

}  // namespace

TEST_CASE("AXI memory: times equal those of the TLM channel") {
  test::MasterOptions options;
  options.transactions = test::count(20000, 1000000);
  check_times("DDR4-3200", 0, options);
}

TEST_CASE("AXI memory: times equal those of the TLM channel when its queue is full") {
  test::MasterOptions options;
  options.transactions = test::count(10000, 300000);
  options.start = options.data = options.ready = 1;
  options.bus_bytes = 128;
  check_times("DDR4-3200 queue_entries=8", 0, options);
}

TEST_CASE("AXI memory: times equal those of the TLM channel with a clock slower than the DRAM's") {
  test::MasterOptions options;
  options.transactions = test::count(10000, 300000);
  options.bus_bytes = 64;
  check_times("HBM3-6400", 1000, options);
}

TEST_CASE("AXI memory: times equal those of the TLM channel with a clock faster than the DRAM's") {
  test::MasterOptions options;
  options.transactions = test::count(5000, 100000);
  options.bus_bytes = 4;
  check_times("LPDDR5-6400", 333, options);
}
