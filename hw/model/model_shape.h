// Shape of a Llama-architecture decoder model: the fields of a Hugging Face config.json that fix every byte and MAC.
// Models: decoder layers with grouped-query attention, RMSNorm, RoPE and a SwiGLU feed-forward, which may be a mixture of
//   experts with shared ones beside them, and dense in some layers.
//   Layers may attend to a sliding window of the newest tokens; projections may have biases, queries and keys norms, scores
//   and logits a cap, heads a sink. Norms stand before attention and feed-forward, behind them, or both; the feed-forward may
//   have no gate.
//   A custom architecture lists its layers: of each run of equal ones the operations of the layer graph by name, its heads and
//   the width of its feed-forward.
// Does not model: parallel blocks, heads of different widths, encoder parts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"

namespace harmonia::accelerator {

/// What a router's scores become before they weigh the experts' results.
enum class RouterScores : std::uint8_t { softmax, sigmoid };

/// Where the norms of a layer stand: before attention and feed-forward, on their results, or both.
enum class NormPlacement : std::uint8_t { before, behind, both };

/// What the feed-forward does to the gate's results, or to those of its first matrix where it has no gate: SiLU; GELU by its tanh
/// formula; the square of what is above 0; SiLU of 1.702 times both clamped results, times one more than the other (gpt-oss).
enum class Activation : std::uint8_t { silu, gelu, relu_squared, clamped };

/// Feed-forward layers that are mixtures: a router sends each token through experts_per_token of `experts` networks of three
/// matrices, those of the highest scores. How scores become weights fixes values only.
struct Mixture {
  int experts = 0;  // 0: no layer is a mixture
  int experts_per_token = 0;
  int expert_width = 0;      // channels between an expert's matrices
  int shared_width = 0;      // of all shared experts together, through which every token passes; 0: none
  bool shared_gate = false;  // a row of weights scales what the shared experts give
  int dense_layers = 0;      // the first so many layers are dense
  int period = 1;            // of the others those whose number, counted from 1, is a multiple are mixtures
  RouterScores scores = RouterScores::softmax;
  bool normalised = true;     // the weights of a token's experts are divided by their sum: softmax is over those alone
  double weight_scale = 1.0;  // of these weights, afterwards

  /// Parameters of one expert, and of a mixture layer's feed-forward without norms.
  std::uint64_t expert_weights(std::uint64_t hidden) const { return 3 * hidden * static_cast<unsigned>(expert_width); }
  std::uint64_t layer_weights(std::uint64_t hidden) const {
    return static_cast<unsigned>(experts) * (expert_weights(hidden) + hidden) +
           3 * hidden * static_cast<unsigned>(shared_width) + (shared_gate ? hidden : 0);
  }
  void describe(config::Fields& f);
};

/// Where a model's layers come from: all are the decoder layer that the other keys describe, or they are listed.
enum class Architecture : std::uint8_t { decoder, custom };

/// Equal layers of a custom architecture, one behind the other.
struct LayerRun {
  int count = 1;
  std::vector<std::string> operations;  // of the layer graph by name, in their order; empty: those of a decoder layer
  int num_attention_heads = 0;          // 0: the model's, as those that follow
  int num_key_value_heads = 0;
  int intermediate_size = 0;

