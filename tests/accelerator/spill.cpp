// Steps whose activations go through memory: that they come to an end, whatever the sizes, and give what the golden
// composition gives.
#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"
#include "tests/support/long.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

std::shared_ptr<GoldenModelWeights> model(std::uint64_t seed) {
  return random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, seed);
}

}  // namespace

// A row of 256 values is 296 bytes of A operand; half of 8 KiB holds 13 of them, a strip of a spilled linear is 6 rows.
TEST_CASE("spill: operands of a step that do not fit beside those of lm_head or of the step before") {
  const auto weights = model(41);
  Scenario s = functional_scenario(*weights);
  s.accelerator.activation_buffer.capacity_bytes = 8 * 1024;
  // lm_head works on 10 rows, 2960 bytes; 6 more rows, 1776 bytes, do not fit beside them.
  std::vector<Step> steps(1);
  for (std::size_t i = 0; i < 10; ++i) steps[0].push_back({i, 1});
  steps.push_back({{0, 20}});
  run_beside_golden(s, weights, steps, nullptr, std::nullopt);
}
TEST_CASE("spill: queries that do not fit beside the probabilities of a longer context before them") {
  const auto weights = model(42);
  Scenario s = functional_scenario(*weights);
  s.accelerator.activation_buffer.capacity_bytes = 4 * 1024;
  // A token that sees 331: 4 heads of 11 groups of 37 bytes, 1628 of 2048; then queries of 3 tokens that see few
  // others, 444.
  std::vector<Step> steps = schedule(1, 330, 0, 30);
  steps.push_back({{0, 1}, {1, 18}});
  run_beside_golden(s, weights, steps, nullptr, std::nullopt);
}

// ---- Random small machines ----

namespace {

struct Draw {
  std::mt19937_64 engine;
  explicit Draw(std::uint64_t seed) : engine(seed) {}
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + engine() % (high - low + 1); }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + between(0, list.size() - 1));
  }
  bool yes(unsigned in_a_hundred) { return between(1, 100) <= in_a_hundred; }
};

struct Trial {
  SmallShape shape;
  formats::WeightFormat format;
  Scenario scenario;
  std::vector<Step> steps;
};

/// A mixture of experts, with a buffer that often holds all activations: others are refused.
void draw_mixture(Draw& draw, Trial& t) {
  accelerator::Mixture& m = t.shape.mixture;
  m.experts = static_cast<int>(draw.between(1, 20));
  m.experts_per_token = static_cast<int>(draw.between(1, std::min(m.experts, 6)));
  m.expert_width = static_cast<int>(draw.between(4, 40)) * 8;
  if (draw.yes(50)) m.shared_width = static_cast<int>(draw.between(4, 40)) * 8;
  m.shared_gate = m.shared_width != 0 && draw.yes(50);
  if (t.shape.layers == 2 && draw.yes(50)) (draw.yes(50) ? m.dense_layers : m.period) = draw.yes(50) ? 1 : 2;
  if (m.dense_layers == 2) m.dense_layers = 1;
  m.scores = draw.one_of({accelerator::RouterScores::softmax, accelerator::RouterScores::sigmoid});
  m.normalised = draw.yes(50);
  t.scenario.accelerator.activation_buffer.capacity_bytes = draw.between(16, 400) * 1024;
}

