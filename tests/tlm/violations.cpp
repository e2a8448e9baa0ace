// What breaks the rules of the generic payload or of the base protocol: answered with the error response of the standard,
// or reported by name; nothing crashes, and what follows is served.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/tlm/interconnect.h"
#include "harmonia/tlm/memory_initiator.h"
#include "tests/support/catch.h"

using namespace harmonia;
using sc_core::sc_time;
using Payload = tlm::tlm_generic_payload;

namespace {

/// Reports are gathered and have no other effect.
std::vector<std::string> reports;
void gather(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() != sc_core::SC_INFO) reports.push_back(report.get_msg());
}
void gather_reports() {
  reports.clear();
  sc_core::sc_report_handler::set_handler(gather);
}
bool reported(const std::string& part) {
  for (const std::string& r : reports)
    if (r.find(part) != std::string::npos) return true;
  return false;
}

struct Manager : tlm::tlm_mm_interface {
  void free(Payload* payload) override { payload->reset(); }
};
Manager manager;
std::array<unsigned char, 1 << 16> bytes;

/// Payloads live until the end of the process: a target may still look at them after a violation.
Payload& make(tlm::tlm_command command, std::uint64_t address, unsigned length) {
  auto* p = new Payload;
  p->set_mm(&manager);
  p->acquire();
  p->set_command(command);
  p->set_address(address);
  p->set_data_length(length);
  p->set_streaming_width(length);
  p->set_data_ptr(bytes.data());
  return *p;
}
Payload& read(std::uint64_t address, unsigned length = 64) { return make(tlm::TLM_READ_COMMAND, address, length); }

struct Driver : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Driver> socket{"socket"};
  std::function<void(Driver&)> body;
  std::function<tlm::tlm_sync_enum(Payload&, tlm::tlm_phase&)> backward;
  int responses = 0;
  bool finished = false;
  SC_HAS_PROCESS(Driver);
  explicit Driver(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.register_nb_transport_bw(this, &Driver::nb_transport_bw);
    SC_THREAD(run);
  }
  void run() {
    body(*this);
    finished = true;
  }
  tlm::tlm_sync_enum nb_transport_bw(Payload& p, tlm::tlm_phase& phase, sc_time&) {
    if (phase == tlm::BEGIN_RESP) ++responses;
    if (backward) return backward(p, phase);
    if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
    phase = tlm::END_RESP;
    return tlm::TLM_COMPLETED;
  }
  tlm::tlm_sync_enum send(Payload& p, tlm::tlm_phase phase) {
    sc_time delay;
    const tlm::tlm_sync_enum status = socket->nb_transport_fw(p, phase, delay);
    if (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP) {
      phase = tlm::END_RESP;
      socket->nb_transport_fw(p, phase, delay);
    }
    return status;
  }
  static void settle() { sc_core::wait(sc_time(5, sc_core::SC_US)); }
  tlm::tlm_response_status by_phases(Payload& p) {
    send(p, tlm::BEGIN_REQ);
    settle();
    return p.get_response_status();
  }
  tlm::tlm_response_status by_blocking(Payload& p) {
    sc_time delay;
    socket->b_transport(p, delay);
    return p.get_response_status();
  }
};

/// A channel alone, or two behind an interconnect.
struct Memory {
  std::vector<std::unique_ptr<dram::DramChannel<>>> channels;
  std::unique_ptr<bus::Interconnect<>> interconnect;
  Driver driver{"driver"};
  explicit Memory(unsigned count, dram::Contents contents = dram::Contents::kStored) {
    const dram::Config config = dram::find_preset("DDR4-3200");
    for (unsigned i = 0; i < count; ++i)
      channels.push_back(
          std::make_unique<dram::DramChannel<>>(("channel" + std::to_string(i)).c_str(), config, contents));
    if (count == 1) {
      driver.socket.bind(channels[0]->tsock);
      return;
    }
    std::vector<bus::Region> regions = {{"all", 0, count * config.capacity_bytes(), 0, bus::Interleave(count, 256), 0}};
    interconnect = std::make_unique<bus::Interconnect<>>("interconnect", 1, count, bus::AddressMap(regions));
    for (unsigned i = 0; i < count; ++i) interconnect->isock[i].bind(channels[i]->tsock);
    driver.socket.bind(interconnect->tsock[0]);
  }
  void run(std::function<void(Driver&)> body) {
    gather_reports();
    driver.body = std::move(body);
    sc_core::sc_start(sc_time(1, sc_core::SC_MS));
    REQUIRE(driver.finished);
  }
};

