// Checkpoints in the layouts of dense families beyond a plain Llama, written from a seed: read, close to plain FP32 in the golden model,
// and bit for bit in the machine.
#include "tests/models/checkpoints.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

constexpr int of_feed_forward = 80;

void attention(Folder& f, const std::string& p) {
  f.add(p + "self_attn.q_proj.weight", heads * head_dim, hidden);
  f.add(p + "self_attn.k_proj.weight", kv_heads * head_dim, hidden);
  f.add(p + "self_attn.v_proj.weight", kv_heads * head_dim, hidden);
  f.add(p + "self_attn.o_proj.weight", hidden, heads * head_dim);
}

void attention_biases(Folder& f, const std::string& p) {
  f.add(p + "self_attn.q_proj.bias", 1, heads * head_dim, 0.5);
  f.add(p + "self_attn.k_proj.bias", 1, kv_heads * head_dim, 0.5);
  f.add(p + "self_attn.v_proj.bias", 1, kv_heads * head_dim, 0.5);
  f.add(p + "self_attn.o_proj.bias", 1, hidden, 0.5);
}

/// Llama's names, with what `keys` asks for and nothing beside.
Folder like_llama(std::uint64_t seed, const std::string& keys) {
  Folder f(seed, "\"intermediate_size\": 80, " + keys);
  for (int l = 0; l < layers; ++l) f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  return f;
}

/// Norms are stored less one.
Folder gemma(std::uint64_t seed, const std::string& keys, bool head_norms) {
  Folder f(seed, "\"intermediate_size\": 80, \"hidden_activation\": \"gelu_pytorch_tanh\", " + keys, false);
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    for (const char* norm :
         {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      f.add(p + norm + ".weight", 1, hidden, 0.2);
    if (head_norms) {
      f.add(p + "self_attn.q_norm.weight", 1, head_dim, 0.2);
      f.add(p + "self_attn.k_norm.weight", 1, head_dim, 0.2);
    }
    attention(f, p);
    f.feed_forward(p + "mlp.", "gate_proj", "up_proj", "down_proj", of_feed_forward);
  }
  return f;
}

}  // namespace

TEST_CASE("families: Gemma-2, four norms a layer, caps of scores and logits, every other layer with a window") {
  const auto model = gemma(101,
                           "\"model_type\": \"gemma2\", \"sliding_window\": 9, \"query_pre_attn_scalar\": 24, "
                           "\"attn_logit_softcapping\": 2.0, \"final_logit_softcapping\": 3.0",
                           false)
                         .load();
  const accelerator::ModelShape& s = model->info.shape;
  CHECK(s.norms == accelerator::NormPlacement::both);
  CHECK(s.embedding_multiplier == 8.0);
  CHECK(s.attention_cap == 2.0);
  CHECK(s.logits_cap == 3.0);
  CHECK(std::abs(s.attention_scale - 1 / std::sqrt(24.0)) < 1e-12);
  CHECK(s.window_of(0) == 9);
  CHECK(s.window_of(1) == 0);
  require_all(model);
}

TEST_CASE("families: Gemma-3, norms of heads, two bases of RoPE, one of them scaled") {
  const auto model = gemma(102,
                           "\"model_type\": \"gemma3_text\", \"sliding_window\": 9, \"sliding_window_pattern\": 2, "
                           "\"rope_theta\": 50000, \"rope_local_base_freq\": 100, "
                           "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}",
                           true)
                         .load();
  CHECK(model->info.shape.theta_of(0) == 100);
  CHECK(model->info.shape.theta_of(1) == 50000);
  require_all(model);
}

TEST_CASE("families: OLMo-2, norms behind the blocks alone and over all heads") {
  Folder f(103, "\"model_type\": \"olmo2\", \"intermediate_size\": 80", false);
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    f.add(p + "post_attention_layernorm.weight", 1, hidden, 0.2, 1.0);
    f.add(p + "post_feedforward_layernorm.weight", 1, hidden, 0.2, 1.0);
    f.add(p + "self_attn.q_norm.weight", 1, heads * head_dim, 0.2, 1.0);
    f.add(p + "self_attn.k_norm.weight", 1, kv_heads * head_dim, 0.2, 1.0);
    attention(f, p);
    f.feed_forward(p + "mlp.", "gate_proj", "up_proj", "down_proj", of_feed_forward);
  }
  require_all(f.load());
}

