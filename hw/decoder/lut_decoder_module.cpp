#include "harmonia/hw/decoder/lut_decoder_module.h"

#include <algorithm>
#include <cstring>

#include "harmonia/tlm/field_check.h"

namespace harmonia::decoder {

using bus::TrafficClass;

LutDecoder::LutDecoder(sc_core::sc_module_name name, const Config& config, std::unique_ptr<DecoderCore> core)
    : sc_module(name),
      command(
          "command", [this] { progress(); },
          [](const Descriptor& d, const auto& table) {
            return table.empty() ? fault_of(d) : std::string("a tile's descriptor has no table");
          }),
      input("tsock", [this] { progress(); }),
      clock_(config.clock_mhz),
      timing_(config),
      core_(std::move(core)) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    blocked_ = false;
    timing_.taken(clock_.cycle(when));
    progress();
  });
}

void LutDecoder::progress() {
  while (input.waiting() != nullptr && !command.empty() && !blocked_ && !working_) process();
}

/// What is wrong with a chunk for the tile at hand; empty: nothing.
std::string LutDecoder::chunk_fault(const bus::Chunk& chunk, std::uint64_t bytes) const {
  const Descriptor& d = command.at(0);
  bus::FieldCheck c;
  c.require(chunk.traffic == TrafficClass::weights || chunk.traffic == TrafficClass::scales, "Chunk::traffic",
            static_cast<std::uint64_t>(chunk.traffic), "the class of codes or of scales");
  if (index_bytes_ + scale_bytes_ != 0)
    c.equal("Chunk::data_valid", chunk.data_valid, !codes_.empty() || !scales_.empty(),
            "what the tile's other chunks have");
  const bool scale = chunk.traffic == TrafficClass::scales;
  const std::uint64_t left = scale ? d.scale_bytes() - scale_bytes_ : d.index_bytes() - index_bytes_;
  c.require(bytes <= left, "the data length", bytes,
            scale ? "scales that are left of the tile, " : "codes that are left of the tile, ", left);
  const std::uint64_t rows = (index_bytes_ + bytes) / d.index_row_bytes();
  if (!scale && chunk.data_valid)
    c.require(scale_bytes_ >= rows * d.blocks_per_row() * d.scale_bytes_per_block(), "the data length", bytes,
              "codes of rows whose scales came before");
  return c.fault();
}

void LutDecoder::process() {
  tlm::tlm_generic_payload& payload = *input.waiting();
  const sc_core::sc_time arrival = input.arrival();
  const Descriptor& d = command.front();
  const std::string fault = chunk_fault(bus::chunk_of(payload), payload.get_data_length());
  if (!fault.empty()) {
    input.refuse(fault);
    return;
  }
  if (!begun_) {
    begun_ = true;
    timing_.begin(d);
  }
  const bus::Chunk& in = bus::chunk_of(payload);
  const std::uint64_t bytes = payload.get_data_length();
  const unsigned char* data = payload.get_data_ptr();
  if (in.traffic == TrafficClass::scales) {
    scale_bytes_ += bytes;
    if (in.data_valid) scales_.insert(scales_.end(), data, data + bytes);
    finish_if_complete();
    input.accept(arrival);
    return;
  }
  index_bytes_ += bytes;
  if (in.data_valid) codes_.insert(codes_.end(), data, data + bytes);
  // Weights of the tile that are complete with this chunk; padding at the end of a row counts for nothing.
  const std::uint64_t row_bytes = d.index_row_bytes();
  const std::uint64_t whole_rows = index_bytes_ / row_bytes;
  const std::uint64_t in_row =
      std::min<std::uint64_t>((index_bytes_ - whole_rows * row_bytes) * 8 / d.bits, d.row_elements);
  const std::uint64_t elements = whole_rows * d.row_elements + in_row - elements_;
  elements_ += elements;
  weights_ += elements;

  // A block of 64 goes through the lanes whole: the tail of a row takes as long as a full one.
  const std::uint64_t row_blocks = (std::uint64_t{d.row_elements} + 63) / 64;
  const std::uint64_t padding = (whole_rows - rows_counted_) * (row_blocks * 64 - d.row_elements);
  rows_counted_ = whole_rows;
  const bool follows = clock_.cycle(arrival) <= timing_.free_at();
  if (elements_ == elements) busy_before_ = timing_.activity().busy;
  const Timing::Slot slot = timing_.chunk(clock_.cycle(arrival), elements + (d.block == 0 ? 0 : padding));
  if (elements_ == elements) begin_ = slot.start;
  const bool last = index_bytes_ == d.index_bytes();

  bus::PayloadPtr out;
  const std::uint32_t rows = static_cast<std::uint32_t>(whole_rows) - rows_out_, first_row = rows_out_;
  const std::size_t out_row = decoded_row_bytes(d);
  const bool by_core = in.data_valid && core_ != nullptr && core_->handles(d);
  if (in.data_valid) {
    out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, std::max<unsigned>(1, static_cast<unsigned>(rows * out_row)),
                     bus::Data::buffer);
    const std::uint64_t scale_row = d.blocks_per_row() * d.scale_bytes_per_block();
    for (std::uint32_t i = 0; i < rows && !by_core; ++i)
      decode_row(d, codes_.data() + (first_row + i) * row_bytes, scales_.data() + (first_row + i) * scale_row,
                 out->get_data_ptr() + i * out_row);
    bus::PayloadPool::chunk(out).header = bus::DecodedRows{first_row, rows};
    rows_out_ += rows;
  } else {
    out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, std::max<unsigned>(1, static_cast<unsigned>(elements)),
                     bus::Data::scratch);
  }
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.traffic = TrafficClass::weights;
  c.operation = d.operation;
  c.elements = static_cast<std::uint32_t>(elements);
  c.first_of_tile = elements_ == elements;
  c.last_of_tile = last;
  if (by_core) {
    working_ = true;
    input.accept(std::max(arrival, clock_.time(slot.start)));
    core_->run(d, codes_.data(), codes_.size(), scales_.data(), slot.start, follows,
               [this, out, rows, first_row, out_row, slot](DecoderCore::Result result) {
                 for (std::uint32_t i = 0; i < rows; ++i)
                   std::memcpy(out->get_data_ptr() + i * out_row, core_->row(first_row + i), out_row);
                 // What waited for the output waits for it still.
                 const bus::Cycle waited = slot.done - slot.done_alone;
                 timing_.correct(result.done + waited);
                 working_ = false;
                 finish_if_complete();
                 leave(out, result.out + waited);
                 progress();
               });
    return;
  }
  finish_if_complete();
  input.accept(std::max(arrival, clock_.time(slot.start)));
  leave(std::move(out), slot.out);
}

void LutDecoder::leave(bus::PayloadPtr out, bus::Cycle ready) {
  blocked_ = true;
  const std::optional<sc_core::sc_time> taken = isock.send(std::move(out), clock_.time(ready));
  if (taken) {
    blocked_ = false;
    timing_.taken(clock_.cycle(*taken));
  }
}

void LutDecoder::finish_if_complete() {
  const Descriptor& d = command.front();
  if (index_bytes_ < d.index_bytes() || scale_bytes_ < d.scale_bytes()) return;
  if (observer)
    observer({d.operation, clock_.ps(begin_), clock_.ps(timing_.free_at()),
              clock_.ps(timing_.activity().busy - busy_before_)});
  index_bytes_ = scale_bytes_ = elements_ = rows_counted_ = 0;
  rows_out_ = 0;
  codes_.clear();
  scales_.clear();
  begun_ = false;
  command.pop();
}

}  // namespace harmonia::decoder
