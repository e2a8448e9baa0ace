// Rotary positions of queries and keys, and online smoothing of keys.
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {
namespace {

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

using formats::Fp16;

/// Queries and keys as they stand at their positions.
void GoldenLayer::rotate(const GoldenStep& step, const LayerOperation& operation, std::size_t product, Fp16* /*x*/) {
  const ModelTensor tensor = *operation.products[product].weights;
  const Value value = operation.products[product].result;
  std::vector<Fp16>& result = results_[product];
  const std::size_t width = result.size() / step.tokens, head_dim = size(shape_.head_dim);
  const std::size_t rotated = size(shape_.rotated(index_));
  std::vector<float> cosine(rotated / 2), sine(rotated / 2);
  for (std::size_t t = 0; rotated != 0 && t < step.tokens; ++t) {
    rope_.angles(step.position + t, cosine.data(), sine.data());
    rope_.rotate(cosine.data(), sine.data(), width / head_dim, head_dim, result.data() + t * width);
  }
  step.emit(name_of(tensor), TapStage::rotated, result);
  if (value == Value::keys && settings_.online_smoothing) {
    smooth(step, result);
    step.emit(name_of(tensor), TapStage::smoothed, result);
  }
  rows(value).values.swap(result);
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

void GoldenOperations::rotate() { results_["rotate"] = &GoldenLayer::rotate; }

namespace operations {
void rotate(GoldenOperations& all) { all.rotate(); }
}  // namespace operations

}  // namespace harmonia::accelerator