/// What other families have beside the parts of a Llama.
void draw_parts(Draw& draw, Trial& t) {
  using accelerator::Activation;
  using accelerator::NormPlacement;
  const bool dense = t.shape.mixture.experts == 0;
  const bool o_bias = draw.yes(40), ffn_bias = draw.yes(40) && t.shape.mixture.shared_width == 0;
  const bool all_heads = draw.yes(50), layer_norm = draw.yes(30), gated = !dense || draw.yes(60), sinks = draw.yes(40);
  const NormPlacement norms =
      dense ? draw.one_of({NormPlacement::before, NormPlacement::behind, NormPlacement::both}) : NormPlacement::before;
  const Activation activation = draw.one_of({Activation::silu, Activation::gelu, Activation::relu_squared});
  const bool clamped = gated && draw.yes(30), rope = draw.yes(70), window_theta = draw.yes(50);
  const int rotary = draw.one_of({0, 0, 8, 20});
  const double attention_cap = draw.one_of({0.0, 4.0}), logits_cap = draw.one_of({0.0, 5.0});
  t.shape.more = [=](ModelShape& m) {
    m.o_bias = o_bias;
    m.ffn_bias = ffn_bias;
    m.qk_norm_all_heads = m.qk_norm && all_heads;
    m.layer_norm = layer_norm;
    m.gated = gated;
    m.attention_sinks = sinks;
    m.norms = norms;
    m.activation = clamped ? Activation::clamped : activation;
    m.rotary_dim = rotary;
    if (!rope) m.layers_without_rope = {0};
    if (window_theta && m.sliding_window != 0) m.window_rope_theta = 300.0;
    m.attention_cap = attention_cap;
    m.logits_cap = logits_cap;
  };
}

/// Layers of a custom architecture: of one kind or two, each with its own heads and width.
void draw_layers(Draw& draw, Trial& t) {
  std::vector<accelerator::LayerRun> runs;
  for (std::uint64_t r = 0, n = draw.between(1, 3); r < n; ++r) {
    accelerator::LayerRun run;
    run.count = static_cast<int>(draw.between(1, 2));
    const std::vector<std::string> attention = {"attention_norm", "qkv", "attention", "output"},
                                   feed_forward = {"ffn_norm", "gate_up", "down"};
    const std::uint64_t kind =
        draw.between(0, 3);  // all of a decoder layer, either block alone, or both the other way round
    if (kind != 0 && kind != 1) run.operations = feed_forward;
    if (kind == 1 || kind == 3) run.operations.insert(run.operations.end(), attention.begin(), attention.end());
    run.num_key_value_heads = static_cast<int>(draw.between(1, 3));
    run.num_attention_heads = run.num_key_value_heads * static_cast<int>(draw.between(1, 4));
    run.intermediate_size = static_cast<int>(draw.between(8, 100)) * 8;
    runs.push_back(run);
  }
  t.shape.full.clear();
  t.shape.mixture = {};
  t.shape.more = [runs](ModelShape& m) {
    m.architecture = accelerator::Architecture::custom;
    m.layers = runs;
    m.num_hidden_layers = 0;
    for (const accelerator::LayerRun& run : m.layers) m.num_hidden_layers += run.count;
  };
}

