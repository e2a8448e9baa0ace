#include "harmonia/hw/converter/bfp_converter_module.h"

#include <algorithm>

namespace harmonia::converter {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

BfpConverter::BfpConverter(sc_core::sc_module_name name, const Config& config, std::unique_ptr<ConverterCore> core)
    : StreamBlock(name, config.clock_mhz,
                  [](const Descriptor& d, const auto& table) {
                    return table.empty() ? fault_of(d) : std::string("a chunk's descriptor has no table");
                  }),
      input("tsock", [this] { progress(); }),
      residual("tsock_residual", [this] { progress(); }),
      config_(config),
      core_(std::move(core)) {
  auto accepted = [this](auto&, const sc_core::sc_time& when) {
    taken(when);
    progress();
  };
  isock_operands.on_accepted(accepted);
  isock_kv.on_accepted(accepted);
  isock_out.on_accepted(accepted);
}

/// What is wrong with the chunk that waits; empty: nothing.
std::string BfpConverter::input_fault(const Descriptor& d, const bus::Chunk& chunk, std::uint64_t bytes) const {
  std::string fault = chunk_fault(d, bytes, chunk.elements);
  const auto* values = std::get_if<GroupedValues>(&d.kind);
  if (!fault.empty() || values == nullptr || !values->grows()) return fault;
  const auto kept = growing_.find(values->growing_from);
  const std::size_t there = values->growing_from == 0 ? residual_data_.size()
                            : kept == growing_.end()  ? 0
                                                      : kept->second.size();
  if (!chunk.data_valid || there == growing_bytes(values->columns)) return fault;
  return "Chunk::data_valid is 1, expected 0: the growing group came without data";
}

/// Takes a piece of the growing group, or converts a chunk; false when nothing can be done now.
bool BfpConverter::step() {
  if (blocked_ || working_ || command.empty()) return false;
  const Descriptor d = command.front();
  if (!d.leaves_smoother()) {
    command.pop();
    return true;
  }
  const auto* values = std::get_if<GroupedValues>(&d.kind);
  if (values != nullptr && residual_bytes_ < values->residual_bytes) {
    tlm::tlm_generic_payload* piece = residual.waiting();
    if (piece == nullptr) return false;
    const std::uint64_t left = values->residual_bytes - residual_bytes_;
    if (piece->get_data_length() > left) {
      residual.refuse("the data length is " + std::to_string(piece->get_data_length()) +
                      ", expected what is left of the descriptor's residual_bytes, " + std::to_string(left));
      return true;
    }
    wait_until(clock_.cycle(residual.arrival()), Wait::operand);
    residual_bytes_ += piece->get_data_length();
    if (bus::chunk_of(*piece).data_valid)
      residual_data_.insert(residual_data_.end(), piece->get_data_ptr(),
                            piece->get_data_ptr() + piece->get_data_length());
    residual.accept(std::max(residual.arrival(), clock_.time(free_)));
    return true;
  }
  tlm::tlm_generic_payload* payload = input.waiting();
  if (payload == nullptr) return false;
  const bus::Chunk in = bus::chunk_of(*payload);
  const std::string fault = input_fault(d, in, payload->get_data_length());
  if (!fault.empty()) {
    input.refuse(fault);
    return true;
  }
  wait_until(clock_.cycle(input.arrival()), Wait::input);
  const Cycle start = free_;
  const Cycle cycles = convert_cycles(config_, d);
  activity_.busy += cycles;
  const std::uint32_t elements = d.rows().rows * d.rows().columns;
  elements_ += elements;
  free_ = start + cycles;
  ready_ = free_ + latency_cycles(config_, d);

  if (values != nullptr && values->growing_from != 0 && in.data_valid)
    residual_data_ = std::move(growing_[values->growing_from]);
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, std::max(1u, static_cast<unsigned>(out_bytes(d))),
                                   in.data_valid ? bus::Data::buffer : bus::Data::scratch);
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  const auto* operand = std::get_if<ToOperand>(&d.kind);
  c.traffic = &source_of(d) == &isock_kv ? bus::TrafficClass::kv_write : bus::TrafficClass::activations;
  c.operation = d.operation;
  c.elements = elements;
  if (operand != nullptr && operand->row_bytes != 0)
    c.header = bus::OperandPiece{operand->rows, operand->row_begin, operand->row_stride, operand->column_bytes,
                                 operand->row_bytes};
  if (in.data_valid && core_ != nullptr && core_->handles(d)) {
    // Kept until the core has read it; the payload goes back with the acceptance.
    const auto* data = reinterpret_cast<const Fp16*>(payload->get_data_ptr());
    auto rows = std::make_shared<std::vector<Fp16>>(data, data + elements);
    auto residual_data = std::make_shared<std::vector<std::uint8_t>>(std::move(residual_data_));
    working_ = true;
    residual_bytes_ = 0;
    residual_data_.clear();
    command.pop();
    input.accept(std::max(input.arrival(), clock_.time(start)));
    core_->run(d, rows->data(), residual_data->data(), start,
               [this, d, out, rows, residual_data, start, predicted = free_](ConverterCore::Result&& result) {
                 fill(d, *out, result.bytes);
                 nonfinite_ += result.nonfinite;
                 activity_.busy += result.free - predicted;
                 free_ = result.free;
                 if (observer) observer({d.operation, clock_.ps(start), clock_.ps(free_), clock_.ps(free_ - start)});
                 working_ = false;
                 leave(d, out, result.ready);
                 progress();
               });
    return true;
  }
  if (in.data_valid) {
    bytes_.clear();
    nonfinite_ += convert(d, reinterpret_cast<const Fp16*>(payload->get_data_ptr()), residual_data_.data(), bytes_);
    fill(d, *out, bytes_);
  }
  if (observer) observer({d.operation, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  input.accept(std::max(input.arrival(), clock_.time(start)));
  residual_bytes_ = 0;
  residual_data_.clear();
  command.pop();
  leave(d, std::move(out), ready_);
  return true;
}

/// The converted bytes that leave go into the payload, a group that is not full yet stays.
void BfpConverter::fill(const Descriptor& d, tlm::tlm_generic_payload& out, std::vector<std::uint8_t>& bytes) {
  const auto* values = std::get_if<GroupedValues>(&d.kind);
  if (values != nullptr && values->growing_to != 0) growing_[values->growing_to] = take_growing(*values, bytes);
  if (bytes.size() != out_bytes(d)) {
    SC_REPORT_ERROR("/harmonia/converter/size", "the converted chunk has another size than its descriptor says");
    return;
  }
  std::copy(bytes.begin(), bytes.end(), out.get_data_ptr());
}

bus::StreamSource<>& BfpConverter::source_of(const Descriptor& d) {
  if (std::holds_alternative<ToOperand>(d.kind)) return isock_operands;
  return std::holds_alternative<ToMemory>(d.kind) ? isock_out : isock_kv;
}

/// Offers a converted chunk to where its descriptor sends it.
void BfpConverter::leave(const Descriptor& d, bus::PayloadPtr out, Cycle ready) {
  if (out_bytes(d) == 0) return;
  blocked_ = true;
  ready_ = ready;
  if (const std::optional<sc_core::sc_time> when = source_of(d).send(std::move(out), clock_.time(ready_))) taken(*when);
}

/// A chunk that is taken later than it stood at the output held the whole pipeline for so long.
void BfpConverter::taken(const sc_core::sc_time& when) {
  blocked_ = false;
  held(ready_, clock_.cycle(when));
}

}  // namespace harmonia::converter