  bool does(const std::string& operation) const {
    return std::find(operations.begin(), operations.end(), operation) != operations.end();
  }
  /// Whether its layers are those of another run, however many these are.
  bool alike(const LayerRun& other) const {
    return operations == other.operations && num_attention_heads == other.num_attention_heads &&
           num_key_value_heads == other.num_key_value_heads && intermediate_size == other.intermediate_size;
  }
  void describe(config::Fields& f);
};

struct ModelShape {
  std::string name = "unnamed";
  Architecture architecture = Architecture::decoder;
  int hidden_size = 4096;
  int num_hidden_layers = 32;
  int num_attention_heads = 32;
  int num_key_value_heads = 8;
  int intermediate_size = 14336;
  int vocab_size = 128256;
  int head_dim = 128;  // 0 in a file means hidden_size / num_attention_heads
  bool tie_word_embeddings = false;
  double rope_theta = 500000.0;
  double rms_norm_eps = 1e-5;
  int max_position_embeddings = 0;         // tokens that the model was trained for; 0: not known
  int sliding_window = 0;                  // tokens that a windowed layer attends to, itself the last; 0: all
  std::vector<int> full_attention_layers;  // with a window, those that attend to all tokens all the same
  bool qkv_bias = false;                   // q, k and v have biases
  bool qk_norm = false;                    // each head of queries and keys is normed, before RoPE
  bool o_bias = false;                     // so has the output projection,
  bool ffn_bias = false;                   // so have gate, up and down; of a mixture router and experts
  bool qk_norm_all_heads = false;          // the norm of queries and keys is over all heads at once
  bool layer_norm = false;                 // norms subtract the mean and add a bias
  NormPlacement norms = NormPlacement::before;
  bool gated = true;  // the feed-forward has a gate: three matrices, otherwise two
  Activation activation = Activation::silu;
  double activation_limit = 7.0;  // of the clamped activation
  bool attention_sinks = false;   // a score of its own for each head takes part in the softmax
  double attention_cap = 0.0;     // c of c tanh(s / c), which scores become before the softmax; 0: none
  double logits_cap = 0.0;        // the same of logits
  int rotary_dim = 0;             // first channels of each head that are rotated; 0: all
  std::vector<int> layers_without_rope;
  double window_rope_theta = 0.0;     // base of layers with a window, which then know no scaling; 0: rope_theta
  double embedding_multiplier = 1.0;  // of a token's embedding
  double residual_multiplier = 1.0;   // of what attention and feed-forward add to the residual stream
  double attention_scale = 0.0;       // of scores; 0: 1 / sqrt(head_dim)
  double logits_divisor = 1.0;
  std::uint64_t other_parameters = 0;
  Mixture mixture;
  std::vector<LayerRun> layers;  // of a custom architecture, in their order
  int tensor_devices = 1;  // of a shape that is one device's part of a model (model_split.h), how many share it; no key
  // Of such a part, no keys: how many devices the experts are placed on, each whole on one of them (1: every device has a part of each
  // expert), and which of the devices the part is of. busiest: in each layer of the one that busiest_device() of routing.h says.
  static constexpr int busiest = -1;
  int expert_devices = 1;
  int device = 0;
  // Of a shape that is one stage's part of a model (model_split.h), no keys: the number that its first layer has in the model;
  // whether its rows come from a stage before instead of from the embedding, and go to one behind instead of to lm_head.
  int first_layer = 0;
  bool stage_before = false, stage_behind = false;

  int queries_per_kv_head() const { return num_attention_heads / num_key_value_heads; }
  int q_width() const { return num_attention_heads * head_dim; }
  int kv_width() const { return num_key_value_heads * head_dim; }

  /// The run of listed layers that a layer belongs to; null: the architecture lists none.
  const LayerRun* run_of(int layer) const {
    for (const LayerRun& run : layers)
      if ((layer -= run.count) < 0) return &run;
    return nullptr;
  }
  /// The model as if all of its layers had the heads, widths and operations of this one.
  ModelShape of_layer(int layer) const;
  /// KV heads that a layer has in the cache: none where it does not attend.
  int cached_heads(int layer) const {
    const LayerRun* run = run_of(layer);
    if (run == nullptr) return num_key_value_heads;
    if (!run->operations.empty() && !run->does("attention")) return 0;
    return run->num_key_value_heads != 0 ? run->num_key_value_heads : num_key_value_heads;
  }

