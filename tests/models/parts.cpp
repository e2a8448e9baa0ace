// Parts that layers of other families have beside those of a Llama, each in the machine bit for bit as in the golden model, with the
// bytes of the formulas: a prefill of 70 tokens and 40 decode steps, on chip and with activations through memory.
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

SmallShape with(std::function<void(ModelShape&)> more, int layers = 1) {
  SmallShape shape;
  shape.layers = layers;
  shape.more = std::move(more);
  return shape;
}

void run(const SmallShape& shape, const char* format, std::uint64_t buffer_bytes = 0, const char* attention = "",
         std::uint64_t seed = 72) {
  const auto weights = random_model(shape, formats::weight_format(format), CodebookKind::kInt8, seed);
  Scenario s = functional_scenario(*weights);
  if (buffer_bytes != 0) s.accelerator.activation_buffer.capacity_bytes = buffer_bytes;
  if (attention == std::string("fused")) s.accelerator.sequencer.attention = accelerator::AttentionScores::fused;
  if (attention == std::string("unfused")) s.accelerator.sequencer.attention = accelerator::AttentionScores::unfused;
  Instruments instruments;
  run_beside_golden(s, weights, schedule(1, 70, 40), &instruments, buffer_bytes == 0);
}

constexpr std::uint64_t through_memory = 32 * 1024;

void biases(ModelShape& m) { m.qkv_bias = m.o_bias = m.ffn_bias = true; }
void norms_behind(ModelShape& m) { m.norms = accelerator::NormPlacement::behind; }
void olmo2(ModelShape& m) {
  norms_behind(m);
  m.qk_norm = m.qk_norm_all_heads = true;
}
void gemma2(ModelShape& m) {
  m.norms = accelerator::NormPlacement::both;
  m.activation = accelerator::Activation::gelu;
  m.attention_cap = 4.0;
  m.logits_cap = 3.0;
  m.sliding_window = 30;
  m.full_attention_layers = {1};
  m.window_rope_theta = 100.0;
  m.residual_multiplier = 0.5;
}
void nemotron(ModelShape& m) {
  m.layer_norm = true;
  m.gated = false;
  m.activation = accelerator::Activation::relu_squared;
  m.rotary_dim = 8;
}
void sinks(ModelShape& m) {
  m.attention_sinks = true;
  m.attention_cap = 5.0;
  m.sliding_window = 20;
}
void gpt_oss(ModelShape& m) {
  sinks(m);
  biases(m);
  m.activation = accelerator::Activation::clamped;
  m.activation_limit = 1.5;
  m.mixture.experts = 6;
  m.mixture.experts_per_token = 2;
  m.mixture.expert_width = 96;
}

}  // namespace

TEST_CASE("parts: biases of all matrices") { run(with(biases), "kmeans4"); }
TEST_CASE("parts: biases of all matrices, through memory") { run(with(biases), "int4", through_memory); }
TEST_CASE("parts: norms behind the blocks, none before, two layers") { run(with(norms_behind, 2), "kmeans4"); }
TEST_CASE("parts: norms behind the blocks and over all heads") { run(with(olmo2), "kmeans2"); }
TEST_CASE("parts: norms behind the blocks and over all heads, through memory") {
  run(with(olmo2), "kmeans4", through_memory);
}
TEST_CASE("parts: four norms, caps, windows and their own base of RoPE, two layers") {
  run(with(gemma2, 2), "kmeans4");
}
TEST_CASE("parts: the same through memory, with biases and LayerNorms") {
  run(with(
          [](ModelShape& m) {
            gemma2(m);
            biases(m);
            m.layer_norm = true;
          },
          2),
      "kmeans4", through_memory);
}
TEST_CASE("parts: LayerNorms, two matrices, a part of each head rotated") { run(with(nemotron), "kmeans4"); }
TEST_CASE("parts: the same through memory, with biases and a row longer than the vector unit's half") {
  run(with([](ModelShape& m) {
        nemotron(m);
        biases(m);
      }),
      "kmeans4", 1024 * 10);
}
TEST_CASE("parts: layers without RoPE") {
  run(with([](ModelShape& m) { m.layers_without_rope = {0}; }, 2), "kmeans4");
}
TEST_CASE("parts: sinks and capped scores, online") { run(with(sinks), "kmeans4"); }
TEST_CASE("parts: sinks and capped scores of whole rows") { run(with(sinks), "kmeans4", 0, "fused"); }
TEST_CASE("parts: sinks and capped scores through memory") { run(with(sinks), "kmeans4", through_memory, "unfused"); }
TEST_CASE("parts: a mixture with sinks, biases and the clamped activation") { run(with(gpt_oss), "kmeans4"); }
TEST_CASE("parts: a mixture with a multiplier of the residual stream and GELU, shared experts with a gate") {
  run(with([](ModelShape& m) {
        m.residual_multiplier = 0.22;
        m.activation = accelerator::Activation::gelu;
        m.mixture.experts = 5;
        m.mixture.experts_per_token = 2;
        m.mixture.expert_width = 96;
        m.mixture.shared_width = 64;
        m.mixture.shared_gate = true;
      }),
      "kmeans4");
}

// 256 channels, 8 heads of 32, 2 kv heads, 688 channels in the feed-forward.
TEST_CASE("parts: what a decode step reads more, by hand") {
  const auto bytes = [](void (*more)(ModelShape&)) {
    return in_child([=] {
             const auto weights = random_model(with(more), formats::weight_format("kmeans4"), CodebookKind::kInt8, 73);
             return timing_of(functional_scenario(*weights), {{{0, 1}}}, nullptr, 50);
           })
        .at(2 + static_cast<std::size_t>(bus::TrafficClass::weights));
  };
  const std::uint64_t plain = bytes([](ModelShape&) {});
  CHECK(bytes(biases) - plain == 2 * (12 * 32 + 256 + 2 * 688 + 256));
  CHECK(bytes(norms_behind) == plain);
  CHECK(bytes(olmo2) - plain == 2 * (256 + 64));
  CHECK(bytes([](ModelShape& m) { m.norms = accelerator::NormPlacement::both; }) - plain == 2 * 2 * 256);
  CHECK(bytes([](ModelShape& m) { m.attention_sinks = true; }) - plain == 2 * 8);
  CHECK(bytes([](ModelShape& m) { m.layer_norm = true; }) - plain == 3 * 2 * 256);
  // Rows of 688 codes of 4 bits with 11 scales.
  CHECK(plain - bytes([](ModelShape& m) { m.gated = false; }) == 688 * 128);
}

TEST_CASE("parts: the layer graph has the parameters of the shape") {
  for (void (*more)(ModelShape&) : {biases, norms_behind, olmo2, gemma2, nemotron, sinks, gpt_oss}) {
    const ModelShape m = shape_of(with(more, 2));
    CHECK(accelerator::layer_graph(m).parameters(m) == m.parameters());
  }
}
