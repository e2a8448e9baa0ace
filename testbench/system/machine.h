// From a scenario to an elaborated machine with a host in front of it.
// Models: which sizes the address map needs for a workload. Does not model: the workload itself (testbench/runs).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/accelerator/device_group.h"
#include "harmonia/hw/accelerator/pipeline.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/system/capacity.h"
#include "harmonia/testbench/system/host.h"

namespace harmonia::testbench {

/// Throws config::InputError when formats and array do not go together or the map does not fit the memory.
accelerator::MapRequest map_request(const Scenario& scenario, const Capacity& capacity);
accelerator::MachineOptions machine_options(const Scenario& scenario);

/// The address map as a table: regions, interleave, alignments, the KV cache's areas. Throws config::InputError when it
/// does not fit.
std::string address_map_text(const Scenario& scenario, const Capacity& capacity);

/// Ties an unused memory port: the host's loader uses debug transport only.
class MemoryLoader : public sc_core::sc_module, private tlm::tlm_bw_transport_if<> {
 public:
  explicit MemoryLoader(sc_core::sc_module_name name) : sc_module(name) { isock.bind(*this); }
  tlm::tlm_initiator_socket<> isock{"isock"};
  /// Writes to (or reads from) the accelerator's memory without taking time. Throws std::out_of_range.
  void write(std::uint64_t address, const void* data, std::uint64_t bytes) {
    access(tlm::TLM_WRITE_COMMAND, address, const_cast<void*>(data), bytes);
  }
  void read(std::uint64_t address, void* data, std::uint64_t bytes) {
    access(tlm::TLM_READ_COMMAND, address, data, bytes);
  }

 private:
  void access(tlm::tlm_command command, std::uint64_t address, void* data, std::uint64_t bytes);
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override {
    return tlm::TLM_ACCEPTED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

/// The accelerator of a scenario, or where several devices share the model and are all simulated (devices.fold: false) all of them:
/// the first one here, `others` behind it, and `group` between them and the host. Of a pipeline all of whose stages are simulated
/// together the first stage is here, `stages` behind it, each such a machine, and `pipeline` between them and the host.
struct Machine {
  /// others: options of the other devices, where they differ from the first one's (weights); empty: they do not.
  Machine(const Scenario& scenario, const Capacity& capacity, std::function<void(Host&)> body,
          const accelerator::MachineOptions& options, const std::vector<accelerator::MachineOptions>& others = {});
  /// A stage of a pipeline: the scenario with its model, and options of its devices, the first one's or each one's.
  struct StageOptions {
    Scenario scenario;
    std::vector<accelerator::MachineOptions> devices;
  };
  /// All stages of a pipeline together. connect: of the connections between the stages.
  Machine(const std::vector<StageOptions>& all_stages, const Capacity& capacity, std::function<void(Host&)> body,
          const accelerator::Connect& connect = {});

  accelerator::ModelShape shape;
  accelerator::AcceleratorConfig config;
  accelerator::MemoryMap map;
  std::unique_ptr<accelerator::Accelerator> accelerator;
  std::unique_ptr<Host> host;
  std::unique_ptr<MemoryLoader> loader;
  std::vector<std::unique_ptr<Machine>> others;  // without hosts
  std::unique_ptr<accelerator::DeviceGroup> group;
  /// Of a pipeline, machines of stages that are not like the first one, each with a host without a thread; or of all stages but the
  /// first, joined by `pipeline`, without hosts.
  std::vector<std::unique_ptr<Machine>> stages;
  std::unique_ptr<accelerator::Pipeline> pipeline;

  /// Adds a stage. scenario: with the stage's model.
  Machine& add_stage(const Scenario& scenario, const Capacity& capacity, const accelerator::MachineOptions& options);

  /// Device 0 is the machine itself.
  Machine& device(std::size_t number) { return number == 0 ? *this : *others.at(number - 1); }

  /// Runs until the body has returned; rethrows what left it. Throws config::RunError when simulation stops before (a
  /// deadlock).
  void simulate();
  /// The same until `done`, which the body makes true before it pauses the simulation.
  void simulate_until(const std::function<bool()>& done);

 private:
  Machine(const Scenario& scenario, const Capacity& capacity, const accelerator::MachineOptions& options,
          const std::string& suffix);
  /// The other devices of this one's stage, where there are some. more: their options; empty: this one's.
  void add_devices(const Scenario& scenario, const Capacity& capacity, const accelerator::MachineOptions& options,
                   const std::vector<accelerator::MachineOptions>& more, const std::string& suffix);
  bus::MemoryTarget<>& command() { return group ? group->tsock : accelerator->command(); }
  std::string waiting() const;
};

}  // namespace harmonia::testbench
