#include "harmonia/hw/memory/operand_buffer_module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "harmonia/tlm/field_check.h"

namespace harmonia::memory {

using bus::Cycle;
using bus::Wait;

OperandBuffer::OperandBuffer(sc_core::sc_module_name name, const BufferConfig& activation_buffer)
    : StreamBlock(name, 1e6 / static_cast<double>(activation_buffer.clock_ps),
                  [this](const OperandDescriptor& d, const auto& table) {
                    std::string fault = descriptor_fault(d);
                    if (fault.empty()) fault = table_fault(d, table);
                    if (fault.empty()) queued_.emplace(d.arrives_as(), d);  // the port queues what has no fault
                    return fault;
                  }),
      converter("tsock_converter", [this] { progress(); }),
      dma("tsock_dma", [this] { progress(); }),
      config_(activation_buffer),
      capacity_bytes_(operand_capacity_bytes(activation_buffer)) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    handed_over(clock_.cycle(when));
    progress();
  });
  isock.on_response([this](tlm::tlm_generic_payload& /*payload*/, const sc_core::sc_time& when) {
    const std::uint64_t bytes = given_back_.pop();
    if (bytes != 0) departures_.push({clock_.cycle(when), bytes});
    progress();
  });
}

bool OperandBuffer::step() {
  const bool from_converter = take(converter, false), from_memory = take(dma, true), sent = send();
  return from_converter || from_memory || sent;
}

std::string OperandBuffer::descriptor_fault(const OperandDescriptor& d) const {
  std::string fault = fault_of(d, capacity_bytes_);
  const auto entry = entries_.find(d.arrives_as());
  if (fault.empty() && entry != entries_.end() && entry->second.bytes > d.arriving_bytes())
    fault = fmt::format("row_bytes * rows is {}, expected the {} bytes or more that came for operand {}",
                        d.arriving_bytes(), entry->second.bytes, d.arrives_as());
  const auto [first, last] = queued_.equal_range(d.arrives_as());
  for (auto queued = first; fault.empty() && queued != last; ++queued)
    if (queued->second.operand == d.operand && !(d.again && queued->second.keep))
      fault = fmt::format("operand is {}, which is queued already", d.operand);
  return fault;
}

/// What is wrong with a chunk that waits; empty: nothing.
std::string OperandBuffer::input_fault(const tlm::tlm_generic_payload& payload, bool from_memory) const {
  const bus::Chunk& chunk = bus::chunk_of(payload);
  const std::uint64_t bytes = payload.get_data_length();
  const auto entry = entries_.find(chunk.operation);
  const std::uint64_t there = entry == entries_.end() ? 0 : entry->second.bytes;
  std::uint64_t operand_bytes = capacity_bytes_, row_bytes = 0;
  bus::FieldCheck c;
  const auto [first, last] = queued_.equal_range(chunk.operation);
  for (auto queued = first; queued != last; ++queued) {
    const OperandDescriptor& d = queued->second;
    operand_bytes = d.arriving_bytes();
    row_bytes = d.row_bytes;
    c.equal("from_memory", d.from_memory, from_memory ? 1 : 0, "the socket that the chunk came on");
  }
  c.within("the data length", bytes, 1, operand_bytes - std::min(there, operand_bytes));
  if (there != 0)
    c.equal("Chunk::data_valid", chunk.data_valid, !entry->second.data.empty(), "what the operand's other chunks have");
  if (!c.good() || !chunk.data_valid) return c.fault();
  if (const auto* piece = std::get_if<bus::OperandPiece>(&chunk.header))
    return piece_fault(*piece, bytes, operand_bytes, row_bytes);
  return {};
}

bool OperandBuffer::take(bus::ChunkInput& input, bool from_memory) {
  tlm::tlm_generic_payload* payload = input.waiting();
  if (payload == nullptr) return false;
  const std::string fault = input_fault(*payload, from_memory);
  if (!fault.empty()) {
    input.refuse(fault);
    return true;
  }
  const std::uint64_t bytes = payload->get_data_length();
  const bus::Chunk& c = bus::chunk_of(*payload);
  const Cycle arrival = clock_.cycle(input.arrival());
  const std::optional<std::uint64_t> needed = room_needed(c, bytes, from_memory);
  if (!needed) return false;
  const std::optional<Cycle> room = room_from(*needed);
  if (!room) {
    // With nothing held there never will be: that is an error of the plan.
    if (held_bytes_ == 0 && (!from_memory || command.front().operand == c.operation))
      SC_REPORT_ERROR("/harmonia/memory/operand", "an A operand does not fit the activation buffer");
    return false;
  }
  const Cycle at = std::max(arrival, *room);
  while (!departures_.empty() && departures_.front().when <= at) held_bytes_ -= departures_.pop().bytes;
  held_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, held_bytes_);
  Entry& e = entries_[c.operation];
  if (c.data_valid) {
    if (const auto* piece = std::get_if<bus::OperandPiece>(&c.header)) {
      place_rows(*piece, payload->get_data_ptr(), bytes, e.data);
    } else {  // as it comes
      e.data.resize(e.bytes + bytes);
      std::memcpy(e.data.data() + e.bytes, payload->get_data_ptr(), bytes);
    }
  }
  e.bytes += bytes;
  e.complete = std::max(e.complete, at);
  input.accept(std::max(input.arrival(), clock_.time(at)));
  return true;
}

