#include "harmonia/hw/program/step_program.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harmonia/config/error.h"

namespace harmonia::accelerator {

using bus::TrafficClass;
using converter::Destination;
using converter::Path;
using memory::DmaDescriptor;
using memory::DmaSegment;

namespace {

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

DmaSegment segment(std::uint64_t address, std::uint64_t bytes, TrafficClass traffic) {
  DmaSegment s;
  s.address = address;
  s.row_bytes = static_cast<std::uint32_t>(bytes);
  s.traffic = traffic;
  return s;
}

/// The array gives an A operand's room back after the last tile that uses it: the one before another operand is loaded,
/// and the batch's last one unless the next batch goes on with its operand.
void mark_last_uses(Batch& b, bool goes_on = false) {
  for (std::size_t i = 0; i + 1 < b.pe.size(); ++i) b.pe[i].last_a = b.pe[i + 1].load_a;
  if (!b.pe.empty()) b.pe.back().last_a = !goes_on;
}

using pe::takes_bfp;

}  // namespace

LinearMode linear_mode(WeightFormat format, formats::CodebookKind codebook, PeKind array) {
  LinearMode mode;
  if (format == WeightFormat::kInt8Zero)
    throw config::InputError(
        "weights.zero_point: the decoder has no mode for int8 with zero-points: q - z takes 9 bits");
  if (!takes_bfp(array)) {
    mode.decode = format == WeightFormat::kFp16 ? decoder::DecodeKind::pass
                  : is_codebook(format)         ? decoder::DecodeKind::codebook_fp16
                                                : decoder::DecodeKind::integer_fp16;
    mode.operand = pe::Operand::fp16;
    mode.passes = 1;
    return mode;
  }
  switch (format) {
    case WeightFormat::kFp16:
      return {decoder::DecodeKind::to_bfp8, pe::Operand::bfp8, 2, false};
    case WeightFormat::kInt8:
      return {decoder::DecodeKind::integer, pe::Operand::integer, 2, false};
    case WeightFormat::kInt4:
    case WeightFormat::kInt4Zero:
      return {decoder::DecodeKind::integer, pe::Operand::integer, 1, false};
    default:
      break;
  }
  if (codebook == formats::CodebookKind::kBf16)
    throw config::InputError(
        "weights.codebook: bf16 is the numeric reference and has no mode on an integer PE array; take int8 or int5");
  mode.one_bit = format == WeightFormat::kKmeans1;
  mode.passes = codebook == formats::CodebookKind::kInt5 || mode.one_bit || format == WeightFormat::kTernary ? 1 : 2;
  return mode;
}

OnChip OnChip::from(const AcceleratorConfig& c) {
  OnChip chip;
  chip.weight_tile_bytes = c.weight_buffer.capacity_bytes / (c.sequencer.double_buffer ? 2 : 1);
  chip.operand_bytes = c.activation_buffer.capacity_bytes / 2;
  chip.scratch_bytes = c.activation_buffer.capacity_bytes - chip.operand_bytes;
  chip.pe_rows = c.pe.rows;
  chip.pe_cols = c.pe.cols;
  chip.growing_channels = c.converter.growing_channels;
  chip.online_smoothing = c.smoother.online;
  chip.decoder = c.decoder;
  chip.order = c.sequencer.order;
  chip.fused_attention = c.sequencer.attention == AttentionScores::fused;
  if (c.pe.kind == PeKind::anda)
    chip.linear_operand = OperandFormat::anda(c.pe.mantissa_bits);
  else if (!takes_bfp(c.pe.kind))
    chip.linear_operand = OperandFormat::fp16();
  // Of the designs only this one has attention in BFP.
  if (c.pe.kind != PeKind::harmonia) chip.attention_operand = OperandFormat::fp16();
  return chip;
}

Ema external_access(std::uint64_t m, std::uint64_t n, std::uint64_t a_row, std::uint64_t b_row, std::uint64_t c_row,
                    std::uint64_t rows_a, std::uint64_t rows_b, bool a_resident, LoopOrder order,
                    std::uint64_t b_strips) {
  const std::uint64_t a = a_resident ? 0 : m * a_row, b = n * b_row;
  Ema row_first{a, b * (a_resident ? 1 : ceil_div(m, std::max<std::uint64_t>(rows_a, 1))), m * c_row, false,
                a_resident ? 1 : ceil_div(m, std::max<std::uint64_t>(rows_a, 1))};
  if (a_resident || rows_b == 0 || order == LoopOrder::row_first) return row_first;
  if (b_strips == 0) b_strips = ceil_div(n, rows_b);
  Ema column_first{a * b_strips, b, m * c_row, true, b_strips};
  if (order == LoopOrder::column_first) return column_first;
  return column_first.a_bytes + column_first.b_bytes < row_first.a_bytes + row_first.b_bytes ? column_first : row_first;
}

StepProgram::StepProgram(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const Settings& settings,
                         const StepWork& work)
    : shape_(shape), map_(map), chip_(chip), settings_(settings), work_(work) {
  classes_.push_back(OperationClass::elementwise);  // operation 0: none
  for (const SequenceStep& s : work.sequences) {
    first_row_.push_back(rows_);
    rows_ += s.tokens;
    if (s.tokens == 0) throw config::InputError("a sequence of a step must have at least one new token");
    if (s.cached + s.tokens > map.kv.capacity_tokens())
      throw config::InputError("the KV cache overflows: " + std::to_string(s.cached + s.tokens) +
                               " tokens in a slot of " + std::to_string(map.kv.capacity_tokens()));
  }
  const std::uint64_t scratch = rows_ * 2 * (shape.hidden_size + shape.q_width());
  // On chip at the same time: the norm's rows and what the linear behind it makes of them.
  const std::uint64_t queries = query_row_bytes();
  const std::uint64_t operands =
      rows_ * (operand_row(shape.hidden_size) + std::max(operand_row(shape.intermediate_size), queries));
  resident_ = scratch <= chip.scratch_bytes && operands <= chip.operand_bytes;
  for (const SequenceStep& s : work.sequences)
    resident_ = resident_ && rows_ * queries + token_operands(s) <= chip.operand_bytes;
  const std::uint32_t group = chip.linear_operand.group;
  if (!resident_ && group != 0 && shape.head_dim % static_cast<int>(group) != 0)
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: the activations of " +
                             std::to_string(rows_) + " tokens do not fit on chip, and attention outputs of head_dim " +
                             std::to_string(shape.head_dim) + " cannot leave it, because a group of " +
                             std::to_string(group) +
                             " channels would span heads; take a larger buffer, "
                             "a smaller batch or shorter prefill chunks");
  for (const SequenceStep& s : work.sequences) query_strip_.push_back(query_tokens_per_strip(s));
}

/// All queries of a token as A operands, head by head.
std::uint64_t StepProgram::query_row_bytes() const {
  return static_cast<std::uint64_t>(shape_.num_attention_heads) *
         attention_row(static_cast<std::uint64_t>(shape_.head_dim));
}

/// Queries and probabilities of one token and one kv head: the least that attention needs on chip.
std::uint64_t StepProgram::token_operands(const SequenceStep& s) const {
  return static_cast<std::uint64_t>(shape_.queries_per_kv_head()) *
         (attention_row(static_cast<std::uint64_t>(shape_.head_dim)) + attention_row(s.cached + s.tokens));
}

std::uint64_t StepProgram::rows_on_chip(const ModelShape& shape, const OnChip& chip) {
  const std::uint64_t scratch = 2 * (shape.hidden_size + shape.q_width());
  const OperandFormat& linear = chip.linear_operand;
  const std::uint64_t operands = linear.row_bytes(shape.hidden_size) +
                                 std::max(linear.row_bytes(shape.intermediate_size),
                                          shape.num_attention_heads * chip.attention_operand.row_bytes(shape.head_dim));
  return std::min(chip.scratch_bytes / scratch, chip.operand_bytes / operands);
}

std::uint64_t StepProgram::longest_context(const ModelShape& shape, const OnChip& chip) {
  const std::uint64_t of_head = chip.operand_bytes / shape.queries_per_kv_head(),
                      query = chip.attention_operand.row_bytes(shape.head_dim),
                      group = chip.attention_operand.row_bytes(32);
  return of_head > query ? (of_head - query) / group * 32 : 0;
}

