// Several accelerators that share every tensor of a model, with the links and collectives between them.
//
//   host --> device group --steps--> accelerator 0 .. N-1
//                                    accelerator d -- collective unit d == links == collective unit e -- accelerator e
// Models: one step command for all devices, which is done when the last device is; of its tokens each device gets those whose rows of the
//   embedding it has; an all-reduce of what each device's vector unit holds, behind the operations that the step program says, by
//   CollectiveUnit and Link (hw/link); logits put together from the devices' parts of the vocabulary.
// Does not model: the time between vector unit and collective unit, nor that of the sums; devices with different parts other than experts of
//   their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <systemc>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/link/collective_module.h"
#include "harmonia/hw/link/link_module.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"

namespace harmonia::accelerator {

struct DeviceGroupConfig {
  link::Config link;
  link::Topology topology = link::Topology::switched;
  link::Reduction reduction = link::Reduction::fp16;
  /// Of an all-reduce of so many values.
  std::function<link::Algorithm(std::uint64_t values)> algorithm;
  /// Values are reduced; otherwise as many zeros.
  bool functional = false;
};

class DeviceGroup final : public sc_core::sc_module {
 public:
  /// Steps for all devices, and their logits: as Sequencer::tsock, for the model that the devices share.
  bus::MemoryTarget<> tsock{"tsock"};

  /// devices: in the order of their parts, each built for a part of a model (hw/model/model_split.h); they must outlive the group. connect
  /// (empty: bind directly) makes the connections to and from links, "unit0_to_link_0_1" and "link_0_1_to_unit1".
  DeviceGroup(sc_core::sc_module_name name, const DeviceGroupConfig& config, std::vector<Accelerator*> devices,
              const Connect& connect = {});

  /// Sent over all links, without and with headers of packets.
  std::uint64_t payload_bytes() const;
  std::uint64_t wire_bytes() const;

 private:
  std::optional<sc_core::sc_time> request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  bool ask_for_logits(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void send_step(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void answered(std::size_t device, const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  void all_reduce(std::size_t device, std::uint64_t values, const Sequencer::Done& done);

  DeviceGroupConfig config_;
  std::vector<Accelerator*> devices_;
  std::vector<std::unique_ptr<bus::MemoryInitiator<>>> isock_;
  std::vector<std::unique_ptr<link::CollectiveUnit>> units_;
  std::vector<std::unique_ptr<link::Link>> links_;
  bus::PayloadPool pool_;
  bus::PayloadPtr asked_;  // the host's request under way
  std::size_t unanswered_ = 0;
  sc_core::sc_time last_answer_;
  std::uint64_t vocabulary_;  // of one device
};

}  // namespace harmonia::accelerator
