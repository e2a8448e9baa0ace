// Each rule of the protocol checker, broken on purpose by a mutant initiator or target, and each caught.
#include "harmonia/tlm/protocol_checker.h"

#include <functional>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/tlm/payload_pool.h"
#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::ns;
using sc_core::sc_time;

namespace {

/// An initiator and a target without manners of their own: the test scripts both sides, call by call.
struct Mutants : sc_core::sc_module, tlm::tlm_fw_transport_if<>, tlm::tlm_bw_transport_if<> {
  explicit Mutants(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    isock.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
    tsock.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
    isock.bind(checker.tsock);
    checker.isock.bind(tsock);
    checker.rules.on_violation([this](Rule rule, const std::string& text) {
      caught.push_back(rule);
      texts.push_back(text);
    });
  }
  using Reply = std::function<tlm::tlm_sync_enum(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&)>;
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_time& delay) override {
    return target_reply(payload, phase, delay);
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_time& delay) override {
    return initiator_reply(payload, phase, delay);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) override { blocking(payload, delay); }
  unsigned transport_dbg(tlm::tlm_generic_payload&) override { return 0; }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return false; }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}

  PayloadPtr payload() { return pool.make(tlm::TLM_WRITE_COMMAND, 0, 16, Data::buffer); }
  void forward(const PayloadPtr& payload, tlm::tlm_phase phase, sc_time delay = sc_core::SC_ZERO_TIME) {
    isock->nb_transport_fw(*payload, phase, delay);
  }
  void backward(const PayloadPtr& payload, tlm::tlm_phase phase, sc_time delay = sc_core::SC_ZERO_TIME,
                bool set_status = true) {
    if (set_status) payload->set_response_status(tlm::TLM_OK_RESPONSE);
    tsock->nb_transport_bw(*payload, phase, delay);
  }

  tlm::tlm_initiator_socket<> isock{"isock"};
  tlm::tlm_target_socket<> tsock{"tsock"};
  ProtocolChecker<> checker{"checker"};
  PayloadPool pool;
  Reply target_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&) { return tlm::TLM_ACCEPTED; };
  Reply initiator_reply = target_reply;
  std::function<void(tlm::tlm_generic_payload&, sc_time&)> blocking;
  std::vector<Rule> caught;
  std::vector<std::string> texts;
};

struct Fixture {
  Fixture() : top("top") { sc_core::sc_start(ns(10)); }
  Mutants top;
  void require_only(Rule rule) {
    REQUIRE_FALSE(top.caught.empty());
    for (const Rule one : top.caught) REQUIRE(std::string(name_of(one)) == name_of(rule));
    REQUIRE(top.texts[0].find("top.checker") != std::string::npos);
    REQUIRE(top.texts[0].find(name_of(rule)) != std::string::npos);
  }
};

}  // namespace

TEST_CASE("a proper four-phase transaction breaks no rule") {
  Fixture f;
  const PayloadPtr a = f.top.payload(), b = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ, ns(1));
  f.top.backward(a, tlm::END_REQ, ns(2), false);
  f.top.forward(b, tlm::BEGIN_REQ, ns(2));
  f.top.backward(a, tlm::BEGIN_RESP, ns(3));
  f.top.forward(a, tlm::END_RESP, ns(3));
  f.top.backward(b, tlm::BEGIN_RESP, ns(4));  // END_REQ skipped
  f.top.forward(b, tlm::END_RESP, ns(5));
  f.top.checker.rules.finish();
  REQUIRE(f.top.caught.empty());
  REQUIRE(f.top.checker.rules.completed() == 2);
}

TEST_CASE("mutant - a phase on the wrong path") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::END_REQ);
  f.top.backward(a, tlm::BEGIN_REQ);
  REQUIRE(f.top.caught.size() == 2);
  f.require_only(Rule::phase_on_wrong_path);
}

TEST_CASE("mutant - END_REQ twice") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::END_REQ, {}, false);
  f.top.backward(a, tlm::END_REQ, {}, false);
  f.require_only(Rule::phase_order);
}

TEST_CASE("mutant - END_RESP before BEGIN_RESP") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.forward(a, tlm::END_RESP);
  f.require_only(Rule::phase_order);
}