double StepProgram::attention_seconds(double bytes_per_s, double slots_per_s) const {
  const KvCacheLayout& kv = map_.kv;
  const KvStorage& policy = kv.policy();
  const std::uint64_t d = shape_.head_dim, group = shape_.queries_per_kv_head(), lines = ceil_div(d, 32);
  const std::uint64_t passes = !policy.grouped() && chip_.attention_operand.bfp() ? 2 : 1;
  const std::uint64_t plain_token = policy.format == KvFormat::kInt8 ? d + 2 : 2 * d;
  double seconds = 0;
  for (std::size_t i = 0; i < work_.sequences.size(); ++i) {
    const SequenceStep& s = work_.sequences[i];
    const std::uint64_t context = s.cached + s.tokens;
    const std::uint64_t local = context - std::min<std::uint64_t>(context, policy.n_local);
    for (std::uint64_t t = 0; t < s.tokens; t += query_strip_[i]) {
      const std::uint64_t tokens = std::min(query_strip_[i], s.tokens - t), m = tokens * group;
      const std::uint64_t visible = s.cached + t + tokens, groups = ceil_div(visible, 32);
      std::uint64_t wide_keys = 0, wide_groups = 0;
      if (policy.format == KvFormat::kBfp8) {
        wide_keys = visible;
        wide_groups = groups;
      } else if (policy.format == KvFormat::kBfp4Windows) {
        const std::uint64_t initial = std::min<std::uint64_t>(policy.n_initial, visible);
        wide_keys = initial + visible - std::min(visible, std::max(initial, local));
        const std::uint64_t first = ceil_div(initial, 32), last = std::max(first, local / 32);
        wide_groups = std::min(first, groups) + groups - std::min(groups, last);
      }
      const double key_bytes = policy.grouped() ? static_cast<double>(lines * (21 * visible + 16 * wide_keys))
                                                : static_cast<double>(visible * plain_token);
      const double value_bytes = policy.grouped() ? static_cast<double>(d * (21 * groups + 16 * wide_groups))
                                                  : static_cast<double>(values_read(visible, context) * plain_token);
      seconds += std::max(key_bytes / bytes_per_s,
                          static_cast<double>(m * lines * (visible * passes + wide_keys)) / slots_per_s) +
                 std::max(value_bytes / bytes_per_s,
                          static_cast<double>(m * d * (groups * passes + wide_groups)) / slots_per_s);
    }
  }
  return seconds * shape_.num_key_value_heads * shape_.num_hidden_layers;
}

/// Values that a strip reads of which the last token sees `visible` of `context`. Those of a plain cache become groups
/// of 32 tokens on the way to a BFP array, and a group has the exponent of all its tokens that are in the cache, also
/// of those that this strip does not see: bit for bit what the strip after it takes.
std::uint64_t StepProgram::values_read(std::uint64_t visible, std::uint64_t context) const {
  if (map_.kv.policy().grouped() || !chip_.attention_operand.bfp()) return visible;
  return std::min(ceil_div(visible, 32) * 32, context);
}

std::uint64_t StepProgram::query_tokens_per_strip(const SequenceStep& s) const {
  // Scores (FP16) and probabilities (A operand) of a strip must fit beside the residual stream.
  const std::uint64_t context = s.cached + s.tokens, group = shape_.queries_per_kv_head();
  const std::uint64_t held = resident_ ? rows_ * 2 * (shape_.hidden_size + shape_.q_width()) : 0;
  const std::uint64_t by_scores = (chip_.scratch_bytes - held) / 2 / (group * context * 2);
  const std::uint64_t free = chip_.operand_bytes - (resident_ ? rows_ * query_row_bytes() : 0);
  if (token_operands(s) > free)
    throw config::InputError(
        "accelerator.activation_buffer.capacity_bytes: the accelerator cannot hold one tile: "
        "probabilities of one token over a context of " +
        std::to_string(context) + " take " + std::to_string(token_operands(s)) +
        " bytes with their queries and the activation buffer has " + std::to_string(free) +
        " for them; take a larger buffer or a shorter context");
  const std::uint64_t by_operand = free / 2 / token_operands(s);
  std::uint64_t tokens = std::max<std::uint64_t>(std::min(by_scores, by_operand), 1);
  if (tokens > 32) tokens = tokens / 32 * 32;
  return std::min(tokens, s.tokens);
}

Expected& Expected::operator+=(const Expected& other) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += other.bytes[i];
  macs += other.macs;
  pe_slots += other.pe_slots;
  weights += other.weights;
  for (std::size_t i = 0; i < of_class.size(); ++i) {
    of_class[i].bytes += other.of_class[i].bytes;
    of_class[i].macs += other.of_class[i].macs;
    of_class[i].weights += other.of_class[i].weights;
  }
  return *this;
}

Expected operator-(const Expected& later, const Expected& earlier) {
  Expected d = later;
  for (std::size_t i = 0; i < d.bytes.size(); ++i) d.bytes[i] -= earlier.bytes[i];
  d.macs -= earlier.macs;
  d.pe_slots -= earlier.pe_slots;
  d.weights -= earlier.weights;
  for (std::size_t i = 0; i < d.of_class.size(); ++i) {
    d.of_class[i].bytes -= earlier.of_class[i].bytes;
    d.of_class[i].macs -= earlier.of_class[i].macs;
    d.of_class[i].weights -= earlier.of_class[i].weights;
  }
  return d;
}

void StepProgram::expect(TrafficClass traffic, std::uint64_t bytes) {
  expected_.bytes[static_cast<std::size_t>(traffic)] += bytes;
  expected_.of_class[static_cast<std::size_t>(class_)].bytes += bytes;
}

void StepProgram::expect_macs(std::uint64_t macs, std::uint64_t slots) {
  expected_.macs += macs;
  expected_.pe_slots += slots;
  expected_.of_class[static_cast<std::size_t>(class_)].macs += macs;
}

std::uint32_t StepProgram::next_operation(OperationClass c) {
  class_ = c;
  classes_.push_back(c);
  return static_cast<std::uint32_t>(classes_.size() - 1);
}

std::vector<DmaDescriptor>& StepProgram::queue_of(Batch& b, Queue q) {
  switch (q) {
    case Queue::weights:
      return b.weights;
    case Queue::kv_read:
      return b.kv_read;
    case Queue::residual:
      return b.residual;
    case Queue::kv_write:
      return b.kv_write;
    case Queue::vector_read:
      return b.vector_read;
    case Queue::operand_read:
      return b.operand_read;
    default:
      return b.out_write;
  }
}

void StepProgram::push(Batch& b, Queue q, DmaDescriptor& d) {
  d.data_valid = settings_.data_valid;
  if (q == Queue::kv_write || q == Queue::out_write) {
    d.direction = memory::DmaDirection::kWrite;
    d.respond_when_done = true;
    ++(q == Queue::kv_write ? kv_writes_ : out_writes_);
  }
  queue_of(b, q).push_back(d);
}

/// The next descriptor of `queue` waits until the first `count` of the write queue `on` are complete.
void StepProgram::gate(Batch& b, Queue queue, Queue on, std::uint64_t count) {
  if (count != 0) b.gates.push_back({queue, queue_of(b, queue).size(), on, count});
}

std::vector<StepProgram::Part> StepProgram::parts_of(const Strip& s) const {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < work_.sequences.size(); ++i) {
    const std::uint64_t begin = std::max(first_row_[i], s.first),
                        end = std::min(first_row_[i] + work_.sequences[i].tokens, s.first + s.rows);
    if (begin < end) parts.push_back({i, begin, end - begin, work_.sequences[i].cached + begin - first_row_[i]});
  }
  return parts;
}

/// How many descriptors of out_write must be complete before rows of `blocks` blocks are in memory.
std::uint64_t StepProgram::written(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                                   std::uint64_t row, std::uint64_t rows) const {
  const auto known = written_.find(&place);
  if (known == written_.end()) return 0;  // by no descriptor of this step so far
  const Written& w = known->second;
  const auto youngest = [&](const std::vector<std::uint64_t>& list, std::uint64_t first) {
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(first + row);
    return *std::max_element(at, at + static_cast<std::ptrdiff_t>(rows));
  };
  if (blocks == place.blocks) return youngest(w.row, 0);
  std::uint64_t count = 0;
  for (std::uint64_t block = first_block; block < first_block + blocks; ++block)
    count = std::max(count, youngest(w.piece, block * rows_));
  return count;
}

void StepProgram::read_rows(Batch& b, Queue queue, const SpillPlace& place, std::uint64_t first_block,
                            std::uint64_t blocks, std::uint64_t row, std::uint64_t rows, std::uint32_t row_bytes,
                            std::uint32_t operation) {
  gate(b, queue, Queue::out_write, written(place, first_block, blocks, row, rows));
  DmaDescriptor d;
  d.operation = operation;
  DmaSegment s = segment(place.address(first_block, row), rows * row_bytes, TrafficClass::activations);
  s.rows = static_cast<std::uint32_t>(blocks);
  s.stride_bytes = place.block_stride();
  d.add(s);
  push(b, queue, d);
  expect(TrafficClass::activations, rows * row_bytes * blocks);
}

void StepProgram::write_piece(Batch& b, std::uint64_t address, std::uint64_t bytes, std::uint32_t operation) {
  DmaDescriptor d;
  d.operation = operation;
  d.add(segment(address, bytes, TrafficClass::activations));
  push(b, Queue::out_write, d);
  expect(TrafficClass::activations, bytes);
}

