#include "harmonia/hw/vector/vector_unit_module.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace harmonia::vector {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

VectorUnit::VectorUnit(sc_core::sc_module_name name, const Config& config)
    : StreamBlock(name, config.clock_mhz,
                  [this](const Descriptor& d, const auto& table) {
                    std::string fault = fault_of(d, table, queued_step_);
                    const auto* setup = std::get_if<Setup>(&d.kind);
                    if (fault.empty() && setup != nullptr) queued_step_ = shape_of(*setup, table);
                    return fault;
                  }),
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

void VectorUnit::begin() {
  begun_ = true;
  busy_before_ = activity_.busy;
  operand_bytes_ = 0;
  results_ = valued_results_ = 0;
  operand_data_.clear();
  wait_until(clock_.cycle(command.arrival()), Wait::descriptor);
  begin_ = free_;
  if (const auto* d = std::get_if<Setup>(&command.front().kind)) setup(*d);
}

bool VectorUnit::take_operand() {
  tlm::tlm_generic_payload* payload = operand.waiting();
  if (payload == nullptr) return false;
  const std::uint64_t left = vector::operand_bytes(command.front().kind) - operand_bytes_;
  if (payload->get_data_length() > left) {
    operand.refuse("the data length is " + std::to_string(payload->get_data_length()) +
                   ", expected what is left of the operation's operand, " + std::to_string(left));
    return true;
  }
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
  const std::string fault = result_fault(d, {chunk.operation, chunk.elements, payload->get_data_length(), results_,
                                             std::get_if<bus::ResultTile>(&chunk.header), chunk.data_valid});
  if (!fault.empty()) {
    result.refuse(fault);
    return true;
  }
  wait_until(clock_.cycle(result.arrival()), Wait::input);
  const Cycle start = free_;
  if (chunk.data_valid) {
    functional_ = true;
    const Rows& expected = *bus::as<Rows>(d.kind);
    const auto* part = bus::as<Results>(d.kind);
    const std::uint64_t one = expected.elements();
    std::vector<Fp16>& into = results_ >= one ? second_ : gathered_;
    if (into.size() < one) into.resize(one);
    const auto& tile = bus::header_of<bus::ResultTile>(chunk);
    const std::uint32_t width = tile.columns, column = tile.column_begin - (part != nullptr ? part->column_begin : 0);
    for (std::uint32_t r = 0; r < expected.rows; ++r)
      std::memcpy(static_cast<void*>(into.data() + std::size_t{r} * expected.columns + column),
                  payload->get_data_ptr() + std::size_t{r} * width * 2, std::size_t{width} * 2);
  }
  results_ += chunk.elements;
  if (chunk.data_valid) valued_results_ += chunk.elements;
  const std::uint64_t cycles = arriving_cycles(config_, d.kind, chunk.elements);
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
  if (operand_bytes_ < vector::operand_bytes(d.kind)) return take_operand();
  if (results_ < vector::results(d.kind)) return take_result();
  finish();
  return true;
}

void VectorUnit::setup(const Setup& d) {
  const std::vector<unsigned char>& table = command.table();
  sequences_.resize(d.sequences);
  const std::size_t bytes = sequences_.size() * sizeof(SequenceRows);
  if (bytes != 0) std::memcpy(static_cast<void*>(sequences_.data()), table.data(), bytes);
  std::vector<float> frequencies((table.size() - bytes) / sizeof(float));
  if (!frequencies.empty()) std::memcpy(frequencies.data(), table.data() + bytes, frequencies.size() * sizeof(float));
  if (frequencies != frequencies_) rope_.reset();
  frequencies_ = std::move(frequencies);
  hidden_ = d.width;
  logit_rows_.clear();
  // What belongs to rows of the step before.
  online_.clear();
  online_blocks_.clear();
  chosen_.clear();
  shared_scale_.clear();
  for (const SequenceRows& s : sequences_)
    if (s.logits != 0) logit_rows_.push_back(s.first_row + s.rows - 1);
  step_rows_ = d.rows;
}

