#include "harmonia/hw/pe/pe_array_module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "harmonia/tlm/field_check.h"

namespace harmonia::pe {

using bus::Cycle;
using bus::Wait;

PeArray::PeArray(sc_core::sc_module_name name, const Config& config, std::unique_ptr<PeCore> core)
    : StreamBlock(name, config.clock_mhz,
                  [this](const Descriptor& d, const auto& table) {
                    if (!table.empty()) return std::string("a tile's descriptor has no table");
                    std::string fault = fault_of(d, queued_ ? &*queued_ : nullptr);
                    if (fault.empty()) queued_ = d;
                    return fault;
                  }),
      weights("tsock_weights", [this] { progress(); }),
      kv("tsock_kv", [this] { progress(); }),
      operand("tsock_operand", [this] { progress(); }),
      config_(config),
      core_(std::move(core)) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    blocked_ = false;
    output_free_ = clock_.cycle(when);
    progress();
  });
}

/// Takes the operand that waits at the input, if there is room: one is at work, one may wait behind it.
void PeArray::take_operand() {
  tlm::tlm_generic_payload* payload = operand.waiting();
  if (payload == nullptr || operands_.size() >= 2) return;
  Operand o;
  o.number = bus::chunk_of(*payload).operation;
  o.ready = std::max(clock_.cycle(operand.arrival()), shadow_free_);
  o.payload = payload;
  operands_.push_back(o);
  operand.accept(std::max(operand.arrival(), clock_.time(operands_.back().ready)));
}

/// No tile uses the operand at work any more.
void PeArray::give_operand_back() {
  operand.give_back(*operands_.front().payload, clock_.time(free_));
  operands_.pop_front();
  shadow_free_ = free_;
}

/// The operand at hand is not what the tile needs.
void PeArray::refuse_operand(const std::string& why) {
  tlm::tlm_generic_payload& payload = *operands_.front().payload;
  operands_.pop_front();
  operand.refuse(payload, clock_.time(free_), why);
}

/// What is wrong with the operand at hand for a tile; empty: nothing.
std::string PeArray::operand_fault(const Descriptor& d) const {
  const tlm::tlm_generic_payload& payload = *operands_.front().payload;
  const std::uint64_t needed = tile_a_bytes(config_, d);
  if (payload.get_data_length() < needed)
    return fmt::format("the data length is {}, expected {} or more of an A operand for the tile's m and k",
                       payload.get_data_length(), needed);
  if (functional_ && !bus::chunk_of(payload).data_valid)
    return "Chunk::data_valid is 0, expected 1: the chunks before carried data";
  return {};
}

/// Begins the tile at hand if its A operand is there. False: it has to wait.
bool PeArray::start_tile() {
  take_operand();
  if (started_) return true;
  if (command.empty() || blocked_) return false;
  const Descriptor& d = command.front();
  Cycle operand_ready = free_;
  if (d.load_a) {
    // Whatever stands before the wanted operand has been used.
    if (operands_.empty()) return false;
    if (operands_.front().used && operands_.front().number != d.a_operand) {
      if (operands_.size() < 2) return false;
      give_operand_back();
    }
    const std::uint32_t number = operands_.front().number;
    const std::string fault =
        number != d.a_operand ? fmt::format("Chunk::operation is {}, expected the A operand {} that the tile asks for",
                                            number, d.a_operand)
                              : operand_fault(d);
    if (!fault.empty()) {
      refuse_operand(fault);
      return start_tile();
    }
    operand_ready = operands_.front().ready;
    take_operand();
  } else if (operands_.empty()) {
    return false;
  } else if (const std::string fault = operand_fault(d); !fault.empty()) {
    command.pop();
    bus::report_refusal(command.tsock.name(), "a tile is dropped: " + fault);
    return start_tile();
  }
  operands_.front().used = true;
  started_ = true;
  cycles_ = tile_cycles(config_, d);
  elements_total_ = d.reuses_b() ? 0 : tile_elements(d);
  elements_ = cycles_given_ = 0;
  record_ = TileRecord{d.operation, d.weights() != nullptr, clock_.ps(free_), 0, 0, 0, 0, 0};
  if (operand_ready > free_) {
    record_.waited_operand = operand_ready - free_;
    activity_.wait(Wait::operand, record_.waited_operand);
    free_ = operand_ready;
  }
  if (d.weights() != nullptr && d.weights()->cycles != 0) work_ahead(d, operand_ready);
  return true;
}

