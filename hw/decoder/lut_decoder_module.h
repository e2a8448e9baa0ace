// SystemC module of the K-means LUT decoder: stored chunks in, decoded chunks out.
//
// Models: lut_decoder.h behind TLM-2.0 streams. A tile's scale chunks precede the codes that need them (a paced DMA sees to
//   that). A decoded chunk's Chunk::elements are its weights; in functional runs its bytes are the rows that became
//   complete, and its header DecodedRows says which.
// Does not model: anything that depends on model or layer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/decoder/decoder_core.h"
#include "harmonia/hw/decoder/lut_decoder.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/descriptor_port.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::decoder {

class LutDecoder : public sc_core::sc_module {
 public:
  /// core: what decodes tiles that carry data, in place of the model; null: the model.
  LutDecoder(sc_core::sc_module_name name, const Config& config, std::unique_ptr<DecoderCore> core = nullptr);

  bus::DescriptorPort<Descriptor> command;
  bus::ChunkInput input;  // target socket tsock
  bus::StreamSource<> isock{"isock"};

  /// Called when a tile is decoded; begin and end are those of the work, which may lie ahead of the simulated time.
  std::function<void(const bus::Work&)> observer;

  const bus::Activity& activity() const { return timing_.activity(); }
  bus::Cycle free_at() const { return timing_.free_at(); }
  std::uint64_t weights_decoded() const { return weights_; }
  bool idle() const { return command.empty() && input.waiting() == nullptr && !working_; }

 private:
  void progress();
  void process();
  std::string chunk_fault(const bus::Chunk& chunk, std::uint64_t bytes) const;
  void leave(bus::PayloadPtr out, bus::Cycle ready);
  void finish_if_complete();

  bus::Clock clock_;
  Timing timing_;
  bus::PayloadPool pool_;
  bool begun_ = false;
  bus::Cycle begin_ = 0;  // of the tile, and what the decoder had worked then
  std::uint64_t busy_before_ = 0;
  bool working_ = false;  // the core has a chunk
  std::unique_ptr<DecoderCore> core_;
  bool blocked_ = false;  // the consumer has not said when it takes the last chunk
  std::uint64_t index_bytes_ = 0, scale_bytes_ = 0, elements_ = 0, weights_ = 0, rows_counted_ = 0;
  std::uint32_t rows_out_ = 0;
  std::vector<std::uint8_t> codes_, scales_;
};

}  // namespace harmonia::decoder
