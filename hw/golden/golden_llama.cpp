#include "harmonia/hw/golden/golden_llama.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/hw/vector/vector_math.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

GoldenLlama::GoldenLlama(std::shared_ptr<GoldenModelWeights> weights, const GoldenSettings& settings)
    : weights_(std::move(weights)), settings_(settings), final_norm_(fp32_of(weights_->final_norm)) {
  weights_->validate();
  weights_->prepare(settings_);
  layers_.reserve(weights_->layers.size());
  for (std::size_t i = 0; i < weights_->layers.size(); ++i)
    layers_.emplace_back(*weights_, settings_, static_cast<int>(i));
}

void GoldenLlama::reset() {
  for (GoldenLayer& layer : layers_) layer.reset();
}

void GoldenLlama::step(const int* tokens, std::size_t count, Fp16* logits, bool last_only) {
  const ModelShape& s = weights_->shape;
  const std::size_t hidden = size(s.hidden_size), first = position();
  for (std::size_t t = 0; t < count; ++t)
    if (tokens[t] < 0 || tokens[t] >= s.vocab_size)
      throw std::out_of_range("token " + std::to_string(tokens[t]) + " is outside the vocabulary of " +
                              std::to_string(s.vocab_size));
  if (count == 0) return;
  x_.resize(count * hidden);
  for (std::size_t t = 0; t < count; ++t)
    std::copy_n(weights_->embedding.begin() + static_cast<std::ptrdiff_t>(size(tokens[t]) * hidden), hidden,
                x_.begin() + static_cast<std::ptrdiff_t>(t * hidden));
  if (s.embedding_multiplier != 1.0)
    vector::scale_values(x_.data(), x_.size(), static_cast<float>(s.embedding_multiplier), x_.data());
  GoldenStep{-1, count, first, tap_}.emit(name_of(ModelTensor::embedding), TapStage::result, x_);
  for (GoldenLayer& layer : layers_) layer.step(x_.data(), count, tap_);
  if (last_only)
    output_head(x_.data() + (count - 1) * hidden, 1, first + count - 1, logits);
  else
    output_head(x_.data(), count, first, logits);
}

void GoldenLlama::output_head(const Fp16* x, std::size_t tokens, std::size_t first_position, Fp16* logits) {
  const GoldenStep step{-1, tokens, first_position, tap_};
  for (const LayerOperation& operation : layer_graph(weights_->shape).head) {
    if (operation.kind == "norm") {
      golden_norm(step, operation, x, final_norm_, size(weights_->shape.hidden_size), weights_->shape.rms_norm_eps,
                  settings_.activations, normed_);
      continue;
    }
    golden_product(step, operation.products.front(), weights_->lm_head, normed_, logits_);
    const double divisor = weights_->shape.logits_divisor;
    if (divisor != 1.0)
      vector::divide_values(logits_.data(), logits_.size(), static_cast<float>(divisor), logits_.data());
    if (const double cap = weights_->shape.logits_cap; cap != 0.0)
      vector::cap_values(logits_.data(), logits_.size(), static_cast<float>(cap), logits_.data());
    std::copy(logits_.begin(), logits_.end(), logits);
  }
}

}  // namespace harmonia::accelerator