void StepProgram::write_rows(Batch& b, const SpillPlace& place, std::uint64_t block, std::uint64_t row,
                             std::uint64_t rows, std::uint32_t row_bytes, std::uint32_t operation) {
  write_piece(b, place.address(block, row), rows * row_bytes, operation);
  Written& w = written_[&place];
  w.piece.resize(place.blocks * rows_);
  w.row.resize(rows_);
  std::fill_n(w.piece.begin() + static_cast<std::ptrdiff_t>(block * rows_ + row), rows, out_writes_);
  std::fill_n(w.row.begin() + static_cast<std::ptrdiff_t>(row), rows, out_writes_);
}

void StepProgram::add_segments(Batch& b, Queue queue, const std::vector<Segment>& main, const std::vector<Segment>& low,
                               std::uint32_t operation, TrafficClass traffic, std::uint32_t main_group, bool write) {
  std::vector<DmaSegment> all;
  const std::uint32_t per_group = KvCacheLayout::group_tokens;
  for (const auto* list : {&main, &low}) {
    const bool is_low = list == &low;
    for (const Segment& piece : *list) {
      DmaSegment s = segment(piece.address, piece.bytes, traffic);
      s.group_bytes = is_low ? KvCacheLayout::group_low_bytes : main_group;
      s.group_elements = is_low || main_group == KvCacheLayout::group_main_bytes ? per_group : 1;
      s.format = is_low ? 1 : 0;
      all.push_back(s);
    }
  }
  for (std::size_t i = 0; i < all.size(); i += DmaDescriptor::kMaxSegments) {
    DmaDescriptor d;
    d.operation = operation;
    d.begins_tile = i == 0;
    d.ends_tile = i + DmaDescriptor::kMaxSegments >= all.size();
    for (std::size_t j = i; j < std::min(all.size(), i + DmaDescriptor::kMaxSegments); ++j) d.add(all[j]);
    push(b, queue, d);
  }
  (void)write;
}

std::vector<unsigned char> StepProgram::setup_table() const {
  std::vector<vector::SequenceRows> table;
  for (std::size_t i = 0; i < work_.sequences.size(); ++i) {
    const SequenceStep& s = work_.sequences[i];
    table.push_back({static_cast<std::uint32_t>(first_row_[i]), static_cast<std::uint32_t>(s.tokens),
                     static_cast<std::uint32_t>(s.cached), static_cast<std::uint32_t>(s.slot), s.logits ? 1u : 0u,
                     static_cast<std::uint32_t>(query_strip_[i])});
  }
  const std::size_t rows = table.size() * sizeof(vector::SequenceRows),
                    angles = settings_.rope_frequencies.size() * sizeof(float);
  std::vector<unsigned char> bytes(rows + angles);
  std::memcpy(bytes.data(), table.data(), rows);
  if (angles != 0) std::memcpy(bytes.data() + rows, settings_.rope_frequencies.data(), angles);
  return bytes;
}

Batch StepProgram::embedding() {
  Batch b;
  const std::uint32_t op = next_operation(OperationClass::embedding);
  const std::uint32_t row_bytes = 2 * shape_.hidden_size;

  vector::Descriptor setup;
  setup.operation = op;
  setup.kind = vector::Kind::setup;
  setup.rows = static_cast<std::uint32_t>(rows_);
  setup.columns = static_cast<std::uint32_t>(work_.sequences.size());
  setup.row_width = shape_.hidden_size;
  b.vector.push_back(setup);

  // One gather per eight rows; which rows is known in functional runs only, and makes no difference to the bytes.
  for (std::uint64_t row = 0; row < rows_;) {
    DmaDescriptor d;
    d.operation = op;
    const std::uint64_t first = row;
    for (; row < rows_ && d.segment_count < DmaDescriptor::kMaxSegments; ++row) {
      const std::uint64_t token =
          row < work_.token_ids.size() ? work_.token_ids[row] : (row * 7919) % shape_.vocab_size;
      d.add(segment(map_.embedding + token * row_bytes, row_bytes, TrafficClass::weights));
    }
    push(b, Queue::vector_read, d);
    expect(TrafficClass::weights, (row - first) * row_bytes);

    vector::Descriptor v;
    v.operation = op;
    v.kind = vector::Kind::embed;
    v.rows = static_cast<std::uint32_t>(row - first);
    v.columns = v.row_width = shape_.hidden_size;
    v.row_begin = static_cast<std::uint32_t>(first);
    v.operand_bytes = v.rows * row_bytes;
    v.spilled = v.emit = !resident_;
    v.block_columns = resident_ ? 0 : map_.residual.block_columns;
    b.vector.push_back(v);
    if (!resident_) {
      converter::Descriptor c;
      c.operation = op;
      c.path = Path::pass;
      c.destination = Destination::out_write;
      c.rows = v.rows;
      for (std::uint64_t block = 0; block < map_.residual.blocks; ++block) {
        const std::uint64_t columns = std::min<std::uint64_t>(map_.residual.block_columns,
                                                              shape_.hidden_size - block * map_.residual.block_columns);
        c.columns = static_cast<std::uint32_t>(columns);
        c.out_bytes = 2 * c.rows * c.columns;
        b.converter.push_back(c);
        write_rows(b, map_.residual, block, first, v.rows, static_cast<std::uint32_t>(2 * columns), op);
      }
    }
  }
  return b;
}

Batch StepProgram::input() {
  if (!resident_)
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: the vectors of a single linear must fit");
  Batch b = embedding();
  head_operand_ = ++operand_;
  converter::Descriptor c;
  c.path = chip_.linear_operand.bfp() ? Path::row : Path::pass;
  c.operation = head_operand_;
  c.columns = static_cast<std::uint32_t>(shape_.hidden_size);
  c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(shape_.hidden_size));
  for (vector::Descriptor& v : b.vector) {
    if (v.kind != vector::Kind::embed) continue;
    v.emit = 1;
    c.rows += v.rows;
  }
  c.out_bytes = c.rows * c.operand_row_bytes;
  b.converter.push_back(c);
  return b;
}

void StepProgram::norm(Batch& b, std::uint64_t gamma, std::uint32_t operand) {
  const std::uint32_t op = next_operation(OperationClass::elementwise);
  const std::uint32_t h = shape_.hidden_size;
  DmaDescriptor g;
  g.operation = op;
  g.add(segment(gamma, 2 * h, TrafficClass::weights));
  push(b, Queue::vector_read, g);
  expect(TrafficClass::weights, 2 * h);

  vector::Descriptor v;
  v.operation = op;
  v.kind = vector::Kind::norm;
  v.columns = v.row_width = h;
  v.scale = static_cast<float>(shape_.rms_norm_eps);
  converter::Descriptor c;
  c.operation = operand;
  c.columns = h;
  c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(h));
  c.path = chip_.linear_operand.bfp() ? Path::row : Path::pass;

  if (resident_) {
    v.rows = static_cast<std::uint32_t>(rows_);
    v.operand_bytes = 2 * h;
    c.rows = v.rows;
    c.out_bytes = c.rows * c.operand_row_bytes;
    b.vector.push_back(v);
    b.converter.push_back(c);
    return;
  }
  const std::uint64_t strip = std::max<std::uint64_t>(1, chip_.scratch_bytes / 2 / (2 * h));
  for (std::uint64_t row = 0; row < rows_; row += strip) {
    const std::uint64_t rows = std::min(strip, rows_ - row);
    for (std::uint64_t block = 0; block < map_.residual.blocks; ++block) {
      const std::uint64_t columns =
          std::min<std::uint64_t>(map_.residual.block_columns, h - block * map_.residual.block_columns);
      read_rows(b, Queue::vector_read, map_.residual, block, 1, row, rows, static_cast<std::uint32_t>(2 * columns), op);
    }
    v.rows = static_cast<std::uint32_t>(rows);
    v.row_begin = static_cast<std::uint32_t>(row);
    v.spilled = 1;
    v.block_columns = map_.normed.block_columns;
    v.operand_bytes = static_cast<std::uint32_t>((row == 0 ? 2 * h : 0) + rows * 2 * h);
    b.vector.push_back(v);
    c.rows = v.rows;
    c.destination = Destination::out_write;
    for (std::uint64_t block = 0; block < map_.normed.blocks; ++block) {
      const std::uint64_t columns =
          std::min<std::uint64_t>(map_.normed.block_columns, h - block * map_.normed.block_columns);
      c.columns = static_cast<std::uint32_t>(columns);
      c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(columns));
      c.out_bytes = c.rows * c.operand_row_bytes;
      b.converter.push_back(c);
      write_rows(b, map_.normed, block, row, rows, static_cast<std::uint32_t>(operand_row(columns)), op);
    }
  }
}

