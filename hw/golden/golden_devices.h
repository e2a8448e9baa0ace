// The golden model of several devices that share a model: every value of each of them, in plain C++.
//
// Models: GoldenLayer of each device's part of the model, operation by operation; behind the embedding, attention and the
//   feed-forward the sum of the devices' parts, by the schedule of hw/link: FP16 with one rounding after each addition, or FP32 rounded to
//   FP16 at the end. Does not model: time, tiling, batches of several sequences (one object is one sequence).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "harmonia/hw/golden/golden_layer.h"
#include "harmonia/hw/link/reduction.h"
#include "harmonia/hw/link/schedule.h"

namespace harmonia::accelerator {

struct GoldenReduction {
  link::Algorithm algorithm = link::Algorithm::ring;
  link::Reduction reduction = link::Reduction::fp16;
  std::size_t message_elements = 1 << 20;  // of one message, which does not change a sum
};

class GoldenDevices {
 public:
  /// parts: each device's (hw/model/model_split.h), in the order of their heads, channels and tokens. Takes and prepares them. Throws
  /// std::invalid_argument when they do not fit their shapes.
  GoldenDevices(std::vector<std::shared_ptr<GoldenModelWeights>> parts, const GoldenSettings& settings,
                const GoldenReduction& reduction);

  /// One step, tokens of the whole vocabulary. logits: FP16 [whole vocabulary] of the last token.
  void step(const int* tokens, std::size_t count, formats::Fp16* logits);
  /// The residual stream behind the last layer of the last step, [tokens][hidden], which is the same on every device.
  const std::vector<formats::Fp16>& stream() const { return x_; }
  const GoldenLayer& layer(std::size_t device, std::size_t layer) const { return devices_[device][layer]; }

 private:
  void add_parts(std::size_t layer, Value result);
  std::vector<formats::Fp16> sum_of_parts() const;

  std::vector<std::shared_ptr<GoldenModelWeights>> parts_;
  GoldenSettings settings_;
  GoldenReduction reduction_;
  std::vector<std::vector<GoldenLayer>> devices_;
  std::vector<std::vector<formats::Fp16>> part_;  // of the sum under way, by device
  std::vector<formats::Fp16> x_;
};

}  // namespace harmonia::accelerator