/// A GPU's kernel takes up A as it comes, not when all of it is there: what it waited for A is work done on what had
/// come, and the tiles that use A need so much less.
void PeArray::work_ahead(const Descriptor& d, Cycle operand_ready) {
  if (d.load_a) {
    const Cycle from = std::max(clock_.cycle(command.arrival()), free_ - record_.waited_operand);
    ahead_ = operand_ready > from ? operand_ready - from : 0;
  }
  const Cycle done = std::min(ahead_, cycles_ - 1);
  ahead_ -= done;
  cycles_ -= done;
  record_.busy += done;
  activity_.busy += done;
  activity_.waiting[static_cast<std::size_t>(Wait::operand)] -= done;
}

/// What is wrong with a chunk for the tile at hand; empty: nothing.
std::string PeArray::chunk_fault(const bus::Chunk& chunk, std::uint64_t bytes, const bus::DecodedRows* decoded) const {
  if (functional_ != chunk.data_valid && (functional_ || elements_ != 0))
    return std::string("Chunk::data_valid is ") + (chunk.data_valid ? "1" : "0") +
           ", expected what the chunks before had";
  if (chunk.data_valid && !bus::chunk_of(*operands_.front().payload).data_valid)
    return "Chunk::data_valid is 1, expected 0: the A operand carries no data";
  return pe::chunk_fault(command.at(0), {elements_, b_.size(), rows_}, chunk.elements, bytes, decoded,
                         chunk.data_valid);
}

void PeArray::take_chunk(bus::ChunkInput& input) {
  const tlm::tlm_generic_payload& payload = *input.waiting();
  const bus::Chunk& chunk = bus::chunk_of(payload);
  const auto* decoded = std::get_if<bus::DecodedRows>(&chunk.header);
  const std::string fault = chunk_fault(chunk, payload.get_data_length(), decoded);
  if (!fault.empty()) {
    input.refuse(fault);
    return;
  }
  const Cycle at = clock_.cycle(input.arrival());
  const Cycle start = std::max(at, free_);
  if (start > free_) {
    record_.waited_input += start - free_;
    activity_.wait(Wait::input, start - free_);
  }
  elements_ += chunk.elements;
  // The tile's cycles are spread over its elements; the last chunk takes what is left.
  const Cycle given = elements_ == elements_total_
                          ? cycles_
                          : static_cast<Cycle>(static_cast<double>(cycles_) * static_cast<double>(elements_) /
                                               static_cast<double>(elements_total_));
  const Cycle share = given - cycles_given_;
  cycles_given_ = given;
  record_.busy += share;
  activity_.busy += share;
  free_ = start + share;
  if (chunk.data_valid) {
    functional_ = true;
    const unsigned char* data = payload.get_data_ptr();
    if (decoded != nullptr) rows_ += decoded->rows;
    if (decoded == nullptr || decoded->rows != 0) b_.insert(b_.end(), data, data + payload.get_data_length());
  }
  input.accept(std::max(input.arrival(), clock_.time(start)));
}

/// FP32 sums of the part of k before this tile's.
void PeArray::take_sums() {
  const Descriptor& d = command.front();
  const tlm::tlm_generic_payload& payload = *kv.waiting();
  const bus::Chunk& chunk = bus::chunk_of(payload);
  const std::uint64_t bytes = payload.get_data_length();
  bus::FieldCheck c;
  c.equal("Chunk::traffic", static_cast<std::uint64_t>(chunk.traffic),
          static_cast<std::uint64_t>(bus::TrafficClass::partial_sums), "the class of partial sums");
  c.within("the data length", bytes, 1, d.sum_bytes() - sums_taken_);
  c.equal("Chunk::data_valid", chunk.data_valid, bus::chunk_of(*operands_.front().payload).data_valid,
          "what the A operand has");
  if (!c.good()) {
    kv.refuse(c.fault());
    return;
  }
  const Cycle start = std::max(clock_.cycle(kv.arrival()), free_);
  if (start > free_) {
    record_.waited_input += start - free_;
    activity_.wait(Wait::input, start - free_);
  }
  free_ = start;
  if (chunk.data_valid) {
    functional_ = true;
    sums_.resize(std::size_t{d.m} * d.n);
    std::memcpy(reinterpret_cast<std::uint8_t*>(sums_.data()) + sums_taken_, payload.get_data_ptr(), bytes);
  }
  sums_taken_ += bytes;
  kv.accept(std::max(kv.arrival(), clock_.time(start)));
}

