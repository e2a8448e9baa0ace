// Weights of a whole model as the machine stores and multiplies them.
//
// Models: every matrix in its weight format, norms and the embedding in FP16, the pairing and angles of the rotary
//   position embedding.
// Does not model: where they lie in memory (the address map), files that they come from (testbench/weights).
#pragma once

#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/golden/settings.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

struct GoldenLayerWeights {
  PerTensor<std::vector<formats::Fp16>> gains;  // of the norms, and biases
  PerTensor<formats::LinearWeights> matrices;   // [output features, input features]
};

struct GoldenModelWeights {
  ModelShape shape;
  formats::RopePairing rope_pairing = formats::RopePairing::kAdjacent;
  /// Angle per position of each rotated pair, rotated/2 values; empty: theta^(-2i/rotated). Layers with a theta of their own do not
  /// take them.
  std::vector<float> rope_frequencies;
  float rope_magnitude = 1.0f;           // with frequencies: factor of sine and cosine
  std::vector<formats::Fp16> embedding;  // [vocab][hidden]
  std::vector<GoldenLayerWeights> layers;
  std::vector<formats::Fp16> final_norm;  // [hidden]
  formats::LinearWeights lm_head;         // [vocab][hidden]

  /// Throws std::invalid_argument that names the first tensor whose size does not follow from the shape.
  void validate() const;
  /// Every matrix made ready for the array that the settings name. Throws std::invalid_argument when it cannot multiply one.
  void prepare(const GoldenSettings& settings);
};

}  // namespace harmonia::accelerator
