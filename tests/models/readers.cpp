// Checkpoints of models with mixtures of experts, biases, norms of heads and windows, written from a seed in the layout of their
// families: read, computed in plain FP32, close to that in the golden model, and bit for bit in the machine.
#include "harmonia/testbench/quantize/quantize.h"
#include "tests/models/checkpoints.h"

using namespace harmonia;
using namespace harmonia::test;
using namespace harmonia::testbench;

namespace {

Folder mixtral() {
  Folder f(91,
           "\"model_type\": \"mixtral\", \"intermediate_size\": 48, \"num_local_experts\": 6, "
           "\"num_experts_per_tok\": 2");
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "block_sparse_moe.gate.weight", experts, hidden, 0.4);
    f.each_expert(Folder::layer(l) + "block_sparse_moe.experts.", "w1", "w3", "w2");
  }
  return f;
}

std::string refusal(Folder& f) {
  try {
    f.load();
  } catch (const config::InputError& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

namespace {

/// The model as `quantize` writes it in such a format, loaded again.
std::shared_ptr<const ModelWeights> quantized(const ModelWeights& model, const char* format) {
  test::TemporaryFolder folder;
  QuantizeOptions options;
  options.format = formats::storage_format(format);
  quantize_model(model, options, folder.file("q.safetensors"));
  return std::make_shared<const ModelWeights>(load_weights(folder.file("q.safetensors")));
}

/// What is stored is what the golden model computes with, and the machine gives its bits.
void require_stored(const ModelWeights& model, const char* format) {
  INFO(format);
  const auto stored = quantized(model, format);
  REQUIRE(config::dump(stored->info.shape) == config::dump(model.info.shape));
  const InferConfig as_stored = infer_config({"weights.format=stored", "kv.format=bfp4+windows"}),
                    encoded = infer_config({std::string("weights.format=") + format, "kv.format=bfp4+windows"});
  const auto weights = prepare_weights(*stored, as_stored), expected_weights = prepare_weights(model, encoded);
  GoldenEngine golden(stored->info, weights, as_stored), expected(model.info, expected_weights, encoded);
  MachineEngine machine(stored->info, weights, as_stored, machine_for(*stored), 24);
  std::vector<int> step = tokens_of_test();
  std::vector<float> of_machine, of_golden, of_expected;
  for (int i = 0; i < 4; ++i) {
    golden.step(step, of_golden);
    expected.step(step, of_expected);
    machine.step(step, of_machine);
    REQUIRE(of_golden == of_expected);
    const void* const last_row = of_golden.data() + of_golden.size() - vocab;
    REQUIRE(std::memcmp(static_cast<const void*>(of_machine.data()), last_row, vocab * sizeof(float)) == 0);
    step = {7 + i};
  }
}

}  // namespace

TEST_CASE("readers: a quantised mixture is read, computed and run as it is stored") {
  const auto model = mixtral().load();
  require_stored(*model, "kmeans2");
}
TEST_CASE("readers: a mixture quantised to integers is read, computed and run as it is stored") {
  const auto model = mixtral().load();
  require_stored(*model, "int4");
}

TEST_CASE("readers: a mixture in the layout of Mixtral") { require_all(mixtral().load()); }

TEST_CASE("readers: a mixture in the layout of Qwen3-MoE, with norms of heads and a dense first layer") {
  Folder f(92,
           "\"model_type\": \"qwen3_moe\", \"intermediate_size\": 80, \"moe_intermediate_size\": 48, "
           "\"num_experts\": 6, \"num_experts_per_tok\": 3, \"norm_topk_prob\": true, \"mlp_only_layers\": [0]");
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "self_attn.q_norm.weight", 1, head_dim, 0.2, 1.0);
    f.add(Folder::layer(l) + "self_attn.k_norm.weight", 1, head_dim, 0.2, 1.0);
  }
  f.feed_forward(Folder::layer(0) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  f.add(Folder::layer(1) + "mlp.gate.weight", experts, hidden, 0.4);
  f.each_expert(Folder::layer(1) + "mlp.experts.", "gate_proj", "up_proj", "down_proj");
  require_all(f.load());
}

TEST_CASE("readers: a mixture in the layout of Qwen2-MoE, with biases and a shared expert behind its gate") {
  Folder f(93,
           "\"model_type\": \"qwen2_moe\", \"intermediate_size\": 80, \"moe_intermediate_size\": 48, "
           "\"num_experts\": 6, \"num_experts_per_tok\": 2, \"shared_expert_intermediate_size\": 72");
  for (int l = 0; l < layers; ++l) {
    const std::string p = Folder::layer(l);
    f.add(p + "self_attn.q_proj.bias", 1, heads * head_dim, 0.5);
    f.add(p + "self_attn.k_proj.bias", 1, kv_heads * head_dim, 0.5);
    f.add(p + "self_attn.v_proj.bias", 1, kv_heads * head_dim, 0.5);
    f.add(p + "mlp.gate.weight", experts, hidden, 0.4);
    f.each_expert(p + "mlp.experts.", "gate_proj", "up_proj", "down_proj");
    f.feed_forward(p + "mlp.shared_expert.", "gate_proj", "up_proj", "down_proj", 72);
    f.add(p + "mlp.shared_expert_gate.weight", 1, hidden, 0.3);
  }
  require_all(f.load());
}

namespace {

constexpr int mx_width = 64;

/// A checkpoint in the layout of gpt-oss: experts in MXFP4, rows of gate and up in turn.
Folder gpt_oss() {
  Folder f(98,
           "\"model_type\": \"gpt_oss\", \"intermediate_size\": 64, \"num_local_experts\": 6, "
           "\"num_experts_per_tok\": 2, \"attention_bias\": true, \"sliding_window\": 9, \"swiglu_limit\": 7.0, "
           "\"layer_types\": [\"sliding_attention\", \"full_attention\"], "
           "\"quantization_config\": {\"quant_method\": \"mxfp4\", \"modules_to_not_convert\": [\"lm_head\"]}");
  for (int l = 0; l < layers; ++l) {
    const std::string attention = Folder::layer(l) + "self_attn.", mlp = Folder::layer(l) + "mlp.";
    f.add(attention + "q_proj.bias", 1, heads * head_dim, 0.5);
    f.add(attention + "k_proj.bias", 1, kv_heads * head_dim, 0.5);
    f.add(attention + "v_proj.bias", 1, kv_heads * head_dim, 0.5);
    f.add(attention + "o_proj.bias", 1, hidden, 0.5);
    f.add(attention + "sinks", 1, heads, 1.0);
    f.add(mlp + "router.weight", experts, hidden, 0.4);
    f.add(mlp + "router.bias", 1, experts, 0.2);
    f.add(mlp + "experts.gate_up_proj_bias", experts, 2 * mx_width, 0.3);
    f.add(mlp + "experts.down_proj_bias", experts, hidden, 0.3);
    f.add_bytes(mlp + "experts.gate_up_proj_blocks", {experts, 2 * mx_width, hidden / 32, 16}, 0, 255);
    f.add_bytes(mlp + "experts.gate_up_proj_scales", {experts, 2 * mx_width, hidden / 32}, 121, 123);
    f.add_bytes(mlp + "experts.down_proj_blocks", {experts, hidden, mx_width / 32, 16}, 0, 255);
    f.add_bytes(mlp + "experts.down_proj_scales", {experts, hidden, mx_width / 32}, 121, 123);
  }
  return f;
}

/// Value `column` of stored row `row`, after the formats' description alone: two values in a byte, the first in the low half,
/// one bit of sign, two of exponent, one of mantissa; a block of 32 shares the power of two `scale - 127`.
float mxfp4(const Blob& blocks, const Blob& scales, std::size_t row, std::size_t column, std::size_t columns) {
  const std::size_t at = row * columns + column;
  const unsigned code = at % 2 == 0 ? blocks[at / 2] & 15u : blocks[at / 2] >> 4;
  static constexpr float magnitudes[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const float value = std::ldexp(magnitudes[code & 7], scales[at / 32] - 127);
  return (code & 8) != 0 ? -value : value;
}

}  // namespace

TEST_CASE("readers: experts of gpt-oss in MXFP4, value for value") {
  Folder f = gpt_oss();
  const std::string of_layer = Folder::layer(1) + "mlp.experts.";
  const Blob both = f.bytes(of_layer + "gate_up_proj_blocks"), both_scales = f.bytes(of_layer + "gate_up_proj_scales"),
             down = f.bytes(of_layer + "down_proj_blocks"), down_scales = f.bytes(of_layer + "down_proj_scales");
  const auto model = f.load();
  CHECK(model->info.shape.attention_sinks);
  const LayerWeights& l = model->layers[1];
  const std::vector<float> gate = l[ModelTensor::expert_gate].read(), up = l[ModelTensor::expert_up].read(),
                           out = l[ModelTensor::expert_down].read();
  REQUIRE(gate.size() == std::size_t{experts} * mx_width * hidden);
  REQUIRE(out.size() == gate.size());
  for (std::size_t row = 0; row < std::size_t{experts} * mx_width; ++row)
    for (std::size_t c = 0; c < hidden; ++c) {
      REQUIRE(gate[row * hidden + c] == mxfp4(both, both_scales, 2 * row, c, hidden));
      REQUIRE(up[row * hidden + c] == mxfp4(both, both_scales, 2 * row + 1, c, hidden));
    }
  for (std::size_t row = 0; row < std::size_t{experts} * hidden; ++row)
    for (std::size_t c = 0; c < mx_width; ++c)
      REQUIRE(out[row * mx_width + c] == mxfp4(down, down_scales, row, c, mx_width));
  // Biases alternate too.
  const Blob bias = f.bytes(of_layer + "gate_up_proj_bias");
  const std::vector<float> up_bias = l[ModelTensor::expert_up_bias].read();
  REQUIRE(up_bias.size() == std::size_t{experts} * mx_width);
  for (std::size_t i = 0; i < up_bias.size(); ++i) {
    formats::Fp16 stored;
    std::memcpy(&stored, bias.data() + 2 * (2 * i + 1), 2);
    REQUIRE(up_bias[i] == formats::to_float(stored));
  }
}
TEST_CASE("readers: a mixture in the layout of gpt-oss, with sinks, biases and a window") {
  require_all(gpt_oss().load());
}
TEST_CASE("readers: experts in MXFP4 that do not fit together are refused by name") {
  Folder f(98,
           "\"model_type\": \"gpt_oss\", \"intermediate_size\": 64, \"num_local_experts\": 6, "
           "\"num_experts_per_tok\": 2, \"attention_bias\": false");
  for (int l = 0; l < layers; ++l) {
    const std::string mlp = Folder::layer(l) + "mlp.";
    f.add(Folder::layer(l) + "self_attn.sinks", 1, heads, 1.0);
    f.add(mlp + "router.weight", experts, hidden, 0.4);
    f.add(mlp + "router.bias", 1, experts, 0.2);
    f.add_bytes(mlp + "experts.gate_up_proj_blocks", {experts, 2 * mx_width, hidden / 32, 16}, 0, 255);
    f.add_bytes(mlp + "experts.gate_up_proj_scales", {experts, 2 * mx_width, 1}, 121, 123);
  }
  CHECK_THAT(refusal(f), ContainsSubstring("gate_up_proj_scales U8 [6, 128, 1] do not fit together"));
}

TEST_CASE("readers: biases, norms of heads and a window of a dense model") {
  Folder f(94,
           "\"model_type\": \"qwen3\", \"intermediate_size\": 80, \"attention_bias\": false, \"use_qk_norm\": true, "
           "\"use_sliding_window\": true, \"sliding_window\": 9, \"max_window_layers\": 1");
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "self_attn.q_norm.weight", 1, head_dim, 0.2, 1.0);
    f.add(Folder::layer(l) + "self_attn.k_norm.weight", 1, head_dim, 0.2, 1.0);
    f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  }
  const auto model = f.load();
  CHECK(model->info.shape.window_of(0) == 0);
  CHECK(model->info.shape.window_of(1) == 9);
  require_all(model);
}

