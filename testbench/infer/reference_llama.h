// The FP32 reference: a Llama forward pass in single precision, one token at a time, in the order of operations of
// llama2.c's run.c (github.com/karpathy/llama2.c), so that its published text is reproduced token by token.
//
// Models: FP32 weights (decoded from whatever they are stored in), FP32 activations and cache, sums in ascending order,
// the C library's sine, cosine, exponential and square root.
// Does not model: any format of the accelerator. This is what quality is measured against.
#pragma once

#include <array>

#include "harmonia/testbench/infer/step_engine.h"

namespace harmonia::testbench {

class ReferenceLlama : public StepEngine {
 public:
  explicit ReferenceLlama(std::shared_ptr<const ModelWeights> weights);

  const ModelInfo& model() const override { return weights_->info; }
  std::string description() const override { return "FP32 reference"; }
  void reset() override;
  std::int64_t position() const override { return position_; }
  void step(const std::vector<int>& tokens, std::vector<float>& logits) override;

  /// Post-RoPE keys of layer `layer`, [position, kv_heads * head_dim]: what offline smoothing is calibrated on.
  const std::vector<float>& keys(std::int64_t layer) const { return key_cache_[static_cast<std::size_t>(layer)]; }

 private:
  void forward(int token, float* logits);
  void multiply(const WeightView& w, const std::vector<float>& x, std::vector<float>& out);
  void multiply_rows(const WeightView& w, std::int64_t first, std::int64_t count, const std::vector<float>& x,
                     std::vector<float>& out);
  void project(const LayerWeights& l, ModelTensor matrix, bool with_bias, ModelTensor bias,
               const std::vector<float>& operand, std::vector<float>& out);
  void add_bias(const WeightView& bias, std::int64_t part, std::int64_t parts, std::vector<float>& out);
  void normalise_heads(const WeightView& gains, std::vector<float>& heads);
  void attend(std::size_t layer, const LayerWeights& l);
  float activated(float gate, float up) const;
  void feed_forward(const LayerWeights& l);
  void expert(const LayerWeights& l, const std::array<ModelTensor, 3>& matrices,
              const std::array<ModelTensor, 3>& biases, bool with_biases, std::int64_t part, std::int64_t parts,
              float scale);
  void leave(const LayerWeights& l, ModelTensor post_norm);
  void mixture(const LayerWeights& l);
  void normalise(const std::vector<float>& x, const WeightView& weight, std::vector<float>& out);
  void rotate(float* vector, std::int64_t heads, int layer) const;

  std::shared_ptr<const ModelWeights> weights_;
  std::int64_t position_ = 0;
  std::vector<std::vector<float>> key_cache_, value_cache_;  // per layer, grow with the sequence
  std::vector<float> row_, x_, normed_, branch_, q_, k_, v_, attended_, projected_, gate_, up_, scores_;
};

}  // namespace harmonia::testbench