void VectorUnit::finish() {
  const Descriptor& d = command.front();
  const std::uint64_t cycles = final_cycles(config_, d.kind);
  elements_total_ += own_elements(d.kind);
  activity_.busy += cycles;
  free_ += cycles;
  ready_ = free_ + config_.pipeline_cycles;
  if (const std::string what = functional_ ? missing(d) : std::string(); !what.empty()) {
    begun_ = false;
    command.pop();
    // Its sender was told that it is queued, and learns of this in no other way.
    SC_REPORT_ERROR("/harmonia/vector/missing",
                    (std::string(command.tsock.name()) + ": an operation is dropped: " + what).c_str());
    return;
  }
  if (functional_) compute();
  if (observer && bus::as<Rows>(d.kind) != nullptr)
    observer({d.operation, clock_.ps(begin_), clock_.ps(free_), clock_.ps(activity_.busy - busy_before_)});
  std::visit([this](const auto& kind) { send(kind); }, d.kind);
  begun_ = false;
  command.pop();
}

// ---- Values ----

/// What an operation needs and has not got: data that its operand and its results were to carry, or contents of the scratch memory
/// that operations before it were to leave. Empty: nothing.
std::string VectorUnit::missing(const Descriptor& d) const {
  if (operand_data_.size() != vector::operand_bytes(d.kind)) return "its operand came without data";
  if (valued_results_ != vector::results(d.kind)) return "its results came without data";
  return std::visit([this](const auto& kind) { return missing_of(kind); }, d.kind);
}

/// Rows of the residual stream, or of a device's part of what changes it, up to `end`.
std::string VectorUnit::missing_stream(std::uint64_t end, bool partial) const {
  const std::vector<Fp16>& stream = partial ? part_ : residual_;
  return stream.size() >= end * hidden_ ? std::string() : "rows of the residual stream are not there";
}

std::string VectorUnit::missing_of(const Embed& d) const {
  if (!d.received || received_.size() >= (std::uint64_t{d.row_begin} + d.rows) * hidden_) return {};
  return "no such rows were received";
}

std::string VectorUnit::missing_of(const Norm& d) const {
  if (!d.plain && !d.gains && gamma_.size() < d.gain_bytes() / 2) return "no gains came before it";
  if (d.from_memory) return {};
  return missing_stream(d.last_rows ? logit_rows_[d.row_begin + d.rows - 1] + 1 : d.row_begin + d.rows);
}

std::string VectorUnit::missing_of(const AddNormed& d) const {
  if (!d.from_memory && branch_.size() < d.elements()) return "no branch was kept";
  return missing_of(static_cast<const Norm&>(d));
}

std::string VectorUnit::missing_of(const Projection& d) const {
  const std::size_t gains = d.width != 0 ? d.width : d.head_dim;
  return d.norm && !d.gains && !d.goes_on() && head_gains_[d.place].size() < gains ? "no gains came before it"
                                                                                   : std::string();
}

std::string VectorUnit::missing_of(const OnlineSoftmax& d) const {
  return !d.first && online_.size() < d.rows ? "no block of its rows came before it" : std::string();
}

std::string VectorUnit::missing_of(const AccumulateAttention& d) const {
  if (online_blocks_.empty() || online_blocks_.front().factors.size() < d.rows)
    return "no block's softmax came before it";
  return !d.first && accumulated_.size() < d.elements() ? "no block's outputs came before it" : std::string();
}

std::string VectorUnit::missing_of(const StreamUpdate& d) const {
  return d.in_memory || d.partial ? std::string() : missing_stream(d.row_begin + d.rows);
}

std::string VectorUnit::missing_of(const AddScaled& d) const {
  if (d.expert == AddScaled::shared && shared_scale_.size() < d.rows) return "no scale of its rows came before it";
  return d.partial && !part_begun_ ? std::string() : missing_stream(step_rows_, d.partial);
}

void VectorUnit::compute() {
  std::visit([this](const auto& d) { compute(d); }, command.front().kind);
}

