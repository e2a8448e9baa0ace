// A run with blocks of the caller in the machine still gives the whole result: table, checks, energy, notices.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;

namespace {

testbench::LoadedScenario small() {
  return testbench::load_scenario("default",
                                  {"model=stories260k", "workload.context=16", "accelerator.dram.channels=1"},
                                  testbench::Library(HARMONIA_SOURCE "/workloads"));
}

/// A memory as most are written: b_transport alone. What it stores and how long that takes is the channel behind it.
struct BlockingMemory : sc_core::sc_module {
  tlm_utils::simple_target_socket<BlockingMemory> tsock{"tsock"};
  tlm_utils::simple_initiator_socket<BlockingMemory> isock{"isock"};
  std::uint64_t requests = 0;
  explicit BlockingMemory(const sc_core::sc_module_name& name) : sc_module(name) {
    tsock.register_b_transport(this, &BlockingMemory::blocking);
    tsock.register_transport_dbg(this, &BlockingMemory::debug);
  }
  void blocking(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    ++requests;
    isock->b_transport(payload, delay);
  }
  unsigned debug(tlm::tlm_generic_payload& payload) { return isock->transport_dbg(payload); }
};

bool noted(const testbench::RunResult& result, const std::string& text) {
  return std::any_of(result.notices.begin(), result.notices.end(),
                     [&](const std::string& n) { return n.find(text) != std::string::npos; });
}

void check_whole(const testbench::RunResult& result) {
  REQUIRE_NOTHROW(testbench::require_checks(result));
  CHECK(result.complete);
  CHECK(result.simulated_seconds > 0);
  CHECK(result.checks.size() > 10);
  CHECK_FALSE(result.operations.empty());
  CHECK(result.energy.total_j > 0);
}

}  // namespace

TEST_CASE("own blocks: a core of the caller is used, and the result is whole and says so") {
  int made = 0;
  testbench::RunOptions options;
  options.cores.decoder = [&](const decoder::Config&) {
    ++made;
    return std::unique_ptr<decoder::DecoderCore>();  // none of its own: the model is taken
  };
  const testbench::RunResult result = testbench::run_scenario(small(), options);
  CHECK(made == 1);
  check_whole(result);
  CHECK(noted(result, "datapaths of the caller in place of the model's: decoder"));
}

TEST_CASE("own blocks: a probe on a connection changes nothing of the result but the notice") {
  int connections = 0;
  testbench::RunOptions options;
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string&) {
    ++connections;
    from.bind(to);
  };
  const testbench::RunResult result = testbench::run_scenario(small(), options);
  CHECK(connections > 20);
  check_whole(result);
  CHECK(noted(result, "the caller made the connections"));
  CHECK_FALSE(noted(result, "one request under way at a time"));
}

TEST_CASE("own blocks: a memory with b_transport alone is served one request at a time, and a notice says so") {
  std::unique_ptr<BlockingMemory> memory;
  testbench::RunOptions options;
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    if (name != "interconnect_to_channel0") return from.bind(to);
    memory = std::make_unique<BlockingMemory>("memory");
    from.bind(memory->tsock);
    memory->isock.bind(to);
  };
  const testbench::RunResult result = testbench::run_scenario(small(), options);
  CHECK(memory->requests > 100);
  check_whole(result);
  CHECK(noted(result, "memory channel 0 has one request under way at a time"));
}