struct AttributeFault {
  const char* name;
  std::function<void(Payload&)> apply;
  tlm::tlm_response_status status;
};

std::vector<AttributeFault> attribute_faults() {
  static std::array<unsigned char, 4> enables = {255, 255, 255, 255};
  return {
      {"command 77", [](Payload& p) { p.set_command(static_cast<tlm::tlm_command>(77)); },
       tlm::TLM_COMMAND_ERROR_RESPONSE},
      {"data length 0", [](Payload& p) { p.set_data_length(0); }, tlm::TLM_BURST_ERROR_RESPONSE},
      {"streaming width 0", [](Payload& p) { p.set_streaming_width(0); }, tlm::TLM_BURST_ERROR_RESPONSE},
      {"null data pointer", [](Payload& p) { p.set_data_ptr(nullptr); }, tlm::TLM_GENERIC_ERROR_RESPONSE},
      {"byte enables of length 0",
       [](Payload& p) {
         p.set_byte_enable_ptr(enables.data());
         p.set_byte_enable_length(0);
       },
       tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE},
      {"address beyond the memory", [](Payload& p) { p.set_address(~std::uint64_t{0} - 15); },
       tlm::TLM_ADDRESS_ERROR_RESPONSE},
      {"ignore", [](Payload& p) { p.set_command(tlm::TLM_IGNORE_COMMAND); }, tlm::TLM_OK_RESPONSE},
      {"status of an earlier use", [](Payload& p) { p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE); },
       tlm::TLM_OK_RESPONSE},
  };
}

void attributes_are_answered(Memory& memory) {
  memory.run([](Driver& d) {
    for (const AttributeFault& fault : attribute_faults())
      for (const tlm::tlm_command command : {tlm::TLM_READ_COMMAND, tlm::TLM_WRITE_COMMAND})
        for (const unsigned length : {64u, 1024u}) {  // in one interleave block, and split
          CAPTURE(fault.name, command, length);
          Payload &nb = make(command, 0, length), &b = make(command, 0, length);
          fault.apply(nb);
          fault.apply(b);
          REQUIRE(d.by_phases(nb) == fault.status);
          REQUIRE(d.by_blocking(b) == fault.status);
          REQUIRE(d.by_phases(read(0)) == tlm::TLM_OK_RESPONSE);
        }
    Payload& nothing = read(0);
    nothing.set_data_ptr(nullptr);
    REQUIRE(d.socket->transport_dbg(nothing) == 0);
  });
  REQUIRE(reports.empty());
}

