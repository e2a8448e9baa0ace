#include "harmonia/hw/golden/golden_layer.h"

#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

using formats::Fp16;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

vector::RopeTable rope_table(const GoldenModelWeights& model) {
  if (!model.rope_frequencies.empty()) return {model.rope_frequencies, model.rope_pairing};
  return {size(model.shape.head_dim), model.shape.rope_theta, model.rope_pairing};
}

bool has_result(const LayerOperation& operation, Value value) {
  for (const Product& product : operation.products)
    if (product.result == value) return true;
  return false;
}

}  // namespace

GoldenLayer::GoldenLayer(const GoldenModelWeights& model, const GoldenSettings& settings, int index)
    : shape_(model.shape),
      settings_(settings),
      weights_(&model.layers[size(index)]),
      index_(index),
      rope_(rope_table(model)),
      cache_(model.shape, settings) {
  for (const ModelTensor tensor : layer_graph(shape_).layer_tensors())
    if (info_of(tensor).kind == TensorKind::gains) gains_[tensor] = fp32_of(weights_->gains[tensor]);
}

void GoldenLayer::reset() {
  cache_ = GoldenKvCache(shape_, settings_);
  offsets_.clear();
  nonfinite_ = 0;
}

void GoldenLayer::step(Fp16* x, std::size_t tokens, const Tap& tap) {
  const GoldenStep step{index_, tokens, cache_.tokens(), tap};
  for (const LayerOperation& operation : layer_graph(shape_).layer) {
    switch (operation.kind) {
      case OperationKind::norm:
        norm(step, operation, x);
        break;
      case OperationKind::linear:
        linear(step, operation, x);
        break;
      case OperationKind::attention:
        attention(step, operation);
        break;
      case OperationKind::gather:
        throw std::logic_error(std::string("no operation of a layer looks rows up: ") + operation.name);
    }
  }
}

void GoldenLayer::norm(const GoldenStep& step, const LayerOperation& operation, const Fp16* x) {
  nonfinite_ += golden_norm(step, operation, x, gains_[*operation.parameters], shape_.rms_norm_eps,
                            settings_.activations, rows(operation.result));
}

void GoldenLayer::linear(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  results_.resize(operation.products.size());
  for (std::size_t i = 0; i < operation.products.size(); ++i) {
    const Product& product = operation.products[i];
    golden_product(step, product, weights_->matrices[*product.weights], rows(product.operand), results_[i]);
  }
  if (operation.paired) {
    activate(step, operation);
    return;
  }
  for (std::size_t i = 0; i < operation.products.size(); ++i) deliver(step, operation.products[i], results_[i], x);
  if (has_result(operation, Value::keys))
    nonfinite_ += cache_.append(rows(Value::keys).values.data(), rows(Value::values).values.data(), step.tokens);
}

/// Takes a product's rows through the vector unit to where they go.
void GoldenLayer::deliver(const GoldenStep& step, const Product& product, std::vector<Fp16>& result, Fp16* x) {
  if (product.step == Step::add) {
    vector::residual_add(x, result.data(), result.size(), x);
    if (step.tap)
      step.tap({step.layer, name_of(*product.weights), TapStage::added, step.position, -1, x, 2 * result.size()});
    return;
  }
  if (product.step == Step::rotate) rotate(step, product, result);
  if (product.result == Value::keys && settings_.online_smoothing) {
    smooth(step, result);
    step.emit(name_of(*product.weights), TapStage::smoothed, result);
  }
  rows(product.result).values.swap(result);
}

/// silu(gate) * up, and its conversion.
void GoldenLayer::activate(const GoldenStep& step, const LayerOperation& operation) {
  GoldenRows& activated = rows(operation.result);
  activated.values.resize(results_[0].size());
  vector::silu_mul(results_[0].data(), results_[1].data(), results_[0].size(), activated.values.data());
  step.emit(operation.name, TapStage::result, activated.values);
  nonfinite_ += activated.convert(settings_.activations, step.tokens);
  if (!activated.groups.empty()) step.emit(operation.name, TapStage::operand, activated.groups);
}

}  // namespace harmonia::accelerator