void VectorUnit::compute(const Embed& d) {
  const Fp16* words = d.received ? received_.data() + std::size_t{d.row_begin} * hidden_ : operand_words();
  if (d.leaves) {
    gathered_.assign(words, words + d.elements());
    if (d.multiplier != 1.0f) scale_values(gathered_.data(), d.elements(), d.multiplier, gathered_.data());
    return;
  }
  std::vector<Fp16>& stream = d.partial ? part_ : residual_;
  stream.resize(step_rows_ * hidden_);
  Fp16* rows = stream.data() + std::size_t{d.row_begin} * hidden_;
  std::copy_n(words, d.elements(), rows);
  for (std::uint32_t r = 0; r < d.rows && d.absent != 0; ++r)
    if ((d.absent >> r & 1) != 0) std::fill_n(rows + std::size_t{r} * hidden_, hidden_, Fp16{});
  if (d.partial) {
    part_begun_ = true;
    part_update_ = nullptr;
  }
  part_is_branch_ = false;
  if (d.multiplier != 1.0f) scale_values(rows, d.elements(), d.multiplier, rows);
}

/// Takes a norm's gains, and its biases, from the operand if they come; returns what lies behind them.
const Fp16* VectorUnit::take_gains(const Norm& d, const Fp16* words) {
  if (!d.gains) return words;
  gamma_.resize(d.gain_bytes() / 2);
  formats::to_float(words, gamma_.size(), gamma_.data());
  return words + gamma_.size();
}

void VectorUnit::normalise(const Norm& d, const Fp16* row, Fp16* out) const {
  if (d.plain)
    std::copy_n(row, d.columns, out);
  else if (d.centred)
    layer_norm(row, gamma_.data(), gamma_.data() + d.columns, d.columns, d.epsilon, out);
  else
    rms_norm(row, gamma_.data(), d.columns, d.epsilon, out);
}

void VectorUnit::compute(const Norm& d) {
  const std::size_t columns = d.columns;
  const Fp16* words = take_gains(d, operand_words());
  out_.resize(d.elements());
  if (d.from_memory) collect_rows(d, words, out_);
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    const std::uint32_t number = d.row_begin + r;
    Fp16* out = out_.data() + r * columns;
    const Fp16* row = out;
    if (!d.from_memory) row = residual_.data() + std::size_t{d.last_rows ? logit_rows_[number] : number} * hidden_;
    normalise(d, row, out);
  }
}

void VectorUnit::compute(const AddNormed& d) {
  const Fp16* words = take_gains(d, operand_words());
  std::vector<Fp16> stream;
  if (d.from_memory) {
    branch_.resize(d.elements());
    stream.resize(d.elements());
    collect_rows(d, words, branch_);
    collect_rows(d, words + d.elements() * (d.twice ? 2 : 1), stream);
  }
  out_.resize(d.elements());
  for (std::size_t r = 0; r < d.rows; ++r) {
    Fp16* out = out_.data() + r * d.columns;
    normalise(d, branch_.data() + r * d.columns, out);
    if (d.multiplier != 1.0f) scale_values(out, d.columns, d.multiplier, out);
    Fp16* x = d.from_memory ? stream.data() + r * d.columns : residual_.data() + (d.row_begin + r) * hidden_;
    residual_add(x, out, d.columns, d.from_memory ? out : x);
  }
}

/// Rows of the operand, which come block of columns by block of columns, into `to`.
void VectorUnit::collect_rows(const Norm& d, const Fp16* from, std::vector<Fp16>& to) {
  const std::size_t width = d.block_columns != 0 ? d.block_columns : d.columns;
  for (std::size_t column = 0; column < d.columns; column += width) {
    const std::size_t piece = std::min<std::size_t>(width, d.columns - column);
    for (std::size_t r = 0; r < d.rows; ++r, from += piece)
      std::copy_n(from, piece, to.data() + r * d.columns + column);
  }
}

/// Adds a bias of `columns` columns to each of the rows.
void VectorUnit::add_bias(const Fp16* bias, std::vector<Fp16>& rows, const Results& d) {
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    Fp16* row = rows.data() + std::size_t{r} * d.columns;
    residual_add(row, bias, d.columns, row);
  }
}

