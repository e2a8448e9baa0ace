// Checkpoints of models with mixtures of experts, biases, norms of heads and windows, written from a seed in the layout of their
// families: read, computed in plain FP32, close to that in the golden model, and bit for bit in the machine.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "harmonia/config/error.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/infer/machine_engine.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/system/functional.h"
#include "tests/support/catch.h"
#include "tests/support/model_files.h"

using namespace harmonia;
using namespace harmonia::testbench;

namespace {

constexpr int hidden = 64, heads = 4, kv_heads = 2, head_dim = 16, experts = 6, width = 48, vocab = 80, layers = 2;

/// A checkpoint folder: tensors of random values by their names.
class Folder {
 public:
  Folder(std::uint64_t seed, const std::string& keys) : random_(seed) {
    std::ofstream(where_->file("config.json"))
        << "{\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 16, "
           "\"num_hidden_layers\": 2, \"vocab_size\": 80, \"max_position_embeddings\": 128, "
           "\"tie_word_embeddings\": false,\n" +
               keys + "}";
    add("model.embed_tokens.weight", vocab, hidden, 1.0);
    add("model.norm.weight", 1, hidden, 0.1, 1.0);
    add("lm_head.weight", vocab, hidden);
    for (int l = 0; l < layers; ++l) {
      add(layer(l) + "input_layernorm.weight", 1, hidden, 0.1, 1.0);
      add(layer(l) + "post_attention_layernorm.weight", 1, hidden, 0.1, 1.0);
      add(layer(l) + "self_attn.q_proj.weight", heads * head_dim, hidden);
      add(layer(l) + "self_attn.k_proj.weight", kv_heads * head_dim, hidden);
      add(layer(l) + "self_attn.v_proj.weight", kv_heads * head_dim, hidden);
      add(layer(l) + "self_attn.o_proj.weight", hidden, heads * head_dim);
    }
  }
  static std::string layer(int l) { return "model.layers." + std::to_string(l) + "."; }

  void add(const std::string& name, int rows, int cols, double spread = 0, double around = 0) {
    if (spread == 0) spread = 1 / std::sqrt(cols);
    test::Blob data;
    for (int i = 0; i < rows * cols; ++i)
      test::put(data, formats::to_fp16(static_cast<float>(around + spread * random_.next())));
    std::vector<std::size_t> shape = {static_cast<std::size_t>(cols)};
    if (rows > 1 || name.find("gate.weight") != std::string::npos)
      shape.insert(shape.begin(), static_cast<std::size_t>(rows));
    names_.push_back({name, shape});
    data_.push_back(std::move(data));
  }
  void feed_forward(const std::string& prefix, const char* gate, const char* up, const char* down, int of) {
    add(prefix + gate + ".weight", of, hidden);
    add(prefix + up + ".weight", of, hidden);
    add(prefix + down + ".weight", hidden, of);
  }
  void each_expert(const std::string& prefix, const char* gate, const char* up, const char* down) {
    for (int e = 0; e < experts; ++e) feed_forward(prefix + std::to_string(e) + ".", gate, up, down, width);
  }

  std::shared_ptr<const ModelWeights> load() {
    std::vector<TensorToWrite> tensors;
    for (std::size_t i = 0; i < names_.size(); ++i)
      tensors.push_back({names_[i].first, Dtype::kF16, names_[i].second, data_[i].data()});
    write_safetensors(where_->file("model.safetensors"), tensors);
    return std::make_shared<const ModelWeights>(load_weights(where_->file("model.safetensors")));
  }

 private:
  std::unique_ptr<test::TemporaryFolder> where_ = std::make_unique<test::TemporaryFolder>();
  formats::GaussianSource random_;
  std::vector<std::pair<std::string, std::vector<std::size_t>>> names_;
  std::vector<test::Blob> data_;
};

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

LoadedScenario machine_for(const ModelWeights& model) {
  accelerator::ModelShape shape = model.info.shape;
  config::Fields fields;
  shape.describe(fields);
  config::Node document = config::Node::map(), fidelity = config::Node::map();
  document.set("model", fields.dump());
  document.set("accelerator", config::Node::scalar("harmonia"));
  fidelity.set("data", config::Node::scalar("functional"));
  document.set("fidelity", std::move(fidelity));
  return load_scenario(document, {}, Library());
}

std::vector<int> tokens_of_test() {
  std::vector<int> tokens;
  for (int t = 0; t < 24; ++t) tokens.push_back((t * 37 + 5) % vocab);
  return tokens;
}

/// FP16 weights on an FP16 array differ from plain FP32 by rounding alone.
void require_close(const std::shared_ptr<const ModelWeights>& model) {
  const InferConfig config = infer_config({"weights.format=fp16", "kv.format=fp16", "activations.format=fp16"});
  ReferenceLlama reference(model);
  GoldenEngine golden(model->info, prepare_weights(*model, config), config);
  std::vector<float> expected, got;
  reference.step(tokens_of_test(), expected);
  golden.step(tokens_of_test(), got);
  REQUIRE(got.size() == expected.size());
  double error = 0, power = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += (got[i] - expected[i]) * (got[i] - expected[i]);
    power += expected[i] * expected[i];
  }
  CHECK(std::sqrt(error / power) < 0.01);
}

void require_machine_equals(const std::shared_ptr<const ModelWeights>& model) {
  const InferConfig config = infer_config({"weights.format=kmeans4", "kv.format=bfp4+windows"});
  const auto weights = prepare_weights(*model, config);
  GoldenEngine golden(model->info, weights, config);
  MachineEngine engine(model->info, weights, config, machine_for(*model), 24);
  std::vector<int> step = tokens_of_test();
  std::vector<float> expected, got;
  for (int i = 0; i < 12; ++i) {
    golden.step(step, expected);
    engine.step(step, got);
    REQUIRE(got.size() == vocab);
    REQUIRE(std::memcmp(got.data(), expected.data() + expected.size() - vocab, vocab * sizeof(float)) == 0);
    step = {static_cast<int>(std::max_element(got.begin(), got.end()) - got.begin())};
  }
  for (std::size_t l = 0; l < weights->layers.size(); ++l)
    REQUIRE(compare_kv(engine.machine(), 0, static_cast<int>(l), golden.golden().layer(l).cache()) == "");
}

void require_all(const std::shared_ptr<const ModelWeights>& model) {
  require_close(model);
  require_machine_equals(model);
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
  CHECK(model->info.shape.gelu_gate);
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
  CHECK_THROWS_WITH(make_engine("golden", request), ContainsSubstring("without their biases and norms"));
}