TEST_CASE("mutant - BEGIN_RESP twice") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::BEGIN_RESP);
  f.top.backward(a, tlm::BEGIN_RESP);
  f.require_only(Rule::phase_order);
}

TEST_CASE("mutant - a transaction answered after its end") {
  Fixture f;
  f.top.target_reply = [](tlm::tlm_generic_payload& payload, tlm::tlm_phase&, sc_time&) {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return tlm::TLM_COMPLETED;
  };
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::BEGIN_RESP);
  f.require_only(Rule::unknown_transaction);
}

TEST_CASE("mutant - a response nobody asked for") {
  Fixture f;
  f.top.backward(f.top.payload(), tlm::BEGIN_RESP);
  f.require_only(Rule::unknown_transaction);
}

TEST_CASE("mutant - BEGIN_REQ before the END_REQ of the previous request") {
  Fixture f;
  const PayloadPtr a = f.top.payload(), b = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.forward(b, tlm::BEGIN_REQ);
  f.require_only(Rule::request_exclusion);
}

TEST_CASE("mutant - BEGIN_RESP before the END_RESP of the previous response") {
  Fixture f;
  const PayloadPtr a = f.top.payload(), b = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::END_REQ, {}, false);
  f.top.forward(b, tlm::BEGIN_REQ);
  f.top.backward(b, tlm::END_REQ, {}, false);
  f.top.backward(a, tlm::BEGIN_RESP);
  f.top.backward(b, tlm::BEGIN_RESP);
  f.require_only(Rule::response_exclusion);
}

TEST_CASE("mutant - time goes backwards") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ, ns(5));
  f.top.backward(a, tlm::END_REQ, ns(4), false);
  f.require_only(Rule::time_backwards);
}

TEST_CASE("mutant - time goes backwards in the return value") {
  Fixture f;
  f.top.target_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase& phase, sc_time& delay) {
    phase = tlm::END_REQ;
    delay = ns(1);
    return tlm::TLM_UPDATED;
  };
  f.top.forward(f.top.payload(), tlm::BEGIN_REQ, ns(5));
  f.require_only(Rule::time_backwards);
}

TEST_CASE("mutant - an attribute changes between phases") {
  Fixture f;
  const std::vector<std::function<void(tlm::tlm_generic_payload&)>> changes = {
      [](tlm::tlm_generic_payload& p) { p.set_address(4); },
      [](tlm::tlm_generic_payload& p) { p.set_data_length(8); },
      [](tlm::tlm_generic_payload& p) { p.set_read(); },
      [](tlm::tlm_generic_payload& p) { p.set_streaming_width(4); },
      [](tlm::tlm_generic_payload& p) { p.set_data_ptr(p.get_data_ptr() + 1); },
      [](tlm::tlm_generic_payload& p) { p.set_byte_enable_ptr(p.get_data_ptr()); }};
  for (const auto& apply : changes) {
    const PayloadPtr a = f.top.payload();
    f.top.caught.clear();
    f.top.forward(a, tlm::BEGIN_REQ);
    apply(*a);
    f.top.backward(a, tlm::BEGIN_RESP);
    f.require_only(Rule::payload_changed);
    f.top.forward(a, tlm::END_RESP);
  }
  f.top.caught.clear();
  f.top.checker.rules.set_address_may_change(true);
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  a->set_address(4);
  f.top.backward(a, tlm::BEGIN_RESP);
  REQUIRE(f.top.caught.empty());
}

TEST_CASE("mutant - a payload is sent again while under way") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::END_REQ, {}, false);
  f.top.forward(a, tlm::BEGIN_REQ);
  f.require_only(Rule::payload_reused);
}