  /// Tokens that a layer attends to; 0: all.
  std::uint64_t window_of(int layer) const {
    const auto& full = full_attention_layers;
    return std::find(full.begin(), full.end(), first_layer + layer) == full.end()
               ? static_cast<std::uint64_t>(sliding_window)
               : 0;
  }
  bool attends_to_all() const { return sliding_window == 0 || !full_attention_layers.empty(); }
  /// Channels of a head that a layer rotates.
  int rotated(int layer) const {
    const auto& none = layers_without_rope;
    if (std::find(none.begin(), none.end(), first_layer + layer) != none.end()) return 0;
    return rotary_dim == 0 ? head_dim : rotary_dim;
  }
  /// Base of a layer's angles; own: it is that of the windowed layers.
  bool own_theta(int layer) const { return window_rope_theta != 0.0 && window_of(layer) != 0; }
  double theta_of(int layer) const { return own_theta(layer) ? window_rope_theta : rope_theta; }
  /// Gains of a norm over the residual stream, with its biases.
  int norm_width() const { return layer_norm ? 2 * hidden_size : hidden_size; }
  bool norms_before() const { return norms != NormPlacement::behind; }
  bool norms_behind() const { return norms != NormPlacement::before; }
  /// Whether two layers have the same operations over the same tokens.
  bool alike(int a, int b) const {
    const LayerRun *of_a = run_of(a), *of_b = run_of(b);
    return is_mixture(a) == is_mixture(b) && window_of(a) == window_of(b) && rotated(a) == rotated(b) &&
           (of_a == of_b || of_a->alike(*of_b));
  }
  /// Of each sort of layer the first.
  std::vector<int> sorts_of_layers() const {
    std::vector<int> sorts;
    for (int l = 0; l < num_hidden_layers; ++l)
      if (std::none_of(sorts.begin(), sorts.end(), [&](int s) { return alike(s, l); })) sorts.push_back(l);
    return sorts;
  }

  /// Names of a layer's operations in the layer graph, in their order.
  std::vector<std::string> operations_of(int layer) const;
  bool is_mixture(int layer) const {
    if (const LayerRun* run = run_of(layer); run != nullptr && !run->operations.empty()) return run->does("experts");
    layer += first_layer;
    return mixture.experts > 0 && layer >= mixture.dense_layers && (layer + 1) % mixture.period == 0;
  }
  /// Experts that the device has of each mixture layer, whole or a part of each, and the number of the first one in the model. They
  /// are placed in blocks, the lowest numbers on the first device.
  int own_experts() const { return mixture.experts / expert_devices; }
  int first_expert() const { return device == busiest ? 0 : device * own_experts(); }
  /// Whether a layer has a feed-forward of intermediate_size channels.
  bool is_dense(int layer) const {
    if (const LayerRun* run = run_of(layer); run != nullptr && !run->operations.empty()) return run->does("down");
    return !is_mixture(layer);
  }
  int mixture_layers() const {
    int count = 0;
    for (int l = 0; l < num_hidden_layers; ++l) count += is_mixture(l) ? 1 : 0;
    return count;
  }
  /// Channels of the widest operand of a down projection.
  int widest_feed_forward() const;

  /// Weights of a dense feed-forward's matrices.
  std::uint64_t feed_forward_weights() const { return (gated ? 3ull : 2ull) * hidden_size * intermediate_size; }
  /// Weights of the linears of one dense layer (q, k, v, o, gate, up, down).
  std::uint64_t linear_weights_per_layer() const {
    const std::uint64_t h = hidden_size;
    return h * (q_width() + 2ull * kv_width()) + h * q_width() + feed_forward_weights();
  }
  /// All weights: embeddings, norms and what the machine does not read (further biases and norms) included.
  std::uint64_t parameters() const;

  /// Keys are those of config.json. name, rope_theta and rms_norm_eps may be absent, head_dim too.
  void describe(config::Fields& f);

  /// Empty when the shape is consistent, else what is wrong with it.
  std::string problem() const;
};

}  // namespace harmonia::accelerator