/// Bias and norm of a projection's results. A norm over all heads waits for those of the last column: gathered_ then holds rows
/// of all heads.
void VectorUnit::correct(const Projection& d) {
  const Fp16* words = operand_words();
  if (d.bias) {
    add_bias(words, gathered_, d);
    words += d.columns;
  }
  std::vector<float>& gains = head_gains_.at(d.place);
  const std::size_t width = d.width != 0 ? d.width : d.head_dim;
  if (d.gains) {
    gains.resize(width);
    formats::to_float(words, width, gains.data());
  }
  if (d.width != 0) {
    std::vector<Fp16>& rows = wide_.at(d.place);
    rows.resize(std::size_t{d.rows} * width);
    for (std::size_t r = 0; r < d.rows; ++r)
      std::copy_n(gathered_.data() + r * d.columns, d.columns, rows.data() + r * width + d.column_begin);
    if (d.goes_on()) return;
    gathered_ = rows;
  }
  if (!d.norm) return;
  const std::size_t values = d.width != 0 ? d.rows * width : d.elements();
  for (std::size_t at = 0; at < values; at += width)
    rms_norm(gathered_.data() + at, gains.data(), width, d.epsilon, gathered_.data() + at);
}

void VectorUnit::compute(const Rotation& d) {
  correct(d);
  if (d.goes_on() || !d.rotates) return;
  const std::uint32_t channels = d.channels();
  const RopePairing pairing = d.half_split ? RopePairing::kHalfSplit : RopePairing::kAdjacent;
  const bool from_table = !frequencies_.empty() && !d.own_theta;
  if (!rope_ || rope_theta_ != d.theta || rope_half_ != d.half_split || rope_->head_dim() != channels ||
      rope_from_table_ != from_table) {
    rope_ = from_table ? std::make_unique<RopeTable>(frequencies_, pairing, d.magnitude)
                       : std::make_unique<RopeTable>(channels, d.theta, pairing);
    rope_theta_ = d.theta;
    rope_half_ = d.half_split;
    rope_from_table_ = from_table;
  }
  const std::size_t columns = d.width != 0 ? d.width : d.columns;
  std::vector<float> cos(channels / 2), sin(channels / 2);
  for (const SequenceRows& s : sequences_)
    for (std::uint32_t r = std::max(s.first_row, d.row_begin); r < std::min(s.first_row + s.rows, d.row_begin + d.rows);
         ++r) {
      rope_->angles(s.first_position + r - s.first_row, cos.data(), sin.data());
      rope_->rotate(cos.data(), sin.data(), columns / d.head_dim, d.head_dim,
                    gathered_.data() + std::size_t{r - d.row_begin} * columns);
    }
}

namespace {

void clear_unseen(Fp16* row, const KeysSeen::Columns& seen, std::size_t columns) {
  std::fill(row, row + seen.from, Fp16{});
  std::fill(row + seen.to, row + columns, Fp16{});
}

}  // namespace

void VectorUnit::compute(const Softmax& d) {
  const Fp16 *sinks = operand_words(), *words = sinks + d.sink_bytes() / 2;
  ScoreRule rule{attention_scale(d.head_dim, d.scale), d.cap};
  if (d.from_memory) gathered_.assign(words, words + d.elements());
  for (std::size_t r = 0; r < d.rows; ++r) {
    Fp16* row = gathered_.data() + r * d.columns;
    const KeysSeen::Columns seen = d.of_row(r);
    if (d.sinks) rule.sink = formats::to_float(sinks[r % d.group]);
    softmax(row + seen.from, seen.to - seen.from, rule, row + seen.from);
    clear_unseen(row, seen, d.columns);
  }
}

void VectorUnit::compute(const OnlineSoftmax& d) {
  const ScoreRule rule{attention_scale(d.head_dim, d.scale), d.cap};
  if (d.first) online_.assign(d.rows, {});
  if (d.first && d.sinks)
    for (std::size_t r = 0; r < d.rows; ++r) online_[r] = {formats::to_float(operand_words()[r % d.group]), 1.0f};
  online_blocks_.push_back({std::vector<std::optional<float>>(d.rows), std::vector<float>(d.rows)});
  OnlineBlock& block = online_blocks_.back();
  for (std::size_t r = 0; r < d.rows; ++r) {
    Fp16* row = gathered_.data() + r * d.columns;
    const KeysSeen::Columns seen = d.of_row(r);
    if (seen.from != seen.to)
      block.factors[r] = online_softmax(row + seen.from, seen.to - seen.from, rule, online_[r], row + seen.from);
    block.sums[r] = online_[r].sum;
    clear_unseen(row, seen, d.columns);
  }
}