TEST_CASE("families: OLMoE, a mixture with norms over all heads") {
  Folder f(104,
           "\"model_type\": \"olmoe\", \"intermediate_size\": 48, \"num_experts\": 6, \"num_experts_per_tok\": 3, "
           "\"norm_topk_prob\": false");
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    f.add(p + "self_attn.q_norm.weight", 1, heads * head_dim, 0.2, 1.0);
    f.add(p + "self_attn.k_norm.weight", 1, kv_heads * head_dim, 0.2, 1.0);
    f.add(p + "mlp.gate.weight", experts, hidden, 0.4);
    f.each_expert(p + "mlp.experts.", "gate_proj", "up_proj", "down_proj");
  }
  require_all(f.load());
}

TEST_CASE("families: DeepSeek-MoE, shared experts without a gate and a dense first layer") {
  Folder f(105,
           "\"model_type\": \"deepseek\", \"intermediate_size\": 80, \"moe_intermediate_size\": 48, "
           "\"n_routed_experts\": 6, \"num_experts_per_tok\": 2, \"n_shared_experts\": 2, "
           "\"first_k_dense_replace\": 1");
  f.feed_forward(Folder::layer(0) + "mlp.", "gate_proj", "up_proj", "down_proj", of_feed_forward);
  const std::string p = Folder::layer(1);
  f.add(p + "mlp.gate.weight", experts, hidden, 0.4);
  f.each_expert(p + "mlp.experts.", "gate_proj", "up_proj", "down_proj");
  f.feed_forward(p + "mlp.shared_experts.", "gate_proj", "up_proj", "down_proj", 2 * width);
  require_all(f.load());
}

TEST_CASE("families: SmolLM3, layers without RoPE") {
  const auto model =
      like_llama(106, "\"model_type\": \"smollm3\", \"no_rope_layers\": [0, 1], \"use_sliding_window\": false").load();
  CHECK(model->info.shape.rotated(0) == 0);
  CHECK(model->info.shape.rotated(1) == head_dim);
  require_all(model);
}

TEST_CASE("families: biases of all matrices of a Llama") {
  Folder f = like_llama(107, "\"model_type\": \"llama\", \"attention_bias\": true, \"mlp_bias\": true");
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    attention_biases(f, p);
    f.add(p + "mlp.gate_proj.bias", 1, of_feed_forward, 0.5);
    f.add(p + "mlp.up_proj.bias", 1, of_feed_forward, 0.5);
    f.add(p + "mlp.down_proj.bias", 1, hidden, 0.5);
  }
  require_all(f.load());
}

TEST_CASE("families: Phi-4-mini, a part of each head rotated, and matrices that are stored as one") {
  Folder f(108, "\"model_type\": \"phi3\", \"intermediate_size\": 80, \"partial_rotary_factor\": 0.75", false);
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    f.add(p + "input_layernorm.weight", 1, hidden, 0.2, 1.0);
    f.add(p + "post_attention_layernorm.weight", 1, hidden, 0.2, 1.0);
    f.add(p + "self_attn.qkv_proj.weight", (heads + 2 * kv_heads) * head_dim, hidden);
    f.add(p + "self_attn.o_proj.weight", hidden, heads * head_dim);
    f.add(p + "mlp.gate_up_proj.weight", 2 * of_feed_forward, hidden);
    f.add(p + "mlp.down_proj.weight", hidden, of_feed_forward);
  }
  const auto model = f.load();
  CHECK(model->info.shape.rotary_dim == 12);
  require_all(model);
}

