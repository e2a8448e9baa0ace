#include "harmonia/tlm/interconnect.h"

#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"
#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::MemoryModel;
using harmonia::test::ns;
using harmonia::test::TrafficDriver;
using sc_core::sc_time;

namespace {

Region region(const char* name, std::uint64_t base, std::uint64_t size, unsigned target, Interleave interleave = {},
              std::uint64_t local_base = 0) {
  Region made;
  made.name = name;
  made.base = base;
  made.size_bytes = size;
  made.first_target = target;
  made.interleave = interleave;
  made.local_base = local_base;
  return made;
}

InterconnectConfig queue_of(unsigned requests) {
  InterconnectConfig config;
  config.queue_requests = requests;
  return config;
}

/// One initiator, one interconnect with a checker on every side, memories of 10 ns.
struct Small : sc_core::sc_module {
  Small(const sc_core::sc_module_name& name, unsigned initiators, unsigned targets, AddressMap map,
        MemoryModel::Config memory = {}, unsigned queue_requests = 1)
      : sc_core::sc_module(name), fabric("fabric", initiators, targets, std::move(map), queue_of(queue_requests)) {
    for (unsigned i = 0; i < initiators; ++i) {
      isock.push_back(std::make_unique<MemoryInitiator<>>(("isock" + std::to_string(i)).c_str()));
      checkers.push_back(std::make_unique<ProtocolChecker<>>(("upstream" + std::to_string(i)).c_str()));
      isock[i]->bind(checkers.back()->tsock);
      checkers.back()->isock.bind(fabric.tsock[i]);
      isock[i]->on_response([this, i](tlm::tlm_generic_payload& payload, const sc_time& when) {
        responses.push_back({i, payload.get_address(), payload.get_response_status(), when});
      });
      isock[i]->on_accepted([this, i](tlm::tlm_generic_payload&, const sc_time& when) {
        late_accepts.push_back({i, 0, {}, when});
      });
    }
    for (unsigned j = 0; j < targets; ++j) {
      memories.push_back(std::make_unique<MemoryModel>(("memory" + std::to_string(j)).c_str(), memory));
      checkers.push_back(std::make_unique<ProtocolChecker<>>(("downstream" + std::to_string(j)).c_str()));
      fabric.isock[j].bind(checkers.back()->tsock);
      checkers.back()->isock.bind(memories[j]->tsock);
    }
  }
  void finish() {
    for (auto& checker : checkers) checker->rules.finish();
    REQUIRE(fabric.statistics().requests == fabric.statistics().responses);
    REQUIRE(pool.in_flight() == 0);
  }
  struct Event {
    unsigned initiator;
    std::uint64_t address;
    tlm::tlm_response_status status;
    sc_time when;
  };
  PayloadPool pool;
  Interconnect<> fabric;
  std::vector<std::unique_ptr<MemoryInitiator<>>> isock;
  std::vector<std::unique_ptr<ProtocolChecker<>>> checkers;
  std::vector<std::unique_ptr<MemoryModel>> memories;
  std::vector<Event> responses, late_accepts;
};

}  // namespace

TEST_CASE("a request crosses in 4 cycles each way") {
  Small top("top", 1, 1, AddressMap({region("ram", 0x1000, 0x1000, 0)}));
  sc_core::sc_start(ns(100));
  // 1 ns cycles: arrives at the memory at 104, is answered there at 114, at the initiator at 118. The hop is a
  // pipeline, so the initiator's port is free at once.
  REQUIRE(top.isock[0]->send(top.pool.make(tlm::TLM_READ_COMMAND, 0x1010, 64, Data::buffer), ns(100)) == ns(100));
  sc_core::sc_start(ns(50));
  REQUIRE(top.memories[0]->arrivals == std::vector<sc_time>{ns(104)});
  REQUIRE(top.responses.size() == 1);
  REQUIRE(top.responses[0].when == ns(118));
  REQUIRE(top.responses[0].status == tlm::TLM_OK_RESPONSE);
  top.finish();
}

