// A block of your own between two blocks of the machine.
//
// Every connection of the machine is a plain TLM-2.0 socket pair with a name. MachineOptions::connect is asked to make each of them,
// so that any module with a target and an initiator socket can stand in between: here a probe that passes everything on and counts
// the bytes of decoded weights on their way to the PE array.
#include <cstdio>
#include <memory>
#include <systemc>

#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/system/machine.h"

namespace tb = harmonia::testbench;
namespace accelerator = harmonia::accelerator;

class Probe : public sc_core::sc_module, private tlm::tlm_fw_transport_if<>, private tlm::tlm_bw_transport_if<> {
 public:
  explicit Probe(sc_core::sc_module_name name) : sc_module(name) {
    tsock.bind(*this);
    isock.bind(*this);
  }
  tlm::tlm_target_socket<> tsock{"tsock"};
  tlm::tlm_initiator_socket<> isock{"isock"};
  std::uint64_t chunks = 0, bytes = 0;

 private:
  void count(const tlm::tlm_generic_payload& payload) {
    ++chunks;
    bytes += payload.get_data_length();
  }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (phase == tlm::BEGIN_REQ) count(payload);
    return isock->nb_transport_fw(payload, phase, delay);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    count(payload);
    isock->b_transport(payload, delay);
  }
  unsigned transport_dbg(tlm::tlm_generic_payload& payload) override { return isock->transport_dbg(payload); }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override {
    return isock->get_direct_mem_ptr(payload, dmi);
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    return tsock->nb_transport_bw(payload, phase, delay);
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 from, sc_dt::uint64 to) override {
    tsock->invalidate_direct_mem_ptr(from, to);
  }
};

int sc_main(int, char**) {
  const tb::LoadedScenario loaded = tb::load_scenario("default", {"model=stories260k"}, tb::Library());
  std::unique_ptr<Probe> probe;
  accelerator::MachineOptions options = tb::machine_options(loaded.scenario);
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    if (name != "decoder_to_pe_array") return from.bind(to);
    probe = std::make_unique<Probe>("probe");
    from.bind(probe->tsock);
    probe->isock.bind(to);
  };
  tb::Capacity capacity;
  capacity.tokens_per_slot = 64;
  tb::Machine machine(
      loaded.scenario, capacity,
      [](tb::Host& host) {
        accelerator::StepWork work;
        work.sequences.push_back({});
        host.step(work);
      },
      options);
  machine.simulate();
  std::printf("%llu chunks with %llu bytes of decoded weights went to the PE array\n",
              static_cast<unsigned long long>(probe->chunks), static_cast<unsigned long long>(probe->bytes));
  return probe->chunks > 0 ? 0 : 1;
}
