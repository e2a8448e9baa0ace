// Shape of a Llama-architecture decoder model: the fields of a Hugging Face config.json that fix every byte and MAC.
// Models: dense decoder layers with grouped-query attention, RMSNorm, RoPE and a SwiGLU feed-forward.
// Does not model: mixture of experts, biases, sliding windows, encoder parts.
#pragma once

#include <cstdint>
#include <string>

#include "harmonia/config/fields.h"

namespace harmonia::accelerator {

struct ModelShape {
  std::string name = "unnamed";
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
  int max_position_embeddings = 0;  // tokens that the model was trained for; 0: not known
  int sliding_window = 0;           // tokens that a windowed layer attends to; 0: all
  std::uint64_t other_parameters = 0;

  int queries_per_kv_head() const { return num_attention_heads / num_key_value_heads; }
  int q_width() const { return num_attention_heads * head_dim; }
  int kv_width() const { return num_key_value_heads * head_dim; }

  /// Weights of the seven linears of one layer (q, k, v, o, gate, up, down).
  std::uint64_t linear_weights_per_layer() const {
    const std::uint64_t h = hidden_size;
    return h * (q_width() + 2ull * kv_width()) + h * q_width() + 3ull * h * intermediate_size;
  }
  /// All weights: embeddings, norms and what the machine does not read (biases, further norms) included.
  std::uint64_t parameters() const {
    const std::uint64_t h = hidden_size;
    const std::uint64_t embeddings = h * vocab_size * (tie_word_embeddings ? 1 : 2);
    return num_hidden_layers * (linear_weights_per_layer() + 2 * h) + h + embeddings + other_parameters;
  }

  /// Keys are those of config.json. name, rope_theta and rms_norm_eps may be absent, head_dim too.
  void describe(config::Fields& f);

  /// Empty when the shape is consistent, else what is wrong with it.
  std::string problem() const {
    if (hidden_size <= 0 || num_hidden_layers <= 0 || num_attention_heads <= 0 || num_key_value_heads <= 0 ||
        intermediate_size <= 0 || vocab_size <= 0 || head_dim <= 0)
      return "every size of a model must be positive";
    if (num_attention_heads % num_key_value_heads != 0)
      return "num_attention_heads (" + std::to_string(num_attention_heads) +
             ") must be a multiple of num_key_value_heads (" + std::to_string(num_key_value_heads) + ")";
    if (head_dim % 2 != 0)
      return "head_dim (" + std::to_string(head_dim) + ") must be even, since RoPE rotates pairs of channels";
    return {};
  }
};

}  // namespace harmonia::accelerator
