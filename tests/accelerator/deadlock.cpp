// A machine that is stuck is told from one that is slow: by what is scheduled, not by how long nothing happened.
#include "harmonia/config/error.h"
#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

/// Takes every request and never answers one.
class NeverAnswers : public sc_core::sc_module {
 public:
  bus::MemoryTarget<> tsock{"tsock"};
  explicit NeverAnswers(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    tsock.on_request([](tlm::tlm_generic_payload&, const sc_core::sc_time& arrival) {
      return std::optional<sc_core::sc_time>(arrival);
    });
  }
};
/// Stands at the socket that the silent target took from the machine.
class NeverAsks : public sc_core::sc_module {
 public:
  bus::MemoryInitiator<> isock{"isock"};
  explicit NeverAsks(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {}
};

Scenario small_scenario() {
  Scenario s;
  s.name = "test";
  s.model = shape_of({});
  s.accelerator.dram.preset = "DDR4-3200";
  s.accelerator.dram.channels = 2;
  return s;
}

struct Ran {
  std::string error;
  sc_core::sc_time end;
};

Ran run(const Scenario& s, const accelerator::MachineOptions& options) {
  testbench::Capacity capacity;
  capacity.tokens_per_slot = 8;
  accelerator::StepWork work;
  work.sequences.push_back({0, 4, 1, true});
  Machine machine(
      s, capacity, [&](Host& host) { host.step(work); }, options);
  Ran ran;
  try {
    machine.simulate();
  } catch (const config::RunError& e) {
    ran.error = e.what();
  }
  ran.end = sc_core::sc_time_stamp();
  return ran;
}

/// The machine with a target that never answers at the end of one connection.
Ran run_with_silence(const std::string& connection) {
  NeverAnswers silent("silent");
  NeverAsks idle("idle");
  const Scenario s = small_scenario();
  accelerator::MachineOptions options = testbench::machine_options(s);
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    from.bind(name == connection ? silent.tsock : to);
    if (name == connection) idle.isock.bind(to);
  };
  return run(s, options);
}

}  // namespace

TEST_CASE("deadlock: a clock of 1 kHz is slow, not stuck") {
  Scenario s = small_scenario();
  s.accelerator.clock_mhz = 0.001;
  const Ran ran = run(s, testbench::machine_options(s));
  REQUIRE(ran.error.empty());
  REQUIRE(ran.end > sc_core::sc_time(1, sc_core::SC_SEC));
}
TEST_CASE("deadlock: a second of overhead before each layer is slow, not stuck") {
  Scenario s = small_scenario();
  s.accelerator.sequencer.layer_overhead_us = 1e6;
  const Ran ran = run(s, testbench::machine_options(s));
  REQUIRE(ran.error.empty());
  REQUIRE(ran.end > sc_core::sc_time(1, sc_core::SC_SEC));
}
TEST_CASE("deadlock: a memory that never answers is found at once, and who waits for it is named") {
  const Ran ran = run_with_silence("weight_dma_to_memory");
  REQUIRE_THAT(ran.error, ContainsSubstring("a deadlock at"));
  REQUIRE_THAT(ran.error, ContainsSubstring("weight_dma has"));
  REQUIRE(ran.end < sc_core::sc_time(1, sc_core::SC_MS));
}
TEST_CASE("deadlock: a block that never gives its input back is found, and who waits is named") {
  const Ran ran = run_with_silence("operand_buffer_to_pe_array");
  REQUIRE_THAT(ran.error, ContainsSubstring("a deadlock at"));
  REQUIRE_THAT(ran.error, ContainsSubstring("pe_array has"));
}
