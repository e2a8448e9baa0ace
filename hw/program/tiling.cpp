#include "harmonia/hw/program/tiling.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "harmonia/config/error.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {
namespace {

/// Keys whose probabilities of a row are on chip at a time.
std::uint64_t keys_at_once(const OnChip& chip, std::uint64_t context) {
  return chip.online_block == 0 ? context : std::min(chip.online_block, context);
}

/// Online softmax of one token and one kv head in the vector unit's scratch memory, in bytes: FP32 sums of the outputs,
/// maximum, sum, the sum of the strip before and the factors of two blocks, and FP16 results at work, scores or outputs of a block.
std::uint64_t online_token_bytes(const ModelShape& shape, const OnChip& chip, std::uint64_t context) {
  const auto d = static_cast<std::uint64_t>(shape.head_dim);
  return static_cast<std::uint64_t>(shape.queries_per_kv_head()) *
         (4 * d + 4 * 5 + 2 * std::max(d, keys_at_once(chip, context)));
}

/// The least of something over a model's layers, where these have heads and widths of their own.
template <class Of>
auto least_of_layers(const ModelShape& shape, const Of& of) {
  if (shape.layers.empty()) return of(shape);
  auto least = of(shape.of_layer(0));
  int first = 0;
  for (const LayerRun& run : shape.layers) {
    least = std::min(least, of(shape.of_layer(first)));
    first += run.count;
  }
  return least;
}

/// Queries and probabilities of one token and one kv head: the least that attention needs on chip.
std::uint64_t token_operands(const ModelShape& shape, const OnChip& chip, const SequenceStep& s) {
  return static_cast<std::uint64_t>(shape.queries_per_kv_head()) *
         (chip.attention_operand.row_bytes(static_cast<std::uint64_t>(shape.head_dim)) +
          chip.attention_operand.row_bytes(keys_at_once(chip, keys_of_step(shape, s))));
}

/// Values of a row that stand beside the residual stream at a time: attention's outputs or a branch on its way to a norm.
std::uint64_t beside_stream(const ModelShape& shape) {
  return static_cast<std::uint64_t>(shape.norms_behind() ? std::max(shape.q_width(), shape.hidden_size)
                                                         : shape.q_width());
}

/// FP16 values of a row that stay in the vector unit's scratch memory, in bytes.
std::uint64_t scratch_row_bytes(const ModelShape& shape) {
  return 2 * static_cast<std::uint64_t>(shape.hidden_size) + 2 * beside_stream(shape);
}

/// Operands of a row that are on chip at the same time, in bytes: the norm's and what the linear behind it makes of it.
std::uint64_t operand_row_bytes(const ModelShape& shape, const OnChip& chip) {
  return chip.linear_operand.row_bytes(shape.hidden_size) +
         std::max(chip.linear_operand.row_bytes(shape.widest_feed_forward()), query_row_bytes(shape, chip));
}

/// Rows of A that fit into so many bytes, in whole rounds of the array's rows where they have more rows than one.
std::uint64_t rows_that_fit(std::uint64_t bytes, std::uint64_t a_row, const OnChip& chip) {
  const std::uint64_t fit = bytes / a_row, round = static_cast<std::uint64_t>(chip.pe_rows);
  return fit > round ? fit / round * round : fit;
}

[[noreturn]] void refuse_weight_tile(const LinearShape& linear, const OnChip& chip) {
  const bool splits = linear.k_unit != 0;
  throw config::InputError("accelerator.weight_buffer.capacity_bytes: the accelerator cannot hold one tile: " +
                           std::to_string(splits ? linear.k_unit : linear.k) + " weights of a row in " +
                           linear.weights + " take " + std::to_string(splits ? linear.b_unit : linear.b_row) +
                           " bytes and half of the weight buffer is " + std::to_string(chip.weight_tile_bytes) +
                           "; take a larger buffer or fewer bits");
}

[[noreturn]] void refuse_operand(const LinearShape& linear, const OnChip& chip) {
  const std::uint64_t rows = linear.a_resident ? linear.rows : 1;
  const bool splits = !linear.a_resident && linear.k_unit != 0;
  throw config::InputError(
      "accelerator.activation_buffer.capacity_bytes: the accelerator cannot hold one tile: " + std::to_string(rows) +
      " activation row(s) of " + std::to_string(splits ? linear.k_unit : linear.k) + " values take " +
      std::to_string(rows * (splits ? linear.a_unit : linear.a_row)) + " bytes and the activation buffer has " +
      std::to_string(chip.operand_bytes) + " for them");
}

}  // namespace

