// Custom architectures: layers that a file lists, with operations of the layer graph by name and heads and widths of their own.
#include <string>

#include "harmonia/config/yaml.h"
#include "harmonia/hw/kv_cache/layout.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/accelerator/support.h"
#include "tests/support/message_of.h"

using namespace harmonia;
using namespace harmonia::test;
using accelerator::LayerRun;

namespace {

const char* const kWorkloads = HARMONIA_SOURCE "/workloads";

/// A small model whose layers are these lines.
ModelShape model(const std::string& layers, int count, const std::string& keys = "") {
  ModelShape shape;
  config::read(shape,
               config::parse_yaml("architecture: custom\nhidden_size: 64\nnum_attention_heads: 4\n"
                                  "num_key_value_heads: 2\nhead_dim: 16\nintermediate_size: 96\nvocab_size: 100\n"
                                  "num_hidden_layers: " +
                                      std::to_string(count) + "\n" + keys + "layers:\n" + layers,
                                  "m.yaml"));
  return shape;
}

std::string refusal(const std::string& layers, int count = 1, const std::string& keys = "") {
  return message_of([&] { model(layers, count, keys); });
}

constexpr std::uint64_t kNorm = 64;                       // gains
constexpr std::uint64_t kOutside = 2 * 100 * 64 + kNorm;  // embedding, lm_head, final norm
constexpr std::uint64_t qkvo(std::uint64_t heads, std::uint64_t kv_heads) {
  return 64 * 16 * (2 * heads + 2 * kv_heads);
}

}  // namespace

TEST_CASE("custom: layers without operations are decoder layers with heads and widths of their own") {
  const ModelShape m = model(
      "- {count: 2}\n"
      "- {num_key_value_heads: 1, intermediate_size: 32}\n"
      "- {num_attention_heads: 8, num_key_value_heads: 8}\n",
      4);
  const std::uint64_t by_hand = kOutside + 4 * 2 * kNorm + 2 * (qkvo(4, 2) + 3 * 64 * 96) + (qkvo(4, 1) + 3 * 64 * 32) +
                                (qkvo(8, 8) + 3 * 64 * 96);
  CHECK(m.parameters() == by_hand);
  CHECK(accelerator::layer_graph(m).parameters(m) == by_hand);
  CHECK(m.sorts_of_layers() == std::vector<int>{0, 2, 3});
  // Keys and values of 32 tokens in FP16: 2 + 2 + 1 + 8 heads of 16 channels.
  const accelerator::KvCacheLayout cache(m, {accelerator::KvFormat::kFp16}, 32, 1, 0, 1);
  CHECK(cache.slot_bytes() == 2ull * 2 * 32 * 16 * (2 + 2 + 1 + 8));
}

TEST_CASE("custom: a layer has the operations that are listed, and caches nothing where it does not attend") {
  const ModelShape m = model(
      "- {operations: [attention_norm, qkv, attention, output]}\n"
      "- {operations: [ffn_norm, gate_up, down], count: 2, intermediate_size: 128}\n"
      "- {operations: [ffn_norm, router, experts]}\n",
      4, "mixture: {experts: 4, experts_per_token: 2, expert_width: 32}\n");
  const std::uint64_t by_hand = kOutside + 4 * kNorm + qkvo(4, 2) + 2 * 3 * 64 * 128 + 4 * 64 + 4 * 3 * 64 * 32;
  CHECK(m.parameters() == by_hand);
  CHECK(accelerator::layer_graph(m).parameters(m) == by_hand);
  CHECK_FALSE(m.is_mixture(0));
  CHECK(m.is_mixture(3));
  CHECK(m.cached_heads(0) == 2);
  CHECK(m.cached_heads(1) == 0);
}

