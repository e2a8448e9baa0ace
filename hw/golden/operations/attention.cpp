// The attention of a golden layer: scores, softmax and values.
#include <algorithm>
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

/// One query of the step, over the tokens up to its own.
void GoldenLayer::attend(const GoldenStep& step, const LayerOperation& operation, std::size_t token, std::size_t head) {
  const std::size_t head_dim = size(shape_.head_dim), at = token * size(shape_.num_attention_heads) + head;
  const std::size_t kv_head = head / size(shape_.queries_per_kv_head()), count = step.position + token + 1;
  const auto show = [&](TapStage stage, const void* data, std::size_t bytes) {
    if (step.tap)
      step.tap({step.layer, operation.name, stage, step.position + token, static_cast<int>(head), data, bytes});
  };
  const GoldenRows& queries = rows(operation.operand);
  const void* query = queries.values.data() + at * head_dim;
  if (!queries.groups.empty()) query = queries.groups.data() + at * kBfp8.row_bytes(head_dim);

  if (settings_.online_block != 0) {
    attend_blocks(query, kv_head, count, rows(operation.result).values.data() + at * head_dim);
    return;
  }
  scores_.values.resize(count);
  Fp16* scores = scores_.values.data();
  cache_.scores(query, kv_head, 0, count, scores);
  show(TapStage::scores, scores, 2 * count);
  vector::softmax(scores, count, vector::attention_scale(head_dim), scores);
  show(TapStage::probabilities, scores, 2 * count);
  nonfinite_ += scores_.convert(settings_.activations, 1);
  if (!scores_.groups.empty()) show(TapStage::probabilities_operand, scores_.groups.data(), scores_.groups.size());
  cache_.attend(scores_.operand(), kv_head, 0, count, rows(operation.result).values.data() + at * head_dim);
}

/// One query by online softmax: block of keys by block, those that it sees.
void GoldenLayer::attend_blocks(const void* query, std::size_t kv_head, std::size_t count, Fp16* out) {
  const std::size_t head_dim = size(shape_.head_dim);
  vector::OnlineRow row;
  std::vector<Fp16> block(head_dim);
  std::vector<float> accumulated(head_dim, 0.0f);
  for (std::size_t first = 0; first < count; first += settings_.online_block) {
    const std::size_t keys = std::min(settings_.online_block, count - first);
    scores_.values.resize(keys);
    Fp16* scores = scores_.values.data();
    cache_.scores(query, kv_head, first, keys, scores);
    const float factor = vector::online_softmax(scores, keys, vector::attention_scale(head_dim), row, scores);
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
