#include "harmonia/hw/golden/golden_step.h"

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/vector/vector_math.h"

namespace harmonia::accelerator {

using formats::Fp16;
using formats::kBfp8;

std::vector<float> fp32_of(const std::vector<Fp16>& x) {
  std::vector<float> out(x.size());
  formats::to_float(x.data(), x.size(), out.data());
  return out;
}

std::size_t GoldenRows::convert(formats::ActivationFormat array, std::size_t rows) {
  if (array == formats::ActivationFormat::fp16) return 0;
  const std::size_t width = values.size() / rows, row = kBfp8.row_bytes(width);
  groups.resize(rows * row);
  std::size_t nonfinite = 0;
  for (std::size_t r = 0; r < rows; ++r)
    nonfinite += formats::encode_row(kBfp8, values.data() + r * width, width, groups.data() + r * row);
  return nonfinite;
}

void golden_norm_row(const Fp16* x, const std::vector<float>& gains, std::size_t width, double epsilon, Fp16* out) {
  const auto e = static_cast<float>(epsilon);
  if (gains.size() == 2 * width)
    vector::layer_norm(x, gains.data(), gains.data() + width, width, e, out);
  else
    vector::rms_norm(x, gains.data(), width, e, out);
}

std::size_t golden_norm(const GoldenStep& step, const LayerOperation& norm, const Fp16* x,
                        const std::vector<float>& gains, std::size_t width, double epsilon,
                        formats::ActivationFormat array, GoldenRows& out) {
  out.values.resize(step.tokens * width);
  for (std::size_t t = 0; t < step.tokens; ++t)
    golden_norm_row(x + t * width, gains, width, epsilon, out.values.data() + t * width);
  step.emit(norm.name, TapStage::result, out.values);
  const std::size_t nonfinite = out.convert(array, step.tokens);
  if (!out.groups.empty()) step.emit(norm.name, TapStage::operand, out.groups);
  return nonfinite;
}

void golden_product(const GoldenStep& step, const Product& product, const formats::LinearWeights& matrix,
                    const GoldenRows& operand, std::vector<Fp16>& out) {
  out.resize(step.tokens * matrix.rows());
  matrix.multiply(operand.operand(), step.tokens, out.data());
  step.emit(name_of(*product.weights), TapStage::result, out);
}

}  // namespace harmonia::accelerator