void VectorUnit::compute(const AccumulateAttention& d) {
  const std::size_t columns = d.columns;
  if (d.first) accumulated_.assign(d.elements(), 0.0f);
  const OnlineBlock block = std::move(online_blocks_.front());
  online_blocks_.pop_front();
  for (std::size_t r = 0; r < d.rows; ++r)
    if (block.factors[r])
      online_accumulate(gathered_.data() + r * columns, columns, *block.factors[r], accumulated_.data() + r * columns);
  if (!d.last) return;
  for (std::size_t r = 0; r < d.rows; ++r)
    online_divide(accumulated_.data() + r * columns, columns, block.sums[r], gathered_.data() + r * columns);
  compute(static_cast<const CollectAttention&>(d));
}

void VectorUnit::compute(const CollectAttention& d) {
  if (d.leaves == CollectAttention::Leaves::heads) return;  // they go as they came
  const std::size_t width = d.width, columns = d.columns;
  attended_.resize(step_rows_ * width);
  for (std::size_t r = 0; r < d.rows; ++r)
    std::copy_n(gathered_.data() + r * columns, columns,
                attended_.data() + (d.row_begin + r / d.group) * width + (d.head_begin + r % d.group) * columns);
}

template <class Update>
std::enable_if_t<std::is_base_of_v<StreamUpdate, Update>> VectorUnit::compute(const Update& d) {
  const std::size_t columns = d.columns;
  if (d.bias) add_bias(operand_words(), gathered_, d);
  if (d.multiplier != 1.0f) scale_values(gathered_.data(), d.elements(), d.multiplier, gathered_.data());
  if (d.in_memory) {
    Update::update(operand_words() + (d.bias ? columns : 0), gathered_.data(), d.elements(), gathered_.data());
    return;
  }
  if (d.partial) {
    part_.resize(step_rows_ * hidden_);
    part_begun_ = true;
    part_update_ = Update::update;
    part_is_branch_ = false;
    for (std::size_t r = 0; r < d.rows; ++r)
      std::copy_n(gathered_.data() + r * columns, columns, part_.data() + (d.row_begin + r) * hidden_ + d.column_begin);
    return;
  }
  for (std::size_t r = 0; r < d.rows; ++r) {
    Fp16* x = residual_.data() + (d.row_begin + r) * hidden_ + d.column_begin;
    Update::update(x, gathered_.data() + r * columns, columns, x);
  }
}

void VectorUnit::put_sum(const std::vector<Fp16>& sum) {
  part_begun_ = false;
  if (part_is_branch_) {
    branch_ = sum;
    return;
  }
  residual_.resize(sum.size());
  if (part_update_ == nullptr)
    residual_ = sum;
  else
    part_update_(residual_.data(), sum.data(), sum.size(), residual_.data());
}

void VectorUnit::compute(const SiluMultiply& d) {
  if (d.bias) {
    add_bias(operand_words(), gathered_, d);
    add_bias(operand_words() + d.columns, second_, d);
  }
  activate_mul(d.function, d.limit, gathered_.data(), second_.data(), d.elements(), gathered_.data());
}

void VectorUnit::compute(const Activate& d) {
  if (d.bias) add_bias(operand_words(), gathered_, d);
  activate(d.function, gathered_.data(), d.elements(), gathered_.data());
}

void VectorUnit::compute(const KeepBranch& d) {
  if (d.bias) add_bias(operand_words(), gathered_, d);
  if (d.leaves) return;
  std::vector<Fp16>& kept = d.partial ? part_ : branch_;
  if (d.partial) part_begun_ = part_is_branch_ = true;
  kept.resize(step_rows_ * hidden_);
  for (std::size_t r = 0; r < d.rows; ++r)
    std::copy_n(gathered_.data() + r * d.columns, d.columns,
                kept.data() + (d.row_begin + r) * hidden_ + d.column_begin);
}

