#include "harmonia/hw/vector/vector_unit_module.h"

#include <algorithm>
#include <cstring>

namespace harmonia::vector {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

namespace {
constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }
}  // namespace

VectorUnit::VectorUnit(sc_core::sc_module_name name, const Config& config)
    : StreamBlock(name, config.clock_mhz),
      result("tsock_result", [this] { progress(); }),
      operand("tsock_operand", [this] { progress(); }),
      config_(config) {
  auto accepted = [this](auto&, const sc_core::sc_time& when) {
    taken(when);
    progress();
  };
  isock.on_accepted(accepted);
  isock_host.on_accepted(accepted);
}

/// A chunk that is taken later than it stood at the output held the pipeline for so long.
void VectorUnit::taken(const sc_core::sc_time& when) {
  --unaccepted_;
  ready_ += held(ready_, clock_.cycle(when));
}

std::uint64_t VectorUnit::results_expected() const {
  const Descriptor& d = command.at(0);
  switch (d.kind) {
    case Kind::setup:
    case Kind::embed:
    case Kind::norm:
    case Kind::marker:
      return 0;
    case Kind::silu_mul:
      return 2ull * d.rows * d.columns;
    case Kind::softmax:
      return d.spilled != 0 ? 0 : std::uint64_t{d.rows} * d.columns;
    default:
      return std::uint64_t{d.rows} * d.columns;
  }
}

void VectorUnit::begin() {
  begun_ = true;
  busy_before_ = activity_.busy;
  operand_bytes_ = 0;
  results_ = 0;
  operand_data_.clear();
  wait_until(clock_.cycle(command.arrival()), Wait::descriptor);
  begin_ = free_;
  if (command.front().kind == Kind::setup) setup();
}

bool VectorUnit::take_operand() {
  tlm::tlm_generic_payload* payload = operand.waiting();
  if (payload == nullptr) return false;
  wait_until(clock_.cycle(operand.arrival()), Wait::operand);
  operand_bytes_ += payload->get_data_length();
  if (bus::chunk_of(*payload).data_valid) {
    functional_ = true;
    operand_data_.insert(operand_data_.end(), payload->get_data_ptr(),
                         payload->get_data_ptr() + payload->get_data_length());
  }
  operand.accept(std::max(operand.arrival(), clock_.time(free_)));
  return true;
}

bool VectorUnit::take_result() {
  tlm::tlm_generic_payload* payload = result.waiting();
  if (payload == nullptr) return false;
  const Descriptor& d = command.front();
  const bus::Chunk& chunk = bus::chunk_of(*payload);
  if (chunk.operation != d.operation)
    SC_REPORT_ERROR("/harmonia/vector/order", "results of another operation than the descriptor's");
  wait_until(clock_.cycle(result.arrival()), Wait::input);
  const Cycle start = free_;
  if (chunk.data_valid) {
    functional_ = true;
    const std::uint64_t one = std::uint64_t{d.rows} * d.columns;
    std::vector<Fp16>& into = results_ >= one ? second_ : gathered_;
    if (into.size() < one) into.resize(one);
    const auto& tile = bus::header_of<bus::ResultTile>(chunk);
    const std::uint32_t width = tile.columns, column = tile.column_begin - d.column_begin;
    for (std::uint32_t r = 0; r < d.rows; ++r)
      std::memcpy(static_cast<void*>(into.data() + std::size_t{r} * d.columns + column),
                  payload->get_data_ptr() + std::size_t{r} * width * 2, std::size_t{width} * 2);
  }
  results_ += chunk.elements;
  const std::uint64_t cycles = ceil_div(chunk.elements * cost(config_, d.kind).per_element_streaming, config_.lanes);
  activity_.busy += cycles;
  elements_total_ += chunk.elements;
  free_ = start + cycles;
  result.accept(std::max(result.arrival(), clock_.time(start)));
  return true;
}

/// Does one thing; false when nothing can be done now.
bool VectorUnit::step() {
  if (unaccepted_ != 0 || command.empty()) return false;
  if (!begun_) begin();
  const Descriptor& d = command.front();
  if (operand_bytes_ < d.operand_bytes) return take_operand();
  if (results_ < results_expected()) return take_result();
  finish();
  return true;
}

void VectorUnit::setup() {
  const std::vector<unsigned char>& table = command.table();
  sequences_.resize(command.front().columns);
  const std::size_t bytes = sequences_.size() * sizeof(SequenceRows);
  if (table.size() < bytes) SC_REPORT_ERROR("/harmonia/vector/setup", "the table is shorter than its descriptor says");
  if (bytes != 0) std::memcpy(static_cast<void*>(sequences_.data()), table.data(), bytes);
  std::vector<float> frequencies((table.size() - bytes) / sizeof(float));
  if (!frequencies.empty()) std::memcpy(frequencies.data(), table.data() + bytes, frequencies.size() * sizeof(float));
  if (frequencies != frequencies_) rope_.reset();
  frequencies_ = std::move(frequencies);
  hidden_ = command.front().row_width;
  logit_rows_.clear();
  for (const SequenceRows& s : sequences_)
    if (s.logits != 0) logit_rows_.push_back(s.first_row + s.rows - 1);
  step_rows_ = command.front().rows;
}