TEST_CASE("mutant - illegal request attributes") {
  Fixture f;
  f.top.target_reply = [](tlm::tlm_generic_payload& payload, tlm::tlm_phase&, sc_time&) {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return tlm::TLM_COMPLETED;
  };
  static unsigned char wrong_enable[1] = {0x7f};
  const std::vector<std::function<void(tlm::tlm_generic_payload&)>> changes = {
      [](tlm::tlm_generic_payload& p) { p.set_data_length(0); },
      [](tlm::tlm_generic_payload& p) { p.set_data_ptr(nullptr); },
      [](tlm::tlm_generic_payload& p) { p.set_streaming_width(0); },
      [](tlm::tlm_generic_payload& p) { p.set_byte_enable_ptr(p.get_data_ptr()); },
      [](tlm::tlm_generic_payload& p) {
        p.set_byte_enable_ptr(wrong_enable);
        p.set_byte_enable_length(1);
      },
      [](tlm::tlm_generic_payload& p) { p.set_response_status(tlm::TLM_OK_RESPONSE); },
      [](tlm::tlm_generic_payload& p) { p.set_dmi_allowed(true); },
      [](tlm::tlm_generic_payload& p) { p.set_address(~sc_dt::uint64{0} - 3); }};
  std::size_t number = 0;
  for (const auto& apply : changes) {
    CAPTURE(number++);
    const PayloadPtr a = f.top.payload();
    f.top.caught.clear();
    apply(*a);
    f.top.forward(a, tlm::BEGIN_REQ);
    f.require_only(Rule::request_attributes);
  }
}

TEST_CASE("a proper four-phase transaction that moves no data breaks no rule") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  a->set_command(tlm::TLM_IGNORE_COMMAND);
  a->set_data_length(0);
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::BEGIN_RESP, ns(1));
  f.top.forward(a, tlm::END_RESP, ns(2));
  f.top.checker.rules.finish();
  REQUIRE(f.top.caught.empty());
}

TEST_CASE("mutant - a response without a status") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.backward(a, tlm::BEGIN_RESP, {}, false);
  f.require_only(Rule::response_status);
}

TEST_CASE("mutant - early completion without a status") {
  Fixture f;
  f.top.target_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&) { return tlm::TLM_COMPLETED; };
  f.top.forward(f.top.payload(), tlm::BEGIN_REQ);
  f.require_only(Rule::response_status);
}

TEST_CASE("mutant - illegal return values") {
  Fixture f;
  f.top.target_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&) { return tlm::TLM_UPDATED; };
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);  // UPDATED without an update
  f.top.initiator_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&) { return tlm::TLM_COMPLETED; };
  f.top.backward(a, tlm::END_REQ, {}, false);  // COMPLETED in the middle
  f.top.target_reply = [](tlm::tlm_generic_payload&, tlm::tlm_phase& phase, sc_time&) {
    phase = tlm::END_REQ;
    return tlm::TLM_ACCEPTED;
  };
  f.top.forward(f.top.payload(), tlm::BEGIN_REQ);  // ACCEPTED with an update
  REQUIRE(f.top.caught.size() == 3);
  f.require_only(Rule::return_value);
}

TEST_CASE("mutant - nb_transport without a memory manager") {
  Fixture f;
  tlm::tlm_generic_payload bare;
  unsigned char data[4] = {};
  bare.set_write();
  bare.set_data_ptr(data);
  bare.set_data_length(4);
  bare.set_streaming_width(4);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_time delay;
  f.top.isock->nb_transport_fw(bare, phase, delay);
  f.require_only(Rule::memory_management);
}

TEST_CASE("mutant - a transaction is lost") {
  Fixture f;
  const PayloadPtr a = f.top.payload();
  f.top.forward(a, tlm::BEGIN_REQ);
  f.top.checker.rules.finish();
  f.require_only(Rule::lost_transaction);
}

TEST_CASE("mutant - b_transport without a status or with time going backwards") {
  Fixture f;
  f.top.blocking = [](tlm::tlm_generic_payload&, sc_time&) {};
  sc_time delay = ns(5);
  f.top.isock->b_transport(*f.top.payload(), delay);
  f.require_only(Rule::response_status);
  f.top.caught.clear();
  f.top.texts.clear();
  f.top.blocking = [](tlm::tlm_generic_payload& payload, sc_time& t) {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    t = ns(4);
  };
  f.top.isock->b_transport(*f.top.payload(), delay);
  f.require_only(Rule::time_backwards);
}

TEST_CASE("without a handler a violation is a SystemC error") {
  Fixture f;
  f.top.checker.rules.on_violation(nullptr);
  REQUIRE_THROWS_AS(f.top.backward(f.top.payload(), tlm::BEGIN_RESP), sc_core::sc_report);
  REQUIRE(f.top.checker.rules.violations() == 1);
}