TEST_CASE("families: Arcee, two matrices and a squared ReLU") {
  Folder f(109, "\"model_type\": \"arcee\", \"intermediate_size\": 80, \"hidden_act\": \"relu2\"");
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "mlp.up_proj.weight", of_feed_forward, hidden);
    f.add(Folder::layer(l) + "mlp.down_proj.weight", hidden, of_feed_forward);
  }
  require_all(f.load());
}

namespace {

/// LayerNorms: gains and biases, the gains around `one`.
Folder with_layer_norms(std::uint64_t seed, const std::string& keys, double one) {
  Folder f(seed, "\"intermediate_size\": 80, \"norm_eps\": 1e-5, " + keys, false);
  f.add("model.norm.bias", 1, hidden, 0.2);
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) {
      f.add(p + norm + ".weight", 1, hidden, 0.2, one);
      f.add(p + norm + ".bias", 1, hidden, 0.2);
    }
    attention(f, p);
  }
  return f;
}

}  // namespace

TEST_CASE("families: Nemotron, LayerNorms, a squared ReLU of two matrices, half of each head rotated") {
  Folder f = with_layer_norms(110, "\"model_type\": \"nemotron\", \"hidden_act\": \"relu2\"", 0.0);
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "mlp.up_proj.weight", of_feed_forward, hidden);
    f.add(Folder::layer(l) + "mlp.down_proj.weight", hidden, of_feed_forward);
  }
  const auto model = f.load();
  CHECK(model->info.shape.rotary_dim == head_dim / 2);
  require_all(model);
}

TEST_CASE("families: StarCoder2, LayerNorms, biases everywhere, GELU of two matrices") {
  Folder f = with_layer_norms(111, "\"model_type\": \"starcoder2\", \"use_bias\": true", 1.0);
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    attention_biases(f, p);
    f.add(p + "mlp.c_fc.weight", of_feed_forward, hidden);
    f.add(p + "mlp.c_fc.bias", 1, of_feed_forward, 0.5);
    f.add(p + "mlp.c_proj.weight", hidden, of_feed_forward);
    f.add(p + "mlp.c_proj.bias", 1, hidden, 0.5);
  }
  require_all(f.load());
}

TEST_CASE("families: StableLM, LayerNorms with a gate, a quarter of each head rotated") {
  Folder f = with_layer_norms(112, "\"model_type\": \"stablelm\", \"use_qkv_bias\": false", 1.0);
  for (int l = 0; l < layers; ++l)
    f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", of_feed_forward);
  require_all(f.load());
}

TEST_CASE("families: RoPE that is scaled by a factor, or as YaRN does") {
  require_all(
      like_llama(113, "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}").load());
  const auto model =
      like_llama(114,
                 "\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, "
                 "\"original_max_position_embeddings\": 32}")
          .load();
  CHECK(std::abs(model->info.rope_scaling.magnitude - (0.1 * std::log(4.0) + 1)) < 1e-12);
  require_close(model);
}

// Values by hand from the paper's formulas: 16 channels, theta 10000, 32 tokens, factor 4. Pairs that turn 32 times or more would
// lie below 0, the one that turns once is pair 1.41...: between floor(max(low, 0)) = 0 and ceil(high) = 2 pair 1 is half and half.
TEST_CASE("families: YaRN's blend by hand") {
  ModelInfo info;
  info.shape.head_dim = 16;
  info.shape.rope_theta = 10000;
  info.rope_scaling.kind = RopeScaling::Kind::yarn;
  info.rope_scaling.factor = 4;
  info.rope_scaling.original_context = 32;
  const auto plain = [](int pair) { return std::pow(10000.0, -pair / 8.0); };
  CHECK(std::abs(rope_frequency(info, 0) - plain(0)) < 1e-12);
  CHECK(std::abs(rope_frequency(info, 1) - plain(1) * (0.5 + 0.5 / 4)) < 1e-12);
  CHECK(std::abs(rope_frequency(info, 2) - plain(2) / 4) < 1e-12);
  CHECK(std::abs(rope_frequency(info, 7) - plain(7) / 4) < 1e-12);
}