void StepProgram::linears(Batch& b, const std::vector<const TensorPlace*>& parts, bool paired,
                          std::uint64_t unit_columns, std::uint64_t rows, std::uint32_t operand, const SpillPlace* a,
                          OperationClass c, const std::function<void(std::size_t, const Unit&)>& unit) {
  const std::uint64_t k = parts.front()->k;
  const std::uint64_t a_row = operand_row(k);
  const bool a_resident = a == nullptr;
  std::uint64_t n = 0, b_row = 0;
  for (const TensorPlace* p : parts) {
    n += p->rows;
    b_row = std::max(b_row, p->index_row_bytes() + p->scale_row_bytes());
  }
  const std::uint64_t most_rows = std::min<std::uint64_t>(
      {chip_.weight_tile_bytes / b_row, unit_columns, static_cast<std::uint64_t>(chip_.pe_rows) * chip_.pe_cols});
  if (most_rows == 0)
    throw config::InputError(
        "accelerator.weight_buffer.capacity_bytes: the accelerator cannot hold one tile: one row of " +
        std::to_string(k) + " weights in " + name(parts.front()->format) + " takes " + std::to_string(b_row) +
        " bytes and half of the weight buffer is " + std::to_string(chip_.weight_tile_bytes) +
        "; take a larger buffer or fewer bits");
  // Equal tiles: a short one behind two long ones would leave the memory without orders.
  const std::uint64_t tile_rows = ceil_div(unit_columns, ceil_div(unit_columns, most_rows));
  // A strip that stays while all of B streams by takes the whole buffer: that the next can only be read when the array
  // has done with it costs less than B once more. Strips that stream by share it, one read while the array works with
  // the one before. Both are whole rounds of the array's rows where they have more rows than one.
  const auto strip_in = [&](std::uint64_t bytes) {
    const std::uint64_t fit = bytes / a_row, round = static_cast<std::uint64_t>(chip_.pe_rows);
    return fit > round ? fit / round * round : fit;
  };
  const std::uint64_t rows_a = a_resident ? rows : strip_in(chip_.operand_bytes);
  if (rows_a == 0 || (a_resident && rows * a_row > chip_.operand_bytes))
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: the accelerator cannot hold one tile: " +
                             std::to_string(a_resident ? rows : 1) + " activation row(s) of " + std::to_string(k) +
                             " values take " + std::to_string((a_resident ? rows : 1) * a_row) +
                             " bytes and the activation buffer has " + std::to_string(chip_.operand_bytes) +
                             " for them");
  const std::uint64_t kept_units = unit_columns * (paired ? 2 : 1);
  const bool can_keep_b = tile_rows == unit_columns && kept_units * b_row <= chip_.weight_tile_bytes;
  // Strips of B do not span tensors: q, k and v are strips of their own.
  std::uint64_t b_strips = 0;
  for (std::size_t i = 0; i < (paired ? 1 : parts.size()); ++i) b_strips += ceil_div(parts[i]->rows, unit_columns);
  const Ema ema =
      external_access(rows, n, a_row, b_row, 0, rows_a, can_keep_b ? kept_units : 0, a_resident, chip_.order, b_strips);

  const std::uint32_t op = next_operation(c);
  // Conservation, from the formula and not from the descriptors below.
  for (const TensorPlace* p : parts) {
    const std::uint64_t reads = ema.column_first ? 1 : ema.strips;
    expect(TrafficClass::weights, reads * p->rows * p->index_row_bytes());
    expect(TrafficClass::scales, reads * p->rows * p->scale_row_bytes());
    const std::uint64_t decoded = (ema.column_first ? 1 : ema.strips) * p->rows * k;
    expected_.weights += decoded;
    expected_.of_class[static_cast<std::size_t>(class_)].weights += decoded;
    expect_macs(rows * p->rows * k, 0);
  }
  expect(TrafficClass::activations, ema.a_bytes);

  const LinearMode mode = linear_mode(parts.front()->format, settings_.codebook, settings_.array);
  std::vector<Strip> strips;
  const std::uint64_t strip_rows =
      ema.column_first ? std::max<std::uint64_t>(1, strip_in(chip_.operand_bytes / 2)) : rows_a;
  for (std::uint64_t row = 0; row < rows; row += strip_rows) strips.push_back({row, std::min(strip_rows, rows - row)});

  auto load_a = [&](const Strip& s) {
    const std::uint32_t number = a_resident ? operand : ++operand_;
    if (number == operand_at_array_) return number;
    memory::OperandDescriptor o;
    o.operand = number;
    o.row_bytes = static_cast<std::uint32_t>(a_row);
    o.rows = static_cast<std::uint32_t>(s.rows);
    if (!a_resident) {
      o.from_memory = 1;
      o.block_bytes = a->block_row_bytes;
      o.block_rows = o.rows;
    }
    b.operands.push_back(o);
    if (!a_resident) {
      gate(b, Queue::operand_read, Queue::out_write, written(*a, 0, a->blocks, s.first, s.rows));
      DmaDescriptor d;
      d.operation = number;
      const std::uint64_t last_columns = k - std::uint64_t(a->blocks - 1) * a->block_columns;
      const std::uint32_t last_bytes = static_cast<std::uint32_t>(operand_row(last_columns));
      const std::uint32_t whole = last_bytes == a->block_row_bytes ? a->blocks : a->blocks - 1;
      if (whole > 0) {
        DmaSegment seg = segment(a->address(0, s.first), s.rows * a->block_row_bytes, TrafficClass::activations);
        seg.rows = whole;
        seg.stride_bytes = a->block_stride();
        d.add(seg);
      }
      if (whole != a->blocks)
        d.add(segment(a->address(whole, s.first), s.rows * last_bytes, TrafficClass::activations));
      push(b, Queue::operand_read, d);
    }
    return number;
  };
  auto tile = [&](const TensorPlace& p, const Strip& s, std::uint64_t row, std::uint64_t count, std::uint32_t number,
                  bool load, bool reuse) {
    const WeightStorage storage = p.storage();
    if (!reuse) {
      DmaDescriptor d;
      d.operation = op;
      d.paced = true;
      // Scales first: the engine reads each so far ahead that the decoder never waits for one behind the codes.
      if (storage.block != 0) {
        DmaSegment scales =
            segment(p.scale + row * p.scale_row_bytes(), count * p.scale_row_bytes(), TrafficClass::scales);
        scales.tensor = p.id;
        d.add(scales);
      }
      DmaSegment codes =
          segment(p.index + row * p.index_row_bytes(), count * p.index_row_bytes(), TrafficClass::weights);
      codes.tensor = p.id;
      codes.group_bytes = static_cast<std::uint32_t>(p.index_row_bytes());
      codes.group_elements = static_cast<std::uint32_t>(k);
      d.add(codes);
      push(b, Queue::weights, d);

      decoder::Descriptor dec;
      dec.operation = op;
      dec.tensor = p.id;
      dec.rows = static_cast<std::uint32_t>(count);
      dec.row_elements = static_cast<std::uint32_t>(k);
      dec.kind = mode.decode;
      dec.bits = static_cast<std::uint8_t>(storage.bits);
      dec.bit_planes = p.format == WeightFormat::kKmeans3;
      dec.zero_point = p.format == WeightFormat::kInt4Zero;
      dec.block = static_cast<std::uint16_t>(storage.block);
      if (settings_.table && is_codebook(p.format)) {
        const DecoderTable& table = settings_.table(p.id);
        const bool real = mode.decode == decoder::DecodeKind::codebook_fp16;
        dec.codebook_size =
            static_cast<std::uint16_t>(real ? table.centroids.size() * sizeof(float) : table.codebook.size());
        std::memcpy(dec.codebook, real ? static_cast<const void*>(table.centroids.data()) : table.codebook.data(),
                    dec.codebook_size);
      }
      b.decoder.push_back(dec);
    }
    pe::Descriptor d;
    d.operation = op;
    d.a_operand = number;
    d.m = static_cast<std::uint32_t>(s.rows);
    d.n = static_cast<std::uint32_t>(count);
    d.k = static_cast<std::uint32_t>(k);
    d.n_begin = static_cast<std::uint32_t>(row);
    d.operand = mode.operand;
    d.load_a = load;
    d.passes = static_cast<std::uint8_t>(mode.passes);
    d.one_bit = mode.one_bit;
    d.block = static_cast<std::uint16_t>(storage.block);
    d.reuse_b = reuse;
    if (reuse)
      d.replay_cycles =
          static_cast<std::uint32_t>(std::ceil(static_cast<double>(count * k) / chip_.decoder.rate(storage.bits)));
    d.bits = static_cast<std::uint8_t>(storage.bits);
    if (settings_.table && is_codebook(p.format)) d.codebook_scale = settings_.table(p.id).scale;
    b.pe.push_back(d);
    expect_macs(0, s.rows * count * ceil_div(k, 32) * mode.passes);
  };
  auto each_unit = [&](const std::function<void(std::size_t, std::uint64_t, std::uint64_t)>& body) {
    for (std::size_t part = 0; part < (paired ? 1 : parts.size()); ++part)
      for (std::uint64_t column = 0; column < parts[part]->rows; column += unit_columns)
        body(part, column, std::min(unit_columns, parts[part]->rows - column));
  };
  auto unit_tiles = [&](std::size_t part, std::uint64_t column, std::uint64_t columns, const Strip& s,
                        std::uint32_t number, bool load, bool reuse) {
    const std::size_t first = paired ? 0 : part, last = paired ? parts.size() : part + 1;
    for (std::size_t p = first; p < last; ++p)
      for (std::uint64_t row = column; row < column + columns; row += tile_rows) {
        tile(*parts[p], s, row, std::min(tile_rows, column + columns - row), number, load, reuse);
        load = false;
      }
    unit(part, Unit{column, columns, s, op});
  };

  if (!ema.column_first) {
    for (const Strip& s : strips) {
      const std::uint32_t number = load_a(s);
      bool load = number != operand_at_array_;
      each_unit([&](std::size_t part, std::uint64_t column, std::uint64_t columns) {
        unit_tiles(part, column, columns, s, number, load, false);
        load = false;
      });
    }
  } else {
    each_unit([&](std::size_t part, std::uint64_t column, std::uint64_t columns) {
      for (std::size_t i = 0; i < strips.size(); ++i)
        unit_tiles(part, column, columns, strips[i], load_a(strips[i]), true, i != 0);
    });
  }
}

