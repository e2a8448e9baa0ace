// Mixtures of experts: which experts a batch reads, what they cost by hand arithmetic, and what is refused.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "harmonia/config/json.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/testbench/models/model_config.h"
#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;

namespace {

const testbench::Library& library() {
  static const testbench::Library all(HARMONIA_SOURCE "/workloads");
  return all;
}

accelerator::ModelShape model(const std::string& name) { return testbench::load_model(name, library()); }

testbench::LoadedScenario decode(const std::string& name, int batch, const std::vector<std::string>& more = {}) {
  std::vector<std::string> keys = {"model=" + name,
                                   "accelerator=harmonia-server",
                                   "workload.context=64",
                                   "workload.tokens=1",
                                   "output.timeline=false",
                                   "fidelity=sampled",
                                   "workload.batch=" + std::to_string(batch)};
  keys.insert(keys.end(), more.begin(), more.end());
  return testbench::load_scenario("default", keys, library());
}

std::string refusal(const std::string& name, const std::vector<std::string>& more) {
  try {
    decode(name, 1, more);
  } catch (const config::InputError& e) {
    return e.what();
  }
  return "accepted";
}

/// Bytes of a matrix in kmeans4: codes of 4 bits, a 16-bit scale for each 64 weights.
std::uint64_t stored(std::uint64_t rows, std::uint64_t k) { return rows * (k / 2 + k / 64 * 2); }

/// Bytes of weights of a decode step, of which the layers read so many experts in all.
std::uint64_t weights_of_step(const accelerator::ModelShape& m, std::uint64_t batch, std::uint64_t experts) {
  const std::uint64_t h = m.hidden_size, q = m.q_width(), kv = m.kv_width(), w = m.mixture.expert_width;
  const std::uint64_t attention = stored(q + 2 * kv, h) + stored(h, q), router = 2 * h * m.mixture.experts;
  return m.num_hidden_layers * (attention + router + 2 * 2 * h + (m.qk_norm ? 2 * 2 * m.head_dim : 0)) +
         experts * (2 * stored(w, h) + stored(h, w)) + 2 * h * m.vocab_size + 2 * h + batch * 2 * h;
}

/// Different experts of all layers for the tokens at position 64 of each sequence.
std::uint64_t experts_of_step(const accelerator::ModelShape& m, std::uint64_t batch) {
  const accelerator::DrawnRouting routing(m.mixture, 0.0, 1);
  std::uint64_t sum = 0;
  for (int l = 0; l < m.num_hidden_layers; ++l) {
    std::set<std::uint32_t> read;
    for (std::uint64_t slot = 0; slot < batch; ++slot)
      for (const std::uint32_t expert : routing.experts(l, slot, 64)) read.insert(expert);
    sum += read.size();
  }
  return sum;
}

void require_bytes(const std::string& name, int batch) {
  const accelerator::ModelShape m = model(name);
  const testbench::RunResult r = testbench::run_scenario(decode(name, batch));
  REQUIRE_NOTHROW(testbench::require_checks(r));
  const std::uint64_t experts = experts_of_step(m, batch);
  const auto& bytes = r.bandwidth.bytes_by_class;
  CHECK(bytes[static_cast<std::size_t>(testbench::TrafficClass::weights)] +
            bytes[static_cast<std::size_t>(testbench::TrafficClass::scales)] ==
        weights_of_step(m, batch, experts));
  CHECK(r.mixture.experts_read == Approx(static_cast<double>(experts) / m.num_hidden_layers));
  CHECK(r.mixture.bytes_per_token == Approx(static_cast<double>(weights_of_step(m, batch, experts)) / batch));
  const std::uint64_t layers = m.num_hidden_layers;
  CHECK(r.mixture.dense_bytes_per_token ==
        Approx(static_cast<double>(weights_of_step(m, batch, layers * m.mixture.experts_per_token)) / batch));
  CHECK(r.mixture.all_bytes_per_token ==
        Approx(static_cast<double>(weights_of_step(m, batch, layers * m.mixture.experts)) / batch));
}

accelerator::ModelShape read(const std::string& keys) {
  return testbench::read_model_config(config::parse_json("{" + keys + "}", "m")).shape;
}

}  // namespace