void forward_violations_are_reported(Memory& memory) {
  memory.run([](Driver& d) {
    for (const tlm::tlm_phase& phase :
         {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP), tlm::tlm_phase(tlm::UNINITIALIZED_PHASE)}) {
      reports.clear();
      d.send(read(0), phase);
      CAPTURE(phase.get_name());
      REQUIRE(reported("on the forward path"));
    }
    reports.clear();
    d.send(read(0), tlm::END_RESP);  // never begun
    REQUIRE(reported("END_RESP for a transaction that is not in its response phase"));
    reports.clear();
    Payload unmanaged;
    unmanaged.set_command(tlm::TLM_READ_COMMAND);
    unmanaged.set_data_ptr(bytes.data());
    unmanaged.set_data_length(64);
    unmanaged.set_streaming_width(64);
    REQUIRE(d.send(unmanaged, tlm::BEGIN_REQ) == tlm::TLM_COMPLETED);
    REQUIRE(unmanaged.get_response_status() == tlm::TLM_GENERIC_ERROR_RESPONSE);
    REQUIRE(reported("no memory manager"));
    reports.clear();
    Payload& p = read(64);
    d.backward = [](Payload&, tlm::tlm_phase&) { return tlm::TLM_ACCEPTED; };
    d.send(p, tlm::BEGIN_REQ);
    Driver::settle();
    d.send(p, tlm::END_RESP);
    REQUIRE(reports.empty());
    d.send(p, tlm::END_RESP);  // twice
    REQUIRE(reported("END_RESP for a transaction that is not in its response phase"));
    reports.clear();
    d.backward = [](Payload&, tlm::tlm_phase& phase) {
      if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
      phase = tlm::BEGIN_REQ;
      return tlm::TLM_UPDATED;
    };
    Payload& wrong = read(128);
    d.send(wrong, tlm::BEGIN_REQ);
    Driver::settle();
    REQUIRE(reported("TLM_UPDATED with BEGIN_REQ on the return path of BEGIN_RESP"));
    d.send(wrong, tlm::END_RESP);
    d.backward = nullptr;
    REQUIRE(d.by_phases(read(0)) == tlm::TLM_OK_RESPONSE);
    Payload& changed = read(0, 1024);  // an initiator that changes a request under way
    d.send(changed, tlm::BEGIN_REQ);
    changed.set_data_ptr(nullptr);
    changed.set_address(std::uint64_t{1} << 40);
    Driver::settle();
    REQUIRE(d.by_phases(read(0)) == tlm::TLM_OK_RESPONSE);
  });
}

/// A target that does what it is told, a while after a request.
struct Target : sc_core::sc_module {
  tlm_utils::simple_target_socket<Target> socket{"socket"};
  std::function<tlm::tlm_sync_enum(Target&, Payload&, tlm::tlm_phase&)> at_request;
  std::function<void(Target&, Payload&)> later;
  SC_HAS_PROCESS(Target);
  explicit Target(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.register_nb_transport_fw(this, &Target::nb_transport_fw);
    SC_THREAD(run);
  }
  tlm::tlm_sync_enum nb_transport_fw(Payload& p, tlm::tlm_phase& phase, sc_time&) {
    if (phase != tlm::BEGIN_REQ) return tlm::TLM_COMPLETED;
    last_ = &p;
    if (at_request) return at_request(*this, p, phase);
    go_.notify(sc_time(10, sc_core::SC_NS));
    return tlm::TLM_ACCEPTED;
  }
  tlm::tlm_sync_enum send(Payload& p, tlm::tlm_phase phase) {
    sc_time delay;
    return socket->nb_transport_bw(p, phase, delay);
  }
  void respond(Payload& p) {
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    send(p, tlm::BEGIN_RESP);
  }

 private:
  void run() {
    for (;;) {
      wait(go_);
      if (later)
        later(*this, *last_);
      else
        respond(*last_);
    }
  }
  sc_core::sc_event go_;
  Payload* last_ = nullptr;
};

using Later = std::function<void(Target&, Payload&)>;
/// What a target can do wrong after a request, and what the report says.
std::vector<std::pair<Later, std::string>> target_faults() {
  return {
      {[](Target& t, Payload& p) {
         t.send(p, tlm::END_REQ);
         t.send(p, tlm::END_REQ);
         t.respond(p);
       },
       "END_REQ for a transaction that is not in its request phase"},
      {[](Target& t, Payload& p) {
         t.respond(p);
         t.send(p, tlm::BEGIN_RESP);
       },
       "BEGIN_RESP for a transaction that is not under way"},
      {[](Target& t, Payload& p) {
         t.respond(p);
         t.send(p, tlm::END_REQ);
       },
       "END_REQ for a transaction that is not"},
      {[](Target& t, Payload& p) {
         Payload& unknown = read(0);
         unknown.set_response_status(tlm::TLM_OK_RESPONSE);
         t.send(unknown, tlm::BEGIN_RESP);
         t.respond(p);
       },
       "BEGIN_RESP for a transaction that is not under way"},
      {[](Target& t, Payload& p) {
         t.send(read(0), tlm::END_REQ);
         t.respond(p);
       },
       "END_REQ for a transaction that is not"},
      {[](Target& t, Payload& p) {
         t.send(p, tlm::BEGIN_REQ);
         t.respond(p);
       },
       "BEGIN_REQ on the backward path"},
      {[](Target& t, Payload& p) {
         t.send(p, tlm::END_RESP);
         t.respond(p);
       },
       "END_RESP on the backward path"},
  };
}

}  // namespace

