// The golden machine behind the step interface, and the preparation of a model's weights for it.
//
// Models: encoding the linears in the configured format, folding offline smoothing, FP16 embedding and norms.
// Does not model: time; the SystemC machine has an engine of its own with the same weights.
#pragma once

#include <memory>

#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/smoothing_calibration.h"
#include "harmonia/testbench/infer/step_engine.h"

namespace harmonia::testbench {

/// Weights as the machine stores them. Packed tensors are taken as they are when weights.format is "stored" or names
/// what they are; otherwise tensors are decoded and encoded anew. `factors` may be empty. Throws config::InputError
/// when a tensor holds a value that is not finite.
std::shared_ptr<accelerator::GoldenModelWeights> prepare_weights(const ModelWeights& model, const InferConfig& config,
                                                                 const SmoothingFactors& factors = {});

/// Stored bytes of a decode step's weights: the seven linears of all layers, and the output head.
struct WeightBytes {
  std::size_t linears = 0;
  std::size_t output_head = 0;
  double bits_per_linear_weight = 0;
};
WeightBytes weight_bytes(const accelerator::GoldenModelWeights& weights);

/// The settings in words; where they say "stored", with the format that this is.
std::string summary_of(const InferConfig& config, const accelerator::GoldenModelWeights& weights);

class GoldenEngine : public StepEngine {
 public:
  GoldenEngine(const ModelInfo& info, std::shared_ptr<accelerator::GoldenModelWeights> weights,
               const InferConfig& config);

  const ModelInfo& model() const override { return info_; }
  std::string description() const override { return "golden machine: " + summary_of(config_, golden_.weights()); }
  void reset() override { golden_.reset(); }
  std::int64_t position() const override { return static_cast<std::int64_t>(golden_.position()); }
  void step(const std::vector<int>& tokens, std::vector<float>& logits) override;

  accelerator::GoldenLlama& golden() { return golden_; }
  /// Live bytes of the KV cache over all layers.
  std::size_t kv_bytes() const;

 private:
  ModelInfo info_;
  InferConfig config_;
  accelerator::GoldenLlama golden_;
  std::vector<formats::Fp16> logits_;
};

}  // namespace harmonia::testbench
