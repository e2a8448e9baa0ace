// Offline key smoothing: per-channel factors from a calibration text, folded into the query and key projections.
//
// Models: the post-RoPE key maxima of the FP32 reference over a text, the factors of formats/smoothing.h, and the
// folded FP32 projections. Does not model: online offsets (the golden model chooses them itself).
#pragma once

#include <memory>
#include <vector>

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Factors per layer, [kv_heads * head_dim] each.
using SmoothingFactors = std::vector<std::vector<float>>;

/// Runs `documents` (token sequences, cut to the model's context) through the FP32 reference. Throws config::InputError
/// when there is no token to calibrate on.
SmoothingFactors calibrate_smoothing(const std::shared_ptr<const ModelWeights>& model,
                                     const std::vector<std::vector<int>>& documents, double exponent);

/// Whether the factors of a layer are folded into this matrix: the query and the key projection.
constexpr bool is_folded(ModelTensor tensor) { return tensor == ModelTensor::q || tensor == ModelTensor::k; }
/// Values of a layer's matrix, with the layer's factors folded in where they belong; `factors` empty: unchanged.
std::vector<float> folded(const ModelInfo& info, ModelTensor tensor, const WeightView& view,
                          const std::vector<float>& factors);

}  // namespace harmonia::testbench
