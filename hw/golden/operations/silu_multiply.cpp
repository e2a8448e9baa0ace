// silu(gate) * up, and its conversion.
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {

using formats::Fp16;

void GoldenLayer::silu_multiply(const GoldenStep& step, const LayerOperation& operation, std::size_t /*product*/,
                                Fp16* /*x*/) {
  GoldenRows& activated = rows(operation.result);
  activated.values.resize(results_[0].size());
  (shape_.gelu_gate ? vector::gelu_mul : vector::silu_mul)(results_[0].data(), results_[1].data(), results_[0].size(),
                                                           activated.values.data());
  step.emit(operation.name, TapStage::result, activated.values);
  nonfinite_ += activated.convert(settings_.activations, step.tokens);
  if (!activated.groups.empty()) step.emit(operation.name, TapStage::operand, activated.groups);
}

void GoldenOperations::silu_multiply() { results_["silu_multiply"] = &GoldenLayer::silu_multiply; }

namespace operations {
void silu_multiply(GoldenOperations& all) { all.silu_multiply(); }
}  // namespace operations

}  // namespace harmonia::accelerator