Ema external_access(std::uint64_t m, std::uint64_t n, std::uint64_t a_row, std::uint64_t b_row, std::uint64_t c_row,
                    std::uint64_t rows_a, std::uint64_t rows_b, bool a_resident, LoopOrder order,
                    std::uint64_t b_strips) {
  const std::uint64_t a = a_resident ? 0 : m * a_row, b = n * b_row;
  const std::uint64_t a_strips = a_resident ? 1 : ceil_div(m, std::max<std::uint64_t>(rows_a, 1));
  const Ema row_first{a, b * a_strips, m * c_row, false, a_strips};
  if (a_resident || rows_b == 0 || order == LoopOrder::row_first) return row_first;
  if (b_strips == 0) b_strips = ceil_div(n, rows_b);
  const Ema column_first{a * b_strips, b, m * c_row, true, b_strips};
  if (order == LoopOrder::column_first) return column_first;
  return column_first.a_bytes + column_first.b_bytes < row_first.a_bytes + row_first.b_bytes ? column_first : row_first;
}

std::vector<Strip> strips_of(std::uint64_t rows, std::uint64_t most) {
  std::vector<Strip> strips;
  for (std::uint64_t row = 0; row < rows; row += most) strips.push_back({row, std::min(most, rows - row)});
  return strips;
}

namespace {

/// Brings K down to what fits: the shape of the product of one part.
LinearShape part_of(LinearShape linear, const OnChip& chip) {
  const bool b_fits = linear.b_row <= chip.weight_tile_bytes,
             a_fits = linear.a_resident || linear.a_row <= chip.operand_bytes;
  if (b_fits && a_fits) return linear;
  const std::uint64_t units = linear.k_unit == 0 ? 0 : ceil_div(linear.k, linear.k_unit);
  std::uint64_t most = units;
  if (!b_fits) most = units == 0 ? 0 : std::min(most, chip.weight_tile_bytes / linear.b_unit);
  if (most == 0) refuse_weight_tile(linear, chip);
  if (!a_fits) most = std::min(most, chip.operand_bytes / linear.a_unit);
  if (most == 0) refuse_operand(linear, chip);
  const std::uint64_t of_part = ceil_div(units, ceil_div(units, most));
  linear.k = of_part * linear.k_unit;
  linear.b_row = of_part * linear.b_unit;
  if (!linear.a_resident) linear.a_row = of_part * linear.a_unit;
  return linear;
}

}  // namespace

LinearTiling tile_linear(const LinearShape& whole, const OnChip& chip) {
  const LinearShape linear = part_of(whole, chip);
  const std::uint64_t array = static_cast<std::uint64_t>(chip.pe_rows) * static_cast<std::uint64_t>(chip.pe_cols);
  const std::uint64_t most = std::min({chip.weight_tile_bytes / linear.b_row, linear.unit_columns, array});
  LinearTiling tiling;
  tiling.k_part = linear.k;
  // Equal tiles: a short one behind two long ones would leave the memory without orders.
  tiling.tile_rows = ceil_div(linear.unit_columns, ceil_div(linear.unit_columns, most));
  // A strip that stays while all of B streams by takes the whole buffer: that the next can only be read when the array
  // has done with it costs less than B once more. Strips that stream by share it, one read while the array works with
  // the one before.
  std::uint64_t rows_a = linear.a_resident ? linear.rows : rows_that_fit(chip.operand_bytes, linear.a_row, chip);
  if (!linear.a_resident && linear.whole_row != 0)
    rows_a = std::min(rows_a, std::max<std::uint64_t>(1, rows_that_fit(chip.scratch_bytes, linear.whole_row, chip)));
  if (rows_a == 0 || (linear.a_resident && linear.rows * linear.a_row > chip.operand_bytes))
    refuse_operand(linear, chip);
  const std::uint64_t kept = linear.unit_columns * (linear.paired ? 2 : 1);
  const bool can_keep_b = tiling.tile_rows == linear.unit_columns && kept * linear.b_row <= chip.weight_tile_bytes;
  // Strips of B do not span tensors: q, k and v are strips of their own.
  std::uint64_t n = 0, b_strips = 0;
  for (const std::uint64_t columns : linear.columns) {
    n += columns;
    if (!linear.paired || b_strips == 0) b_strips += ceil_div(columns, linear.unit_columns);
  }
  const Ema ema =
      external_access(linear.rows, n, linear.a_row, linear.b_row, 0, rows_a, can_keep_b ? kept : 0, linear.a_resident,
                      linear.whole_row != 0 ? LoopOrder::row_first : chip.order, b_strips);
  tiling.column_first = ema.column_first;
  tiling.strips =
      strips_of(linear.rows, ema.column_first
                                 ? std::max<std::uint64_t>(1, rows_that_fit(chip.operand_bytes / 2, linear.a_row, chip))
                                 : rows_a);
  return tiling;
}