vector::Descriptor StepProgram::qkv_vector(Linear which, const Unit& u) const {
  vector::Descriptor v;
  v.operation = u.operation;
  v.kind = which == Linear::q   ? vector::Kind::rope_query
           : which == Linear::k ? vector::Kind::rope_key
                                : vector::Kind::value;
  v.rows = static_cast<std::uint32_t>(u.strip.rows);
  v.columns = static_cast<std::uint32_t>(u.columns);
  v.row_begin = static_cast<std::uint32_t>(u.strip.first);
  v.column_begin = static_cast<std::uint32_t>(u.column);
  v.row_width = static_cast<std::uint32_t>(which == Linear::q ? shape_.q_width() : shape_.kv_width());
  v.head_dim = static_cast<std::uint32_t>(shape_.head_dim);
  v.theta = shape_.rope_theta;
  v.half_split = settings_.half_split_rope;
  v.split = which == Linear::q && !resident_ ? 1 : 2;
  return v;
}

/// Keys that only the smoother sees: online offsets follow all keys of a sequence's first step, and none of them can be
/// stored before the last is known. On chip they come in one chunk; strips of them are computed twice.
void StepProgram::measure_keys_unit(Batch& b, int layer, const Unit& u) {
  const auto d = static_cast<std::uint32_t>(shape_.head_dim);
  for (std::uint64_t head = u.column / d; head < (u.column + u.columns) / d; ++head)
    for (const Part& p : parts_of(u.strip)) {
      const SequenceStep& s = work_.sequences[p.sequence];
      converter::Descriptor c;
      c.operation = u.operation;
      c.path = Path::key;
      c.keys = measures_keys(s) ? converter::Keys::measure : converter::Keys::drop;
      c.rows = static_cast<std::uint32_t>(p.rows);
      c.columns = d;
      c.first_position = static_cast<std::uint32_t>(p.position);
      c.slot = static_cast<std::uint32_t>(s.slot);
      c.layer = static_cast<std::uint32_t>(layer);
      c.head = static_cast<std::uint32_t>(head);
      b.converter.push_back(c);
    }
  b.vector.push_back(qkv_vector(Linear::k, u));
}

void StepProgram::qkv_unit(Batch& b, int layer, Linear which, const Unit& u) {
  const std::uint32_t d = shape_.head_dim;
  const std::uint32_t op = u.operation;
  const vector::Descriptor v = qkv_vector(which, u);
  const std::vector<Part> parts = parts_of(u.strip);
  for (std::uint64_t head = u.column / d; head < (u.column + u.columns) / d; ++head) {
    if (which == Linear::q) {
      const std::uint64_t group = shape_.queries_per_kv_head();
      converter::Descriptor c;
      c.path = chip_.attention_operand.bfp() ? Path::row : Path::pass;
      c.columns = d;
      c.operand_row_bytes = static_cast<std::uint32_t>(attention_row(d));
      if (!resident_) {
        c.operation = op;
        c.rows = v.rows;
        c.destination = Destination::out_write;
        c.out_bytes = c.rows * c.operand_row_bytes;
        b.converter.push_back(c);
        write_rows(b, map_.query, head, u.strip.first, u.strip.rows, c.operand_row_bytes, op);
        continue;
      }
      for (const Part& p : parts)
        for (std::uint64_t strip = 0, row = 0; row < p.rows; ++strip, row += query_strip_[p.sequence]) {
          c.operation = query_operand_[p.sequence][head / group][strip];
          c.rows = static_cast<std::uint32_t>(std::min(query_strip_[p.sequence], p.rows - row));
          c.row_begin = static_cast<std::uint32_t>(head % group);
          c.row_stride = static_cast<std::uint32_t>(group);
          c.out_bytes = c.rows * c.operand_row_bytes;
          b.converter.push_back(c);
        }
      continue;
    }
    for (const Part& p : parts) {
      const KvCacheLayout& kv = map_.kv;
      const SequenceStep& s = work_.sequences[p.sequence];
      const std::uint64_t context = s.cached + s.tokens;
      const KvCacheLayout::Place place{s.slot, layer, static_cast<int>(head)};
      std::vector<Segment> main, low, residual_main, residual_low;
      std::uint64_t stored_rows = p.rows;
      converter::Descriptor c;
      c.operation = op;
      c.path = which == Linear::k ? Path::key : Path::value;
      c.destination = Destination::kv_write;
      c.grouped = kv.policy().grouped();
      c.bits = kv.policy().format == KvFormat::kInt8 ? 8 : 16;
      c.rows = static_cast<std::uint32_t>(p.rows);
      c.columns = d;
      c.first_position = static_cast<std::uint32_t>(p.position);
      c.slot = static_cast<std::uint32_t>(s.slot);
      c.layer = static_cast<std::uint32_t>(layer);
      c.head = static_cast<std::uint32_t>(head);
      if (which == Linear::k) {
        if (measures_keys(s)) c.keys = converter::Keys::measured;
        kv.k_write(place, p.position, p.rows, context, main, low);
        KvCacheLayout::Range ranges[2];
        kv.k_low_written(p.position, p.rows, context, ranges);
        for (int i = 0; i < 2; ++i) {
          c.low_begin[i] = static_cast<std::uint32_t>(ranges[i].from);
          c.low_end[i] = static_cast<std::uint32_t>(ranges[i].to);
        }
      } else {
        const std::uint64_t end = p.position + p.rows;
        const auto key = std::make_pair(p.sequence, head);
        const bool ends_in_group = c.grouped != 0 && end < context && end % KvCacheLayout::group_tokens != 0;
        if (p.position > s.cached && p.position % KvCacheLayout::group_tokens != 0)
          c.growing_from = growing_[key].place;
        if (ends_in_group) c.growing_to = c.growing_from != 0 ? c.growing_from : keep_growing();
        if (c.growing_from != c.growing_to) growing_taken_[c.growing_from] = false;
        // Rows up to the last full group, or all: a group that goes on growing in memory is written as it is.
        if (c.growing_to != 0) stored_rows = std::max(end / 32 * 32, p.position) - p.position;
        if (stored_rows != 0) kv.v_write(place, p.position, stored_rows, context, main, low);
        if (c.growing_from == 0) kv.v_residual(place, p.position, residual_main, residual_low);
        for (const auto* list : {&residual_main, &residual_low})
          for (const Segment& piece : *list) c.residual_bytes += static_cast<std::uint32_t>(piece.bytes);
        if (c.grouped) {
          const std::uint64_t g0 = p.position / 32, g1 = ceil_div(p.position + p.rows, 32);
          // Groups that keep a low plane: at most two runs, the initial window's and the newest ones.
          std::uint64_t g = g0;
          auto wide = [&](std::uint64_t x) {
            return kv.v_group_wide(x, context) || (x + 1) * 32 > p.position + p.rows;
          };
          for (int i = 0; i < 2; ++i) {
            while (g < g1 && !wide(g)) ++g;
            c.low_begin[i] = static_cast<std::uint32_t>(g);
            while (g < g1 && wide(g)) ++g;
            c.low_end[i] = static_cast<std::uint32_t>(g);
          }
        }
        if (c.residual_bytes != 0) {
          if (p.position > s.cached)  // the strip before wrote it
            gate(b, Queue::residual, Queue::kv_write, growing_[key].written);
          add_segments(b, Queue::residual, residual_main, residual_low, op, TrafficClass::kv_read,
                       KvCacheLayout::group_main_bytes, false);
          expect(TrafficClass::kv_read, c.residual_bytes);
        }
        if (ends_in_group) growing_[key].place = c.growing_to;
      }
      std::uint64_t out = 0;
      for (const auto* list : {&main, &low})
        for (const Segment& piece : *list) out += piece.bytes;
      c.out_bytes = static_cast<std::uint32_t>(out);
      b.converter.push_back(c);
      add_segments(b, Queue::kv_write, main, low, op, TrafficClass::kv_write,
                   c.grouped ? KvCacheLayout::group_main_bytes : 1, true);
      if (which == Linear::v) growing_[{p.sequence, head}].written = kv_writes_;

      // The formula: tokens times bytes of a token's groups, and low planes for those that stay wide.
      const std::uint64_t key_groups = ceil_div(d, 32);
      if (!c.grouped) {
        expect(TrafficClass::kv_write, p.rows * (c.bits == 8 ? d + 2 : 2 * d));
      } else if (which == Linear::k) {
        std::uint64_t wide = 0;
        for (std::uint64_t t = p.position; t < p.position + p.rows; ++t) wide += kv.policy().wide(t, context);
        expect(TrafficClass::kv_write, key_groups * (21 * p.rows + 16 * wide));
      } else {
        for (std::uint64_t g = p.position / 32; stored_rows != 0 && g * 32 < p.position + stored_rows; ++g)
          expect(TrafficClass::kv_write,
                 d * (kv.v_group_wide(g, context) || (g + 1) * 32 > p.position + stored_rows ? 37 : 21));
      }
    }
  }
  b.vector.push_back(v);
}