TEST_CASE("Mixture: of uniform routing a batch reads E (1 - (1 - k / E)^B) experts") {
  const int batch = GENERATE(1, 4, 16, 64), experts = GENERATE(8, 128), per_token = GENERATE(1, 2, 8);
  accelerator::Mixture m;
  m.experts = experts;
  m.experts_per_token = per_token;
  const accelerator::DrawnRouting routing(m, 0.0, 7);
  double sum = 0;
  constexpr int steps = 400;
  for (int step = 0; step < steps; ++step) {
    std::set<std::uint32_t> read;
    for (int slot = 0; slot < batch; ++slot) {
      const std::vector<std::uint32_t> chosen = routing.experts(3, slot, step);
      REQUIRE(std::set<std::uint32_t>(chosen.begin(), chosen.end()).size() == static_cast<std::size_t>(per_token));
      read.insert(chosen.begin(), chosen.end());
    }
    sum += static_cast<double>(read.size());
  }
  const double expected = experts * (1 - std::pow(1 - static_cast<double>(per_token) / experts, batch));
  CHECK(sum / steps == Approx(expected).epsilon(0.02));
}

TEST_CASE("Mixture: of Zipf routing the first experts are read most, and fewer different ones") {
  accelerator::Mixture m;
  m.experts = 64;
  m.experts_per_token = 4;
  const accelerator::DrawnRouting zipf(m, 1.0, 7), uniform(m, 0.0, 7);
  std::vector<int> count(64);
  std::set<std::uint32_t> few, many;
  for (std::uint64_t t = 0; t < 2000; ++t)
    for (const std::uint32_t e : zipf.experts(0, 0, t)) ++count[e];
  for (std::uint64_t t = 0; t < 16; ++t) {
    for (const std::uint32_t e : zipf.experts(0, t, 0)) few.insert(e);
    for (const std::uint32_t e : uniform.experts(0, t, 0)) many.insert(e);
  }
  CHECK(count[0] > 3 * count[10]);
  CHECK(count[10] > count[63]);
  CHECK(few.size() < many.size());
}

TEST_CASE("Mixture: Mixtral-8x7B has 46.7 G parameters of which a token uses 12.9 G, Qwen3-30B-A3B 30.5 and 3.3") {
  const auto active = [](accelerator::ModelShape m) {
    m.mixture.experts = m.mixture.experts_per_token;
    return static_cast<double>(m.parameters()) / 1e9;
  };
  CHECK(model("mixtral-8x7b").parameters() == 46702792704u);
  CHECK(active(model("mixtral-8x7b")) == Approx(12.9).margin(0.05));
  CHECK(model("qwen3-30b-a3b").parameters() == 30532122624u);
  CHECK(active(model("qwen3-30b-a3b")) == Approx(3.35).margin(0.05));
  for (const char* name : {"mixtral-8x7b", "qwen3-30b-a3b"}) {
    const accelerator::ModelShape m = model(name);
    CHECK(accelerator::layer_graph(m).parameters(m) + m.other_parameters == m.parameters());
  }
}

TEST_CASE("Mixture: Mixtral-8x7B at batch 1 reads the weights of hand arithmetic") { require_bytes("mixtral-8x7b", 1); }
TEST_CASE("Mixture: Mixtral-8x7B at batch 8 reads the weights of hand arithmetic") { require_bytes("mixtral-8x7b", 8); }
TEST_CASE("Mixture: Mixtral-8x7B at batch 64 reads the weights of hand arithmetic") {
  require_bytes("mixtral-8x7b", 64);
}
TEST_CASE("Mixture: Qwen3-30B-A3B at batch 1 reads the weights of hand arithmetic") {
  require_bytes("qwen3-30b-a3b", 1);
}
TEST_CASE("Mixture: Qwen3-30B-A3B at batch 8 reads the weights of hand arithmetic") {
  require_bytes("qwen3-30b-a3b", 8);
}
TEST_CASE("Mixture: Qwen3-30B-A3B at batch 64 reads the weights of hand arithmetic") {
  require_bytes("qwen3-30b-a3b", 64);
}

TEST_CASE("Mixture: dense first layers, a shared expert with its scale: a full run keeps what the formulas say") {
  const testbench::RunResult r = testbench::run_scenario(
      decode("llama-3.2-1b", 5,
             {"fidelity=full", "model.num_hidden_layers=4", "model.mixture.experts=6", "workload.tokens=3",
              "model.mixture.experts_per_token=2", "model.mixture.expert_width=512", "model.mixture.shared_width=1024",
              "model.mixture.shared_gate=true", "model.mixture.dense_layers=1"}));
  REQUIRE_NOTHROW(testbench::require_checks(r));
  CHECK(r.mixture.layers == 9);
  CHECK(r.mixture.experts_read >= 2);
  CHECK(r.mixture.experts_read <= 6);
}