/// What must be free for a chunk to be let in (see the header); nothing when its descriptor is still on its way.
std::optional<std::uint64_t> OperandBuffer::room_needed(const bus::Chunk& chunk, std::uint64_t bytes,
                                                        bool from_memory) const {
  if (!from_memory) return bytes;
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const OperandDescriptor& d = command.at(i);
    if (d.again) continue;        // it is there, or counted already
    if (d.source != 0) continue;  // what it is picked of is let in when it fits
    const auto entry = entries_.find(d.operand);
    needed += d.bytes() - std::min(d.bytes(), entry == entries_.end() ? 0 : entry->second.bytes);
    // Where those before it fill the buffer it has to wait, wherever it stands behind them.
    if (d.operand == chunk.operation || needed > capacity_bytes_) return needed;
  }
  return std::nullopt;
}

/// When so many bytes are free, if that is known.
std::optional<Cycle> OperandBuffer::room_from(std::uint64_t bytes) const {
  std::uint64_t held = held_bytes_;
  Cycle from = 0;
  for (std::size_t i = 0; held + bytes > capacity_bytes_; ++i) {
    if (i == departures_.size()) return std::nullopt;
    held -= departures_[i].bytes;
    from = departures_[i].when;
  }
  return from;
}

bool OperandBuffer::send() {
  if (blocked_ || command.empty()) return false;
  const OperandDescriptor d = command.front();
  const auto it = entries_.find(d.arrives_as());
  if (it == entries_.end() || it->second.bytes < d.arriving_bytes()) return false;
  if (!it->second.data.empty()) it->second.data.resize(d.arriving_bytes());
  const Cycle start = std::max(free_, it->second.complete);
  if (d.releases()) {
    release(d, start);
    return true;
  }
  if (start > free_) activity_.wait(Wait::input, start - free_);
  const Cycle cycles = read_cycles(config_, d.bytes());
  activity_.busy += cycles;
  bytes_read_ += d.bytes();
  free_ = start + cycles;
  if (observer) observer({d.operand, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  const bool functional = !it->second.data.empty();
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(d.bytes()),
                                   functional ? bus::Data::buffer : bus::Data::scratch);
  if (functional && d.from_memory != 0 && d.block_rows != 0)
    gather_rows(d, it->second.data.data(), out->get_data_ptr());
  else if (functional && d.picks())
    pick_rows(d, command.table(), it->second.data.data(), out->get_data_ptr());
  else if (functional)
    std::memcpy(out->get_data_ptr(), it->second.data.data(), d.bytes());
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.traffic = bus::TrafficClass::activations;
  c.operation = d.operand;
  c.last_of_tile = true;
  const bool stays = d.keep || (d.source != 0 && d.keeps_source != 0);
  given_back_.push(stays ? 0 : d.arriving_bytes());
  if (!stays) entries_.erase(it);
  queued_.erase(queued_.lower_bound(d.arrives_as()));  // of those that share it the one that was queued first
  command.pop();
  blocked_ = true;
  const std::optional<sc_core::sc_time> taken = isock.send(std::move(out), clock_.time(free_ + config_.latency_cycles));
  if (taken) handed_over(clock_.cycle(*taken));
  return true;
}

/// Gives back the room of rows that nobody reads any more: with the operand before them, while the array has that.
void OperandBuffer::release(const OperandDescriptor& d, Cycle when) {
  free_ = when;
  if (given_back_.empty())
    departures_.push({when, d.arriving_bytes()});
  else
    given_back_[given_back_.size() - 1] += d.arriving_bytes();
  entries_.erase(d.source);
  queued_.erase(queued_.lower_bound(d.source));
  command.pop();
}

/// The array has taken the operand that was offered last.
void OperandBuffer::handed_over(Cycle when) {
  blocked_ = false;
  if (when <= free_) return;
  activity_.wait(Wait::output, when - free_);
  free_ = when;
}

std::string OperandBuffer::state() const {
  std::uint64_t held = held_bytes_;
  for (std::size_t i = 0; i < departures_.size(); ++i) held -= departures_[i].bytes;
  std::string text = fmt::format("{} of {} bytes held", held, capacity_bytes_);
  for (const bus::ChunkInput* input : {&converter, &dma})
    if (input->waiting() != nullptr)
      text += fmt::format("; {} bytes {} wait for operand {}", input->waiting()->get_data_length(),
                          (input == &dma ? "from memory" : "from the converter"),
                          bus::chunk_of(*input->waiting()).operation);
  if (!command.empty()) {
    const OperandDescriptor& d = command.at(0);
    const auto entry = entries_.find(d.arrives_as());
    text += fmt::format("; next is operand {} with {} of {} bytes there", d.operand,
                        entry == entries_.end() ? 0 : entry->second.bytes, d.arriving_bytes());
  }
  return text;
}

}  // namespace harmonia::memory
