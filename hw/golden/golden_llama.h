// The golden model of the whole machine: a Llama decoder composed of golden functions, in plain C++.
//
// Models: every value that the machine computes and every byte that its KV cache holds, bit for bit: FP16 between
// operations, BFP8 at the PE array's inputs, integer partials, FP32 accumulation in ascending order, the vector unit's
// own exponential and rotation, online key smoothing, the initial and local 8-bit windows of the cache, V groups grown
// in place.
// Does not model: time, tiling, memory addresses, batches of several sequences (one object is one sequence).
// Source: number formats specification, all sections. What is fixed here beyond it is our assumption:
//
// 1. Activations between operations are FP16; the embedding row is rounded to FP16.
//
// 2. Each linear's input is converted per token to BFP8 groups of 32 channels.
//
// 3. RoPE takes FP16 and gives FP16. Queries become BFP8 per head. Keys pass the smoother, then become BFP.
//
// 4. A step first appends its tokens to the cache; windows are then taken with context = tokens in the cache; then
// every query attends to the tokens up to its own. P beyond the query's own position is zero.
//
// 5. Online offsets are chosen per kv head from the keys of the first step and hold for every key, that step's too.
//
// 6. An FP16 or INT8 cache on a BFP array is converted on read, as 16-bit weights are: keys per token along channels,
// values along 32 consecutive tokens, BFP8. INT8 rows, one per token and kv head, are those of hw/formats/int8_row.h.
//
// 7. On a plain FP16 array nothing is converted to BFP: products are FP16 x FP16, a BFP cache is decoded to FP16, which
// is exact.
//
// 8. With linears of another design (GoldenSettings::linears) their activations stay FP16 in memory, what they do to them at the
// PEs' inputs is theirs (hw/baselines), and 16-bit matrices and attention are a plain FP16 array's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/golden/golden_kv_cache.h"
#include "harmonia/hw/golden/golden_layer.h"
#include "harmonia/hw/golden/golden_step.h"
#include "harmonia/hw/golden/settings.h"
#include "harmonia/hw/golden/tap.h"
#include "harmonia/hw/golden/weights.h"

namespace harmonia::accelerator {

class GoldenLlama {
 public:
  /// Takes the weights and prepares them. Throws std::invalid_argument when they do not fit the shape.
  GoldenLlama(std::shared_ptr<GoldenModelWeights> weights, const GoldenSettings& settings);

  const GoldenModelWeights& weights() const { return *weights_; }
  const GoldenSettings& settings() const { return settings_; }
  std::size_t position() const { return layers_.empty() ? 0 : layers_.front().cache().tokens(); }
  const GoldenLayer& layer(std::size_t i) const { return layers_[i]; }
  /// Called for every intermediate value of later steps; an empty function ends it.
  void set_tap(Tap tap) { tap_ = std::move(tap); }

  /// One step: prefill of many tokens, or decode of one. Tokens are 0 .. vocab-1 (std::out_of_range). logits: FP16
  /// [tokens][vocab], or only the last token's [vocab] when `last_only`.
  void step(const int* tokens, std::size_t count, formats::Fp16* logits, bool last_only = false);
  /// Final norm and output head on rows of the residual stream.
  void output_head(const formats::Fp16* x, std::size_t tokens, std::size_t first_position, formats::Fp16* logits);
  void reset();

 private:
  std::shared_ptr<GoldenModelWeights> weights_;
  GoldenSettings settings_;
  std::vector<GoldenLayer> layers_;
  std::vector<float> final_norm_;
  Tap tap_;
  std::vector<formats::Fp16> x_, logits_;
  GoldenRows normed_;
};

}  // namespace harmonia::accelerator
