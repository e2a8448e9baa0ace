// The attention of a golden layer: rotary positions, online smoothing of keys, scores, softmax and values.
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;
using formats::kBfp8;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

/// Queries and keys as they stand at their positions.
void GoldenLayer::rotate(const GoldenStep& step, const Product& product, std::vector<Fp16>& result) const {
  const std::size_t width = result.size() / step.tokens, head_dim = size(shape_.head_dim);
  std::vector<float> cosine(head_dim / 2), sine(head_dim / 2);
  for (std::size_t t = 0; t < step.tokens; ++t) {
    rope_.angles(step.position + t, cosine.data(), sine.data());
    rope_.rotate(cosine.data(), sine.data(), width / head_dim, result.data() + t * width);
  }
  step.emit(name_of(*product.weights), TapStage::rotated, result);
}

/// Subtracts the offsets of each kv head, which the first step's keys decide.
void GoldenLayer::smooth(const GoldenStep& step, std::vector<Fp16>& keys) {
  const std::size_t head_dim = size(shape_.head_dim), kv_heads = size(shape_.num_key_value_heads),
                    width = size(shape_.kv_width());
  if (offsets_.empty())
    for (std::size_t h = 0; h < kv_heads; ++h)
      offsets_.push_back(formats::choose_offsets(keys.data() + h * head_dim, step.tokens, width, head_dim,
                                                 settings_.smoothed_channels));
  for (std::size_t t = 0; t < step.tokens; ++t)
    for (std::size_t h = 0; h < kv_heads; ++h)
      formats::subtract_offsets(offsets_[h], keys.data() + t * width + h * head_dim);
}

void GoldenLayer::attention(const GoldenStep& step, const LayerOperation& operation) {
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

  scores_.values.resize(count);
  Fp16* scores = scores_.values.data();
  cache_.scores(query, kv_head, count, scores);
  show(TapStage::scores, scores, 2 * count);
  vector::softmax(scores, count, vector::attention_scale(head_dim), scores);
  show(TapStage::probabilities, scores, 2 * count);
  nonfinite_ += scores_.convert(settings_.activations, 1);
  if (!scores_.groups.empty()) show(TapStage::probabilities_operand, scores_.groups.data(), scores_.groups.size());
  cache_.attend(scores_.operand(), kv_head, count, rows(operation.result).values.data() + at * head_dim);
}

}  // namespace harmonia::accelerator
