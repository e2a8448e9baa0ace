// RMSNorm of the residual stream.
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {

using formats::Fp16;

void GoldenLayer::norm(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  nonfinite_ +=
      golden_norm(step, operation, x, gains_[*operation.parameters], static_cast<std::size_t>(shape_.hidden_size),
                  shape_.rms_norm_eps, settings_.activations, rows(operation.result));
}

void GoldenOperations::norm() { operations_["norm"] = &GoldenLayer::norm; }

namespace operations {
void norm(GoldenOperations& all) { all.norm(); }
}  // namespace operations

}  // namespace harmonia::accelerator