TEST_CASE("Mixture: config.json of published mixtures has the published parameters") {
  CHECK(
      read("\"model_type\": \"mixtral\", \"hidden_size\": 4096, \"intermediate_size\": 14336, \"num_attention_heads\": "
           "32, \"num_hidden_layers\": 32, \"num_key_value_heads\": 8, \"num_local_experts\": 8, "
           "\"num_experts_per_tok\": 2, \"vocab_size\": 32000, \"tie_word_embeddings\": false")
          .parameters() == 46702792704u);
  CHECK(
      read("\"model_type\": \"qwen3_moe\", \"hidden_size\": 4096, \"intermediate_size\": 12288, \"head_dim\": 128, "
           "\"num_attention_heads\": 64, \"num_hidden_layers\": 94, \"num_key_value_heads\": 4, \"num_experts\": 128, "
           "\"num_experts_per_tok\": 8, \"moe_intermediate_size\": 1536, \"decoder_sparse_step\": 1, "
           "\"mlp_only_layers\": [], \"norm_topk_prob\": true, \"vocab_size\": 151936")
          .parameters() == 235093634560u);
  CHECK(
      read("\"model_type\": \"qwen2_moe\", \"hidden_size\": 2048, \"intermediate_size\": 5632, "
           "\"num_attention_heads\": 16, \"num_hidden_layers\": 24, \"num_key_value_heads\": 16, \"num_experts\": 60, "
           "\"num_experts_per_tok\": 4, \"moe_intermediate_size\": 1408, \"shared_expert_intermediate_size\": 5632, "
           "\"decoder_sparse_step\": 1, \"vocab_size\": 151936")
          .parameters() == 14315784192u);
  CHECK(read("\"model_type\": \"olmoe\", \"hidden_size\": 2048, \"intermediate_size\": 1024, \"num_attention_heads\": "
             "16, \"num_hidden_layers\": 16, \"num_key_value_heads\": 16, \"num_experts\": 64, "
             "\"num_experts_per_tok\": 8, \"vocab_size\": 50304")
            .parameters() == 6919161856u);
  CHECK(
      read("\"model_type\": \"deepseek\", \"hidden_size\": 2048, \"intermediate_size\": 10944, "
           "\"num_attention_heads\": 16, \"num_hidden_layers\": 28, \"num_key_value_heads\": 16, "
           "\"n_routed_experts\": 64, \"n_shared_experts\": 2, \"num_experts_per_tok\": 6, \"moe_intermediate_size\": "
           "1408, \"first_k_dense_replace\": 1, \"moe_layer_freq\": 1, \"vocab_size\": 102400")
          .parameters() == 16375728128u);
  CHECK(
      read("\"model_type\": \"gpt_oss\", \"hidden_size\": 2880, \"intermediate_size\": 2880, \"head_dim\": 64, "
           "\"attention_bias\": true, \"num_attention_heads\": 64, \"num_hidden_layers\": 24, "
           "\"num_key_value_heads\": 8, \"num_local_experts\": 32, \"num_experts_per_tok\": 4, \"vocab_size\": 201088")
          .parameters() == 20914757184u);
}

TEST_CASE("Mixture: what contradicts itself is refused with its place") {
  const std::string qwen =
      "\"model_type\": \"qwen3_moe\", \"hidden_size\": 64, \"num_attention_heads\": 4, \"head_dim\": 16,\n"
      "\"num_hidden_layers\": 2, \"num_key_value_heads\": 2, \"vocab_size\": 100, \"moe_intermediate_size\": 32,\n";
  CHECK_THROWS_WITH(read(qwen + "\"num_experts\": 8, \"num_experts_per_tok\": 9"),
                    ContainsSubstring("m:3:42") && ContainsSubstring("expected 1 to the 8 experts"));
  CHECK_THROWS_WITH(read(qwen + "\"num_experts\": 8, \"num_local_experts\": 16"),
                    ContainsSubstring("m:3:1") && ContainsSubstring("num_experts is 8, expected the 16"));
  CHECK_THROWS_WITH(read(qwen + "\"num_experts\": 8, \"mlp_only_layers\": [1]"),
                    ContainsSubstring("expected the first layers in order"));
  CHECK_THROWS_WITH(read(qwen + "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"decoder_sparse_step\": 3"),
                    ContainsSubstring("leave no layer"));
  CHECK_THAT(refusal("llama-3-8b", {"workload.routing.distribution=zipf"}), ContainsSubstring("dense model"));
  CHECK_THAT(refusal("mixtral-8x7b",
                     {"fidelity.data=functional", "fidelity.mode=full", "workload.routing.distribution=uniform"}),
             ContainsSubstring("--set workload.routing") && ContainsSubstring("whose routers say where tokens go"));
  CHECK_THROWS_WITH(
      testbench::run_scenario(decode("mixtral-8x7b", 1, {"fidelity.data=functional", "fidelity.mode=full"})),
      ContainsSubstring("a run has no weights"));
  CHECK_THAT(refusal("mixtral-8x7b", {"model.mixture.experts_per_token=9"}), ContainsSubstring("experts_per_token"));
  CHECK_THAT(refusal("mixtral-8x7b", {"workload.routing.distribution=trace"}), ContainsSubstring("expected a file"));
  for (const char* key :
       {"experts_per_token=2", "expert_width=64", "shared_width=64", "shared_gate=true", "dense_layers=1", "period=2"})
    CHECK_THAT(refusal("llama-3-8b", {std::string("model.mixture.") + key}),
               ContainsSubstring("--set model.mixture." + std::string(key, std::strchr(key, '='))) &&
                   ContainsSubstring("has no effect on a dense model, expected experts beside it"));
  CHECK_THAT(refusal("mixtral-8x7b", {"workload.routing.exponent=2"}),
             ContainsSubstring("--set workload.routing.exponent") && ContainsSubstring("expected that beside it"));
}