TEST_CASE("readers: multipliers of embedding, scores, residual stream and logits") {
  Folder f(96,
           "\"model_type\": \"granite\", \"intermediate_size\": 80, \"embedding_multiplier\": 3.0, "
           "\"residual_multiplier\": 0.5, \"attention_multiplier\": 0.125, \"logits_scaling\": 4.0");
  for (int l = 0; l < layers; ++l) f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  const auto model = f.load();
  CHECK(model->info.shape.logits_divisor == 4.0);
  require_all(model);
}

TEST_CASE("readers: a GELU gate") {
  Folder f(97, "\"model_type\": \"llama\", \"intermediate_size\": 80, \"hidden_act\": \"gelu_pytorch_tanh\"");
  for (int l = 0; l < layers; ++l) f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  const auto model = f.load();
  CHECK(model->info.shape.activation == accelerator::Activation::gelu);
  require_all(model);
}

TEST_CASE("readers: what a mixture's file lacks or has too much is refused by name") {
  Folder more = mixtral();
  more.add(Folder::layer(1) + "block_sparse_moe.experts.6.w1.weight", width, hidden);
  CHECK_THAT(refusal(more), ContainsSubstring("block_sparse_moe.experts.6.w1.weight") && ContainsSubstring("no part"));
  Folder bias = mixtral();
  bias.add(Folder::layer(0) + "self_attn.o_proj.bias", 1, hidden);
  CHECK_THAT(refusal(bias), ContainsSubstring("self_attn.o_proj.bias"));
  Folder fewer(91,
               "\"model_type\": \"mixtral\", \"intermediate_size\": 48, \"num_local_experts\": 6, "
               "\"num_experts_per_tok\": 2");
  CHECK_THAT(refusal(fewer), ContainsSubstring("mlp.gate.weight"));
}

TEST_CASE("readers: factors of offline smoothing are refused where queries and keys have biases or norms") {
  Folder f(95, "\"model_type\": \"qwen3\", \"intermediate_size\": 80");
  for (int l = 0; l < layers; ++l) {
    f.add(Folder::layer(l) + "self_attn.q_norm.weight", 1, head_dim, 0.2, 1.0);
    f.add(Folder::layer(l) + "self_attn.k_norm.weight", 1, head_dim, 0.2, 1.0);
    f.feed_forward(Folder::layer(l) + "mlp.", "gate_proj", "up_proj", "down_proj", 80);
  }
  EngineRequest request;
  request.model = f.load();
  request.config = infer_config({"smoothing.offline_exponent=0.5"});
  request.calibration = {{1, 2, 3}};
  CHECK_THROWS_WITH(make_engine("golden", request), ContainsSubstring("without their biases, norms"));
}
