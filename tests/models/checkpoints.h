// Checkpoints written from a seed in the layout of a family: tensors of random values by their names. And what tests hold of one: plain
// FP32 and the golden model are close, golden model and machine agree in every byte.
#pragma once

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

namespace harmonia::test {

using namespace harmonia::testbench;

inline constexpr int hidden = 64, heads = 4, kv_heads = 2, head_dim = 16, experts = 6, width = 48, vocab = 80,
                     layers = 2;

/// A checkpoint folder: tensors of random values by their names.
class Folder {
 public:
  /// plain: layers have two norms and the four matrices of attention.
  Folder(std::uint64_t seed, const std::string& keys, bool plain = true) : random_(seed) {
    std::ofstream(where_->file("config.json"))
        << "{\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 16, "
           "\"num_hidden_layers\": 2, \"vocab_size\": 80, \"max_position_embeddings\": 128, "
           "\"tie_word_embeddings\": false,\n" +
               keys + "}";
    add("model.embed_tokens.weight", vocab, hidden, 1.0);
    add("model.norm.weight", 1, hidden, 0.1, 1.0);
    add("lm_head.weight", vocab, hidden);
    for (int l = 0; plain && l < layers; ++l) {
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
    types_.push_back(Dtype::kF16);
    data_.push_back(std::move(data));
  }
  /// Bytes from least to most.
  void add_bytes(const std::string& name, const std::vector<std::size_t>& shape, int least, int most) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    test::Blob data(count);
    formats::SplitMix64 bytes(count + static_cast<std::size_t>(most));
    for (std::uint8_t& b : data)
      b = static_cast<std::uint8_t>(least + static_cast<int>(bytes.uniform() * (most - least + 1)));
    names_.push_back({name, shape});
    types_.push_back(Dtype::kU8);
    data_.push_back(std::move(data));
  }
  /// What a tensor was given.
  const test::Blob& bytes(const std::string& name) const {
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (names_[i].first == name) return data_[i];
    throw std::logic_error("no tensor " + name);
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
      tensors.push_back({names_[i].first, types_[i], names_[i].second, data_[i].data()});
    write_safetensors(where_->file("model.safetensors"), tensors);
    return std::make_shared<const ModelWeights>(load_weights(where_->file("model.safetensors")));
  }

 private:
  std::unique_ptr<test::TemporaryFolder> where_ = std::make_unique<test::TemporaryFolder>();
  formats::GaussianSource random_;
  std::vector<std::pair<std::string, std::vector<std::size_t>>> names_;
  std::vector<Dtype> types_;
  std::vector<test::Blob> data_;
};

inline LoadedScenario machine_for(const ModelWeights& model) {
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

inline std::vector<int> tokens_of_test() {
  std::vector<int> tokens;
  for (int t = 0; t < 24; ++t) tokens.push_back((t * 37 + 5) % vocab);
  return tokens;
}

/// FP16 weights on an FP16 array differ from plain FP32 by rounding alone.
inline void require_close(const std::shared_ptr<const ModelWeights>& model) {
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

inline void require_machine_equals(const std::shared_ptr<const ModelWeights>& model) {
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

inline void require_all(const std::shared_ptr<const ModelWeights>& model) {
  require_close(model);
  require_machine_equals(model);
}

}  // namespace harmonia::test