/// A free place for a V group in the converter, counted from 1; 0 when all are taken.
std::uint16_t StepProgram::keep_growing() {
  const std::size_t places = chip_.growing_channels / static_cast<std::uint32_t>(shape_.head_dim);
  growing_taken_.resize(places + 1);
  for (std::size_t i = 1; i <= places; ++i)
    if (!growing_taken_[i]) {
      growing_taken_[i] = true;
      return static_cast<std::uint16_t>(i);
    }
  return 0;
}

void StepProgram::attention(Batch& b, int layer) {
  const KvCacheLayout& kv = map_.kv;
  const std::uint32_t d = shape_.head_dim;
  const std::uint32_t group = static_cast<std::uint32_t>(shape_.queries_per_kv_head());
  const std::uint32_t score_op = next_operation(OperationClass::attention_scores);
  const std::uint32_t value_op = next_operation(OperationClass::attention_values);
  const int plain_passes = chip_.attention_operand.bfp() ? 2 : 1;  // an FP16 or INT8 cache is converted on read

  struct Job {
    std::size_t sequence;
    int head;
    std::uint64_t strip, first_token, tokens;
  };
  std::vector<Job> jobs;
  for (std::size_t s = 0; s < work_.sequences.size(); ++s)
    for (int head = 0; head < shape_.num_key_value_heads; ++head)
      for (std::uint64_t t = 0, strip = 0; t < work_.sequences[s].tokens; t += query_strip_[s], ++strip)
        jobs.push_back({s, head, strip, t, std::min(query_strip_[s], work_.sequences[s].tokens - t)});

  gate(b, Queue::kv_read, Queue::kv_write, kv_writes_);
  std::vector<std::uint32_t> probability(jobs.size());
  // Unfused: what turns a strip's scores into probabilities, and how many descriptors of out_write bring either.
  std::vector<std::pair<vector::Descriptor, converter::Descriptor>> softmax(jobs.size());
  std::vector<std::uint64_t> scores_written(jobs.size()), probability_written(jobs.size());

  auto scores = [&](std::size_t i) {
    class_ = OperationClass::attention_scores;
    const Job& j = jobs[i];
    const SequenceStep& s = work_.sequences[j.sequence];
    const std::uint64_t context = s.cached + s.tokens, visible = s.cached + j.first_token + j.tokens;
    const KvCacheLayout::Place place{s.slot, layer, j.head};
    const std::uint32_t m = static_cast<std::uint32_t>(j.tokens) * group;
    std::uint32_t number;
    if (resident_) {
      number = query_operand_[j.sequence][j.head][j.strip];
    } else {
      number = ++operand_;
      read_rows(b, Queue::operand_read, map_.query, std::uint64_t(j.head) * group, group,
                first_row_[j.sequence] + j.first_token, j.tokens, static_cast<std::uint32_t>(attention_row(d)), number);
    }
    memory::OperandDescriptor q;
    q.operand = number;
    q.row_bytes = static_cast<std::uint32_t>(attention_row(d));
    q.rows = m;
    if (!resident_) {  // head by head, put back token by token
      q.from_memory = 1;
      q.block_bytes = q.row_bytes;
      q.block_rows = static_cast<std::uint32_t>(j.tokens);
    }
    b.operands.push_back(q);

    std::vector<Segment> main, low;
    kv.k_read(place, context, visible, main, low);
    std::uint64_t wide = 0, stored = 0;
    if (kv.policy().grouped()) {
      for (std::uint64_t t = 0; t < visible; ++t) wide += kv.policy().wide(t, context);
      stored = ceil_div(d, 32) * (21 * visible + 16 * wide);
    } else {
      stored = visible * (kv.policy().format == KvFormat::kInt8 ? d + 2 : 2 * d);
    }
    add_segments(b, Queue::kv_read, main, low, score_op, TrafficClass::kv_read,
                 kv.policy().grouped() ? KvCacheLayout::group_main_bytes : 1, false);
    expect(TrafficClass::kv_read, stored);

    pe::Descriptor p;
    p.operation = score_op;
    p.a_operand = number;
    p.m = m;
    p.n = static_cast<std::uint32_t>(visible);
    p.k = d;
    p.source = pe::Source::kv;
    p.operand = kv.policy().grouped() ? pe::Operand::keys : pe::Operand::keys_plain;
    p.bfp_a = chip_.attention_operand.bfp() ? 1 : 0;
    p.bits = kv.policy().format == KvFormat::kInt8 ? 8 : 16;
    p.load_a = 1;
    p.passes = static_cast<std::uint8_t>(kv.policy().grouped() ? 1 : plain_passes);
    p.b_bytes = stored;
    if (kv.policy().format == KvFormat::kBfp8) {
      p.wide_initial = p.n;
      p.wide_local = p.n;
    } else if (kv.policy().format == KvFormat::kBfp4Windows) {
      p.wide_initial = static_cast<std::uint32_t>(std::min<std::uint64_t>(kv.policy().n_initial, visible));
      p.wide_local = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
          context > std::uint64_t(kv.policy().n_local) ? context - kv.policy().n_local : 0, p.wide_initial, visible));
    } else {
      p.wide_local = p.n;
    }
    b.pe.push_back(p);
    if (p.bfp_a == 0) wide = 0;  // decoded to one FP16 operand, whatever its width was
    expect_macs(std::uint64_t(m) * visible * d, std::uint64_t(m) * ceil_div(d, 32) * (visible * p.passes + wide));

    vector::Descriptor v;
    v.operation = score_op;
    v.kind = vector::Kind::softmax;
    v.rows = m;
    v.columns = p.n;
    v.row_width = p.n;
    v.group = group;
    v.head_dim = d;
    v.visible = static_cast<std::uint32_t>(s.cached + j.first_token + 1);
    v.scale = static_cast<float>(1.0 / std::sqrt(double(d)));
    converter::Descriptor c;
    c.path = chip_.attention_operand.bfp() ? Path::row : Path::pass;
    c.rows = m;
    c.columns = p.n;
    c.operand_row_bytes = static_cast<std::uint32_t>(attention_row(visible));
    c.out_bytes = m * c.operand_row_bytes;
    probability[i] = ++operand_;
    if (!chip_.fused_attention) {
      write_scores(b, i, v);
      scores_written[i] = out_writes_;
      softmax[i] = {v, c};
      return;
    }
    c.operation = probability[i];
    b.vector.push_back(v);
    b.converter.push_back(c);
  };
  auto values = [&](std::size_t i) {
    class_ = OperationClass::attention_values;
    const Job& j = jobs[i];
    const SequenceStep& s = work_.sequences[j.sequence];
    const std::uint64_t context = s.cached + s.tokens, visible = s.cached + j.first_token + j.tokens;
    const KvCacheLayout::Place place{s.slot, layer, j.head};
    const std::uint32_t m = static_cast<std::uint32_t>(j.tokens) * group;
    memory::OperandDescriptor o;
    o.operand = probability[i];
    o.row_bytes = static_cast<std::uint32_t>(attention_row(visible));
    o.rows = m;
    if (!chip_.fused_attention) {
      o.from_memory = 1;
      gate(b, Queue::operand_read, Queue::out_write, probability_written[i]);
      DmaDescriptor read;
      read.operation = o.operand;
      read.add(segment(map_.probabilities[i % 2], o.bytes(), TrafficClass::activations));
      push(b, Queue::operand_read, read);
      expect(TrafficClass::activations, o.bytes());
    }
    b.operands.push_back(o);

    std::vector<Segment> main, low;
    const std::uint64_t read = values_read(visible, context);
    kv.v_read(place, context, read, main, low);
    const std::uint64_t groups = ceil_div(visible, 32);
    std::uint64_t wide = 0, stored = 0;
    pe::Descriptor p;
    p.wide_initial = 0;
    p.wide_local = static_cast<std::uint32_t>(groups);
    if (kv.policy().grouped()) {
      for (std::uint64_t g = 0; g < groups; ++g) wide += kv.v_group_wide(g, context);
      while (p.wide_initial < groups && kv.v_group_wide(p.wide_initial, context)) ++p.wide_initial;
      while (p.wide_local > p.wide_initial && kv.v_group_wide(p.wide_local - 1, context)) --p.wide_local;
      stored = d * (21 * groups + 16 * wide);
    } else {
      stored = read * (kv.policy().format == KvFormat::kInt8 ? d + 2 : 2 * d);
    }
    add_segments(b, Queue::kv_read, main, low, value_op, TrafficClass::kv_read,
                 kv.policy().grouped() ? KvCacheLayout::group_main_bytes : 1, false);
    expect(TrafficClass::kv_read, stored);

    p.operation = value_op;
    p.a_operand = probability[i];
    p.m = m;
    p.n = d;
    p.k = static_cast<std::uint32_t>(read);
    p.source = pe::Source::kv;
    p.operand = kv.policy().grouped() ? pe::Operand::values : pe::Operand::values_plain;
    p.bfp_a = chip_.attention_operand.bfp() ? 1 : 0;
    p.bits = kv.policy().format == KvFormat::kInt8 ? 8 : 16;
    p.load_a = 1;
    p.passes = static_cast<std::uint8_t>(kv.policy().grouped() ? 1 : plain_passes);
    p.b_bytes = stored;
    b.pe.push_back(p);
    if (p.bfp_a == 0) wide = 0;
    expect_macs(std::uint64_t(m) * read * d, std::uint64_t(m) * d * (groups * p.passes + wide));

    const bool last = i + 1 == jobs.size();
    vector::Descriptor v;
    v.operation = value_op;
    v.kind = vector::Kind::attention_out;
    v.rows = m;
    v.columns = d;
    v.group = group;
    v.head_dim = d;
    v.head_begin = static_cast<std::uint32_t>(j.head) * group;
    v.row_begin = static_cast<std::uint32_t>(first_row_[j.sequence] + j.first_token);
    v.row_width = static_cast<std::uint32_t>(shape_.q_width());
    v.spilled = !resident_;
    v.emit = !resident_ || last;
    b.vector.push_back(v);
    converter::Descriptor c;
    c.path = chip_.linear_operand.bfp() ? Path::row : Path::pass;
    if (resident_) {
      if (!last) return;
      c.operation = attended_operand_;
      c.rows = static_cast<std::uint32_t>(rows_);
      c.columns = v.row_width;
      c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(v.row_width));
      c.out_bytes = c.rows * c.operand_row_bytes;
      b.converter.push_back(c);
      return;
    }
    for (std::uint32_t g = 0; g < group; ++g) {
      c.operation = value_op;
      c.destination = Destination::out_write;
      c.rows = static_cast<std::uint32_t>(j.tokens);
      c.columns = d;
      c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(d));
      c.out_bytes = c.rows * c.operand_row_bytes;
      b.converter.push_back(c);
      write_rows(b, map_.attended, v.head_begin + g, v.row_begin, j.tokens, c.operand_row_bytes, value_op);
    }
  };

  // Scores of the next strip run on the array while the vector unit does the softmax of this one, where its queries fit
  // beside this one's probabilities: those come before their turn, and what has to be used earlier must not wait for
  // them (operand_buffer_module.h). With scores through memory a strip more is under way: one's scores leave while
  // another's come back and a third's probabilities do.
  if (chip_.fused_attention) {
    const auto query_bytes = [&](const Job& j) { return j.tokens * group * chip_.attention_operand.row_bytes(d); };
    const auto probability_bytes = [&](const Job& j) {
      return j.tokens * group *
             chip_.attention_operand.row_bytes(work_.sequences[j.sequence].cached + j.first_token + j.tokens);
    };
    std::size_t next = 0;  // whose values are to come
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const bool fits =
          resident_ || i == 0 || probability_bytes(jobs[i - 1]) + query_bytes(jobs[i]) <= chip_.operand_bytes;
      while (next < i && (!fits || next + 1 < i)) values(next++);
      scores(i);
    }
    while (next < jobs.size()) values(next++);
    return;
  }
  for (std::size_t i = 0; i < jobs.size() + 2; ++i) {
    if (i < jobs.size()) scores(i);
    if (i >= 1 && i <= jobs.size()) {
      class_ = OperationClass::attention_scores;
      softmax_of_scores(b, i - 1, softmax[i - 1].first, softmax[i - 1].second, scores_written[i - 1]);
      probability_written[i - 1] = out_writes_;
    }
    if (i >= 2) values(i - 2);
  }
}

