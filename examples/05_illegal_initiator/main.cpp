// An initiator that breaks the base protocol in front of a DRAM channel, and the checker that says where, when and how.
//
// Put harmonia::bus::ProtocolChecker between any two TLM-2.0 sockets of your own bench. Without a handler a violation is an
// SC_REPORT_ERROR("/harmonia/bus/protocol"); with one you decide.
#include <cstdio>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/protocol_checker.h"

namespace bus = harmonia::bus;
namespace dram = harmonia::dram;

class IllegalInitiator : public sc_core::sc_module, private tlm::tlm_bw_transport_if<> {
 public:
  SC_HAS_PROCESS(IllegalInitiator);
  explicit IllegalInitiator(sc_core::sc_module_name name) : sc_module(name) {
    isock.bind(*this);
    SC_THREAD(run);
  }
  tlm::tlm_initiator_socket<> isock{"isock"};

 private:
  void send(const bus::PayloadPtr& payload, tlm::tlm_phase phase) {
    sc_core::sc_time delay;
    isock->nb_transport_fw(*payload, phase, delay);
  }
  void run() {
    // 1: a read whose response status says OK before anybody has answered.
    const bus::PayloadPtr answered = pool_.make(tlm::TLM_READ_COMMAND, 0, 64, bus::Data::buffer);
    answered->set_response_status(tlm::TLM_OK_RESPONSE);
    send(answered, tlm::BEGIN_REQ);
    wait(100, sc_core::SC_NS);
    // 2: the end of a response that never began.
    send(pool_.make(tlm::TLM_READ_COMMAND, 64, 64, bus::Data::buffer), tlm::END_RESP);
    // 3: a payload that is changed while the target still works on it.
    const bus::PayloadPtr changed = pool_.make(tlm::TLM_READ_COMMAND, 4096, 64, bus::Data::buffer);
    send(changed, tlm::BEGIN_REQ);
    changed->set_address(8192);
    wait(200, sc_core::SC_NS);
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase& phase, sc_core::sc_time&) override {
    if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
    phase = tlm::END_RESP;
    return tlm::TLM_COMPLETED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}

  bus::PayloadPool pool_;
};

int sc_main(int, char**) {
  // What the channel itself says about such calls is not what is shown here.
  sc_core::sc_report_handler::set_actions(sc_core::SC_ERROR, sc_core::SC_DO_NOTHING);
  IllegalInitiator initiator("initiator");
  bus::ProtocolChecker<> checker("checker");
  dram::DramChannel<> channel("channel", dram::read_config("DDR4-3200", {}).config, dram::Contents::kNone);
  initiator.isock.bind(checker.tsock);
  checker.isock.bind(channel.tsock);
  std::vector<bus::Rule> broken;
  checker.rules.on_violation([&](bus::Rule rule, const std::string& text) {
    broken.push_back(rule);
    std::printf("%s\n", text.c_str());
  });
  sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_US));
  checker.rules.finish();
  std::printf("%zu violations were found\n", broken.size());
  return broken.empty() ? 1 : 0;
}
