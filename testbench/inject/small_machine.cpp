#include "harmonia/testbench/inject/small_machine.h"

#include <cmath>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/system/functional.h"

namespace harmonia::testbench {

using accelerator::GoldenModelWeights;
using accelerator::ModelTensor;
using formats::Fp16;
using formats::LinearWeights;

std::shared_ptr<GoldenModelWeights> small_weights(Scenario& scenario, const SmallWork& work) {
  formats::GaussianSource random(work.seed);
  auto w = std::make_shared<GoldenModelWeights>();
  accelerator::ModelShape& s = w->shape;
  s.name = "small random model";
  s.hidden_size = work.hidden;
  s.num_hidden_layers = work.layers;
  s.num_attention_heads = work.heads;
  s.num_key_value_heads = work.kv_heads;
  s.head_dim = work.head_dim;
  s.intermediate_size = work.intermediate;
  s.vocab_size = work.vocab;
  s.rope_theta = 10000.0;
  const auto values = [&](int n, double mean, double deviation) {
    std::vector<Fp16> out(static_cast<std::size_t>(n));
    for (Fp16& v : out) v = formats::to_fp16(mean + deviation * random.next());
    return out;
  };
  const formats::WeightFormat format =
      formats::weight_format(scenario.weights.zero_point ? scenario.weights.format + "z" : scenario.weights.format);
  const auto kind = scenario.weights.codebook == "int5" ? formats::CodebookKind::kInt5 : formats::CodebookKind::kInt8;
  const auto linear = [&](formats::WeightFormat f, int rows, int cols) {
    std::vector<float> v(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
    for (float& x : v) x = static_cast<float>(random.next() / std::sqrt(cols));
    return LinearWeights::encode(f, v.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), kind);
  };
  try {
    w->embedding = values(s.vocab_size * s.hidden_size, 0, 1);
    for (int layer = 0; layer < s.num_hidden_layers; ++layer) {
      accelerator::GoldenLayerWeights l;
      l.gains[ModelTensor::attention_norm] = values(s.hidden_size, 1, 0.2);
      l.gains[ModelTensor::ffn_norm] = values(s.hidden_size, 1, 0.2);
      for (const ModelTensor tensor : accelerator::layer_graph(s, layer).layer_matrices())
        l.matrices[tensor] = linear(format, static_cast<int>(size_of(accelerator::info_of(tensor).rows, s)),
                                    static_cast<int>(size_of(accelerator::info_of(tensor).columns, s)));
      w->layers.push_back(std::move(l));
    }
    w->final_norm = values(s.hidden_size, 1, 0.2);
    w->lm_head = linear(formats::weight_format(scenario.weights.lm_head), s.vocab_size, s.hidden_size);
    adopt_weights(scenario, *w);
  } catch (const std::invalid_argument& e) {
    throw config::InputError(std::string("the formats of the scenario do not go with random weights: ") + e.what());
  }
  scenario.fidelity.mode = FidelityMode::full;
  scenario.fidelity.data = DataMode::functional;
  return w;
}

std::vector<std::vector<int>> small_steps(const GoldenModelWeights& weights, const SmallWork& work) {
  formats::SplitMix64 random(work.seed + 1);
  const auto token = [&] {
    return static_cast<int>(random.next() % static_cast<std::uint64_t>(weights.shape.vocab_size));
  };
  std::vector<std::vector<int>> steps(1);
  for (int i = 0; i < work.prompt_tokens; ++i) steps[0].push_back(token());
  for (int i = 0; i < work.decode_steps; ++i) steps.push_back({token()});
  return steps;
}

}  // namespace harmonia::testbench
