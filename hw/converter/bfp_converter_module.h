// SystemC module of the FP16-to-BFP converter.
//
// Models: bfp_converter.h behind TLM-2.0 streams: chunks from the smoother and growing V groups from memory in; A operands,
//   writes of the KV cache and activations that leave the chip out. Each chunk is treated as the next descriptor says. A
//   chunk that is taken late at an output holds the whole pipeline.
// Does not model: the transposition memory of the V path beyond its latency.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <systemc>
#include <vector>

#include "harmonia/hw/converter/bfp_converter.h"
#include "harmonia/hw/converter/converter_core.h"
#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/stream_block.h"

namespace harmonia::converter {

class BfpConverter final : public bus::StreamBlock<Descriptor> {
 public:
  /// core: what converts chunks that carry data, in place of the model; null: the model.
  BfpConverter(sc_core::sc_module_name name, const Config& config, std::unique_ptr<ConverterCore> core = nullptr);

  bus::ChunkInput input;     // target socket tsock
  bus::ChunkInput residual;  // target socket tsock_residual
  bus::StreamSource<> isock_operands{"isock_operands"};
  bus::StreamSource<> isock_kv{"isock_kv"};
  bus::StreamSource<> isock_out{"isock_out"};

  /// Called when a chunk is converted; begin and end are those of the work, which may lie ahead of the simulated time.
  std::function<void(const bus::Work&)> observer;

  std::uint64_t nonfinite() const { return nonfinite_; }
  std::uint64_t elements() const { return elements_; }
  bool idle() const { return command.empty() && !working_; }

 private:
  bool step() override;
  std::string input_fault(const Descriptor& d, const bus::Chunk& chunk, std::uint64_t bytes) const;
  void fill(const Descriptor& d, tlm::tlm_generic_payload& out, std::vector<std::uint8_t>& bytes);
  bus::StreamSource<>& source_of(const Descriptor& d);
  void leave(const Descriptor& d, bus::PayloadPtr out, bus::Cycle ready);
  void taken(const sc_core::sc_time& when);

  Config config_;
  bool blocked_ = false;
  bool working_ = false;  // the core has a chunk
  std::unique_ptr<ConverterCore> core_;
  std::uint32_t residual_bytes_ = 0;
  std::vector<std::uint8_t> residual_data_;
  std::map<std::uint16_t, std::vector<std::uint8_t>> growing_;  // by place; empty in timing-only runs
  std::vector<std::uint8_t> bytes_;
  bus::Cycle ready_ = 0;  // the chunk at the output
  std::uint64_t nonfinite_ = 0, elements_ = 0;
};

}  // namespace harmonia::converter
