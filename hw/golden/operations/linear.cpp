// Products with weight matrices, and what the vector unit makes of them.
#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {
namespace {

bool has_result(const LayerOperation& operation, Value value) {
  for (const Product& product : operation.products)
    if (product.result == value) return true;
  return false;
}

}  // namespace

using formats::Fp16;

void GoldenLayer::linear(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  results_.resize(operation.products.size());
  for (std::size_t i = 0; i < operation.products.size(); ++i) {
    const Product& product = operation.products[i];
    golden_product(step, product, weights_->matrices[*product.weights], rows(product.operand), results_[i]);
    correct(product, step.tokens, results_[i]);
  }
  // Paired products become one result.
  for (std::size_t i = 0; i < (operation.paired ? 1 : operation.products.size()); ++i)
    (this->*golden_operations().of_results(operation.products[i].step))(step, operation, i, x);
  if (has_result(operation, Value::keys))
    nonfinite_ += cache_.append(rows(Value::keys).values.data(), rows(Value::values).values.data(), step.tokens);
}

/// Bias, then the norm of each head, or of all.
void GoldenLayer::correct(const Product& product, std::size_t tokens, std::vector<Fp16>& results) {
  if (product.bias) {
    const std::vector<Fp16>& bias = weights_->gains[*product.bias];
    for (std::size_t t = 0; t < tokens; ++t)
      vector::residual_add(results.data() + t * bias.size(), bias.data(), bias.size(),
                           results.data() + t * bias.size());
  }
  if (!product.head_norm) return;
  const std::vector<float>& gains = gains_[*product.head_norm];
  for (std::size_t at = 0; at < results.size(); at += gains.size())
    vector::rms_norm(results.data() + at, gains.data(), gains.size(), static_cast<float>(shape_.rms_norm_eps),
                     results.data() + at);
}

void GoldenOperations::linear() { operations_["linear"] = &GoldenLayer::linear; }

namespace operations {
void linear(GoldenOperations& all) { all.linear(); }
}  // namespace operations

}  // namespace harmonia::accelerator