std::uint64_t unit_of_k(WeightFormat format, const formats::OperandFormat& a, std::uint64_t block) {
  std::uint64_t unit = formats::kBfpGroup;
  for (const std::uint64_t whole : {std::uint64_t{a.group}, static_cast<std::uint64_t>(format->storage.block), block})
    if (whole != 0) unit = std::lcm(unit, whole);
  return unit;
}

std::uint64_t partial_sum_bytes(const MapRequest& r, const OnChip& chip) {
  std::uint64_t columns = 0;
  const auto use = [&](WeightFormat format, std::uint64_t k, std::uint64_t n) {
    const std::uint64_t row = format->storage.index_row_bytes(k) + format->storage.scale_row_bytes(k);
    if (row > chip.weight_tile_bytes || chip.linear_operand.row_bytes(k) > chip.operand_bytes)
      columns = std::max(columns, n);
  };
  for (const int sort : r.shape.sorts_of_layers()) {
    const ModelShape own = r.shape.of_layer(sort);
    const auto width = [&](ModelTensor t, Width TensorInfo::*side) { return size_of(info_of(t).*side, own); };
    for (const LayerOperation& operation : layer_graph(r.shape, sort).layer) {
      std::uint64_t n = 0;
      for (const Product& product : operation.products) {
        if (!product.weights) continue;
        n += width(*product.weights, &TensorInfo::rows);
        use(stays_16_bit(*product.weights) ? formats::weight_format("fp16") : r.weights,
            width(*product.weights, &TensorInfo::columns), n);
      }
    }
  }
  if (!r.shape.stage_behind)
    use(r.lm_head, static_cast<std::uint64_t>(r.shape.hidden_size), static_cast<std::uint64_t>(r.shape.vocab_size));
  return 4 * r.max_step_tokens * columns;
}

std::uint64_t keys_of_step(const ModelShape& shape, const SequenceStep& s) {
  if (shape.attends_to_all()) return s.context();
  return s.context() - first_token_read(s.cached, static_cast<std::uint64_t>(shape.sliding_window));
}

std::uint64_t query_row_bytes(const ModelShape& shape, const OnChip& chip) {
  return static_cast<std::uint64_t>(shape.num_attention_heads) *
         chip.attention_operand.row_bytes(static_cast<std::uint64_t>(shape.head_dim));
}

namespace {

bool activations_of_layer_stay(const ModelShape& shape, const OnChip& chip, const StepWork& work) {
  const std::uint64_t rows = work.tokens();
  bool stay = rows * scratch_row_bytes(shape) <= chip.scratch_bytes &&
              rows * operand_row_bytes(shape, chip) <= chip.operand_bytes;
  for (const SequenceStep& s : work.sequences)
    stay = stay && rows * query_row_bytes(shape, chip) + token_operands(shape, chip, s) <= chip.operand_bytes;
  if (chip.online_block != 0)
    for (const SequenceStep& s : work.sequences)
      stay = stay && rows * scratch_row_bytes(shape) + online_token_bytes(shape, chip, keys_of_step(shape, s)) <=
                         chip.scratch_bytes;
  const std::uint32_t group = chip.linear_operand.group;
  if (!stay && group != 0 && shape.head_dim % static_cast<int>(group) != 0)
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: the activations of " +
                             std::to_string(rows) + " tokens do not fit on chip, and attention outputs of head_dim " +
                             std::to_string(shape.head_dim) + " cannot leave it, because a group of " +
                             std::to_string(group) +
                             " channels would span heads; take a larger buffer, "
                             "a smaller batch or shorter prefill chunks");
  return stay;
}

