// The attention of a golden layer: scores, softmax and values.
#include <algorithm>
#include <cmath>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;
using formats::kBfp8;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

void GoldenLayer::attention(const GoldenStep& step, const LayerOperation& operation, Fp16* /*x*/) {
  const std::size_t heads = size(shape_.num_attention_heads);
  GoldenRows& queries = rows(operation.operand);
  nonfinite_ += queries.convert(settings_.activations, step.tokens * heads);
  if (!queries.groups.empty()) step.emit("q", TapStage::operand, queries.groups);
  GoldenRows& attended = rows(operation.result);
  attended.values.resize(step.tokens * size(shape_.q_width()));
  for (std::size_t t = 0; t < step.tokens; ++t)
    for (std::size_t h = 0; h < heads; ++h) attend(step, operation, t, h);
  step.emit(operation.name, TapStage::result, attended.values);
  nonfinite_ += attended.convert(settings_.activations, step.tokens);
  if (!attended.groups.empty()) step.emit(operation.name, TapStage::operand, attended.groups);
}

/// What becomes of the scores of a query head.
vector::ScoreRule GoldenLayer::score_rule(const LayerOperation& operation, std::size_t head) const {
  vector::ScoreRule rule{vector::attention_scale(size(shape_.head_dim), shape_.attention_scale),
                         static_cast<float>(shape_.attention_cap)};
  if (operation.parameters) rule.sink = gains_[*operation.parameters][head];
  return rule;
}

/// One query of the step, over the tokens up to its own.
void GoldenLayer::attend(const GoldenStep& step, const LayerOperation& operation, std::size_t token, std::size_t head) {
  const std::size_t head_dim = size(shape_.head_dim), at = token * size(shape_.num_attention_heads) + head;
  const std::size_t kv_head = head / size(shape_.queries_per_kv_head()), position = step.position + token;
  const std::uint64_t window = shape_.window_of(index_);
  // Keys [first, first + count) are read, the first `hidden` of them masked.
  const std::size_t first = first_token_read(position, window), count = position + 1 - first;
  const std::size_t hidden = window == 0 || position < window ? 0 : position + 1 - window - first;
  const auto show = [&](TapStage stage, const void* data, std::size_t bytes) {
    if (step.tap)
      step.tap({step.layer, operation.name, stage, step.position + token, static_cast<int>(head), data, bytes});
  };
  const GoldenRows& queries = rows(operation.operand);
  const void* query = queries.values.data() + at * head_dim;
  if (!queries.groups.empty()) query = queries.groups.data() + at * kBfp8.row_bytes(head_dim);

  if (settings_.online_block != 0) {
    attend_blocks(query, kv_head, {first, position + 1}, hidden, score_rule(operation, head),
                  rows(operation.result).values.data() + at * head_dim);
    return;
  }
  scores_.values.resize(count);
  Fp16* scores = scores_.values.data();
  cache_.scores(query, kv_head, first, count, scores);
  show(TapStage::scores, scores, 2 * count);
  vector::softmax(scores + hidden, count - hidden, score_rule(operation, head), scores + hidden);
  std::fill(scores, scores + hidden, Fp16{});
  show(TapStage::probabilities, scores, 2 * count);
  nonfinite_ += scores_.convert(settings_.activations, 1);
  if (!scores_.groups.empty()) show(TapStage::probabilities_operand, scores_.groups.data(), scores_.groups.size());
  cache_.attend(scores_.operand(), kv_head, first, count, rows(operation.result).values.data() + at * head_dim);
}

/// One query by online softmax: block of keys by block, those that it sees, but for the first `hidden` ones. Blocks lie at
/// multiples of their length.
void GoldenLayer::attend_blocks(const void* query, std::size_t kv_head, UnitRange tokens, std::size_t hidden,
                                const vector::ScoreRule& rule, Fp16* out) {
  const std::size_t head_dim = size(shape_.head_dim);
  vector::OnlineRow row;
  if (!std::isinf(rule.sink)) row = {rule.sink, 1.0f};
  std::vector<Fp16> block(head_dim);
  std::vector<float> accumulated(head_dim, 0.0f);
  const std::size_t length = settings_.online_block;
  for (std::size_t first = tokens.from, end = 0; first < tokens.to; first = end) {
    end = std::min<std::size_t>((first / length + 1) * length, tokens.to);
    const std::size_t keys = end - first, unseen = std::min(hidden, keys);
    hidden -= unseen;
    if (unseen == keys) continue;
    scores_.values.resize(keys);
    Fp16* scores = scores_.values.data();
    cache_.scores(query, kv_head, first, keys, scores);
    const float factor = vector::online_softmax(scores + unseen, keys - unseen, rule, row, scores + unseen);
    std::fill(scores, scores + unseen, Fp16{});
    nonfinite_ += scores_.convert(settings_.activations, 1);
    cache_.attend(scores_.operand(), kv_head, first, keys, block.data());
    vector::online_accumulate(block.data(), head_dim, factor, accumulated.data());
  }
  vector::online_divide(accumulated.data(), head_dim, row.sum, out);
}

void GoldenOperations::attention() { operations_["attention"] = &GoldenLayer::attention; }

namespace operations {
void attention(GoldenOperations& all) { all.attention(); }
}  // namespace operations

}  // namespace harmonia::accelerator
