// SystemC module of the PE array: A operands, B streams from the decoder and from the KV cache, FP16 results out.
//
// Models: pe_array.h behind TLM-2.0 streams. Tiles are worked through in the order of their descriptors; the stream
// that the
//   tile at hand does not need waits. An A operand stays where its sender keeps it: the array takes one for the tiles
//   at hand and one that waits, and answers when the last tile that uses an operand has ended.
//   Sums of a tile that goes on with a part of k come through the cache's socket before B, as fast as the stream is.
// Does not model: which operation of a model a tile belongs to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/pe/pe_array.h"
#include "harmonia/hw/pe/pe_core.h"
#include "harmonia/hw/pe/tile_check.h"
#include "harmonia/tlm/borrowed_input.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/stream_block.h"

namespace harmonia::pe {

/// What happened to one tile; given to the observer when the tile ends.
struct TileRecord {
  std::uint32_t operation;
  bool weights;  // B came from the decoder, otherwise from the KV cache
  std::uint64_t begin_ps, end_ps;
  bus::Cycle busy, waited_input, waited_operand, waited_output;
};

class PeArray final : public bus::StreamBlock<Descriptor> {
 public:
  /// core: what multiplies tiles that carry data, in place of the model; null: the model.
  PeArray(sc_core::sc_module_name name, const Config& config, std::unique_ptr<PeCore> core = nullptr);

  bus::ChunkInput weights;  // target sockets tsock_weights, tsock_kv, tsock_operand
  bus::ChunkInput kv;
  bus::BorrowedInput operand;
  bus::StreamSource<> isock{"isock"};
  std::function<void(const TileRecord&)> observer;

  /// 32-lane group operations done, passes included.
  std::uint64_t slots() const { return slots_; }
  std::uint64_t macs() const { return macs_; }
  bool idle() const { return command.empty() && !working_; }

 private:
  struct Operand {
    std::uint32_t number = 0;
    bus::Cycle ready = 0;
    tlm::tlm_generic_payload* payload = nullptr;
    bool used = false;  // by a tile
  };

  void take_operand();
  void give_operand_back();
  void refuse_operand(const std::string& why);
  std::string operand_fault(const Descriptor& d) const;
  std::string chunk_fault(const bus::Chunk& chunk, std::uint64_t bytes, const bus::DecodedRows* decoded) const;
  bool step() override;
  bool start_tile();
  void work_ahead(const Descriptor& d, bus::Cycle operand_ready);
  void end_tile();
  const std::uint8_t* tile_b();
  void leave_tile(bus::Cycle fill);
  void take_chunk(bus::ChunkInput& input);
  void take_sums();

  Config config_;
  std::optional<Descriptor> queued_;  // the last that was queued
  std::deque<Operand> operands_;      // the one in use first, then at most one that waits
  bool blocked_ = false;              // the result before is not known to be taken
  bool started_ = false;
  bool working_ = false;  // the core has the tile at hand
  std::unique_ptr<PeCore> core_;
  bus::PayloadPtr result_;  // of the tile that ends
  bus::Cycle output_free_ = 0, shadow_free_ = 0;
  bus::Cycle ahead_ = 0;  // cycles of tiles to come that passed while their operand came (kernels of a GPU)
  std::uint64_t cycles_ = 0, elements_total_ = 0, elements_ = 0, cycles_given_ = 0;
  std::uint64_t slots_ = 0, macs_ = 0;
  TileRecord record_{};
  std::vector<std::uint8_t> b_;
  std::uint32_t rows_ = 0;  // decoded rows of b_
  // Functional: the B tiles of the output columns at hand, one or two (gate and up), for the strips that use them
  // again.
  std::vector<std::vector<std::uint8_t>> kept_b_;
  std::uint32_t kept_operation_ = 0, kept_column_ = 0;
  std::size_t kept_next_ = 0;
  std::vector<float> sums_;
  std::uint64_t sums_taken_ = 0;  // bytes of those that come before B
  bool functional_ = false;
};

}  // namespace harmonia::pe