/// A strip's scores to memory. Strips take two places in turn: the vector unit has read a strip's scores before it
/// gives out those of the strip after the next.
void StepProgram::write_scores(Batch& b, std::size_t strip, const vector::Descriptor& softmax) {
  const std::uint64_t bytes = std::uint64_t{softmax.rows} * softmax.columns * 2;
  if (bytes > map_.score_bytes)
    throw config::InputError("unfused attention: the scores of " + std::to_string(softmax.rows) + " queries and " +
                             std::to_string(softmax.columns) + " tokens take " + std::to_string(bytes) +
                             " bytes and the address map has room for " + std::to_string(map_.score_bytes));
  vector::Descriptor scores = softmax;
  scores.kind = vector::Kind::value;
  b.vector.push_back(scores);
  converter::Descriptor pass;
  pass.operation = softmax.operation;
  pass.path = Path::pass;
  pass.destination = Destination::out_write;
  pass.rows = softmax.rows;
  pass.columns = softmax.columns;
  pass.out_bytes = static_cast<std::uint32_t>(bytes);
  b.converter.push_back(pass);
  write_piece(b, map_.scores[strip % 2], bytes, softmax.operation);
}

/// They come back for the softmax, and the probabilities go to memory, to two places in turn: the array has read a
/// strip's before the vector unit gives out those of the strip after the next.
void StepProgram::softmax_of_scores(Batch& b, std::size_t strip, vector::Descriptor softmax,
                                    converter::Descriptor probabilities, std::uint64_t written) {
  const std::uint64_t bytes = std::uint64_t{softmax.rows} * softmax.columns * 2;
  gate(b, Queue::vector_read, Queue::out_write, written);
  DmaDescriptor read;
  read.operation = softmax.operation;
  read.add(segment(map_.scores[strip % 2], bytes, TrafficClass::activations));
  push(b, Queue::vector_read, read);
  expect(TrafficClass::activations, bytes);
  softmax.spilled = 1;
  softmax.operand_bytes = static_cast<std::uint32_t>(bytes);
  b.vector.push_back(softmax);

  probabilities.operation = softmax.operation;
  probabilities.destination = Destination::out_write;
  b.converter.push_back(probabilities);
  write_piece(b, map_.probabilities[strip % 2], probabilities.out_bytes, softmax.operation);
}

void StepProgram::residual_unit(Batch& b, const Unit& u) {
  vector::Descriptor v;
  v.operation = u.operation;
  v.kind = vector::Kind::residual_add;
  v.rows = static_cast<std::uint32_t>(u.strip.rows);
  v.columns = static_cast<std::uint32_t>(u.columns);
  v.row_begin = static_cast<std::uint32_t>(u.strip.first);
  v.column_begin = static_cast<std::uint32_t>(u.column);
  v.row_width = shape_.hidden_size;
  v.emit = v.spilled = !resident_;
  if (!resident_) {
    const std::uint64_t block = u.column / map_.residual.block_columns;
    const std::uint32_t row_bytes = 2 * v.columns;
    v.operand_bytes = v.rows * row_bytes;
    read_rows(b, Queue::vector_read, map_.residual, block, 1, u.strip.first, u.strip.rows, row_bytes, u.operation);
    converter::Descriptor c;
    c.operation = u.operation;
    c.path = Path::pass;
    c.destination = Destination::out_write;
    c.rows = v.rows;
    c.columns = v.columns;
    c.out_bytes = v.operand_bytes;
    b.converter.push_back(c);
    write_rows(b, map_.residual, block, u.strip.first, u.strip.rows, row_bytes, u.operation);
  }
  b.vector.push_back(v);
}