TEST_CASE("custom: what cannot run is refused with its place") {
  const std::string list = "- {operations: [attention_norm, qkv, attention, output]}\n";
  CHECK_THAT(refusal(list, 2),
             ContainsSubstring("m.yaml:") && ContainsSubstring("layers: lists 1 layers, expected the 2"));
  CHECK_THAT(refusal("- {operations: [attention_norm, qvk]}\n"), ContainsSubstring("m.yaml:10:"));
  CHECK_THAT(refusal("- {operations: [attention_norm, qvk]}\n"), ContainsSubstring("qkv"));
  CHECK_THAT(refusal("- {operations: [qkv, attention, output]}\n"),
             ContainsSubstring("operation 'qkv' reads normed rows, which no operation before it gives"));
  CHECK_THAT(refusal("- {operations: [attention_norm, qkv]}\n"),
             ContainsSubstring("nothing reads the queries that operation 'qkv' gives"));
  CHECK_THAT(refusal("- {operations: [attention_norm, ffn_norm, gate_up, down]}\n"),
             ContainsSubstring("nothing has read those of 'attention_norm'"));
  CHECK_THAT(refusal("- {operations: [ffn_norm, gate_up, down, ffn_norm, gate_up, down]}\n"),
             ContainsSubstring("operation 'ffn_norm' is named twice"));
  CHECK_THAT(refusal("- {operations: [ffn_norm, router, experts]}\n"),
             ContainsSubstring("operation 'router' is none of a layer of this model"));
  CHECK_THAT(refusal("- {operations: [ffn_norm, router, experts, attention_norm, qkv, attention, output]}\n", 1,
                     "mixture: {experts: 4, experts_per_token: 2, expert_width: 32}\n"),
             ContainsSubstring("stands behind 'experts'"));
  CHECK_THAT(refusal("- {num_attention_heads: 6, num_key_value_heads: 4}\n"),
             ContainsSubstring("layer 0: num_attention_heads (6) must be a multiple of num_key_value_heads (4)"));
  CHECK_THAT(refusal("- {count: 0}\n"), ContainsSubstring("count"));
  CHECK_THAT(message_of([] { model("  []\n", 1); }), ContainsSubstring("expected the layers of architecture: custom"));
  ModelShape plain;
  CHECK_THAT(message_of([&] {
               config::read(plain, config::parse_yaml("hidden_size: 64\nnum_hidden_layers: 1\nnum_attention_heads: 4\n"
                                                      "num_key_value_heads: 2\nintermediate_size: 96\nvocab_size: 100\n"
                                                      "head_dim: 16\nlayers: [{count: 1}]\n",
                                                      "m.yaml"));
             }),
             ContainsSubstring("layers: has no effect, expected architecture: custom"));
}

TEST_CASE("custom: a key that none of the layers reads is refused with its place") {
  const char* attention = "- {operations: [attention_norm, qkv, attention, output], intermediate_size: 32}\n";
  CHECK_THAT(refusal(attention),
             ContainsSubstring("m.yaml:") &&
                 ContainsSubstring("layers: layer 0: intermediate_size has no effect, expected 'down'"));
  CHECK_THAT(refusal("- {operations: [ffn_norm, gate_up, down], num_key_value_heads: 1}\n"),
             ContainsSubstring("num_key_value_heads has no effect, expected 'qkv' among its operations"));
  const std::string sparse = "- {operations: [ffn_norm, router, experts]}\n";
  CHECK_THAT(refusal(sparse, 1, "mixture: {experts: 4, experts_per_token: 2, expert_width: 32, dense_layers: 1}\n"),
             ContainsSubstring("mixture.dense_layers (1) and mixture.period (1) have no effect"));
  CHECK_THAT(refusal(sparse, 1, "mixture: {experts: 4, experts_per_token: 2, expert_width: 32, shared_width: 8}\n"),
             ContainsSubstring("mixture.shared_width (8) has no effect"));
  CHECK_THAT(refusal("- {}\n", 1, "mixture: {experts: 4, experts_per_token: 2, expert_width: 32, dense_layers: 1}\n"),
             ContainsSubstring("leave no layer") || ContainsSubstring("none of `layers` has 'experts'"));
}