std::uint32_t VectorUnit::step_row(std::uint32_t i) const {
  const Descriptor& d = command.at(0);
  return d.last_rows != 0 ? logit_rows_[d.row_begin + i] : d.row_begin + i;
}

void VectorUnit::finish() {
  const Descriptor& d = command.front();
  const std::uint64_t elements = std::uint64_t{d.rows} * d.columns;
  const Cost c = cost(config_, d.kind);
  std::uint64_t cycles = ceil_div(elements * c.per_element_final, config_.lanes);
  if (d.kind == Kind::embed) cycles = ceil_div(elements, config_.lanes);
  const bool read_scores = d.kind == Kind::softmax && d.spilled != 0;
  if (read_scores) cycles = ceil_div(elements * (c.per_element_streaming + c.per_element_final), config_.lanes);
  if (d.kind == Kind::embed || d.kind == Kind::norm || read_scores) elements_total_ += elements;
  activity_.busy += cycles;
  free_ += cycles;
  ready_ = free_ + config_.pipeline_cycles;
  if (functional_) compute();
  if (observer && d.kind != Kind::setup && d.kind != Kind::marker)
    observer({d.operation, clock_.ps(begin_), clock_.ps(free_), clock_.ps(activity_.busy - busy_before_)});
  if (d.kind == Kind::logits || d.kind == Kind::marker)
    send_host();
  else if (d.emit != 0 && d.kind != Kind::setup)
    send_outputs();
  begun_ = false;
  command.pop();
}

void VectorUnit::compute() {
  const Descriptor& d = command.front();
  const std::size_t rows = d.rows, columns = d.columns;
  if (d.spilled == 0) residual_.resize(step_rows_ * hidden_);
  const auto* words = reinterpret_cast<const Fp16*>(operand_data_.data());
  switch (d.kind) {
    case Kind::embed:
      if (d.spilled != 0)
        gathered_.assign(words, words + rows * columns);
      else
        std::copy_n(words, rows * columns, residual_.data() + std::size_t{d.row_begin} * hidden_);
      break;
    case Kind::norm: {
      std::size_t values = operand_data_.size() / 2;
      const std::size_t from_memory = d.spilled != 0 ? rows * columns : 0;
      if (values > from_memory) {  // gamma comes before the first rows only
        gamma_.resize(columns);
        formats::to_float(words, columns, gamma_.data());
        words += columns;
      }
      out_.resize(rows * columns);
      if (d.spilled != 0) collect_rows(words);
      for (std::uint32_t r = 0; r < rows; ++r) {
        Fp16* out = out_.data() + r * columns;
        const Fp16* row = d.spilled != 0 ? out : residual_.data() + std::size_t{step_row(r)} * hidden_;
        rms_norm(row, gamma_.data(), columns, d.scale, out);
      }
      break;
    }
    case Kind::rope_query:
    case Kind::rope_key: {
      const RopePairing pairing = d.half_split != 0 ? RopePairing::kHalfSplit : RopePairing::kAdjacent;
      if (!rope_ || rope_theta_ != d.theta || rope_half_ != (d.half_split != 0) || rope_->head_dim() != d.head_dim) {
        rope_ = frequencies_.empty() ? std::make_unique<RopeTable>(d.head_dim, d.theta, pairing)
                                     : std::make_unique<RopeTable>(frequencies_, pairing);
        rope_theta_ = d.theta;
        rope_half_ = d.half_split != 0;
      }
      std::vector<float> cos(d.head_dim / 2), sin(d.head_dim / 2);
      for (const SequenceRows& s : sequences_)
        for (std::uint32_t r = std::max(s.first_row, d.row_begin);
             r < std::min(s.first_row + s.rows, d.row_begin + d.rows); ++r) {
          rope_->angles(s.first_position + r - s.first_row, cos.data(), sin.data());
          rope_->rotate(cos.data(), sin.data(), columns / d.head_dim, gathered_.data() + (r - d.row_begin) * columns);
        }
      break;
    }
    case Kind::softmax: {
      const float scale = attention_scale(d.head_dim);
      if (d.spilled != 0) gathered_.assign(words, words + rows * columns);
      for (std::size_t r = 0; r < rows; ++r) {
        Fp16* row = gathered_.data() + r * columns;
        const std::size_t visible = std::min<std::size_t>(columns, d.visible + r / d.group);
        softmax(row, visible, scale, row);
        std::fill(row + visible, row + columns, Fp16{});
      }
      break;
    }
    case Kind::attention_out: {
      const std::size_t width = d.row_width;
      attended_.resize(step_rows_ * width);
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(gathered_.data() + r * columns, columns,
                    attended_.data() + (d.row_begin + r / d.group) * width + (d.head_begin + r % d.group) * d.head_dim);
      break;
    }
    case Kind::residual_add:
      if (d.spilled != 0) {
        residual_add(words, gathered_.data(), rows * columns, gathered_.data());
        break;
      }
      for (std::size_t r = 0; r < rows; ++r) {
        Fp16* x = residual_.data() + (d.row_begin + r) * hidden_ + d.column_begin;
        residual_add(x, gathered_.data() + r * columns, columns, x);
        std::copy_n(x, columns, gathered_.data() + r * columns);  // what goes back to memory when the rows are spilled
      }
      break;
    case Kind::silu_mul:
      silu_mul(gathered_.data(), second_.data(), rows * columns, gathered_.data());
      break;
    default:
      break;
  }
}

