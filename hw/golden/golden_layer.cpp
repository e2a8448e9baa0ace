#include "harmonia/hw/golden/golden_layer.h"

#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

using formats::Fp16;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

/// Of a layer that rotates nothing, that of a pair that is never asked for.
vector::RopeTable rope_table(const GoldenModelWeights& model, int layer) {
  const ModelShape& shape = model.shape;
  if (!model.rope_frequencies.empty() && !shape.own_theta(layer))
    return {model.rope_frequencies, model.rope_pairing, model.rope_magnitude};
  return {std::max<std::size_t>(2, size(shape.rotated(layer))), shape.theta_of(layer), model.rope_pairing};
}

}  // namespace

GoldenLayer::GoldenLayer(const GoldenModelWeights& model, const GoldenSettings& settings, int index)
    : shape_(model.shape.of_layer(index)),
      settings_(settings),
      weights_(&model.layers[size(index)]),
      index_(index),
      rope_(rope_table(model, index)),
      cache_(shape_, settings, model.shape.window_of(index)) {
  for (const ModelTensor tensor : layer_graph(shape_, index_).layer_tensors())
    if (info_of(tensor).kind == TensorKind::gains) gains_[tensor] = fp32_of(weights_->gains[tensor]);
}

void GoldenLayer::reset() {
  cache_ = GoldenKvCache(shape_, settings_, shape_.window_of(index_));
  offsets_.clear();
  nonfinite_ = 0;
}

void GoldenLayer::step(Fp16* x, std::size_t tokens, const Tap& tap) {
  const std::size_t position = cache_.tokens();
  for (const LayerOperation& operation : layer_graph(shape_, index_).layer)
    operate(operation, x, tokens, position, tap);
}

void GoldenLayer::operate(const LayerOperation& operation, Fp16* x, std::size_t tokens, std::size_t position,
                          const Tap& tap) {
  (this->*golden_operations().of(operation.kind))(GoldenStep{index_, tokens, position, tap}, operation, x);
}

GoldenOperations::Operation GoldenOperations::of(OperationKind kind) const {
  const auto found = operations_.find(kind);
  if (found == operations_.end())
    throw std::logic_error("no file of hw/golden/operations registers the operation '" + std::string(kind) + "'");
  return found->second;
}

GoldenOperations::Results GoldenOperations::of_results(Step step) const {
  const auto found = results_.find(step);
  if (found == results_.end())
    throw std::logic_error("no file of hw/golden/operations registers the step '" + std::string(step) + "'");
  return found->second;
}

}  // namespace harmonia::accelerator
