// One decoder layer of the golden model, for one sequence.
//
// Models: the operations of the layer graph in their order, each from its operands to where its results go: the residual
//   stream, the operand of a later operation, or the layer's KV cache.
// Does not model: several sequences; the layers' weights are shared, not owned.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/golden/golden_kv_cache.h"
#include "harmonia/hw/golden/golden_step.h"
#include "harmonia/hw/golden/settings.h"
#include "harmonia/hw/golden/tap.h"
#include "harmonia/hw/golden/weights.h"
#include "harmonia/hw/vector/vector_math.h"

namespace harmonia::accelerator {

class GoldenLayer {
 public:
  /// `model` and its layer `index` must outlive the layer; the matrices must be prepared for settings.activations.
  GoldenLayer(const GoldenModelWeights& model, const GoldenSettings& settings, int index);

  /// x: FP16 [tokens][hidden], the residual stream; replaced by the layer's output. Appends the tokens to the cache.
  void step(formats::Fp16* x, std::size_t tokens, const Tap& tap = {});
  /// One operation of a step, which begins at token `position`; all of them in the order of the layer graph make a step.
  void operate(const LayerOperation& operation, formats::Fp16* x, std::size_t tokens, std::size_t position,
               const Tap& tap = {});
  /// Of a device among several: what would change the residual stream goes to `part` instead, [tokens][hidden].
  void set_part(std::vector<formats::Fp16>* part) { part_ = part; }
  /// The sum of the devices' parts of a branch, [tokens][hidden], which a norm takes up.
  void put_branch(const std::vector<formats::Fp16>& sum) { rows(Value::branch).values = sum; }

  const GoldenKvCache& cache() const { return cache_; }
  /// Per kv head; empty before the first step and without online smoothing.
  const std::vector<formats::KeyOffsets>& offsets() const { return offsets_; }
  /// Infinities and NaNs that converters have met since the last reset.
  std::uint64_t nonfinite() const { return nonfinite_; }
  void reset();

 private:
  friend class GoldenOperations;
  GoldenRows& rows(Value value) { return rows_[static_cast<std::size_t>(value)]; }
  void norm(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  void linear(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  void correct(const Product& product, std::size_t tokens, std::vector<formats::Fp16>& results);
  void attention(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  void attend(const GoldenStep& step, const LayerOperation& operation, std::size_t token, std::size_t head);
  void attend_blocks(const void* query, std::size_t kv_head, UnitRange tokens, std::size_t hidden,
                     const vector::ScoreRule& rule, formats::Fp16* out);
  void pass(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void rotate(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void smooth(const GoldenStep& step, std::vector<formats::Fp16>& keys);
  void silu_multiply(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void activate(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void become_activated(const GoldenStep& step, const LayerOperation& operation);
  void keep(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void convert(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  void add_normed(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  vector::ScoreRule score_rule(const LayerOperation& operation, std::size_t head) const;
  void experts(const GoldenStep& step, const LayerOperation& operation, formats::Fp16* x);
  void expert(const LayerOperation& operation, std::size_t number, formats::Fp16* x);
  void route(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void scale(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  void scale_branch(std::vector<formats::Fp16>& results) const;
  /// What scaled results are added to, [tokens][hidden]: the stream, or a device's part, which begins with zeros.
  formats::Fp16* stream_or_part(formats::Fp16* x, std::size_t tokens);
  void add_scaled(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);
  template <class Update>
  void update_stream(const GoldenStep& step, const LayerOperation& operation, std::size_t product, formats::Fp16* x);

  ModelShape shape_;
  GoldenSettings settings_;
  const GoldenLayerWeights* weights_;
  int index_;
  std::vector<formats::Fp16>* part_ = nullptr;
  vector::RopeTable rope_;
  PerTensor<std::vector<float>> gains_;
  GoldenKvCache cache_;
  std::vector<formats::KeyOffsets> offsets_;
  std::uint64_t nonfinite_ = 0;
  // Scratch, sized by the largest step so far.
  std::array<GoldenRows, value_count> rows_;
  std::vector<std::vector<formats::Fp16>> results_;  // of the products of a linear
  GoldenRows scores_;                                // then probabilities, of one token and head
  // Of a mixture layer: experts of each token and their weights, and the scale of the shared experts.
  std::vector<std::uint32_t> chosen_;
  std::vector<float> expert_weights_, shared_scale_;
};

/// The activation of a model's feed-forward.
inline vector::Function function_of(const ModelShape& shape) { return static_cast<vector::Function>(shape.activation); }

/// What the files of hw/golden/operations register, by the names of the layer graph: the arithmetic of kinds of operations, and
/// of steps, which take results of product number `product` of an operation to where they go. x: the residual stream.
class GoldenOperations {
 public:
  using Operation = void (GoldenLayer::*)(const GoldenStep&, const LayerOperation&, formats::Fp16* x);
  using Results = void (GoldenLayer::*)(const GoldenStep&, const LayerOperation&, std::size_t product,
                                        formats::Fp16* x);

  void norm();
  void linear();
  void attention();
  void pass();
  void rotate();
  void silu_multiply();
  void branch();
  void experts();
  /// Update: a kind of the vector unit that is derived from vector::StreamUpdate.
  template <class Update>
  void stream_update(Step step) {
    results_[step] = &GoldenLayer::update_stream<Update>;
  }

  /// Throw std::logic_error when there is none.
  Operation of(OperationKind kind) const;
  Results of_results(Step step) const;

 private:
  std::map<OperationKind, Operation> operations_;
  std::map<Step, Results> results_;
};
const GoldenOperations& golden_operations();

template <class Update>
void GoldenLayer::update_stream(const GoldenStep& step, const LayerOperation& operation, std::size_t product,
                                formats::Fp16* x) {
  std::vector<formats::Fp16>& result = results_[product];
  const auto multiplier = static_cast<float>(shape_.residual_multiplier);
  if (multiplier != 1.0f) vector::scale_values(result.data(), result.size(), multiplier, result.data());
  if (part_ != nullptr) {
    *part_ = result;
    return;
  }
  Update::update(x, result.data(), result.size(), x);
  if (step.tap)
    step.tap({step.layer, name_of(*operation.products[product].weights), TapStage::added, step.position, -1, x,
              2 * result.size()});
}

}  // namespace harmonia::accelerator
