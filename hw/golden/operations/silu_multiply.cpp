// The activation of gate times up, or of the first of two matrices, and its conversion.
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {

using formats::Fp16;

void GoldenLayer::silu_multiply(const GoldenStep& step, const LayerOperation& operation, std::size_t /*product*/,
                                Fp16* /*x*/) {
  std::vector<Fp16>& out = rows(operation.result).values;
  out.resize(results_[0].size());
  vector::activate_mul(function_of(shape_), static_cast<float>(shape_.activation_limit), results_[0].data(),
                       results_[1].data(), out.size(), out.data());
  become_activated(step, operation);
}

void GoldenLayer::activate(const GoldenStep& step, const LayerOperation& operation, std::size_t product, Fp16* /*x*/) {
  std::vector<Fp16>& out = rows(operation.result).values;
  out.resize(results_[product].size());
  vector::activate(function_of(shape_), results_[product].data(), out.size(), out.data());
  become_activated(step, operation);
}

void GoldenLayer::become_activated(const GoldenStep& step, const LayerOperation& operation) {
  GoldenRows& activated = rows(operation.result);
  step.emit(operation.name, TapStage::result, activated.values);
  nonfinite_ += activated.convert(settings_.activations, step.tokens);
  if (!activated.groups.empty()) step.emit(operation.name, TapStage::operand, activated.groups);
}

void GoldenOperations::silu_multiply() {
  results_["silu_multiply"] = &GoldenLayer::silu_multiply;
  results_["activate"] = &GoldenLayer::activate;
}

namespace operations {
void silu_multiply(GoldenOperations& all) { all.silu_multiply(); }
}  // namespace operations

}  // namespace harmonia::accelerator