void VectorUnit::compute(const Logits& d) {
  if (d.divisor != 1.0f) divide_values(gathered_.data(), d.elements(), d.divisor, gathered_.data());
  if (d.cap != 0.0f) cap_values(gathered_.data(), d.elements(), d.cap, gathered_.data());
}

void VectorUnit::compute(const Route& d) {
  if (d.bias) add_bias(operand_words(), gathered_, d);
  scores_.resize(std::size_t{d.rows} * d.experts);
  for (std::size_t r = 0; r < d.rows; ++r)
    std::copy_n(gathered_.data() + r * d.columns, d.columns, scores_.data() + r * d.experts + d.column_begin);
  if (!d.ends) return;
  const std::size_t each = d.rule.experts_per_token;
  chosen_.resize(d.rows * each);
  weights_.resize(d.rows * each);
  for (std::size_t r = 0; r < d.rows; ++r)
    route(scores_.data() + r * d.experts, d.experts, d.rule, chosen_.data() + r * each, weights_.data() + r * each);
}

void VectorUnit::compute(const ScaleOfRows& d) {
  shared_scale_.resize(d.rows);
  for (std::size_t r = 0; r < d.rows; ++r) shared_scale_[r] = sigmoid_f32(formats::to_float(gathered_[r]));
}

/// Zeros, whose sum with the other devices' parts is added to the residual stream.
void VectorUnit::begin_part() {
  part_.assign(step_rows_ * hidden_, Fp16{});
  part_begun_ = true;
  part_update_ = AddResidual::update;
  part_is_branch_ = false;
}

void VectorUnit::compute(const AddScaled& d) {
  if (d.partial && !part_begun_) begin_part();
  std::vector<Fp16>& stream = d.partial ? part_ : residual_;
  const auto add = [&](std::size_t row, float scale, const Fp16* results) {
    Fp16* x = stream.data() + row * hidden_ + d.column_begin;
    scaled_add(x, results, scale, d.columns, x);
  };
  if (d.bias) add_bias(operand_words(), gathered_, d);
  if (d.multiplier != 1.0f) scale_values(gathered_.data(), d.elements(), d.multiplier, gathered_.data());
  const Fp16* results = gathered_.data();
  if (d.expert == AddScaled::shared) {
    for (std::size_t r = 0; r < d.rows; ++r, results += d.columns) add(d.row_begin + r, shared_scale_[r], results);
    return;
  }
  const std::size_t each = chosen_.size() / step_rows_;
  std::size_t rows = 0;
  for (std::size_t i = 0; i < chosen_.size() && rows < d.rows; ++i) {
    if (chosen_[i] != d.expert) continue;
    add(i / each, weights_[i], results);
    results += d.columns;
    ++rows;
  }
  if (rows != d.rows) SC_REPORT_ERROR("/harmonia/vector", "an expert has results of more rows than were sent to it");
}

// ---- Outputs ----

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

/// All rows, `block_columns` columns at a time; 0: all columns at once.
void VectorUnit::send_blocks(const Rows& d, std::uint32_t block_columns, const Fp16* data) {
  const std::uint32_t rows = d.rows, columns = d.columns, block = block_columns == 0 ? columns : block_columns;
  for (std::uint32_t c = 0; c < columns; c += block) send_rows(rows, std::min(block, columns - c), data + c, columns);
}

/// All rows of each head.
void VectorUnit::send_heads(const Projection& d) {
  const std::uint32_t rows = d.rows, columns = d.width != 0 ? d.width : d.columns, head_dim = d.head_dim;
  for (std::uint32_t c = 0; c < columns; c += head_dim) send_rows(rows, head_dim, gathered_.data() + c, columns);
}

/// Of each head the rows of one sequence after the other; in_chunks: at most chunk_rows of them at once.
void VectorUnit::send_heads_by_sequence(const Projection& d, bool in_chunks) {
  const std::uint32_t columns = d.width != 0 ? d.width : d.columns;
  for (std::uint32_t c = 0; c < columns; c += d.head_dim)
    for (const SequenceRows& s : sequences_) {
      const std::uint32_t begin = std::max(s.first_row, d.row_begin),
                          end = std::min(s.first_row + s.rows, d.row_begin + d.rows);
      if (begin >= end) continue;
      const std::uint32_t most = in_chunks && s.chunk_rows != 0 ? s.chunk_rows : end - begin;
      for (std::uint32_t r = begin; r < end; r += most)
        send_rows(std::min(most, end - r), d.head_dim, gathered_.data() + std::size_t{r - d.row_begin} * columns + c,
                  columns);
    }
}