TEST_CASE("violations: a channel answers attributes that break a rule") {
  Memory memory(1);
  attributes_are_answered(memory);
}
TEST_CASE("violations: a channel without contents answers attributes that break a rule") {
  Memory memory(1, dram::Contents::kNone);
  attributes_are_answered(memory);
}
TEST_CASE("violations: an interconnect answers attributes that break a rule") {
  Memory memory(2);
  attributes_are_answered(memory);
}
TEST_CASE("violations: a channel reports an initiator's calls out of order") {
  Memory memory(1);
  forward_violations_are_reported(memory);
}
TEST_CASE("violations: an interconnect reports an initiator's calls out of order") {
  Memory memory(2);
  forward_violations_are_reported(memory);
}
TEST_CASE("violations: an interconnect reports a target's calls out of order") {
  Target target("target");
  Driver driver("driver");
  bus::Interconnect<> interconnect("interconnect", 1, 1,
                                   bus::AddressMap({{"all", 0, 1 << 20, 0, bus::Interleave(), 0}}));
  interconnect.isock[0].bind(target.socket);
  driver.socket.bind(interconnect.tsock[0]);
  driver.body = [&](Driver& d) {
    for (const auto& [later, text] : target_faults()) {
      reports.clear();
      target.later = later;
      CAPTURE(text);
      REQUIRE(d.by_phases(read(0)) == tlm::TLM_OK_RESPONSE);
      REQUIRE(reported(text));
    }
    target.later = nullptr;
    reports.clear();
    target.at_request = [](Target&, Payload&, tlm::tlm_phase& phase) {
      phase = tlm::END_RESP;
      return tlm::TLM_UPDATED;
    };
    d.by_phases(read(0));
    REQUIRE(reported("TLM_UPDATED with END_RESP on the return path of BEGIN_REQ"));
  };
  gather_reports();
  sc_core::sc_start(sc_time(1, sc_core::SC_MS));
  REQUIRE(driver.finished);
}
TEST_CASE("violations: a target that completes without a status has failed") {
  Target target("target");
  Driver driver("driver");
  bus::Interconnect<> interconnect("interconnect", 1, 1,
                                   bus::AddressMap({{"all", 0, 1 << 20, 0, bus::Interleave(), 0}}));
  interconnect.isock[0].bind(target.socket);
  driver.socket.bind(interconnect.tsock[0]);
  target.at_request = [](Target&, Payload&, tlm::tlm_phase&) { return tlm::TLM_COMPLETED; };
  driver.body = [](Driver& d) { REQUIRE(d.by_phases(read(0)) == tlm::TLM_GENERIC_ERROR_RESPONSE); };
  gather_reports();
  sc_core::sc_start(sc_time(1, sc_core::SC_MS));
  REQUIRE(driver.finished);
}
TEST_CASE("violations: an initiator reports a target's calls out of order") {
  Target target("target");
  struct Asking : sc_core::sc_module {
    bus::MemoryInitiator<> isock{"isock"};
    explicit Asking(const sc_core::sc_module_name& name) : sc_module(name) {}
  } asking("asking");
  bus::MemoryInitiator<>& initiator = asking.isock;
  initiator.bind(target.socket);
  Target nobody("nobody");
  Driver driver("driver");  // a thread to work from
  driver.socket.bind(nobody.socket);
  int answers = 0;
  initiator.on_response([&](Payload&, const sc_time&) { ++answers; });
  driver.body = [&](Driver&) {
    int sent = 0;
    for (const auto& [later, text] : target_faults()) {
      reports.clear();
      target.later = later;
      initiator.send(bus::PayloadPtr(read(0)), sc_core::sc_time_stamp());
      Driver::settle();
      CAPTURE(text);
      REQUIRE(answers == ++sent);
      REQUIRE(reported(text));
    }
  };
  gather_reports();
  sc_core::sc_start(sc_time(1, sc_core::SC_MS));
  REQUIRE(driver.finished);
}