Trial trial_of(Draw& draw) {
  Trial t;
  const int kv_heads = static_cast<int>(draw.between(1, 3));
  t.shape.head_dim = draw.one_of({32, 32, 64});
  t.shape.kv_heads = kv_heads;
  t.shape.heads = kv_heads * static_cast<int>(draw.between(1, 4));
  t.shape.hidden = static_cast<int>(draw.between(8, 40)) * 8;
  t.shape.intermediate = static_cast<int>(draw.yes(50) ? draw.between(8, 60) : draw.between(60, 200)) * 8;
  t.shape.layers = static_cast<int>(draw.between(1, 2));
  t.shape.vocab = static_cast<int>(draw.between(20, 150));
  t.format =
      draw.one_of({formats::weight_format("kmeans1"), formats::weight_format("kmeans4"), formats::weight_format("int4"),
                   formats::weight_format("int4z"), formats::weight_format("fp16"), formats::weight_format("fp16")});

  accelerator::AcceleratorConfig& a = t.scenario.accelerator;
  a.activation_buffer.capacity_bytes = (draw.yes(30) ? draw.between(2, 5) : draw.between(4, 48)) * 512;
  a.weight_buffer.capacity_bytes = (draw.yes(30) ? 1 : draw.between(2, 32)) * 1024;
  a.kv_buffer.capacity_bytes = draw.between(1, 8) * 1024;
  a.dma.transaction_bytes = draw.one_of<std::uint64_t>({256, 512, 1024, 4096});
  a.dma.outstanding = static_cast<int>(draw.between(1, 6));
  a.dma.descriptors = static_cast<int>(draw.between(1, 8));
  a.converter.growing_channels = draw.one_of<std::uint32_t>({0, 32, 128});
  a.sequencer.order = draw.one_of(
      {accelerator::LoopOrder::fewest_bytes, accelerator::LoopOrder::row_first, accelerator::LoopOrder::column_first});
  a.sequencer.attention = draw.one_of({accelerator::AttentionScores::online, accelerator::AttentionScores::online,
                                       accelerator::AttentionScores::fused, accelerator::AttentionScores::unfused});
  a.sequencer.attention_block_tokens = draw.one_of<std::uint64_t>({32, 64, 96, 128});
  if (draw.yes(20)) a.pe.kind = accelerator::PeKind::fp16;
  a.pe.rows = static_cast<int>(draw.between(1, 16));
  a.pe.cols = static_cast<int>(draw.between(1, 16));
  t.scenario.kv.format = draw.one_of<const char*>({"bfp4+windows", "bfp8", "fp16", "int8"});

  const std::size_t slots = draw.between(1, 5);
  for (std::size_t i = 0, n = draw.between(2, 5); i < n; ++i) {
    Step step;
    for (std::size_t s = 0; s < slots; ++s)
      if (draw.yes(70)) step.push_back({s, draw.yes(50) ? 1 : draw.between(2, 40)});
    if (step.empty()) step.push_back({0, 1});
    t.steps.push_back(step);
  }
  if (draw.yes(50)) {
    t.shape.window = static_cast<int>(draw.between(1, 70));
    if (t.shape.layers == 2 && draw.yes(50)) t.shape.full = {static_cast<int>(draw.between(0, 1))};
  }
  t.shape.bias = draw.yes(40);
  t.shape.qk_norm = draw.yes(40);
  if (draw.yes(30)) draw_mixture(draw, t);
  t.shape.gelu = draw.yes(30);
  t.shape.multipliers = draw.yes(30);
  if (draw.yes(60)) draw_parts(draw, t);
  if (draw.yes(20)) draw_layers(draw, t);
  return t;
}

}  // namespace

TEST_CASE("spill: random small machines never come to rest, and give the golden bytes") {
  const char* given = std::getenv("HARMONIA_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1,
                      trials = given != nullptr ? 1 : count(60, 5000);
  std::string failed;
  std::uint64_t refused = 0, spilled = 0, split = 0;
  for (std::uint64_t seed = first; seed < first + trials; ++seed) {
    std::vector<std::uint64_t> said;
    const auto run = [seed]() -> std::vector<std::uint64_t> {
      Draw draw(seed);
      Trial t = trial_of(draw);
      const auto weights = random_model(t.shape, t.format, CodebookKind::kInt8, seed);
      Scenario s = functional_scenario(*weights);
      s.accelerator = t.scenario.accelerator;
      s.accelerator.dram.preset = "DDR4-3200";
      s.accelerator.dram.channels = 2;
      s.kv.format = t.scenario.kv.format;
      Instruments instruments(draw.yes(30) ? 0.2 : 0, seed);
      try {
        const Outcome o = run_beside_golden(s, weights, t.steps, &instruments, std::nullopt);
        std::uint64_t through_memory = 0;
        for (const StepTimes& step : o.steps) through_memory += !step.resident;
        return {0, through_memory, o.bytes.at(static_cast<std::size_t>(bus::TrafficClass::partial_sums)) != 0};
      } catch (const config::InputError&) {
        return {1, 0, 0};  // said clearly, before anything runs
      }
    };
    try {
      said = in_child(run);
    } catch (const std::exception&) {  // the child has said why
      failed += ' ' + std::to_string(seed);
      continue;
    }
    refused += said[0];
    spilled += said[1];
    split += said[2];
  }
  WARN("seeds from " << first << ": " << trials << " machines, " << refused << " refused, " << spilled
                     << " steps through memory, " << split << " machines with partial sums");
  INFO("HARMONIA_SEED=<seed> runs one of them");
  REQUIRE(failed == "");
  if (given != nullptr) return;
  REQUIRE(refused <= trials / 2);
  REQUIRE(spilled >= trials / 4);
  REQUIRE(split >= trials / 12);
}
