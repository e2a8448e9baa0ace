// Biases of q, k and v, and norms of each head of queries and keys: bit for bit against the golden model, what they cost, and
// which published models have them.
#include "harmonia/config/json.h"
#include "harmonia/testbench/models/model_config.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

SmallShape with(bool bias, bool norm, int layers = 1) {
  SmallShape shape;
  shape.layers = layers;
  shape.bias = bias;
  shape.qk_norm = norm;
  return shape;
}

void seventy_and_forty(const SmallShape& shape, const char* format, std::uint64_t buffer_bytes = 0) {
  const auto weights = random_model(shape, formats::weight_format(format), CodebookKind::kInt8, 71);
  Scenario s = functional_scenario(*weights);
  if (buffer_bytes != 0) s.accelerator.activation_buffer.capacity_bytes = buffer_bytes;
  Instruments instruments;
  run_beside_golden(s, weights, schedule(1, 70, 40), &instruments, buffer_bytes == 0);
}

accelerator::ModelShape read(const std::string& keys) {
  return testbench::read_model_config(
             config::parse_json("{\"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
                                "\"num_key_value_heads\": 2, \"intermediate_size\": 128, \"vocab_size\": 100, "
                                "\"head_dim\": 16, " +
                                    keys + "}",
                                "m"))
      .shape;
}

}  // namespace

TEST_CASE("vectors: biases of q, k and v") { seventy_and_forty(with(true, false), "kmeans4"); }
TEST_CASE("vectors: norms of queries and keys, two layers") { seventy_and_forty(with(false, true, 2), "kmeans2"); }
TEST_CASE("vectors: both, with a window, activations through memory and keys measured before") {
  SmallShape shape = with(true, true);
  shape.window = 30;
  seventy_and_forty(shape, "int4", 32 * 1024);
}
TEST_CASE("vectors: both, heads of 40 channels and a hidden size of 200") {
  SmallShape shape{200, 1, 6, 2, 40, 300, 70};
  shape.bias = shape.qk_norm = true;
  seventy_and_forty(shape, "kmeans1");
}

TEST_CASE("vectors: multipliers of embedding, scores, residual stream and logits, and a GELU gate") {
  SmallShape shape;
  shape.gelu = shape.multipliers = true;
  seventy_and_forty(shape, "kmeans4");
}
TEST_CASE("vectors: the same through memory") {
  SmallShape shape;
  shape.gelu = shape.multipliers = true;
  seventy_and_forty(shape, "kmeans2", 32 * 1024);
}

TEST_CASE("vectors: which multipliers and gates a published model has") {
  const accelerator::ModelShape m = read(
      "\"model_type\": \"granite\", \"embedding_multiplier\": 12.0, \"attention_multiplier\": 0.015625, "
      "\"residual_multiplier\": 0.22, \"logits_scaling\": 8.0");
  CHECK(m.embedding_multiplier == 12.0);
  CHECK(m.attention_scale == 0.015625);
  CHECK(m.residual_multiplier == 0.22);
  CHECK(m.logits_divisor == 8.0);
  CHECK(read("\"model_type\": \"granite\"").attention_scale == 1.0);
  CHECK(read("\"model_type\": \"llama\"").attention_scale == 0.0);
  CHECK(read("\"model_type\": \"gemma\", \"hidden_activation\": \"gelu_pytorch_tanh\"").activation ==
        accelerator::Activation::gelu);
  CHECK(read("\"model_type\": \"llama\"").activation == accelerator::Activation::silu);
}

TEST_CASE("vectors: a decode step reads each once, and takes no less time") {
  const auto run = [](bool bias, bool norm) {
    return in_child([=] {
      const auto weights = random_model(with(bias, norm), formats::weight_format("kmeans4"), CodebookKind::kInt8, 72);
      return timing_of(functional_scenario(*weights), {{{0, 1}}}, nullptr, 50);
    });
  };
  const std::vector<std::uint64_t> plain = run(false, false), both = run(true, true);
  const std::size_t traffic = 2 + static_cast<std::size_t>(bus::TrafficClass::weights);
  // 8 heads of queries, 2 of keys and 2 of values, of 32 channels in 16 bits; two vectors of gains of one head.
  CHECK(both.at(traffic) - plain.at(traffic) == 2 * 12 * 32 + 2 * 2 * 32);
  CHECK(both.at(1) - both.at(0) >= plain.at(1) - plain.at(0));
}

TEST_CASE("vectors: which published models have them") {
  CHECK(read("\"model_type\": \"qwen2\"").qkv_bias);
  CHECK_FALSE(read("\"model_type\": \"qwen2\"").qk_norm);
  CHECK(read("\"model_type\": \"qwen3\"").qk_norm);
  CHECK_FALSE(read("\"model_type\": \"qwen3\"").qkv_bias);
  CHECK(read("\"model_type\": \"llama\", \"attention_bias\": true").qkv_bias);
  CHECK(read("\"model_type\": \"llama\", \"attention_bias\": true").o_bias);
  const accelerator::ModelShape m = read("\"model_type\": \"qwen2\", \"use_qk_norm\": true");
  CHECK(m.parameters() == read("\"model_type\": \"llama\"").parameters() + 2 * (64 + 2 * 32 + 2 * 16));
  CHECK(accelerator::layer_graph(m).parameters(m) == m.parameters());
}