Batch StepProgram::layer(int index) {
  Batch b;
  const LayerPlaces& places = map_.layers[index];
  const std::uint64_t d = shape_.head_dim;
  const std::uint64_t heads_per_unit = std::max<std::uint64_t>(1, 128 / d);

  const std::uint32_t normed = ++operand_;
  norm(b, places.attention_norm, normed);
  query_operand_.assign(work_.sequences.size(), {});
  if (resident_)
    for (std::size_t s = 0; s < work_.sequences.size(); ++s) {
      const std::uint64_t strips = ceil_div(work_.sequences[s].tokens, query_strip_[s]);
      query_operand_[s].assign(shape_.num_key_value_heads, std::vector<std::uint32_t>(strips));
      for (auto& head : query_operand_[s])
        for (std::uint32_t& number : head) number = ++operand_;
    }
  bool measures = false;
  for (const SequenceStep& s : work_.sequences) measures = measures || measures_keys(s);
  if (measures)
    linears(b, {&place(index, Linear::k)}, false, heads_per_unit * d, rows_, normed, &map_.normed, OperationClass::qkv,
            [&](std::size_t, const Unit& u) { measure_keys_unit(b, index, u); });
  linears(b, {&place(index, Linear::q), &place(index, Linear::k), &place(index, Linear::v)}, false, heads_per_unit * d,
          rows_, normed, resident_ ? nullptr : &map_.normed, OperationClass::qkv,
          [&](std::size_t part, const Unit& u) { qkv_unit(b, index, static_cast<Linear>(part), u); });

  attended_operand_ = ++operand_;
  attention(b, index);
  linears(b, {&place(index, Linear::o)}, false, 128, rows_, attended_operand_, resident_ ? nullptr : &map_.attended,
          OperationClass::output, [&](std::size_t, const Unit& u) { residual_unit(b, u); });

  const std::uint32_t ffn_normed = ++operand_;
  norm(b, places.ffn_norm, ffn_normed);
  activated_operand_ = ++operand_;
  linears(b, {&place(index, Linear::gate), &place(index, Linear::up)}, true, 128, rows_, ffn_normed,
          resident_ ? nullptr : &map_.normed, OperationClass::gate_up, [&](std::size_t, const Unit& u) {
            vector::Descriptor v;
            v.operation = u.operation;
            v.kind = vector::Kind::silu_mul;
            v.rows = static_cast<std::uint32_t>(u.strip.rows);
            v.columns = static_cast<std::uint32_t>(u.columns);
            v.row_begin = static_cast<std::uint32_t>(u.strip.first);
            v.column_begin = static_cast<std::uint32_t>(u.column);
            v.row_width = shape_.intermediate_size;
            b.vector.push_back(v);
            converter::Descriptor c;
            c.path = chip_.linear_operand.bfp() ? Path::row : Path::pass;
            c.operation = resident_ ? activated_operand_ : u.operation;
            c.destination = resident_ ? Destination::activations : Destination::out_write;
            c.rows = v.rows;
            c.columns = v.columns;
            c.column_bytes = static_cast<std::uint32_t>(operand_row(u.column));
            c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(shape_.intermediate_size));
            c.out_bytes = static_cast<std::uint32_t>(c.rows * operand_row(u.columns));
            b.converter.push_back(c);
            if (!resident_)
              write_rows(b, map_.activated, u.column / map_.activated.block_columns, u.strip.first, u.strip.rows,
                         static_cast<std::uint32_t>(operand_row(u.columns)), u.operation);
          });
  linears(b, {&place(index, Linear::down)}, false, 128, rows_, activated_operand_,
          resident_ ? nullptr : &map_.activated, OperationClass::down,
          [&](std::size_t, const Unit& u) { residual_unit(b, u); });
  mark_last_uses(b);
  return b;
}

Batch StepProgram::head(std::uint64_t from, std::uint64_t to, bool more) {
  Batch b;
  std::uint64_t wanted = 0;
  for (const SequenceStep& s : work_.sequences) wanted += s.logits;
  if (wanted == 0) return b;
  const bool normed = head_operand_ != 0;  // an earlier piece's, or the vectors of a single linear
  const std::uint64_t strip_rows = normed ? wanted : head_rows(wanted);
  if (!normed) final_norm(b, 0, std::min(strip_rows, wanted));
  TensorPlace piece = map_.lm_head;
  piece.rows = std::min(to, piece.rows) - from;
  piece.index += from * piece.index_row_bytes();
  piece.scale += from * piece.scale_row_bytes();
  operand_at_array_ = from == 0 ? 0 : head_operand_;  // a later piece finds its operand where the first had it brought
  for (std::uint64_t row = 0; row < wanted; row += strip_rows) {
    const std::uint32_t operand = head_operand_;
    // The norm of the next strip runs on the vector unit while the array works with this one.
    const std::uint64_t next = row + strip_rows;
    if (next < wanted) final_norm(b, next, std::min(strip_rows, wanted - next));
    linears(b, {&piece}, false, 128, std::min(strip_rows, wanted - row), operand, nullptr, OperationClass::lm_head,
            [&](std::size_t, const Unit& u) {
              vector::Descriptor logits;
              logits.operation = u.operation;
              logits.kind = vector::Kind::logits;
              logits.last_rows = 1;
              logits.rows = static_cast<std::uint32_t>(u.strip.rows);
              logits.columns = static_cast<std::uint32_t>(u.columns);
              logits.row_begin = static_cast<std::uint32_t>(row);
              logits.column_begin = static_cast<std::uint32_t>(from + u.column);
              logits.row_width = shape_.vocab_size;
              b.vector.push_back(logits);
            });
  }
  mark_last_uses(b, more);
  return b;
}

/// Rows of lm_head's operand at a time: all that fit, or, when not all do, half of the buffer's, so that the next are
/// there when the array has done with these.
std::uint64_t StepProgram::head_rows(std::uint64_t wanted) const {
  const std::uint64_t row = operand_row(static_cast<std::uint64_t>(shape_.hidden_size));
  if (wanted * row <= chip_.operand_bytes) return wanted;
  return std::max<std::uint64_t>(1, chip_.operand_bytes / 2 / row);
}

bool StepProgram::head_in_strips() const {
  std::uint64_t wanted = 0;
  for (const SequenceStep& s : work_.sequences) wanted += s.logits;
  return head_rows(wanted) < wanted;
}

/// Rows [first, first + rows) of those that logits are wanted of, to an operand of lm_head.
void StepProgram::final_norm(Batch& b, std::uint64_t first, std::uint64_t rows) {
  const std::uint32_t h = shape_.hidden_size;
  const std::uint32_t op = next_operation(OperationClass::elementwise);
  head_operand_ = ++operand_;

  const std::uint64_t gamma = first == 0 ? 2 * h : 0;
  if (gamma != 0) {
    DmaDescriptor g;
    g.operation = op;
    g.add(segment(map_.final_norm, gamma, TrafficClass::weights));
    push(b, Queue::vector_read, g);
    expect(TrafficClass::weights, gamma);
  }
  if (!resident_)
    for (std::size_t i = 0, wanted = 0; i < work_.sequences.size(); ++i) {
      if (!work_.sequences[i].logits) continue;
      const std::uint64_t number = wanted++;
      if (number < first || number >= first + rows) continue;
      const std::uint64_t row = first_row_[i] + work_.sequences[i].tokens - 1;
      for (std::uint64_t block = 0; block < map_.residual.blocks; ++block) {
        const std::uint64_t columns =
            std::min<std::uint64_t>(map_.residual.block_columns, h - block * map_.residual.block_columns);
        read_rows(b, Queue::vector_read, map_.residual, block, 1, row, 1, static_cast<std::uint32_t>(2 * columns), op);
      }
    }
  vector::Descriptor v;
  v.operation = op;
  v.kind = vector::Kind::norm;
  v.rows = static_cast<std::uint32_t>(rows);
  v.row_begin = static_cast<std::uint32_t>(first);
  v.columns = v.row_width = h;
  v.last_rows = 1;
  v.spilled = !resident_;
  v.operand_bytes = static_cast<std::uint32_t>(gamma + (resident_ ? 0 : rows * 2 * h));
  v.scale = static_cast<float>(shape_.rms_norm_eps);
  b.vector.push_back(v);
  converter::Descriptor c;
  c.operation = head_operand_;
  c.path = chip_.linear_operand.bfp() ? Path::row : Path::pass;
  c.rows = v.rows;
  c.columns = h;
  c.operand_row_bytes = static_cast<std::uint32_t>(operand_row(h));
  c.out_bytes = c.rows * c.operand_row_bytes;
  b.converter.push_back(c);
}

}  // namespace harmonia::accelerator