void VectorUnit::send(const Embed& d) {
  if (d.leaves) send_blocks(d, d.block_columns, gathered_.data());
}
void VectorUnit::send(const Norm& d) { send_blocks(d, d.block_columns, out_.data()); }
void VectorUnit::send(const AddNormed& d) {
  if (d.from_memory) send_blocks(d, d.block_columns, out_.data());
}
void VectorUnit::send(const RotateQueries& d) {
  if (d.goes_on()) return;
  if (d.by_sequence)
    send_heads_by_sequence(d, true);
  else
    send_heads(d);
}
void VectorUnit::send(const RotateKeys& d) {
  if (!d.goes_on()) send_heads_by_sequence(d, false);
}
void VectorUnit::send(const PassValues& d) {
  if (!d.goes_on()) send_heads_by_sequence(d, false);
}
void VectorUnit::send(const PassScores& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const PassSums& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const Softmax& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const SiluMultiply& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const Activate& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const KeepBranch& d) {
  if (d.leaves) send_blocks(d, 0, gathered_.data());
}
void VectorUnit::send(const StreamUpdate& d) {
  if (d.in_memory) send_blocks(d, 0, gathered_.data());
}

void VectorUnit::send(const OnlineSoftmax& d) { send_blocks(d, 0, gathered_.data()); }
void VectorUnit::send(const AccumulateAttention& d) {
  if (d.last) send(static_cast<const CollectAttention&>(d));
}

void VectorUnit::send(const CollectAttention& d) {
  if (d.leaves == CollectAttention::Leaves::all_rows)
    send_rows(static_cast<std::uint32_t>(step_rows_), d.width, attended_.data(), d.width);
  if (d.leaves != CollectAttention::Leaves::heads) return;
  // Rows are token-major.
  const std::uint32_t group = d.group, rows = d.rows, columns = d.columns;
  for (std::uint32_t g = 0; g < group; ++g)
    send_rows(rows / group, columns, gathered_.data() + std::size_t{g} * columns, group * columns);
}

void VectorUnit::send(const Logits& d) {
  const auto bytes = static_cast<unsigned>(d.row_bytes());
  bus::PayloadPtr out =
      pool_.make(tlm::TLM_WRITE_COMMAND, 0, bytes, functional_ ? bus::Data::buffer : bus::Data::scratch);
  if (functional_) std::memcpy(out->get_data_ptr(), gathered_.data(), bytes);
  send_host(std::move(out), {bus::HostResult::Kind::logits, d.row_begin, d.rows, d.column_begin, d.columns},
            command.front().operation, d.columns);
}

void VectorUnit::send(const Route& d) {
  if (!d.ends) return;
  const std::uint32_t each = d.rule.experts_per_token, bytes = 4 * d.rows * each;
  bus::PayloadPtr out =
      pool_.make(tlm::TLM_WRITE_COMMAND, 0, bytes, functional_ ? bus::Data::buffer : bus::Data::scratch);
  if (functional_) std::memcpy(out->get_data_ptr(), chosen_.data(), bytes);
  send_host(std::move(out), {bus::HostResult::Kind::routing, d.row_begin, d.rows, 0, each}, command.front().operation,
            d.rows * each);
}

void VectorUnit::send(const Marker& d) {
  ready_ = free_;
  send_host(pool_.make(tlm::TLM_WRITE_COMMAND, 0, 4, bus::Data::scratch), {}, d.number, 0);
}

void VectorUnit::send_host(bus::PayloadPtr out, bus::HostResult what, std::uint32_t operation, std::uint32_t elements) {
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.operation = operation;
  c.elements = elements;
  c.header = what;
  ++unaccepted_;
  if (const std::optional<sc_core::sc_time> when = isock_host.send(std::move(out), clock_.time(ready_))) taken(*when);
}

}  // namespace harmonia::vector
