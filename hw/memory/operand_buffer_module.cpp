#include "harmonia/memory/operand_buffer_module.h"

#include <algorithm>
#include <cstring>

namespace harmonia::memory {

using bus::Cycle;
using bus::Wait;

namespace {

/// From blocks of columns to rows.
void gather_rows(const OperandDescriptor& d, const std::uint8_t* blocks, std::uint8_t* rows) {
  const std::size_t row_bytes = d.bytes() / d.block_rows;
  for (std::size_t column = 0; column < row_bytes; column += d.block_bytes) {
    const std::size_t piece = std::min<std::size_t>(d.block_bytes, row_bytes - column);
    for (std::size_t r = 0; r < d.block_rows; ++r, blocks += piece)
      std::memcpy(rows + r * row_bytes + column, blocks, piece);
  }
}

}  // namespace

OperandBuffer::OperandBuffer(sc_core::sc_module_name name, const OperandBufferConfig& config)
    : sc_module(name),
      command("command", [this] { progress(); }),
      converter("tsock_converter", [this] { progress(); }),
      dma("tsock_dma", [this] { progress(); }),
      config_(config),
      clock_(config.clock_mhz) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    blocked_ = false;
    release(clock_.cycle(when));
    progress();
  });
}

void OperandBuffer::progress() {
  if (in_progress_) {
    again_ = true;
    return;
  }
  do {
    again_ = false;
    in_progress_ = true;
    bool more = true;
    while (more) {
      more = take(converter, false);
      more = take(dma, true) || more;
      more = send() || more;
    }
    in_progress_ = false;
  } while (again_);
}

bool OperandBuffer::take(bus::ChunkInput& input, bool from_memory) {
  tlm::tlm_generic_payload* payload = input.waiting();
  if (payload == nullptr) return false;
  const std::uint64_t bytes = payload->get_data_length();
  if (from_memory && !may_read_ahead(bus::chunk_of(*payload).operation)) return false;
  // With nothing held a chunk that is too large for the buffer can never be taken: that is a fault of whoever planned
  // it.
  if (held_bytes_ + bytes > config_.capacity_bytes) {
    if (held_bytes_ == 0)
      SC_REPORT_ERROR("/harmonia/memory/operand", "an A operand does not fit the activation buffer");
    return false;
  }
  held_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, held_bytes_);
  const bus::Chunk& c = bus::chunk_of(*payload);
  Entry& e = entries_[c.operation];
  const Cycle at = std::max(clock_.cycle(input.arrival()), room_);
  if (c.data_valid) {
    const std::size_t offset = e.bytes;
    const auto row_bytes = from_memory ? 0 : static_cast<std::size_t>(c.tag);  // a DMA engine's tag is its own
    if (row_bytes == 0) {                                                      // as it comes
      e.data.resize(offset + bytes);
      std::memcpy(e.data.data() + offset, payload->get_data_ptr(), bytes);
    } else {
      const std::size_t rows = c.tensor, piece = bytes / rows, stride = c.mode;
      const std::size_t end = (c.row + (rows - 1) * stride + 1) * row_bytes;
      if (e.data.size() < end) e.data.resize(end);
      for (std::size_t r = 0; r < rows; ++r)
        std::memcpy(e.data.data() + (c.row + r * stride) * row_bytes + c.column, payload->get_data_ptr() + r * piece,
                    piece);
    }
  }
  e.bytes += bytes;
  e.complete = std::max(e.complete, at);
  input.accept(std::max(input.arrival(), clock_.time(at)));
  return true;
}

/// What comes from memory is read ahead, and must not take the room that operands before it need: they, the one at the
/// array and this one must fit together. The first in the queue is always let in.
bool OperandBuffer::may_read_ahead(std::uint32_t operand) const {
  std::uint64_t bytes = at_array_bytes_ + sending_bytes_;
  for (std::size_t i = 0; i < command.size(); ++i) {
    bytes += command.at(i).bytes();
    if (command.at(i).operand == operand) return i == 0 || bytes <= config_.capacity_bytes;
  }
  return command.empty();  // its descriptor is still on its way
}

bool OperandBuffer::send() {
  if (blocked_ || command.empty()) return false;
  const OperandDescriptor d = command.front();
  const auto it = entries_.find(d.operand);
  if (it == entries_.end() || it->second.bytes < d.bytes()) return false;
  if (it->second.bytes > d.bytes())
    SC_REPORT_ERROR("/harmonia/memory/operand", "an A operand is larger than its descriptor says");
  const Cycle start = std::max(free_, it->second.complete);
  if (start > free_) activity_.wait(Wait::input, start - free_);
  const Cycle cycles = (d.bytes() + config_.port_bytes_per_cycle - 1) / config_.port_bytes_per_cycle;
  activity_.busy += cycles;
  bytes_read_ += d.bytes();
  free_ = start + cycles;
  if (observer) observer({d.operand, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  const bool functional = !it->second.data.empty();
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(d.bytes()),
                                   functional ? bus::Data::buffer : bus::Data::scratch);
  if (functional && d.from_memory != 0 && d.block_rows != 0)
    gather_rows(d, it->second.data.data(), out->get_data_ptr());
  else if (functional)
    std::memcpy(out->get_data_ptr(), it->second.data.data(), d.bytes());
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.traffic = bus::TrafficClass::activations;
  c.operation = d.operand;
  c.row = d.rows;
  c.last_of_tile = true;
  sending_bytes_ = d.bytes();
  entries_.erase(it);
  command.pop();
  blocked_ = true;
  const std::optional<sc_core::sc_time> taken = isock.send(std::move(out), clock_.time(free_ + config_.latency_cycles));
  if (taken) {
    blocked_ = false;
    release(clock_.cycle(*taken));
  }
  return true;
}

void OperandBuffer::release(Cycle when) {
  if (when > free_) {
    activity_.wait(Wait::output, when - free_);
    free_ = when;
  }
  held_bytes_ -= at_array_bytes_;
  if (at_array_bytes_ != 0) room_ = std::max(room_, when);
  at_array_bytes_ = sending_bytes_;
  sending_bytes_ = 0;
}

}  // namespace harmonia::memory
