// Norms behind a block: what attention or feed-forward gives is kept, normed and added to the residual stream; and the operand of a
// block without a norm before it.
#include <algorithm>

#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {

using formats::Fp16;

void GoldenLayer::convert(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  GoldenRows& out = rows(operation.result);
  out.values.assign(x, x + step.tokens * static_cast<std::size_t>(shape_.hidden_size));
  nonfinite_ += out.convert(settings_.activations, step.tokens);
  if (!out.groups.empty()) step.emit(operation.name, TapStage::operand, out.groups);
}

void GoldenLayer::keep(const GoldenStep& /*step*/, const LayerOperation& operation, std::size_t product, Fp16* /*x*/) {
  (part_ != nullptr ? *part_ : rows(operation.result).values).swap(results_[product]);
}

void GoldenLayer::add_normed(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  const auto width = static_cast<std::size_t>(shape_.hidden_size);
  const auto multiplier = static_cast<float>(shape_.residual_multiplier);
  std::vector<Fp16>& branch = rows(operation.operand).values;
  for (std::size_t t = 0; t < step.tokens; ++t) {
    Fp16* row = branch.data() + t * width;
    golden_norm_row(row, gains_[*operation.parameters], width, shape_.rms_norm_eps, row);
    if (multiplier != 1.0f) vector::scale_values(row, width, multiplier, row);
  }
  step.emit(operation.name, TapStage::result, branch);
  vector::residual_add(x, branch.data(), branch.size(), x);
  if (step.tap) step.tap({step.layer, operation.name, TapStage::added, step.position, -1, x, 2 * branch.size()});
}

void GoldenOperations::branch() {
  operations_["convert"] = &GoldenLayer::convert;
  operations_["add_normed"] = &GoldenLayer::add_normed;
  results_["keep"] = &GoldenLayer::keep;
}

namespace operations {
void branch(GoldenOperations& all) { all.branch(); }
}  // namespace operations

}  // namespace harmonia::accelerator