TEST_CASE("custom: devices that divide tensors refuse listed layers by name, stages take them") {
  const auto divided = [](const char* devices) {
    testbench::load_scenario(config::parse_yaml("base: default\n"
                                                "model: {architecture: custom, hidden_size: 256, num_hidden_layers: 2, "
                                                "num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: "
                                                "256, vocab_size: 128, layers: [{count: 2}]}\n"
                                                "devices: " +
                                                    std::string(devices) + "\n",
                                                "s.yaml"),
                             {}, testbench::Library(kWorkloads));
  };
  CHECK_THAT(message_of([&] { divided("{tensor: 2, link: ucie}"); }),
             ContainsSubstring("s.yaml:3:") && ContainsSubstring("devices.tensor: listed layers"));
  CHECK_NOTHROW(divided("{pipeline: 2, link: ucie}"));
}

// ---- Values: the machine beside the golden model, with the bytes of the formulas ----

namespace {

LayerRun run_of(std::vector<std::string> operations, int heads = 0, int kv_heads = 0, int width = 0) {
  LayerRun run;
  run.operations = std::move(operations);
  run.num_attention_heads = heads;
  run.num_key_value_heads = kv_heads;
  run.intermediate_size = width;
  return run;
}

const std::vector<std::string> kAttention = {"attention_norm", "qkv", "attention", "output"},
                               kFeedForward = {"ffn_norm", "gate_up", "down"};

std::vector<std::string> both(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

void seventy_and_forty(std::vector<LayerRun> runs, std::uint64_t buffer_bytes = 0,
                       const std::function<void(ModelShape&)>& more = {}) {
  SmallShape shape;
  shape.layers = static_cast<int>(runs.size());
  shape.more = [&](ModelShape& m) {
    m.architecture = accelerator::Architecture::custom;
    m.layers = std::move(runs);
    if (more) more(m);
  };
  const auto weights = random_model(shape, formats::weight_format("kmeans4"), CodebookKind::kInt8, 91);
  config::validate(weights->shape);
  Scenario s = functional_scenario(*weights);
  if (buffer_bytes != 0) s.accelerator.activation_buffer.capacity_bytes = buffer_bytes;
  Instruments instruments;
  run_beside_golden(s, weights, schedule(1, 70, 40), &instruments, buffer_bytes == 0);
}

const std::vector<LayerRun>& heads_and_widths() {
  static const std::vector<LayerRun> runs = {run_of({}, 8, 1), run_of({}, 4, 4, 320), run_of({}, 8, 2)};
  return runs;
}
const std::vector<LayerRun>& blocks() {
  static const std::vector<LayerRun> runs = {run_of(kFeedForward, 0, 0, 320), run_of(kAttention, 4, 4),
                                             run_of(both(kFeedForward, kAttention), 8, 4)};
  return runs;
}

}  // namespace

TEST_CASE("custom: heads and widths of each layer's own, on chip") { seventy_and_forty(heads_and_widths()); }
TEST_CASE("custom: heads and widths of each layer's own, through memory") {
  seventy_and_forty(heads_and_widths(), 32 * 1024);
}
TEST_CASE("custom: attention and feed-forward alone and the other way round, on chip") { seventy_and_forty(blocks()); }
TEST_CASE("custom: attention and feed-forward alone and the other way round, through memory") {
  seventy_and_forty(blocks(), 32 * 1024);
}
TEST_CASE("custom: a listed mixture before a dense decoder layer, windows, norms of heads") {
  seventy_and_forty({run_of(both(kAttention, {"ffn_norm", "router", "experts"})), run_of({})}, 0, [](ModelShape& m) {
    m.sliding_window = 30;
    m.full_attention_layers = {1};
    m.qk_norm = true;
    m.mixture.experts = 6;
    m.mixture.experts_per_token = 2;
    m.mixture.expert_width = 96;
    m.mixture.dense_layers = 2;
  });
}