TEST_CASE("a target port takes one request a cycle and a busy one holds its initiators in turn") {
  MemoryModel::Config memory;
  memory.depth = 1;
  Small top("top", 3, 1, AddressMap({region("ram", 0, 0x1000, 0)}), memory);
  sc_core::sc_start(ns(10));
  for (unsigned round = 0; round < 2; ++round)
    for (unsigned i = 0; i < 3; ++i)
      top.isock[i]->send(top.pool.make(tlm::TLM_READ_COMMAND, 0, 64, Data::buffer), ns(10));
  sc_core::sc_start(ns(200));
  REQUIRE(top.responses.size() == 6);
  // The memory takes one request at a time: answers every 10 ns from 14 + 10, plus 4 cycles home, initiators in turn.
  for (unsigned k = 0; k < 6; ++k) {
    CAPTURE(k);
    REQUIRE(top.responses[k].initiator == k % 3);
    REQUIRE(top.responses[k].when == ns(28 + 10 * k));
  }
  REQUIRE(top.memories[0]->arrivals.size() == 6);
  top.finish();
}

TEST_CASE("an initiator's requests wait in a queue, so that one target's delay does not keep another idle") {
  // Both targets take one request in 10 ns; requests go to 0, 0, 0, 1. Without a queue the one for target 1 is asked only
  // when the third was taken.
  const auto answered_at = [](const char* name, unsigned queue) {
    MemoryModel::Config memory;
    memory.depth = 1;
    static std::vector<std::unique_ptr<Small>> tops;
    tops.push_back(std::make_unique<Small>(
        name, 1, 2, AddressMap({region("low", 0, 0x1000, 0), region("high", 0x1000, 0x1000, 1)}), memory, queue));
    Small& top = *tops.back();
    for (const std::uint64_t address : {0, 0, 0, 0x1000})
      top.isock[0]->send(top.pool.make(tlm::TLM_READ_COMMAND, address, 64, Data::buffer), sc_time());
    return [&top] {
      top.finish();
      for (const Small::Event& e : top.responses)
        if (e.address == 0x1000) return e.when;
      return sc_time();
    };
  };
  const auto without = answered_at("without", 1), with = answered_at("with", 4);
  sc_core::sc_start(ns(500));
  CHECK(with() == ns(18));
  CHECK(without() > ns(30));
}

TEST_CASE("a request over several channels is one piece a channel, answered when the last one is") {
  Small top("top", 1, 4, AddressMap({region("ram", 0x10000, 0x10000, 0, Interleave(4, 256))}));
  sc_core::sc_start(ns(0));
  for (unsigned j = 0; j < 4; ++j) top.memories[j]->config.latency = ns(10 * (j + 1));
  top.isock[0]->send(top.pool.make(tlm::TLM_WRITE_COMMAND, 0x12000, 4096, Data::scratch), ns(1));
  sc_core::sc_start(ns(100));
  for (unsigned j = 0; j < 4; ++j) {
    REQUIRE(top.memories[j]->arrivals == std::vector<sc_time>{ns(5)});
    REQUIRE(top.fabric.statistics().bytes_per_target[j] == 1024);
  }
  REQUIRE(top.responses.size() == 1);
  REQUIRE(top.responses[0].when == ns(1 + 4 + 40 + 4));
  REQUIRE(top.fabric.statistics().split_requests == 1);
  top.finish();
}