std::uint64_t query_tokens_of_layer(const ModelShape& shape, const OnChip& chip, const StepWork& work,
                                    const SequenceStep& s, bool resident) {
  // Scores (FP16) and probabilities (A operand) of a strip must fit beside the residual stream.
  const std::uint64_t context = keys_of_step(shape, s), group = static_cast<std::uint64_t>(shape.queries_per_kv_head());
  const std::uint64_t held = resident ? work.tokens() * scratch_row_bytes(shape) : 0;
  const std::uint64_t online = chip.online_block == 0 ? 0 : online_token_bytes(shape, chip, context);
  if (online > chip.scratch_bytes - held)
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: online softmax of one token takes " +
                             std::to_string(online) + " bytes of the vector unit's half and " +
                             std::to_string(chip.scratch_bytes - held) +
                             " are there; take a larger buffer or fewer accelerator.sequencer.attention_block_tokens");
  const std::uint64_t by_scores =
      online != 0 ? (chip.scratch_bytes - held) / online : (chip.scratch_bytes - held) / 2 / (group * context * 2);
  const std::uint64_t free = chip.operand_bytes - (resident ? work.tokens() * query_row_bytes(shape, chip) : 0);
  const std::uint64_t of_token = token_operands(shape, chip, s);
  if (of_token > free)
    throw config::InputError(
        "accelerator.activation_buffer.capacity_bytes: the accelerator cannot hold one tile: "
        "probabilities of one token over a context of " +
        std::to_string(context) + " take " + std::to_string(of_token) +
        " bytes with their queries and the activation buffer has " + std::to_string(free) +
        " for them; take a larger buffer or a shorter context");
  std::uint64_t tokens = std::max<std::uint64_t>(std::min(by_scores, free / 2 / of_token), 1);
  if (tokens > kv_group) tokens = tokens / kv_group * kv_group;
  return std::min(tokens, s.tokens);
}

}  // namespace

bool activations_stay(const ModelShape& shape, const OnChip& chip, const StepWork& work) {
  return least_of_layers(shape, [&](const ModelShape& own) { return activations_of_layer_stay(own, chip, work); });
}

std::uint64_t query_tokens_per_strip(const ModelShape& shape, const OnChip& chip, const StepWork& work,
                                     const SequenceStep& s, bool resident) {
  return least_of_layers(shape,
                         [&](const ModelShape& own) { return query_tokens_of_layer(own, chip, work, s, resident); });
}

std::uint64_t head_strip_rows(const ModelShape& shape, const OnChip& chip, std::uint64_t wanted) {
  const std::uint64_t row = chip.linear_operand.row_bytes(static_cast<std::uint64_t>(shape.hidden_size));
  if (wanted * row <= chip.operand_bytes) return wanted;
  return std::max<std::uint64_t>(1, chip.operand_bytes / 2 / row);
}

bool head_in_memory(const ModelShape& shape, const OnChip& chip) {
  return chip.linear_operand.row_bytes(static_cast<std::uint64_t>(shape.hidden_size)) > chip.operand_bytes;
}

bool norm_reads_twice(const ModelShape& shape, const OnChip& chip) {
  return 2 * static_cast<std::uint64_t>(shape.hidden_size) > chip.scratch_bytes;
}

std::uint64_t rows_on_chip(const ModelShape& shape, const OnChip& chip) {
  return least_of_layers(shape, [&](const ModelShape& own) {
    return std::min(chip.scratch_bytes / scratch_row_bytes(own), chip.operand_bytes / operand_row_bytes(own, chip));
  });
}

namespace {

std::uint64_t longest_context_of_layer(const ModelShape& shape, const OnChip& chip) {
  if (chip.online_block != 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t of_head = chip.operand_bytes / static_cast<std::uint64_t>(shape.queries_per_kv_head()),
                      query = chip.attention_operand.row_bytes(static_cast<std::uint64_t>(shape.head_dim)),
                      group = chip.attention_operand.row_bytes(kv_group);
  const std::uint64_t tokens = of_head > query ? (of_head - query) / group * kv_group : 0;
  const bool fits = !shape.attends_to_all() && tokens >= static_cast<std::uint64_t>(shape.sliding_window) + kv_group;
  return fits ? std::numeric_limits<std::uint64_t>::max() : tokens;
}

}  // namespace

std::uint64_t longest_context(const ModelShape& shape, const OnChip& chip) {
  return least_of_layers(shape, [&](const ModelShape& own) { return longest_context_of_layer(own, chip); });
}

std::uint64_t values_read(bool grouped_cache, const OnChip& chip, std::uint64_t visible, std::uint64_t context) {
  if (grouped_cache || !chip.attention_operand.bfp()) return visible;
  return std::min(kv_groups(visible) * kv_group, context);
}

}  // namespace harmonia::accelerator