TEST_CASE("Mixture: how scores become weights, by the type's own default and by the file") {
  const std::string sizes =
      "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"num_key_value_heads\": 2, "
      "\"vocab_size\": 100, \"intermediate_size\": 32,\n\"moe_intermediate_size\": 32, \"num_experts\": 8, "
      "\"num_experts_per_tok\": 2, \"model_type\": ";
  const auto of = [&](const std::string& keys) { return read(sizes + keys).mixture; };
  CHECK(of("\"mixtral\"").normalised);
  CHECK_FALSE(of("\"olmoe\"").normalised);
  CHECK_FALSE(of("\"qwen3_moe\"").normalised);
  CHECK(of("\"qwen3_moe\", \"norm_topk_prob\": true").normalised);
  CHECK(of("\"qwen3_moe\"").scores == accelerator::RouterScores::softmax);
  const accelerator::Mixture m = of("\"deepseek\", \"scoring_func\": \"sigmoid\", \"routed_scaling_factor\": 2.5");
  CHECK(m.scores == accelerator::RouterScores::sigmoid);
  CHECK(m.weight_scale == 2.5);
  CHECK_THROWS_WITH(of("\"deepseek\", \"routed_scaling_factor\": 0"), ContainsSubstring("m:2:"));
  const auto features = [&](const std::string& keys) {
    return testbench::read_model_config(config::parse_json("{" + sizes + keys + "}", "m")).features;
  };
  CHECK(features("\"deepseek\", \"n_group\": 1, \"topk_method\": \"greedy\"").empty());
  CHECK(features("\"deepseek\", \"n_group\": 4, \"topk_group\": 2").size() == 2);
  CHECK(features("\"deepseek\", \"topk_method\": \"noaux_tc\"").at(0).what == "topk_method noaux_tc");
}

TEST_CASE("Mixture: a routing trace has the model's shape or is refused with line and column") {
  accelerator::ModelShape m = model("mixtral-8x7b");
  m.num_hidden_layers = 2;
  const std::string file = "routing-trace-of-test.csv";
  const auto trace = [&](const std::string& text) {
    std::ofstream(file) << text;
    return testbench::read_routing_trace(file, m);
  };
  CHECK(trace("# token 0\n0,1\n2,3\n4,5\n6,7\n").size() == 8);
  CHECK_THROWS_WITH(trace("0,1\n2\n"), ContainsSubstring(file + ":2:1") && ContainsSubstring("expected the 2"));
  CHECK_THROWS_WITH(trace("0,1,2\n"), ContainsSubstring(file + ":1:5"));
  CHECK_THROWS_WITH(trace("0,8\n"), ContainsSubstring(file + ":1:3") && ContainsSubstring("0 to 7"));
  CHECK_THROWS_WITH(trace("3,3\n"), ContainsSubstring("twice"));
  CHECK_THROWS_WITH(trace("0,1\n2,3\n4,5\n"), ContainsSubstring("2 mixture layers"));

  const accelerator::TracedRouting routing(m, trace("0,1\n2,3\n4,5\n6,7\n"), 2);
  CHECK(routing.experts(1, 1, 0) == std::vector<std::uint32_t>{6, 7});
  CHECK(routing.experts(0, 0, 1) == std::vector<std::uint32_t>{0, 1});
  std::remove(file.c_str());
}
