#include "harmonia/hw/program/conservation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/program/linear_mode.h"

namespace harmonia::accelerator {
namespace {

using bus::TrafficClass;

std::uint64_t quotient_up(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// C[m x n] = A[m x k] B[n x k]^T, B being one matrix or several.
struct Gemm {
  OperationClass c;
  std::uint64_t m, k;
  std::vector<std::uint64_t> n;
  std::uint64_t strip_of_b;  // columns of B whose results are handed on together
  bool b_side_by_side;       // a strip of B is of all matrices at once
  bool a_in_memory;
  WeightFormat format;
  std::uint64_t block_of_a = 128;  // columns of A that lie together in memory
  std::uint64_t whole_row = 0;     // bytes of a row of results that are kept until all are there
};

/// How often a GEMM reads A and B, how many rows of A are on chip at a time, and in how many parts K comes.
struct Reads {
  std::uint64_t a, b, rows;
  bool column_first;
  std::uint64_t parts = 1;
};

class Count {
 public:
  Count(const ModelShape& shape, const StoredFormats& formats, formats::CodebookKind codebook, const OnChip& chip,
        const StepWork& work, const Routing* routing);
  Expected embedding(bool single_linear);
  Expected layer(int index);
  Expected head(std::uint64_t columns, bool single_linear);

 private:
  void bytes(OperationClass c, TrafficClass traffic, std::uint64_t count);
  void cache(OperationClass c, std::uint64_t count);
  void macs(OperationClass c, std::uint64_t count, std::uint64_t slots);
  Expected::OfClass& of(OperationClass c) { return e_.of_class[static_cast<std::size_t>(c)]; }
  void turn_to(int index);
  bool fits_on_chip(int index) const;
  void operation(const std::string& name, int index);
  std::uint64_t part_of_k(const Gemm& gemm) const;
  Reads reads_of(const Gemm& gemm) const;
  void linear(const Gemm& gemm);
  void norm(bool plain = false);
  void norm_behind();
  void leave(OperationClass c);
  void biases(const Gemm& gemm, std::uint64_t width);
  void up(std::uint64_t rows, std::uint64_t width, bool with_biases);
  void down(std::uint64_t rows, std::uint64_t width, bool with_biases);
  ExpertWork each_expert(const RowsOfExperts& all);
  void experts(int index);
  void query_key_value();
  void append(const SequenceStep& s, const std::uint64_t first_row, const Reads& reads);
  void append_values(const SequenceStep& s, std::uint64_t position, std::uint64_t rows, std::uint64_t heads, bool kept);
  void attention(std::size_t sequence, std::uint64_t window);
  void attention_strip(const SequenceStep& s, std::uint64_t first, std::uint64_t tokens, std::uint64_t window);
  std::uint64_t query_strip_of_layer(const SequenceStep& s) const;
  std::uint64_t online_scratch(const SequenceStep& s) const;
  /// What the step's first token sees of a window, from its group on, to the last.
  std::uint64_t keys_of_step(const SequenceStep& s) const {
    const auto window = static_cast<std::uint64_t>(shape_.sliding_window);
    const bool windows_alone = window != 0 && shape_.full_attention_layers.empty();
    return s.context() - (windows_alone ? out_of_window(s.cached + 1, window) : 0);
  }
  /// Of so many tokens those whose groups no longer hold one of the newest `window`.
  static std::uint64_t out_of_window(std::uint64_t tokens, std::uint64_t window) {
    return tokens > window ? (tokens - window) / kv_group * kv_group : 0;
  }
  std::uint64_t keys_on_chip(const SequenceStep& s) const {
    return chip_.online_block == 0 ? keys_of_step(s) : std::min(chip_.online_block, keys_of_step(s));
  }
  std::uint64_t heads_kept_in_converter(bool column_first) const;
  std::uint64_t a_bytes(std::uint64_t values) const { return chip_.linear_operand.row_bytes(values); }
  /// Of a norm: a row longer than the scratch memory is read again for its values.
  std::uint64_t norm_bytes() const { return 2 * static_cast<std::uint64_t>(shape_.norm_width()); }
  std::uint64_t beside_stream() const { return shape_.norms_behind() ? std::max(hidden_, q_width_) : q_width_; }
  std::uint64_t row_reads() const { return 2 * hidden_ > chip_.scratch_bytes ? 2 : 1; }
  std::uint64_t q_bytes(std::uint64_t values) const { return chip_.attention_operand.row_bytes(values); }
  std::uint64_t whole_rounds(std::uint64_t rows) const {
    const auto round = static_cast<std::uint64_t>(chip_.pe_rows);
    return rows > round ? rows - rows % round : rows;
  }

  const ModelShape& model_;
  ModelShape shape_;  // the model's, as it is for the layer at hand
  const Routing* routing_;
  const StoredFormats& formats_;
  const formats::CodebookKind codebook_;
  const OnChip& chip_;
  const StepWork& work_;
  const KvHead kv_;
  // The model's shape: widths of the residual stream, of all queries, of all keys, of the feed-forward network; channels
  // of a head; kv heads; query heads of each.
  const std::uint64_t hidden_, d_;
  std::uint64_t q_width_ = 0, kv_width_ = 0, feed_forward_ = 0, kv_heads_ = 0, group_ = 0;
  const std::uint64_t rows_;
  bool on_chip_ = true;
  std::vector<std::uint64_t> query_strips_;  // tokens, by sequence: the least of all layers
  Expected e_;
};

Count::Count(const ModelShape& shape, const StoredFormats& formats, formats::CodebookKind codebook, const OnChip& chip,
             const StepWork& work, const Routing* routing)
    : model_(shape),
      shape_(shape),
      routing_(routing),
      formats_(formats),
      codebook_(codebook),
      chip_(chip),
      work_(work),
      kv_(formats.kv, shape.head_dim),
      hidden_(static_cast<std::uint64_t>(shape.hidden_size)),
      d_(static_cast<std::uint64_t>(shape.head_dim)),
      rows_(work.tokens()) {
  // What holds of a step holds of each of its layers, which may have heads and widths of their own.
  for (const int sort : shape.sorts_of_layers()) {
    turn_to(sort);
    on_chip_ = on_chip_ && fits_on_chip(sort);
  }
  query_strips_.assign(work.sequences.size(), ~std::uint64_t{0});
  for (const int sort : shape.sorts_of_layers()) {
    turn_to(sort);
    for (std::size_t s = 0; s < query_strips_.size(); ++s)
      query_strips_[s] = std::min(query_strips_[s], query_strip_of_layer(work.sequences[s]));
  }
}

void Count::turn_to(int index) {
  if (!model_.layers.empty()) shape_ = model_.of_layer(index);
  q_width_ = static_cast<std::uint64_t>(shape_.q_width());
  kv_width_ = static_cast<std::uint64_t>(shape_.kv_width());
  feed_forward_ = static_cast<std::uint64_t>(shape_.intermediate_size);
  kv_heads_ = static_cast<std::uint64_t>(shape_.num_key_value_heads);
  group_ = static_cast<std::uint64_t>(shape_.queries_per_kv_head());
}

void Count::bytes(OperationClass c, TrafficClass traffic, std::uint64_t count) {
  e_.bytes[static_cast<std::size_t>(traffic)] += count;
  of(c).bytes += count;
}

/// Read by attention, through the KV buffer.
void Count::cache(OperationClass c, std::uint64_t count) {
  bytes(c, TrafficClass::kv_read, count);
  of(c).kv_buffer_bytes += count;
}

void Count::macs(OperationClass c, std::uint64_t count, std::uint64_t slots) {
  e_.macs += count;
  e_.pe_slots += slots;
  of(c).macs += count;
}

/// FP16 residual stream and attention outputs in the scratch half; in the operand half what the norm gives and what the
/// linear behind it makes of that, and queries beside the probabilities of one token.
bool Count::fits_on_chip(int index) const {
  const std::uint64_t queries = kv_heads_ * group_ * q_bytes(d_);
  std::uint64_t longest = 0, online = 0;
  const Mixture& m = model_.mixture;
  const auto widest = static_cast<std::uint64_t>(
      std::max({model_.is_dense(index) ? shape_.intermediate_size : 0, m.expert_width, m.shared_width}));
  for (const SequenceStep& s : work_.sequences) {
    longest = std::max(longest, q_bytes(keys_on_chip(s)));
    online = std::max(online, online_scratch(s));
  }
  return rows_ * 2 * (hidden_ + beside_stream()) + online <= chip_.scratch_bytes &&
         rows_ * (a_bytes(hidden_) + std::max(a_bytes(widest), queries)) <= chip_.operand_bytes &&
         rows_ * queries + group_ * (q_bytes(d_) + longest) <= chip_.operand_bytes;
}

/// K where rows of A and B fit; otherwise as many units of it as do in parts as equal as possible.
std::uint64_t Count::part_of_k(const Gemm& gemm) const {
  const WeightStorage storage = gemm.format->storage;
  const auto b_row = [&](std::uint64_t k) { return storage.index_row_bytes(k) + storage.scale_row_bytes(k); };
  const auto fits = [&](std::uint64_t k) {
    return b_row(k) <= chip_.weight_tile_bytes && (!gemm.a_in_memory || a_bytes(k) <= chip_.operand_bytes);
  };
  if (fits(gemm.k)) return gemm.k;
  std::uint64_t unit = formats::kBfpGroup;
  for (const std::uint64_t whole :
       {static_cast<std::uint64_t>(storage.block), std::uint64_t{chip_.linear_operand.group},
        gemm.a_in_memory ? std::min(gemm.k, gemm.block_of_a) : 0})
    if (whole != 0) unit = std::lcm(unit, whole);
  const std::uint64_t units = quotient_up(gemm.k, unit);
  std::uint64_t most = 1;
  while (most < units && fits((most + 1) * unit)) ++most;
  return quotient_up(units, quotient_up(units, most)) * unit;
}

/// row-first:    M K bA + ceil(M / rowsA) K N bB
/// column-first: K N bB + (strips of B) M K bA
Reads Count::reads_of(const Gemm& gemm) const {
  // Each part of K is a product of its own.
  const std::uint64_t k = part_of_k(gemm), parts = quotient_up(gemm.k, k);
  if (!gemm.a_in_memory) return {0, 1, gemm.m, false, parts};
  const std::uint64_t a_row = a_bytes(k);
  const WeightStorage storage = gemm.format->storage;
  const std::uint64_t b_row = storage.index_row_bytes(k) + storage.scale_row_bytes(k);
  std::uint64_t rows = whole_rounds(chip_.operand_bytes / a_row);
  if (gemm.whole_row != 0)
    rows = std::min(rows, std::max<std::uint64_t>(1, whole_rounds(chip_.scratch_bytes / gemm.whole_row)));
  const Reads row_first{1, quotient_up(gemm.m, rows), rows, false, parts};

  std::uint64_t n = 0, strips = 0;
  for (const std::uint64_t columns : gemm.n) {
    n += columns;
    strips += quotient_up(columns, gemm.strip_of_b);
  }
  if (gemm.b_side_by_side) strips = quotient_up(gemm.n.front(), gemm.strip_of_b);
  const std::uint64_t kept = gemm.strip_of_b * (gemm.b_side_by_side ? gemm.n.size() : 1);
  const bool b_fits =
      kept * b_row <= chip_.weight_tile_bytes &&
      gemm.strip_of_b <= static_cast<std::uint64_t>(chip_.pe_rows) * static_cast<std::uint64_t>(chip_.pe_cols);
  // Strips of A that stream by share the room: one is read while the array works with the one before.
  const Reads column_first{strips, 1, std::max<std::uint64_t>(1, whole_rounds(chip_.operand_bytes / 2 / a_row)), true,
                           parts};
  if (chip_.order == LoopOrder::row_first || !b_fits || gemm.whole_row != 0) return row_first;
  if (chip_.order == LoopOrder::column_first) return column_first;
  const std::uint64_t a = gemm.m * a_row, b = n * b_row;
  return strips * a + b < a + row_first.b * b ? column_first : row_first;
}

void Count::linear(const Gemm& gemm) {
  const WeightStorage storage = gemm.format->storage;
  const Reads reads = reads_of(gemm);
  const auto passes =
      static_cast<std::uint64_t>(linear_mode(gemm.format, codebook_, chip_.linear_operand.bfp()).passes);
  const std::uint64_t columns = std::accumulate(gemm.n.begin(), gemm.n.end(), std::uint64_t{0});
  const double rate = chip_.weights_per_cycle.at(static_cast<std::size_t>(storage.bits));
  const double each =
      product_kernel(chip_.kernels, chip_.macs_per_cycle, {gemm.m, columns, gemm.k, rate, is_codebook(gemm.format)})
          .expansions;
  for (const std::uint64_t n : gemm.n) {
    bytes(gemm.c, TrafficClass::weights, reads.b * n * storage.index_row_bytes(gemm.k));
    bytes(gemm.c, TrafficClass::scales, reads.b * n * storage.scale_row_bytes(gemm.k));
    of(gemm.c).weight_buffer_bytes += reads.b * n * (storage.index_row_bytes(gemm.k) + storage.scale_row_bytes(gemm.k));
    e_.weights += reads.b * n * gemm.k;
    e_.of_class[static_cast<std::size_t>(gemm.c)].weights +=
        static_cast<std::uint64_t>(std::llround(static_cast<double>(reads.b * n * gemm.k) * each));
    macs(gemm.c, gemm.m * n * gemm.k, gemm.m * n * formats::bfp_groups(gemm.k) * passes);
  }
  bytes(gemm.c, TrafficClass::activations, reads.a * gemm.m * a_bytes(gemm.k));
  // 2 M N 4 bytes for each extra split: FP32 sums written behind a part and read before the next.
  for (const std::uint64_t n : gemm.n) {
    const std::uint64_t sums = (reads.parts - 1) * gemm.m * n * 4;
    bytes(gemm.c, TrafficClass::partial_sums, 2 * sums);
    of(gemm.c).kv_buffer_bytes += sums;  // they come back through the KV buffer
  }
}

Expected Count::embedding(bool single_linear) {
  e_ = {};
  if (!shape_.stage_before) bytes(OperationClass::embedding, TrafficClass::weights, rows_ * 2 * hidden_);
  // As the residual stream, or as the operand of a single linear.
  if (!on_chip_)
    bytes(OperationClass::embedding, TrafficClass::activations,
          rows_ * (single_linear ? a_bytes(hidden_) : 2 * hidden_));
  if (shape_.tensor_devices > 1 && !shape_.stage_before) e_.reduced_values += rows_ * hidden_;
  return e_;
}

/// Gains, and rows of the residual stream that become operands. plain: as they are.
void Count::norm(bool plain) {
  if (!plain) bytes(OperationClass::elementwise, TrafficClass::weights, norm_bytes());
  if (!on_chip_)
    bytes(OperationClass::elementwise, TrafficClass::activations,
          rows_ * ((plain ? 1 : row_reads()) * 2 * hidden_ + a_bytes(hidden_)));
}

/// Gains, a block's results, and the residual stream that they are added to.
void Count::norm_behind() {
  bytes(OperationClass::elementwise, TrafficClass::weights, norm_bytes());
  if (!on_chip_) bytes(OperationClass::elementwise, TrafficClass::activations, rows_ * 2 * hidden_ * (row_reads() + 2));
}

/// What a block gives: added to the residual stream, or kept for a norm.
void Count::leave(OperationClass c) {
  if (!on_chip_) bytes(c, TrafficClass::activations, rows_ * 2 * hidden_ * (shape_.norms_behind() ? 1 : 2));
}

/// Those of a product's results: for each strip of rows.
void Count::biases(const Gemm& gemm, std::uint64_t width) {
  bytes(gemm.c, TrafficClass::weights, quotient_up(gemm.m, reads_of(gemm).rows) * 2 * width);
}

Expected Count::layer(int index) {
  e_ = {};
  turn_to(index);
  if (shape_.tensor_devices > 1) e_.reduced_values += 2 * rows_ * hidden_;  // behind attention and feed-forward
  for (const std::string& name : model_.operations_of(index)) operation(name, index);
  return e_;
}

/// One operation of a layer, by its name in the layer graph.
void Count::operation(const std::string& name, int index) {
  const bool spilled = !on_chip_;
  const WeightFormat format = formats_.weights, wide = formats::weight_format("fp16");
  const Mixture& m = shape_.mixture;
  const auto shared = static_cast<std::uint64_t>(m.shared_width);
  const auto from_16_bit = [&](std::uint64_t n) {
    linear({OperationClass::gate_up, rows_, hidden_, {n}, 128, false, false, wide});
  };
  if (name == "attention_norm" || name == "ffn_norm") return norm(!shape_.norms_before());
  if (name == "attention_post_norm" || name == "ffn_post_norm") return norm_behind();
  if (name == "qkv") return query_key_value();
  if (name == "attention") {
    for (std::size_t s = 0; s < work_.sequences.size(); ++s) attention(s, shape_.window_of(index));
  } else if (name == "output") {
    const Gemm output{OperationClass::output, rows_, q_width_, {hidden_}, 128, false, spilled, format, d_};
    linear(output);
    if (shape_.o_bias) biases(output, hidden_);
    leave(OperationClass::output);
  } else if (name == "gate_up" || name == "up") {
    up(rows_, feed_forward_, shape_.ffn_bias);
    if (spilled) bytes(OperationClass::gate_up, TrafficClass::activations, rows_ * a_bytes(feed_forward_));
  } else if (name == "down") {
    down(rows_, feed_forward_, shape_.ffn_bias);
    leave(OperationClass::down);
  } else if (name == "router") {
    // A mixture is on chip: other steps are refused.
    from_16_bit(static_cast<std::uint64_t>(m.experts));
    if (shape_.ffn_bias)
      bytes(OperationClass::gate_up, TrafficClass::weights, 2 * static_cast<std::uint64_t>(m.experts));
  } else if (name == "shared_scale") {
    from_16_bit(1);
  } else if (name == "shared_gate_up") {
    up(rows_, shared, false);
  } else if (name == "shared_down") {
    down(rows_, shared, false);
  } else if (name == "experts") {
    experts(index);
  } else {
    throw std::logic_error("no formula counts the operation '" + name + "'");
  }
}

void Count::up(std::uint64_t rows, std::uint64_t width, bool with_biases) {
  const std::vector<std::uint64_t> both = {width, width}, one = {width};
  const Gemm first{OperationClass::gate_up, rows, hidden_, shape_.gated ? both : one, 128, shape_.gated, !on_chip_,
                   formats_.weights};
  linear(first);
  if (with_biases) biases(first, width * first.n.size());
}

void Count::down(std::uint64_t rows, std::uint64_t width, bool with_biases) {
  const Gemm gemm{OperationClass::down, rows, width, {hidden_}, 128, false, !on_chip_, formats_.weights};
  linear(gemm);
  if (with_biases) biases(gemm, hidden_);
}

/// Each expert that a row was sent to, once.
ExpertWork Count::each_expert(const RowsOfExperts& all) {
  const Expected before = e_;
  const auto width = static_cast<std::uint64_t>(shape_.mixture.expert_width);
  ExpertWork w;
  for (const std::vector<std::uint32_t>& rows : all) {
    if (rows.empty()) continue;
    up(rows.size(), width, shape_.ffn_bias);
    down(rows.size(), width, shape_.ffn_bias);
    ++w.experts;
    w.rows += rows.size();
  }
  for (std::size_t i = 0; i < w.bytes.size(); ++i) w.bytes[i] = e_.bytes[i] - before.bytes[i];
  w.macs = e_.macs - before.macs;
  w.pe_slots = e_.pe_slots - before.pe_slots;
  w.weights = e_.weights - before.weights;
  for (std::size_t c = 0; c < e_.of_class.size(); ++c)
    w.buffer_bytes += e_.of_class[c].weight_buffer_bytes - before.of_class[c].weight_buffer_bytes +
                      e_.of_class[c].kv_buffer_bytes - before.of_class[c].kv_buffer_bytes;
  w.operand_bytes = w.rows * (a_bytes(hidden_) + a_bytes(width));
  w.results = w.rows * (2 * width + hidden_);
  w.converted = w.rows * width;
  return w;
}

void Count::experts(int index) {
  const RowsOfExperts all = rows_of_all_experts(shape_, *routing_, work_, index);
  if (shape_.expert_devices > 1) {
    const Expected before = e_;
    const ExpertWork placed = each_expert(all);
    e_ = before;
    e_.placed = placed;
    for (const auto& rows : rows_of_device(shape_, all, busiest_device(shape_, all)))
      e_.most_experts += rows.empty() ? 0 : 1;
  }
  e_.experts = each_expert(rows_of_own_experts(shape_, all));
  ++e_.mixtures;
}

void Count::query_key_value() {
  const std::uint64_t strip_of_b = std::max<std::uint64_t>(1, 128 / d_) * d_;  // whole heads
  const auto gemm = [&](std::vector<std::uint64_t> n) {
    return Gemm{OperationClass::qkv,
                rows_,
                hidden_,
                n,
                strip_of_b,
                false,
                !on_chip_,
                formats_.weights,
                128,
                shape_.qk_norm_all_heads ? 2 * q_width_ : 0};
  };
  // Online offsets follow all keys of a first step: those that come in strips are computed once more, before.
  const bool measured =
      !on_chip_ && chip_.online_smoothing &&
      std::any_of(work_.sequences.begin(), work_.sequences.end(), [](const SequenceStep& s) { return s.cached == 0; });
  if (measured) {
    linear(gemm({kv_width_}));
    if (shape_.qkv_bias) biases(gemm({kv_width_}), kv_width_);
  }
  const std::vector<std::uint64_t> all = {q_width_, kv_width_, kv_width_};
  linear(gemm(all));
  if (shape_.qkv_bias) biases(gemm(all), q_width_ + 2 * kv_width_);
  if (shape_.qk_norm)
    bytes(OperationClass::qkv, TrafficClass::weights, 2 * (shape_.qk_norm_all_heads ? q_width_ + kv_width_ : 2 * d_));
  if (!on_chip_) bytes(OperationClass::qkv, TrafficClass::activations, rows_ * kv_heads_ * group_ * q_bytes(d_));
  const Reads reads = reads_of(gemm(all));
  std::uint64_t row = 0;
  for (const SequenceStep& s : work_.sequences) {
    append(s, row, reads);
    row += s.tokens;
  }
}

/// Of so many kv heads the converter keeps the V group that a strip of rows ends within. Row-first has all heads under
/// way at once, column-first those of one strip of B.
std::uint64_t Count::heads_kept_in_converter(bool column_first) const {
  const std::uint64_t room = chip_.growing_channels / d_;
  if (!column_first) return std::min(kv_heads_, room);
  const std::uint64_t at_once = std::max<std::uint64_t>(1, 128 / d_);
  return kv_heads_ / at_once * std::min(at_once, room) + std::min(kv_heads_ % at_once, room);
}

void Count::append(const SequenceStep& s, const std::uint64_t first_row, const Reads& reads) {
  bytes(OperationClass::qkv, TrafficClass::kv_write, kv_heads_ * kv_.keys_written(s.cached, s.tokens, s.context()));
  const std::uint64_t kept = heads_kept_in_converter(reads.column_first);
  // The sequence's rows, cut where strips of the step's rows end.
  for (std::uint64_t row = first_row, end = first_row + s.tokens; row < end;) {
    const std::uint64_t next = std::min(end, (row / reads.rows + 1) * reads.rows);
    append_values(s, s.cached + row - first_row, next - row, kept, true);
    append_values(s, s.cached + row - first_row, next - row, kv_heads_ - kept, false);
    row = next;
  }
}

/// Values of `rows` tokens from `position` on, of `heads` kv heads. kept: the group that the strip ends within stays in
/// the converter until the next strip, otherwise it goes to memory and comes back.
void Count::append_values(const SequenceStep& s, std::uint64_t position, std::uint64_t rows, std::uint64_t heads,
                          bool kept) {
  const std::uint64_t end = position + rows;
  kept = kept && kv_.policy.grouped();
  std::uint64_t written = rows;
  if (kept && end < s.context() && end % kv_group != 0) written -= std::min(rows, end % kv_group);
  bytes(OperationClass::qkv, TrafficClass::kv_write, heads * kv_.values_written(position, written, s.context()));
  if (!kept || position == s.cached)
    bytes(OperationClass::qkv, TrafficClass::kv_read, heads * kv_.residual_bytes(position));
}

/// A token's rows of one kv head, online: FP32 output, maximum, two sums, two factors; FP16 scores or outputs of a block.
std::uint64_t Count::online_scratch(const SequenceStep& s) const {
  return chip_.online_block == 0 ? 0 : group_ * (4 * d_ + 20 + 2 * std::max(d_, keys_on_chip(s)));
}

/// Query tokens whose scores fit half of the free scratch memory and whose operands half of the free operand memory, in
/// whole groups where they are more than one.
std::uint64_t Count::query_strip_of_layer(const SequenceStep& s) const {
  const std::uint64_t scratch = chip_.scratch_bytes - (on_chip_ ? rows_ * 2 * (hidden_ + beside_stream()) : 0);
  const std::uint64_t room = chip_.operand_bytes - (on_chip_ ? rows_ * kv_heads_ * group_ * q_bytes(d_) : 0);
  const std::uint64_t tokens = std::max<std::uint64_t>(
      1, std::min(chip_.online_block != 0 ? scratch / online_scratch(s) : scratch / 2 / (2 * group_ * keys_of_step(s)),
                  room / 2 / (group_ * (q_bytes(d_) + q_bytes(keys_on_chip(s))))));
  return std::min(s.tokens, tokens > kv_group ? tokens - tokens % kv_group : tokens);
}

void Count::attention(std::size_t sequence, std::uint64_t window) {
  const SequenceStep& s = work_.sequences[sequence];
  const std::uint64_t strip = query_strips_[sequence];
  for (std::uint64_t first = 0; first < s.tokens; first += strip)
    attention_strip(s, first, std::min(strip, s.tokens - first), window);
}

/// All kv heads of one strip of queries, which attend to `window` tokens each (0: to all).
void Count::attention_strip(const SequenceStep& s, std::uint64_t first, std::uint64_t tokens, std::uint64_t window) {
  constexpr auto scores = OperationClass::attention_scores, values = OperationClass::attention_values;
  const bool bfp = chip_.attention_operand.bfp(), grouped = kv_.policy.grouped();
  const std::uint64_t context = s.context(), visible = s.cached + first + tokens, m = kv_heads_ * tokens * group_;
  const std::uint64_t gone = window == 0 ? 0 : out_of_window(s.cached + first + 1, window), seen = visible - gone;
  const std::uint64_t passes = bfp && !grouped ? 2 : 1;  // a plain cache becomes BFP8
  if (!on_chip_) bytes(scores, TrafficClass::activations, m * q_bytes(d_));
  if (shape_.attention_sinks) bytes(scores, TrafficClass::weights, 2 * kv_heads_ * group_);
  cache(scores, kv_heads_ * kv_.keys_read({gone, visible}, context));
  const std::uint64_t wide_keys = bfp ? kv_.wide_keys(UnitRange{gone, visible}, context).count() : 0;
  macs(scores, m * seen * d_, m * formats::bfp_groups(d_) * (seen * passes + wide_keys));
  if (!chip_.fused_attention) {
    bytes(scores, TrafficClass::activations, m * (2 * (2 * seen) + q_bytes(seen)));
    bytes(values, TrafficClass::activations, m * q_bytes(seen));
  }
  // Groups of a plain cache are formed of all tokens that are there, also of those behind the strip's last.
  const std::uint64_t read = grouped || !bfp ? visible : std::min(context, quotient_up(visible, kv_group) * kv_group);
  cache(values, kv_heads_ * kv_.values_read({gone, read}, context));
  const std::uint64_t wide_groups = bfp ? kv_.wide_groups(UnitRange{gone, visible}, context).count() : 0;
  macs(values, m * (read - gone) * d_, m * d_ * (quotient_up(seen, kv_group) * passes + wide_groups));
  if (!on_chip_) bytes(values, TrafficClass::activations, m * a_bytes(d_));
}

Expected Count::head(std::uint64_t columns, bool single_linear) {
  e_ = {};
  if (shape_.stage_behind) {  // rows that do not stay on chip are read to be sent
    if (!on_chip_) bytes(OperationClass::elementwise, TrafficClass::activations, rows_ * 2 * hidden_);
    return e_;
  }
  const std::uint64_t wanted = work_.logit_rows();
  if (wanted == 0) return e_;
  std::uint64_t strip = wanted;
  const std::uint64_t a_row = a_bytes(hidden_);
  const bool in_memory = single_linear ? !on_chip_ : a_row > chip_.operand_bytes;
  if (!single_linear) {
    if (!in_memory && wanted * a_row > chip_.operand_bytes)
      strip = std::max<std::uint64_t>(1, chip_.operand_bytes / 2 / a_row);
    bytes(OperationClass::elementwise, TrafficClass::weights, norm_bytes());
    if (!on_chip_) bytes(OperationClass::elementwise, TrafficClass::activations, wanted * row_reads() * 2 * hidden_);
    if (in_memory) bytes(OperationClass::elementwise, TrafficClass::activations, wanted * a_row);
  }
  // A strip of rows after the other, each with all of the matrix.
  for (std::uint64_t row = 0; row < wanted; row += strip)
    linear({OperationClass::lm_head,
            std::min(strip, wanted - row),
            hidden_,
            {columns},
            128,
            false,
            in_memory,
            formats_.lm_head});
  return e_;
}

}  // namespace

void ExpertWork::add(const ExpertWork& other, std::uint64_t times) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += times * other.bytes[i];
  for (const auto count :
       {&ExpertWork::experts, &ExpertWork::rows, &ExpertWork::macs, &ExpertWork::pe_slots, &ExpertWork::weights,
        &ExpertWork::buffer_bytes, &ExpertWork::operand_bytes, &ExpertWork::results, &ExpertWork::converted})
    this->*count += times * other.*count;
}

void Expected::add(const Expected& other, std::uint64_t times) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += times * other.bytes[i];
  macs += times * other.macs;
  pe_slots += times * other.pe_slots;
  weights += times * other.weights;
  mixtures += times * other.mixtures;
  experts.add(other.experts, times);
  placed.add(other.placed, times);
  most_experts += times * other.most_experts;
  reduced_values += times * other.reduced_values;
  for (std::size_t i = 0; i < of_class.size(); ++i) {
    of_class[i].bytes += times * other.of_class[i].bytes;
    of_class[i].macs += times * other.of_class[i].macs;
    of_class[i].weights += times * other.of_class[i].weights;
    of_class[i].weight_buffer_bytes += times * other.of_class[i].weight_buffer_bytes;
    of_class[i].kv_buffer_bytes += times * other.of_class[i].kv_buffer_bytes;
  }
}

Expected expected_of_step(const ModelShape& shape, const StoredFormats& formats, formats::CodebookKind codebook,
                          const OnChip& chip, const StepWork& work, const StepExtent& extent, const Routing* routing) {
  if (shape.mixture.experts > 0 && routing == nullptr) throw std::logic_error("a mixture of experts needs a routing");
  Count count(shape, formats, codebook, chip, work, routing);
  Expected sum = count.embedding(extent.single_linear);
  if (!extent.single_linear) {
    // Layers of a sort are alike, but for the experts that they read.
    const auto layers = static_cast<int>(extent.layers);
    for (const int sort : shape.sorts_of_layers()) {
      std::vector<int> alike;
      for (int l = 0; l < layers; ++l)
        if (shape.alike(sort, l)) alike.push_back(l);
      if (!shape.is_mixture(sort)) sum.add(count.layer(sort), alike.size());
      for (const int l : alike)
        if (shape.is_mixture(sort)) sum += count.layer(l);
    }
  }
  sum += count.head(extent.head_columns, extent.single_linear);
  return sum;
}

}  // namespace harmonia::accelerator
