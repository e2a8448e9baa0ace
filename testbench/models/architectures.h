// What is known of each architecture that a Hugging Face config.json may name.
//
// Models: which `model_type` stands for a decoder whose layers the machine runs, the defaults that its own reader takes for keys
//   that are absent, and for every key of the file whether it fixes the shape, makes no difference, or asks for something that is
//   not modelled.
// Does not model: the values of weights; what an architecture computes beside the plain Llama layer (listed as a feature instead).
// Source: the published config.json files and the documentation of the configuration classes of the same names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace harmonia::testbench {

struct Architecture {
  const char* model_type;
  const char* family;  // for people

  // Defaults of absent keys.
  bool tied = false;
  double rope_theta = 10000.0;
  double norm_eps = 1e-6;
  int head_dim = 0;    // 0: hidden_size / num_attention_heads
  int vocab_size = 0;  // 0: the file must say it
  int window = 0;      // tokens that the windowed layers attend to; 0: none
  const char* activation = "silu";

  // What the architecture has beside a plain Llama layer, whatever its file says.
  enum class Norms { before, behind, both } norms = Norms::before;
  bool layer_norm = false;        // norms subtract the mean and have biases
  bool gains_less_one = false;    // norms are stored as what their gains exceed 1 by
  bool scaled_embedding = false;  // by sqrt(hidden_size)
  double attention_cap = 0, logits_cap = 0;
  double query_scalar = 0;       // scores are divided by its root; 0: by that of head_dim
  double partial_rotary = 1;     // share of each head that is rotated
  double window_rope_theta = 0;  // base of RoPE in layers with a window; 0: that of all
  int no_rope_interval = 0;      // every n-th layer has no RoPE
  bool clamped = false;          // the clamped activation of gpt-oss
  bool mlp_bias = false;         // biases of the feed-forward, where the file says nothing
  enum class QkNorm { none, per_head, whole_width } qk_norm = QkNorm::none;
  bool qkv_bias = false;  // biases of q, k and v
  bool o_bias = false;    // of the output projection
  // A mixture of experts: its numbers are in the file, with these defaults.
  bool mixture = false;
  int experts = 0, experts_per_token = 0;  // 0: the file must say it
  bool shared_gate = false;
  bool normalised_experts = false;  // the weights of a token's experts add up to 1
  bool sinks = false;               // a score of its own for each head
  bool gated = true;                // three matrices in the feed-forward
  int window_period =
      0;  // every n-th layer attends to the whole context, the others to the window; 0: all to the window
  double attention_scale = 0;           // of scores, where the file gives none; 0: 1 / sqrt(head_dim)
  const char* values_differ = nullptr;  // why the plain layer does not compute its values
};

/// Null when `model_type` is no decoder that is modelled.
const Architecture* find_architecture(std::string_view model_type);
/// All names, for messages.
std::vector<std::string> architecture_names();

/// Why a model type that is known is not modelled; null when it is modelled or unknown.
const char* refused_architecture(std::string_view model_type);
/// The model types that it knows.
std::vector<std::string> refused_architecture_names();

/// Keys that change neither bytes nor operations nor values of a decode step: training, generation, bookkeeping.
bool is_harmless_key(std::string_view key);

}  // namespace harmonia::testbench
