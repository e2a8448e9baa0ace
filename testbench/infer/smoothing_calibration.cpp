#include "harmonia/testbench/infer/smoothing_calibration.h"

#include <algorithm>

#include "harmonia/config/error.h"
#include "harmonia/testbench/infer/reference_llama.h"

namespace harmonia::testbench {

SmoothingFactors calibrate_smoothing(const std::shared_ptr<const ModelWeights>& model,
                                     const std::vector<std::vector<int>>& documents, double exponent) {
  const ModelInfo& info = model->info;
  const auto channels = static_cast<std::size_t>(info.shape.kv_width());
  SmoothingFactors maxima(model->layers.size(), std::vector<float>(channels, 0.0F));
  ReferenceLlama reference(model);
  std::vector<float> logits;
  std::size_t tokens = 0;
  for (const std::vector<int>& document : documents) {
    reference.reset();
    const auto length = std::min(document.size(), static_cast<std::size_t>(info.max_context));
    for (std::size_t i = 0; i < length; ++i) reference.step({document[i]}, logits);
    tokens += length;
    for (std::size_t layer = 0; layer < maxima.size(); ++layer)
      formats::update_key_maxima(reference.keys(static_cast<std::int64_t>(layer)).data(), length, channels,
                                 maxima[layer].data());
  }
  if (tokens == 0) throw config::InputError("the calibration text is empty");
  SmoothingFactors factors = maxima;
  for (std::size_t layer = 0; layer < maxima.size(); ++layer)
    formats::smoothing_factors(maxima[layer].data(), static_cast<std::size_t>(info.shape.num_key_value_heads),
                               static_cast<std::size_t>(info.shape.head_dim), info.rope_pairing, exponent,
                               factors[layer].data());
  return factors;
}

std::vector<float> folded(const ModelInfo& info, ModelTensor tensor, const WeightView& view,
                          const std::vector<float>& factors) {
  std::vector<float> w = view.read();
  if (factors.empty() || !is_folded(tensor)) return w;
  const auto heads = static_cast<std::size_t>(info.shape.num_attention_heads),
             kv_heads = static_cast<std::size_t>(info.shape.num_key_value_heads),
             head_dim = static_cast<std::size_t>(info.shape.head_dim), columns = static_cast<std::size_t>(view.cols);
  if (tensor == ModelTensor::q)
    formats::fold_into_query(w.data(), heads, kv_heads, head_dim, columns, factors.data());
  else
    formats::fold_into_key(w.data(), kv_heads, head_dim, columns, factors.data());
  return w;
}

}  // namespace harmonia::testbench
