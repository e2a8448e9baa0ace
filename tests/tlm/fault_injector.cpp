// Faults between an initiator and a memory: each kind does what its name says, and nothing else changes.
#include "harmonia/tlm/fault_injector.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/tlm/protocol_checker.h"
#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::MemoryModel;
using harmonia::test::ns;

namespace {

/// An initiator, a checker, the injector and a memory of 10 ns, which holds 0, 1, 2 ..
struct Bench : sc_core::sc_module {
  explicit Bench(const sc_core::sc_module_name& name) : sc_core::sc_module(name), memory("memory", memory_config()) {
    isock.bind(checker.tsock);
    checker.isock.bind(injector.tsock);
    injector.isock.bind(memory.tsock);
    for (std::size_t i = 0; i < 64; ++i) memory.store[i] = static_cast<unsigned char>(i);
  }
  static MemoryModel::Config memory_config() {
    MemoryModel::Config c;
    c.jitter = sc_core::SC_ZERO_TIME;
    return c;
  }
  MemoryInitiator<> isock{"isock"};
  ProtocolChecker<> checker{"checker"};
  FaultInjector<> injector{"injector"};
  MemoryModel memory;
  PayloadPool pool;
};

/// Four reads of 16 bytes, the second of which is struck.
struct Reads {
  explicit Reads(FaultKind kind, std::uint64_t amount = 0) : bench("bench") {
    bench.isock.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
      order.push_back(static_cast<unsigned>(payload.get_address() / 16));
      times.push_back(when);
      status.push_back(payload.get_response_status());
    });
    bench.checker.rules.on_violation([this](Rule rule, const std::string&) { broken.emplace_back(name_of(rule)); });
    bench.injector.arm({kind, "", 1, amount});
    sc_core::sc_start(ns(1));
    for (unsigned i = 0; i < 4; ++i) {
      payloads.push_back(bench.pool.make(tlm::TLM_READ_COMMAND, 16 * i, 16, Data::buffer));
      std::memset(payloads.back()->get_data_ptr(), 0xee, 16);
      bench.isock.send(payloads.back(), sc_core::sc_time_stamp());
    }
    sc_core::sc_start(ns(1000));
    bench.checker.rules.finish();
  }
  /// Bytes of the read that are not what was stored.
  std::vector<unsigned> wrong(unsigned read) const {
    std::vector<unsigned> at;
    for (unsigned i = 0; i < 16; ++i)
      if (payloads[read]->get_data_ptr()[i] != 16 * read + i) at.push_back(i);
    return at;
  }
  void require_others_right() const {
    REQUIRE(bench.injector.injected().has_value());
    for (const unsigned read : {0u, 2u, 3u}) REQUIRE(wrong(read).empty());
  }

  Bench bench;
  std::vector<PayloadPtr> payloads;
  std::vector<unsigned> order;
  std::vector<sc_core::sc_time> times;
  std::vector<tlm::tlm_response_status> status;
  std::vector<std::string> broken;
};

using Order = std::vector<unsigned>;

}  // namespace

TEST_CASE("fault: a flipped bit of a read is wrong at the initiator and right in memory") {
  const Reads r(FaultKind::flipped_bit, 8 * 5 + 3);
  r.require_others_right();
  REQUIRE(r.wrong(1) == Order{5});
  REQUIRE(r.payloads[1]->get_data_ptr()[5] == (21 ^ 8));
  REQUIRE(r.bench.memory.store[21] == 21);
  REQUIRE(r.broken.empty());
}

TEST_CASE("fault: a flipped cell stays flipped") {
  const Reads r(FaultKind::flipped_cell, 8 * 5 + 3);
  r.require_others_right();
  REQUIRE(r.wrong(1) == Order{5});
  REQUIRE(r.bench.memory.store[21] == (21 ^ 8));
}

TEST_CASE("fault: a transaction that is too short leaves the rest as it was") {
  const Reads r(FaultKind::wrong_length, 4);
  r.require_others_right();
  REQUIRE(r.wrong(1) == Order{12, 13, 14, 15});
  REQUIRE(r.payloads[1]->get_data_length() == 16);
}

TEST_CASE("fault: a lost response never arrives, and the checker says so at the end") {
  const Reads r(FaultKind::lost);
  r.require_others_right();
  REQUIRE(r.order == Order{0, 2, 3});
  REQUIRE(r.bench.memory.answers == 4);
  REQUIRE(r.broken == std::vector<std::string>{"lost transaction"});
}

TEST_CASE("fault: a late response comes 500 ns later") {
  const Reads r(FaultKind::late, 500000);
  r.require_others_right();
  REQUIRE(r.wrong(1).empty());
  // The memory takes 10 ns. One response at a time: those behind the late one wait for it.
  REQUIRE(r.order == Order{0, 1, 2, 3});
  REQUIRE(r.times[0] == ns(11));
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(r.times[i] == ns(511));
  REQUIRE(r.broken.empty());
}

TEST_CASE("fault: a reordered response comes after those that are sent at the same time") {
  const Reads r(FaultKind::reordered);
  r.require_others_right();
  REQUIRE(r.order == Order{0, 2, 3, 1});
  REQUIRE(r.wrong(1).empty());
  REQUIRE(r.broken.empty());
}

TEST_CASE("fault: an error status reaches the initiator") {
  const Reads r(FaultKind::error_status);
  REQUIRE(r.status[1] == tlm::TLM_GENERIC_ERROR_RESPONSE);
  REQUIRE(r.status[2] == tlm::TLM_OK_RESPONSE);
}

TEST_CASE("fault: a doubled response is refused by initiator and checker") {
  sc_core::sc_report_handler::set_actions("/harmonia/bus/initiator", sc_core::SC_DO_NOTHING);
  const Reads r(FaultKind::doubled);
  r.require_others_right();
  REQUIRE(r.broken == std::vector<std::string>{"unknown transaction"});
}

TEST_CASE("fault: a flipped bit of a write is wrong in memory and right again at the initiator") {
  Bench bench("bench");
  bench.isock.on_response([](tlm::tlm_generic_payload&, const sc_core::sc_time&) {});
  bench.injector.arm({FaultKind::flipped_bit, "", 0, 0});
  sc_core::sc_start(ns(1));
  const PayloadPtr write = bench.pool.make(tlm::TLM_WRITE_COMMAND, 0, 4, Data::buffer);
  std::memset(write->get_data_ptr(), 0x10, 4);
  bench.isock.send(write, sc_core::sc_time_stamp());
  sc_core::sc_start(ns(100));
  REQUIRE(bench.memory.store[0] == 0x11);
  REQUIRE(write->get_data_ptr()[0] == 0x10);
}

TEST_CASE("fault: the text of a fault names it, and what is wrong is refused") {
  const Fault f{FaultKind::late, "decoder_to_pe_array", 12, 5000};
  REQUIRE(text_of(f) == "late:decoder_to_pe_array:12:5000");
  const Fault again = fault_of(text_of(f));
  REQUIRE((again.kind == f.kind && again.socket == f.socket && again.transaction == 12 && again.amount == 5000));
  REQUIRE_THROWS_AS(fault_of("late:a:1"), harmonia::config::InputError);
  REQUIRE_THROWS_AS(fault_of("lat:a:1:1"), harmonia::config::InputError);
  REQUIRE_THROWS_AS(fault_of("late:a:x:1"), harmonia::config::InputError);
  REQUIRE_THROWS_AS(fault_of("late:a:1:-1"), harmonia::config::InputError);
}
