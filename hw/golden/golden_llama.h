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
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/vector/vector_math.h"

namespace harmonia::accelerator {

// ---- Settings ----

struct GoldenSettings {
  ActivationFormat activations = ActivationFormat::kBfp8;
  KvFormat kv = KvFormat::kBfp4Windows;
  std::size_t n_initial = 32;  ///< 8-bit windows of kBfp4Windows, tokens
  std::size_t n_local = 64;
  bool online_smoothing = false;
  std::size_t smoothed_channels = formats::kDefaultOffsets;  ///< per kv head

  KvPolicy kv_policy() const { return {kv, static_cast<int>(n_initial), static_cast<int>(n_local)}; }
};

// ---- Weights ----

struct GoldenLayerWeights {
  std::vector<formats::Fp16> attention_norm, ffn_norm;  // [hidden]
  LinearWeights q, k, v, o, gate, up, down;             // [out, in]
};

struct GoldenModelWeights {
  ModelShape shape;
  formats::RopePairing rope_pairing = formats::RopePairing::kAdjacent;
  /// Angle per position of each rotated pair, head_dim/2 values; empty: theta^(-2i/head_dim).
  std::vector<float> rope_frequencies;
  std::vector<formats::Fp16> embedding;  // [vocab][hidden]
  std::vector<GoldenLayerWeights> layers;
  std::vector<formats::Fp16> final_norm;  // [hidden]
  LinearWeights lm_head;                  // [vocab][hidden]

  /// Throws std::invalid_argument that names the first tensor whose size does not follow from the shape.
  void validate() const;
};

// ---- Taps: intermediate values ----

/// In the order in which a layer produces them. "BFP8 rows" are kBfp8.row_bytes(n) stored bytes a row; on a plain FP16
/// array they are not produced. T = tokens of the step, L = tokens in the cache after it.
enum class Operation {
  kEmbedding,         // FP16 [T][hidden]; layer = -1
  kAttentionNorm,     // FP16 [T][hidden]
  kAttentionNormBfp,  // BFP8 rows, T
  kQ,
  kK,
  kV,  // FP16 [T][q_width], [T][kv_width]
  kQRotated,
  kKRotated,           // FP16, same shapes
  kKSmoothed,          // FP16 [T][kv_width]; only with online smoothing
  kQBfp,               // BFP8 rows per head: [T][heads] rows of head_dim
  kScores,             // FP16, one record per token and head: [position + 1]
  kProbabilities,      // FP16, one record per token and head: [position + 1]
  kProbabilitiesBfp,   // BFP8 row of position + 1 values, one record per token and head
  kAttention,          // FP16 [T][q_width]
  kAttentionBfp,       // BFP8 rows, T
  kO,                  // FP16 [T][hidden]
  kAttentionResidual,  // FP16 [T][hidden]
  kFfnNorm,
  kFfnNormBfp,  // as for attention
  kGate,
  kUp,            // FP16 [T][intermediate]
  kActivated,     // FP16 [T][intermediate]: silu(gate) * up
  kActivatedBfp,  // BFP8 rows, T
  kDown,          // FP16 [T][hidden]
  kFfnResidual,   // FP16 [T][hidden]: the layer's output
  kFinalNorm,
  kFinalNormBfp,
  kLogits,  // layer = -1; FP16 [T][vocab]
};
const char* name(Operation operation) noexcept;

struct TapRecord {
  int layer = -1;
  Operation operation = Operation::kEmbedding;
  std::size_t token = 0;  ///< absolute position of the first row
  int head = -1;          ///< query head of records per head, else -1
  const void* data = nullptr;
  std::size_t bytes = 0;  ///< FP16 values count 2
};
/// Called as values appear; the data is valid during the call only.
using Tap = std::function<void(const TapRecord&)>;

// ---- KV cache ----

/// One layer's cache of one sequence in its stored bytes.
///
/// BFP formats. Slots hold one group each: exponent, sign plane, high-nibble plane, low-nibble plane (formats/bfp.h). A
/// slot whose allocation is 4 bit ends after the high plane: its live size is kBfp4.group_bytes(), otherwise
/// kBfp8.group_bytes(). Demotion drops the low plane and moves nothing.
///   K: slot (kv head, token, group of 32 channels)     V: slot (kv head, channel, group of 32 consecutive tokens)
/// The last V group is the residual one until it has 32 tokens, zero-padded, always with both planes.
/// FP16: per (kv head, token) head_dim FP16 values. INT8: per (kv head, token) one FP16 scale, then head_dim codes. K
/// and V alike.
class GoldenKvCache {
 public:
  GoldenKvCache() = default;
  GoldenKvCache(const ModelShape& shape, const GoldenSettings& settings);

  std::size_t tokens() const { return tokens_; }
  /// Groups of 32 channels in a head.
  std::size_t key_groups() const { return key_groups_; }
  /// Groups of 32 tokens, the residual one included.
  std::size_t value_groups() const { return (tokens_ + 31) / 32; }