const std::uint8_t* PeArray::tile_b() {
  const Descriptor& d = command.front();
  if (d.reuses_b()) return kept_b_[kept_next_++ % kept_b_.size()].data();
  if (d.operation != kept_operation_ || d.n_begin != kept_column_ || kept_next_ != 0) kept_b_.clear();
  kept_operation_ = d.operation;
  kept_column_ = d.n_begin;
  kept_next_ = 0;
  kept_b_.push_back(std::move(b_));
  return kept_b_.back().data();
}

/// All of the tile's input has been taken: its results, and what another array than the model's makes of its end.
void PeArray::end_tile() {
  const Descriptor& d = command.front();
  Cycle given = cycles_;
  if (d.reuses_b()) {
    // A whole tile at once: expanding it again may take longer than multiplying.
    given = std::max<Cycle>(cycles_, d.weights()->replay_cycles);
    record_.busy += cycles_;
    record_.waited_input += given - cycles_;
    activity_.busy += cycles_;
    activity_.wait(Wait::input, given - cycles_);
    free_ += given;
  }
  slots_ += tile_slots(d);
  macs_ += std::uint64_t{d.m} * d.n * d.k;
  if (d.emit) {
    const std::uint32_t of_value = d.spill ? 2 : 1, words = d.m * d.n * of_value;
    result_ = pool_.make(tlm::TLM_WRITE_COMMAND, 0, 2 * words, functional_ ? bus::Data::buffer : bus::Data::scratch);
    bus::Chunk& c = bus::PayloadPool::chunk(result_);
    c.traffic = d.spill ? bus::TrafficClass::partial_sums : bus::TrafficClass::activations;
    c.operation = d.operation;
    c.elements = words;
    c.header = bus::ResultTile{d.n_begin * of_value, d.n * of_value};
  }
  if (functional_) {
    const std::uint8_t* a = operands_.front().payload->get_data_ptr();
    const std::uint8_t* b = tile_b();
    auto* out = d.emit ? reinterpret_cast<formats::Fp16*>(result_->get_data_ptr()) : nullptr;
    if (core_ != nullptr && core_->handles(d)) {
      working_ = true;
      core_->run(d, a, b, sums_, out, free_ - given, [this](PeCore::Result result) {
        // Waiting for input is the shell's; the array's own cycles are those of the core.
        record_.busy += result.cycles - cycles_;
        activity_.busy += result.cycles - cycles_;
        free_ += result.cycles - cycles_;
        working_ = false;
        leave_tile(result.fill);
        progress();
      });
      return;
    }
    multiply(d, a, b, sums_, out);
  }
  leave_tile(static_cast<Cycle>(config_.pipeline_cycles));
}

void PeArray::leave_tile(Cycle fill) {
  const bool emit = command.front().emit;
  if (command.front().last_a) give_operand_back();
  if (emit && output_free_ > free_) {
    record_.waited_output += output_free_ - free_;
    activity_.wait(Wait::output, output_free_ - free_);
    free_ = output_free_;
  }
  record_.end_ps = clock_.ps(free_);
  if (observer) observer(record_);
  started_ = false;
  b_.clear();
  rows_ = 0;
  sums_taken_ = 0;
  command.pop();
  if (!emit) return;
  blocked_ = true;
  const std::optional<sc_core::sc_time> taken = isock.send(std::move(result_), clock_.time(free_ + fill));
  if (taken) {
    blocked_ = false;
    output_free_ = clock_.cycle(*taken);
  }
}

/// Does one thing: takes a chunk or ends a tile. False: there is nothing that can be done now.
bool PeArray::step() {
  if (working_ || !start_tile()) return false;
  const Descriptor& d = command.front();
  if (sums_taken_ < d.sum_bytes()) {
    if (kv.waiting() == nullptr) return false;
    take_sums();
    if (sums_taken_ < d.sum_bytes()) return true;
  }
  const bool reuses_b = d.reuses_b();
  if (!reuses_b && elements_ < elements_total_) {
    bus::ChunkInput& input = d.weights() != nullptr ? weights : kv;
    if (input.waiting() == nullptr) return false;
    take_chunk(input);
    if (elements_ < elements_total_) return true;
  }
  if (reuses_b || elements_ == elements_total_) end_tile();
  return true;
}

}  // namespace harmonia::pe