TEST_CASE("addresses outside every region are answered with an address error") {
  Small top("top", 1, 1, AddressMap({region("ram", 0x1000, 0x1000, 0)}));
  sc_core::sc_start(ns(1));
  top.isock[0]->send(top.pool.make(tlm::TLM_READ_COMMAND, 0xfff, 2, Data::buffer), ns(1));
  top.isock[0]->send(top.pool.make(tlm::TLM_READ_COMMAND, 0x1fff, 2, Data::buffer), ns(1));
  top.isock[0]->send(top.pool.make(tlm::TLM_READ_COMMAND, 0x1fff, 1, Data::buffer), ns(1));
  sc_core::sc_start(ns(100));
  REQUIRE(top.responses.size() == 3);
  REQUIRE(top.responses[0].status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  REQUIRE(top.responses[1].status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  REQUIRE(top.responses[2].status == tlm::TLM_OK_RESPONSE);
  REQUIRE(top.memories[0]->requests == 1);
  REQUIRE(top.fabric.statistics().address_errors == 2);
  top.finish();
}

TEST_CASE("debug access and loosely timed access see the same interleaved bytes") {
  Small top("top", 1, 3, AddressMap({region("ram", 0x1000, 0x6000, 0, Interleave(3, 100), 0x40)}));
  top.isock[0]->set_style(Style::loosely_timed);
  sc_core::sc_start(ns(0));
  const PayloadPtr write = top.pool.make(tlm::TLM_WRITE_COMMAND, 0x1033, 1000, Data::buffer);
  for (unsigned i = 0; i < 1000; ++i) write->get_data_ptr()[i] = static_cast<unsigned char>(i * 7);
  // Latency: 4 + 10 + 4 cycles, pieces side by side.
  top.isock[0]->send(write, ns(0));
  REQUIRE(top.responses.at(0).when == ns(18));
  const PayloadPtr read = top.pool.make(tlm::TLM_READ_COMMAND, 0x1033, 1000, Data::buffer);
  REQUIRE((*top.isock[0])->transport_dbg(*read) == 1000);
  REQUIRE(std::memcmp(read->get_data_ptr(), write->get_data_ptr(), 1000) == 0);
  REQUIRE(read->get_address() == 0x1033);
  REQUIRE(read->get_data_length() == 1000);
  // Byte 0x33 of the region is byte 0x33 of channel 0; byte 100 is byte 0 of channel 1.
  REQUIRE(top.memories[0]->store[0x40 + 0x33] == 0);
  REQUIRE(top.memories[1]->store[0x40] == static_cast<unsigned char>((100 - 0x33) * 7));
  tlm::tlm_dmi dmi;
  REQUIRE_FALSE((*top.isock[0])->get_direct_mem_ptr(*read, dmi));
  REQUIRE(dmi.get_start_address() == 0x1000);
  REQUIRE(dmi.get_end_address() == 0x6fff);
}

TEST_CASE("DMI through a region that is not interleaved is in the initiator's addresses") {
  Small top("top", 1, 2, AddressMap({region("a", 0x1000, 0x1000, 0), region("b", 0x8000, 0x100, 1, {}, 0x200)}));
  std::vector<std::uint64_t> withdrawn;
  top.isock[0]->on_invalidate_dmi([&](sc_dt::uint64 start, sc_dt::uint64 end) { withdrawn = {start, end}; });
  sc_core::sc_start(ns(0));
  const PayloadPtr payload = top.pool.make(tlm::TLM_READ_COMMAND, 0x8010, 4, Data::buffer);
  tlm::tlm_dmi dmi;
  REQUIRE((*top.isock[0])->get_direct_mem_ptr(*payload, dmi));
  REQUIRE(dmi.get_dmi_ptr() == top.memories[1]->store.data() + 0x200);
  REQUIRE(dmi.get_start_address() == 0x8000);
  REQUIRE(dmi.get_end_address() == 0x80ff);
  REQUIRE(dmi.get_read_latency() == ns(8));
  top.memories[1]->tsock.invalidate_dmi(0x210, 0xffff);
  REQUIRE(withdrawn == std::vector<std::uint64_t>{0x8010, 0x80ff});
  withdrawn.clear();
  top.memories[1]->tsock.invalidate_dmi(0, 0x1ff);
  REQUIRE(withdrawn.empty());
}

namespace {

/// drivers -> checker -> stall -> checker -> interconnect -> checker -> stall -> checker -> memories, data checked.
struct System : sc_core::sc_module {
  System(const sc_core::sc_module_name& name, std::uint64_t seed, unsigned initiators, unsigned channels,
         Interleave interleave, TrafficDriver::Config traffic, double stall_probability, unsigned queue_requests = 1)
      : sc_core::sc_module(name),
        fabric("fabric", initiators, channels, AddressMap({region("ram", 0, 1 << 20, 0, interleave)}),
               queue_of(queue_requests)) {
    StallConfig stall;
    stall.probability = stall_probability;
    for (unsigned i = 0; i < initiators; ++i) {
      const std::string n = std::to_string(i);
      traffic.base = std::uint64_t{i} * traffic.slots * traffic.slot_bytes;
      traffic.seed = stall.seed = seed * 100 + i;
      drivers.push_back(std::make_unique<TrafficDriver>(("driver" + n).c_str(), traffic));
      tlm::tlm_initiator_socket<>* last = &drivers[i]->isock;
      last = &through<ProtocolChecker<>>(*last, checkers, "driver_checker" + n);
      if (stall_probability > 0) {
        last = &through_stall(*last, "driver_stall" + n, stall);
        last = &through<ProtocolChecker<>>(*last, checkers, "upstream_checker" + n);
      }
      last->bind(fabric.tsock[i]);
    }
    for (unsigned j = 0; j < channels; ++j) {
      const std::string n = std::to_string(j);
      MemoryModel::Config memory;
      memory.size_bytes = 1 << 20;
      memory.depth = 1 + (seed + j) % 9;
      memory.jitter = ns(30);
      memory.seed = seed + 50 + j;
      stall.seed = seed * 100 + 70 + j;
      memories.push_back(std::make_unique<MemoryModel>(("memory" + n).c_str(), memory));
      tlm::tlm_initiator_socket<>* last = &fabric.isock[j];
      last = &through<ProtocolChecker<>>(*last, checkers, "downstream_checker" + n);
      if (stall_probability > 0) {
        last = &through_stall(*last, "memory_stall" + n, stall);
        last = &through<ProtocolChecker<>>(*last, checkers, "memory_checker" + n);
      }
      last->bind(memories[j]->tsock);
    }
  }
  template <typename Module>
  tlm::tlm_initiator_socket<>& through(tlm::tlm_initiator_socket<>& from, std::vector<std::unique_ptr<Module>>& into,
                                       const std::string& name) {
    into.push_back(std::make_unique<Module>(name.c_str()));
    from.bind(into.back()->tsock);
    return into.back()->isock;
  }
  tlm::tlm_initiator_socket<>& through_stall(tlm::tlm_initiator_socket<>& from, const std::string& name,
                                             const StallConfig& config) {
    stalls.push_back(std::make_unique<StallInjector<>>(name.c_str(), config));
    from.bind(stalls.back()->tsock);
    return stalls.back()->isock;
  }
  void run_and_check() {
    for (auto& driver : drivers) driver->start();
    sc_core::sc_start();  // returns when nothing is left to do: finished, or deadlocked
    std::uint64_t sent = 0;
    for (auto& driver : drivers) {
      REQUIRE(driver->done());
      REQUIRE(driver->errors == 0);
      REQUIRE(driver->mismatches == 0);
      REQUIRE(driver->isock.idle());
      REQUIRE(driver->pool.in_flight() == 0);
      sent += driver->sent;
    }
    for (auto& checker : checkers) {
      checker->rules.finish();
      REQUIRE(checker->rules.begun() == checker->rules.completed());
    }
    REQUIRE(fabric.statistics().requests == sent);
    REQUIRE(fabric.statistics().responses == sent);
  }

  Interconnect<> fabric;
  std::vector<std::unique_ptr<TrafficDriver>> drivers;
  std::vector<std::unique_ptr<MemoryModel>> memories;
  std::vector<std::unique_ptr<ProtocolChecker<>>> checkers;
  std::vector<std::unique_ptr<StallInjector<>>> stalls;
};

}  // namespace

TEST_CASE("random traffic with stalls on every connection keeps its data") {
  const std::uint64_t seed = 31337;
  INFO("seed " << seed);
  TrafficDriver::Config traffic;
  traffic.transactions = 20000;
  traffic.slot_bytes = 900;
  System system("system", seed, 3, 3, Interleave(3, 200), traffic, 0.5);
  system.run_and_check();
  std::uint64_t stalls = 0;
  for (auto& stall : system.stalls) stalls += stall->stalls();
  REQUIRE(stalls > 10000);
}

TEST_CASE("one outstanding transaction with stalls") {
  TrafficDriver::Config traffic;
  traffic.transactions = 5000;
  traffic.outstanding = 1;
  System system("system", 7, 2, 4, Interleave(4, 64, true), traffic, 0.7);
  system.run_and_check();
}

TEST_CASE("queued requests with stalls on every connection keep the protocol and their data") {
  TrafficDriver::Config traffic;
  traffic.transactions = 20000;
  traffic.slot_bytes = 900;
  System system("system", 424, 3, 3, Interleave(3, 200), traffic, 0.5, 5);
  system.run_and_check();
}

TEST_CASE("256 outstanding transactions with stalls") {
  TrafficDriver::Config traffic;
  traffic.transactions = 20000;
  traffic.outstanding = 256;
  traffic.slots = 512;
  System system("system", 8, 1, 4, Interleave(4, 128), traffic, 0.3);
  system.run_and_check();
}

TEST_CASE("a million transactions do not deadlock") {
  TrafficDriver::Config traffic;
  traffic.transactions = 500000;
  traffic.slot_bytes = 64;
  traffic.outstanding = 32;
  System system("system", 9, 2, 2, Interleave(2, 32), traffic, 0.1);
  system.run_and_check();
}
