// The whole machine: every block as a SystemC module, wired by TLM-2.0 sockets from one configuration.
//
//   host --> sequencer --descriptors--> all blocks
//   DRAM channels -- interconnect -- weight DMA --> weight buffer --> LUT decoder --+
//                                    KV DMA ------> KV buffer --------------------> PE array --> vector unit --+
//                                    operand DMA -> activation buffer ------------> PE array                   |
//                                    vector DMA -> vector unit                                                 |
//                                    KV write DMA, activation write DMA <-- converter <-- outlier smoother <---+
//                                                   activation buffer <-- converter
// Models: one accelerator with its memory; what each block models is said in its header.
// Does not model: several accelerators (device_group.h), the host, power management.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/accelerator/block_cores.h"
#include "harmonia/hw/accelerator/block_models.h"
#include "harmonia/hw/accelerator/config.h"
#include "harmonia/hw/accelerator/sequencer.h"
#include "harmonia/hw/converter/bfp_converter_module.h"
#include "harmonia/hw/decoder/lut_decoder_module.h"
#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/hw/memory/operand_buffer_module.h"
#include "harmonia/hw/pe/pe_array_module.h"
#include "harmonia/hw/program/memory_map.h"
#include "harmonia/hw/smoother/outlier_smoother_module.h"
#include "harmonia/hw/vector/vector_unit_module.h"
#include "harmonia/tlm/interconnect.h"

namespace harmonia::accelerator {

/// Connects an initiator to a target socket; `name` says which connection it is ("decoder_to_pe_array"). By default one
/// is bound to the other; a monitor, a protocol checker or a stall injector may be put in between.
using Connect =
    std::function<void(tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name)>;

struct MachineOptions {
  StepProgram::Settings program;  // formats, functional or timing only, codebooks
  bool loosely_timed = false;     // memory accesses by b_transport
  Connect connect;                // empty: bind directly
  BlockCores cores;               // blocks whose datapath is not the model
};

/// The DRAM channels' configuration that an accelerator configuration names. Throws config::InputError.
dram::Config channel_config(const AcceleratorConfig& config);
/// Bytes of all channels.
std::uint64_t memory_bytes(const AcceleratorConfig& config);
/// Bytes per second of all channels.
double peak_bandwidth(const AcceleratorConfig& config);

class Accelerator : public sc_core::sc_module {
 public:
  /// The map must have been made for the shape and for at most memory_bytes(config). Throws config::InputError.
  Accelerator(sc_core::sc_module_name name, const AcceleratorConfig& config, const ModelShape& shape,
              const MemoryMap& map, const MachineOptions& options);
  ~Accelerator() override;

  /// Steps come in here (sequencer.h).
  bus::MemoryTarget<>& command() { return sequencer.tsock; }
  /// Reads and writes the memory from outside; debug transport loads weights without taking time.
  tlm::tlm_target_socket<>& memory() { return interconnect.tsock[host_port]; }

  const AcceleratorConfig& config() const { return config_; }
  const MemoryMap& map() const { return map_; }
  const ModelShape& shape() const { return shape_; }

  Sequencer sequencer;
  memory::DmaReader<> weight_dma, kv_dma, residual_dma, vector_dma, operand_dma;
  memory::DmaWriter<> kv_write_dma, out_dma;
  memory::StreamBuffer<> weight_buffer, kv_buffer;
  decoder::LutDecoder decoder;
  pe::PeArray pe_array;
  vector::VectorUnit vector_unit;
  smoother::OutlierSmoother smoother;
  converter::BfpConverter converter;
  memory::OperandBuffer operand_buffer;
  bus::Interconnect<> interconnect;
  std::vector<std::unique_ptr<dram::DramChannel<>>> channels;

  static constexpr unsigned dma_ports = 7, host_port = 7;

  /// Which units have descriptors or chunks that wait, in one line: what to look at when a step never ends.
  std::string waiting() const;

 private:
  void bind(const Connect& connect);

  AcceleratorConfig config_;
  MemoryMap map_;
  ModelShape shape_;
};

}  // namespace harmonia::accelerator