  struct Stored {
    const std::uint8_t* data = nullptr;
    std::size_t bytes = 0;
  };
  /// BFP formats only: the live bytes of one group.
  Stored key_group(std::size_t kv_head, std::size_t token, std::size_t group) const;
  Stored value_group(std::size_t kv_head, std::size_t channel, std::size_t group) const;
  /// FP16 and INT8 only: one token's stored row.
  Stored key_row(std::size_t kv_head, std::size_t token) const;
  Stored value_row(std::size_t kv_head, std::size_t token) const;
  /// Live bytes of the whole cache, and of what one query of a decode step reads of it (the same: every live byte
  /// once).
  std::size_t live_bytes() const;

  /// Appends `tokens` rows of K (after smoothing) and V, FP16 [tokens][kv_width], then demotes what has left the
  /// windows. Returns how many values were infinite or NaN.
  std::size_t append(const formats::Fp16* k, const formats::Fp16* v, std::size_t tokens);

  // The operands that the PE array reads.
  /// out[t] = q . K(t) of one kv head, t < count. q: a stored BFP8 row of head_dim values, or head_dim FP16 values.
  void scores(const void* q, std::size_t kv_head, std::size_t count, formats::Fp16* out) const;
  /// out[c] = sum_t p(t) V(t, c) of one kv head, c < head_dim. p: a stored BFP8 row of `count` values, or FP16 values.
  void attend(const void* p, std::size_t kv_head, std::size_t count, formats::Fp16* out) const;

 private:
  bool stores_bfp() const { return settings_.kv != KvFormat::kFp16 && settings_.kv != KvFormat::kInt8; }
  std::uint8_t* key_slot(std::size_t kv_head, std::size_t token);
  std::uint8_t* value_slot(std::size_t kv_head, std::size_t channel, std::size_t group);
  void reserve(std::size_t tokens);
  /// Returns how many values were infinite or NaN.
  std::size_t store_row(const formats::Fp16* x, std::vector<std::uint8_t>& rows, formats::Fp16* read_back);
  void demote();
  void decode_to_fp16(std::size_t first_token);

  GoldenSettings settings_;
  KvPolicy policy_;
  std::size_t kv_heads_ = 0, head_dim_ = 0, key_groups_ = 0, tokens_ = 0;
  std::size_t capacity_ = 0;                           // tokens, a multiple of 32
  std::size_t demoted_keys_ = 0, demoted_values_ = 0;  // tokens, groups: what lies before needs no further look
  std::size_t first_stale_ = 0;                        // tokens from here on changed in the last demotion
  // Operand slots of kBfp8.group_bytes() each, low planes zeroed where they are dropped: keys [kv head][token][group],
  // values [kv head][channel][group]. For FP16 and INT8 caches on a BFP array these are what conversion on read yields.
  std::vector<std::uint8_t> key_slots_, value_slots_;
  std::vector<std::vector<std::uint8_t>> key_rows_, value_rows_;  // by kv head; FP16 and INT8 caches
  std::vector<formats::Fp16> key_fp16_,
      value_fp16_;  // [kv head][token][head_dim], [kv head][channel][token]; FP16 array
  std::vector<formats::Fp16> scratch_;
};

// ---- The model ----

/// One decoder layer of one sequence: its cache and offsets. Weights are shared, not owned; they must be prepared for
/// settings.activations.
class GoldenLayer {
 public:
  GoldenLayer(const ModelShape& shape, formats::RopePairing pairing, const std::vector<float>& rope_frequencies,
              const GoldenSettings& settings, const GoldenLayerWeights& weights, int index);

  /// x: FP16 [tokens][hidden], the residual stream; replaced by the layer's output. Appends the tokens to the cache.
  void step(formats::Fp16* x, std::size_t tokens, const Tap& tap = {});

  // Its parts, in order; each reads what the one before wrote. For tests that drive blocks one by one.
  void attention(formats::Fp16* x, std::size_t tokens, const Tap& tap = {});     // norm .. first residual
  void feed_forward(formats::Fp16* x, std::size_t tokens, const Tap& tap = {});  // norm .. second residual

  const GoldenKvCache& cache() const { return cache_; }
  /// Per kv head; empty before the first step and without online smoothing.
  const std::vector<formats::KeyOffsets>& offsets() const { return offsets_; }
  /// Infinities and NaNs that converters have met since the last reset.
  std::uint64_t nonfinite() const { return nonfinite_; }
  void reset();

 private:
  void emit(const Tap& tap, Operation operation, const void* data, std::size_t bytes, std::size_t token,
            int head = -1) const;
  /// Converts rows for the PE array, or passes FP16 through.
  const void* operand(const formats::Fp16* x, std::size_t tokens, std::size_t width, const Tap& tap,
                      Operation operation, std::size_t position);

  ModelShape shape_;
  GoldenSettings settings_;
  const GoldenLayerWeights* weights_;
  int index_;
  vector::RopeTable rope_;
  std::vector<float> attention_norm_, ffn_norm_;
  GoldenKvCache cache_;
  std::vector<formats::KeyOffsets> offsets_;
  std::uint64_t nonfinite_ = 0;
  // Scratch, sized by the largest step so far.
  std::vector<std::uint8_t> bfp_, q_bfp_, p_bfp_;
  std::vector<formats::Fp16> normed_, q_, k_, v_, attended_, projected_, gate_, up_, scores_;
  std::vector<float> cos_, sin_;
};

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
  std::vector<formats::Fp16> x_, normed_;
  std::vector<std::uint8_t> bfp_;
};

}  // namespace harmonia::accelerator