/// Rows of the operand, which come block of columns by block of columns (or whole, when d.block_columns is 0), into
/// out_.
void VectorUnit::collect_rows(const Fp16* from) {
  const Descriptor& d = command.front();
  const std::size_t width = d.block_columns != 0 ? d.block_columns : d.columns;
  for (std::size_t column = 0; column < d.columns; column += width) {
    const std::size_t piece = std::min<std::size_t>(width, d.columns - column);
    for (std::size_t r = 0; r < d.rows; ++r, from += piece)
      std::copy_n(from, piece, out_.data() + r * d.columns + column);
  }
}

void VectorUnit::send_rows(std::uint32_t rows, std::uint32_t columns, const Fp16* data, std::uint32_t stride) {
  const unsigned bytes = 2 * rows * columns;
  bus::PayloadPtr out =
      pool_.make(tlm::TLM_WRITE_COMMAND, 0, bytes, functional_ ? bus::Data::buffer : bus::Data::scratch);
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.traffic = bus::TrafficClass::activations;
  c.operation = command.front().operation;
  c.elements = rows * columns;
  if (functional_)
    for (std::uint32_t r = 0; r < rows; ++r)
      std::memcpy(out->get_data_ptr() + std::size_t{r} * columns * 2, data + std::size_t{r} * stride,
                  std::size_t{columns} * 2);
  ++unaccepted_;
  if (const std::optional<sc_core::sc_time> when = isock.send(std::move(out), clock_.time(ready_))) taken(*when);
}

void VectorUnit::send_outputs() {
  const Descriptor d = command.front();
  const Fp16* data = d.kind == Kind::norm ? out_.data() : gathered_.data();
  if (d.kind == Kind::embed && d.spilled == 0) data = residual_.data() + std::size_t{d.row_begin} * hidden_;
  std::uint32_t rows = d.rows, columns = d.columns;
  if (d.kind == Kind::attention_out) {
    if (d.spilled == 0) {  // all rows of the step, whole
      rows = static_cast<std::uint32_t>(step_rows_);
      columns = d.row_width;
      send_rows(rows, columns, attended_.data(), columns);
      return;
    }
    // Rows are token-major; what leaves is one head at a time.
    for (std::uint32_t g = 0; g < d.group; ++g)
      send_rows(rows / d.group, columns, data + std::size_t{g} * columns, d.group * columns);
    return;
  }
  if (d.split == 0) {
    const std::uint32_t block = d.block_columns == 0 ? columns : d.block_columns;
    for (std::uint32_t c = 0; c < columns; c += block) send_rows(rows, std::min(block, columns - c), data + c, columns);
    return;
  }
  for (std::uint32_t head = 0; head < columns / d.head_dim; ++head) {
    const Fp16* head_data = data + std::size_t{head} * d.head_dim;
    if (d.split == 1) {
      send_rows(rows, d.head_dim, head_data, columns);
      continue;
    }
    for (const SequenceRows& s : sequences_) {
      const std::uint32_t begin = std::max(s.first_row, d.row_begin),
                          end = std::min(s.first_row + s.rows, d.row_begin + d.rows);
      if (begin >= end) continue;
      const std::uint32_t most = d.kind == Kind::rope_query && s.chunk_rows != 0 ? s.chunk_rows : end - begin;
      for (std::uint32_t r = begin; r < end; r += most)
        send_rows(std::min(most, end - r), d.head_dim, head_data + std::size_t{r - d.row_begin} * columns, columns);
    }
  }
}

void VectorUnit::send_host() {
  const Descriptor& d = command.front();
  const bool logits = d.kind == Kind::logits;
  const unsigned bytes = logits ? 2 * d.rows * d.columns : 4;
  bus::PayloadPtr out =
      pool_.make(tlm::TLM_WRITE_COMMAND, 0, bytes, functional_ && logits ? bus::Data::buffer : bus::Data::scratch);
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.operation = d.operation;
  c.elements = d.columns;
  if (logits)
    c.header = bus::HostResult{bus::HostResult::Kind::logits, d.row_begin, d.rows, d.column_begin, d.columns};
  else
    c.header = bus::HostResult{};
  if (functional_ && logits) std::memcpy(out->get_data_ptr(), gathered_.data(), bytes);
  ++unaccepted_;
  if (!logits) ready_ = free_;
  if (const std::optional<sc_core::sc_time> when = isock_host.send(std::move(out), clock_.time(ready_))) taken(*when);
}

}  // namespace harmonia::vector
