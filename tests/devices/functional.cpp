// Several functional devices against the golden model with the same split and the same order of sums, bit for bit.
#include "harmonia/hw/golden/golden_devices.h"
#include "harmonia/hw/model/model_split.h"
#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;
using accelerator::ExpertSplit;
using accelerator::GoldenDevices;
using accelerator::ModelTensor;

namespace {

using Parts = std::vector<std::shared_ptr<GoldenModelWeights>>;

/// Rows [row, row + rows) and columns [column, column + columns) of a matrix of `width` columns.
std::vector<float> block(const std::vector<float>& all, std::size_t width, std::size_t row, std::size_t rows,
                         std::size_t column, std::size_t columns) {
  std::vector<float> out;
  for (std::size_t r = row; r < row + rows; ++r)
    out.insert(out.end(), all.begin() + static_cast<std::ptrdiff_t>(r * width + column),
               all.begin() + static_cast<std::ptrdiff_t>(r * width + column + columns));
  return out;
}

/// A random model and the parts that `devices` devices have of the same weights, each encoded by itself.
struct Split {
  std::shared_ptr<GoldenModelWeights> whole;
  Parts parts;
  ExpertSplit experts;

  Split(const SmallShape& small, formats::WeightFormat format, int devices, std::uint64_t seed,
        ExpertSplit split_of_experts = ExpertSplit::divided)
      : experts(split_of_experts) {
    std::vector<std::vector<float>> real;
    const formats::WeightFormat fp16 = formats::weight_format("fp16");
    whole = random_model(small, format, CodebookKind::kInt8, seed, fp16, &real);
    for (int d = 0; d < devices; ++d) parts.push_back(part(format, devices, d, real));
  }

  struct Widths {
    std::size_t first_kv, q, kv, ffn, heads, expert, devices, hidden;
    std::size_t placed;  // experts that are whole on a device; 0: each has a part of every one
  };
  /// Of each expert's outputs, one behind the other, those of the device; `width` values each. Every expert has as many outputs on each
  /// device.
  template <class T>
  static std::vector<T> of_each_expert(const std::vector<T>& all, std::size_t width, std::size_t device,
                                       const Widths& w) {
    std::vector<T> own;
    const std::size_t expert = w.devices * w.expert * width, part = w.expert * width;
    for (std::size_t at = device * part; at < all.size(); at += expert)
      own.insert(own.end(), all.begin() + static_cast<std::ptrdiff_t>(at),
                 all.begin() + static_cast<std::ptrdiff_t>(at + part));
    return own;
  }
  /// Biases of what is divided by outputs come with their outputs; those of sums are the first device's, and the others add zeros.
  static void divide_vectors(accelerator::GoldenLayerWeights& l, std::size_t device, const Widths& w) {
    const auto take = [&](ModelTensor tensor, std::size_t first, std::size_t count) {
      std::vector<Fp16>& v = l.gains[tensor];
      if (v.empty()) return;
      v = {v.begin() + static_cast<std::ptrdiff_t>(first), v.begin() + static_cast<std::ptrdiff_t>(first + count)};
    };
    take(ModelTensor::q_bias, device * w.q, w.q);
    take(ModelTensor::k_bias, w.first_kv, w.kv);
    take(ModelTensor::v_bias, w.first_kv, w.kv);
    take(ModelTensor::gate_bias, device * w.ffn, w.ffn);
    take(ModelTensor::up_bias, device * w.ffn, w.ffn);
    take(ModelTensor::sinks, device * w.heads, w.heads);
    for (const ModelTensor tensor : {ModelTensor::expert_gate_bias, ModelTensor::expert_up_bias}) {
      if (w.placed == 0) l.gains[tensor] = of_each_expert(l.gains[tensor], 1, device, w);
      if (w.placed != 0) take(tensor, device * w.placed * w.expert, w.placed * w.expert);
    }
    if (w.placed != 0) take(ModelTensor::expert_down_bias, device * w.placed * w.hidden, w.placed * w.hidden);
    if (device == 0) return;
    const auto add_zeros = [&](ModelTensor tensor) {
      std::fill(l.gains[tensor].begin(), l.gains[tensor].end(), Fp16{});
    };
    add_zeros(ModelTensor::o_bias);
    add_zeros(ModelTensor::down_bias);
    if (w.placed == 0) add_zeros(ModelTensor::expert_down_bias);
  }

  std::shared_ptr<GoldenModelWeights> part(formats::WeightFormat format, int devices, int device,
                                           const std::vector<std::vector<float>>& real) const {
    auto w = std::make_shared<GoldenModelWeights>();
    w->shape = accelerator::part_of_device(accelerator::part_of(whole->shape, devices, experts), device);
    w->rope_pairing = whole->rope_pairing;
    const ModelShape& s = w->shape;
    const auto size = [](int n) { return static_cast<std::size_t>(n); };
    const std::size_t d = size(device), hidden = size(s.hidden_size);
    const std::size_t kv_head = d * size(whole->shape.num_key_value_heads) / size(devices);
    const auto encoded = [&](formats::WeightFormat f, const std::vector<float>& values, std::size_t rows) {
      return LinearWeights::encode(f, values.data(), rows, values.size() / rows, CodebookKind::kInt8);
    };
    const auto by_rows = [&](formats::WeightFormat f, std::size_t i, std::size_t first, std::size_t rows) {
      return encoded(f, block(real[i], hidden, first, rows, 0, hidden), rows);
    };
    const auto by_columns = [&](std::size_t i, std::size_t columns) {
      return encoded(format, block(real[i], columns * size(devices), 0, hidden, d * columns, columns), hidden);
    };
    std::size_t i = 0;
    for (std::size_t number = 0; number < whole->layers.size(); ++number) {
      const accelerator::GoldenLayerWeights& from = whole->layers[number];
      accelerator::GoldenLayerWeights l;
      l.gains = from.gains;
      const std::size_t q = size(s.q_width()), kv = size(s.kv_width()), ffn = size(s.intermediate_size),
                        shared = size(s.mixture.shared_width), expert = size(s.mixture.expert_width);
      const std::size_t placed = experts == ExpertSplit::placed ? size(s.own_experts()) : 0;
      const Widths widths = {
          kv_head * size(s.head_dim), q, kv, ffn, size(s.num_attention_heads), expert, size(devices), hidden, placed};
      divide_vectors(l, d, widths);
      l.matrices[ModelTensor::q] = by_rows(format, i, d * q, q);
      l.matrices[ModelTensor::k] = by_rows(format, i + 1, kv_head * size(s.head_dim), kv);
      l.matrices[ModelTensor::v] = by_rows(format, i + 2, kv_head * size(s.head_dim), kv);
      l.matrices[ModelTensor::o] = by_columns(i + 3, q);
      i += 4;
      for (const ModelTensor tensor :
           accelerator::layer_graph(whole->shape, static_cast<int>(number)).layer_matrices()) {
        if (l.matrices[tensor].rows() > 0) continue;
        LinearWeights& own = l.matrices[tensor];
        if (tensor == ModelTensor::gate || tensor == ModelTensor::up)
          own = by_rows(format, i, d * ffn, ffn);
        else if (tensor == ModelTensor::down)
          own = by_columns(i, ffn);
        else if (tensor == ModelTensor::shared_gate || tensor == ModelTensor::shared_up)
          own = by_rows(format, i, d * shared, shared);
        else if (tensor == ModelTensor::shared_down)
          own = by_columns(i, shared);
        else if (placed != 0 && (tensor == ModelTensor::expert_gate || tensor == ModelTensor::expert_up))
          own = by_rows(format, i, d * placed * expert, placed * expert);
        else if (placed != 0 && tensor == ModelTensor::expert_down)
          own =
              encoded(format, block(real[i], expert, d * placed * hidden, placed * hidden, 0, expert), placed * hidden);
        else if (tensor == ModelTensor::expert_gate || tensor == ModelTensor::expert_up)
          own = encoded(format, of_each_expert(real[i], hidden, d, widths), size(s.mixture.experts) * expert);
        else if (tensor == ModelTensor::expert_down)
          own = encoded(format,
                        block(real[i], expert * size(devices), 0, size(s.mixture.experts) * hidden, d * expert, expert),
                        size(s.mixture.experts) * hidden);
        else  // router and scale of the shared experts are on every device
          own = from.matrices[tensor];
        ++i;
      }
      w->layers.push_back(std::move(l));
    }
    const std::size_t vocabulary = size(s.vocab_size);
    const auto row = [&](std::size_t r) { return whole->embedding.begin() + static_cast<std::ptrdiff_t>(r * hidden); };
    w->embedding.assign(row(d * vocabulary), row((d + 1) * vocabulary));
    w->final_norm = whole->final_norm;
    w->lm_head = by_rows(formats::weight_format("fp16"), i, d * vocabulary, vocabulary);
    return w;
  }
};

Scenario scenario_of(const Split& split, link::Algorithm algorithm, link::Reduction reduction) {
  Scenario s = functional_scenario(*split.parts.front());
  s.devices.tensor = static_cast<int>(split.parts.size());
  s.devices.fold = false;
  s.devices.algorithm = config::name_of(link::algorithm_names(), algorithm);
  s.devices.reduction = reduction;
  s.devices.link.message_bytes = 200;  // several messages of each sum, and room for three
  s.devices.link.buffer_bytes = 600;
  return s;
}

accelerator::GoldenReduction reduction_of(const Scenario& s) {
  accelerator::GoldenReduction r;
  r.algorithm = s.devices.named_algorithm();
  r.reduction = s.devices.reduction;
  r.message_elements = link::message_elements(s.devices.link, r.reduction);
  return r;
}

/// Stalls on every connection of the links.
class LinkStalls {
 public:
  explicit LinkStalls(double probability) : probability_(probability) {}
  accelerator::Connect connect() {
    return [this](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
      if (probability_ == 0 || name.find("link_") == std::string::npos) {
        from.bind(to);
        return;
      }
      bus::StallConfig config;
      config.seed = 1 + stalls_.size();
      config.probability = probability_;
      config.keep_response_order = true;
      stalls_.push_back(std::make_unique<bus::StallInjector<>>(("stall_" + name).c_str(), config));
      from.bind(stalls_.back()->tsock);
      stalls_.back()->isock.bind(to);
    };
  }
  std::uint64_t stalls() const {
    std::uint64_t sum = 0;
    for (const auto& s : stalls_) sum += s->stalls();
    return sum;
  }

 private:
  double probability_;
  std::vector<std::unique_ptr<bus::StallInjector<>>> stalls_;
};

/// A prefill of `prompt` tokens, then `decode` single ones: residual stream, logits and every device's cache as the golden model has them.
void run_beside_golden(const Split& split, const Scenario& scenario, std::size_t prompt, std::size_t decode,
                       double stall_probability = 0) {
  testbench::Capacity capacity;
  capacity.slots = 1;
  capacity.tokens_per_slot = prompt + decode;
  capacity.max_step_tokens = capacity.sequence_step_tokens = prompt;
  LinkStalls stalls(stall_probability);
  std::vector<accelerator::MachineOptions> options;
  for (const auto& part : split.parts) options.push_back(testbench::functional_options(scenario, part));
  options.front().connect = stalls.connect();
  GoldenDevices golden(split.parts, testbench::golden_settings(scenario), reduction_of(scenario));
  const auto vocabulary = static_cast<std::size_t>(split.whole->shape.vocab_size);
  Machine* machine = nullptr;
  const auto body = [&](Host& host) {
    std::uint32_t random = 77;
    for (std::size_t cached = 0; cached < prompt + decode;) {
      const std::size_t count = cached == 0 ? prompt : 1;
      accelerator::StepWork work;
      work.sequences.push_back({0, cached, count, true});
      std::vector<int> tokens;
      for (std::size_t t = 0; t < count; ++t) {
        random = random * 1664525u + 1013904223u;
        tokens.push_back(static_cast<int>((random >> 8) % static_cast<std::uint32_t>(vocabulary)));
        work.token_ids.push_back(static_cast<std::uint32_t>(tokens.back()));
      }
      host.step(work);
      const std::vector<Fp16> logits = host.logits(vocabulary);
      std::vector<Fp16> expected(vocabulary);
      golden.step(tokens.data(), count, expected.data());
      const std::string what = "behind " + std::to_string(cached) + " tokens";
      for (std::size_t d = 0; d < split.parts.size(); ++d)
        require_equal(machine->device(d).accelerator->vector_unit.residual(), golden.stream().data(),
                      golden.stream().size(), what + ": stream of device " + std::to_string(d));
      require_equal(logits, expected.data(), vocabulary, what + ": logits");
      cached += count;
    }
    if (stall_probability > 0) sc_core::wait(10, sc_core::SC_US);  // answers that a stall still holds
  };
  Machine m(scenario, capacity, body, options.front(), {options.begin() + 1, options.end()});
  machine = &m;
  for (std::size_t d = 0; d < split.parts.size(); ++d) testbench::load_weights(m.device(d), *split.parts[d]);
  m.simulate();
  for (std::size_t d = 0; d < split.parts.size(); ++d)
    for (int l = 0; l < split.whole->shape.num_hidden_layers; ++l)
      REQUIRE(testbench::compare_kv(m.device(d), 0, l, golden.layer(d, static_cast<std::size_t>(l)).cache()) == "");
  if (stall_probability > 0) REQUIRE(stalls.stalls() > 0);
}

using link::Algorithm;
using link::Reduction;

const SmallShape twelve_heads{192, 2, 12, 6, 32, 384, 96};

void check(const SmallShape& shape, const char* format, int devices, Algorithm algorithm, Reduction reduction,
           double stalls = 0) {
  const Split split(shape, formats::weight_format(format), devices, 40 + static_cast<std::uint64_t>(devices));
  run_beside_golden(split, scenario_of(split, algorithm, reduction), 33, 6, stalls);
}

}  // namespace

TEST_CASE("functional devices: two, FP16 weights, a ring") {
  check(twelve_heads, "fp16", 2, Algorithm::ring, Reduction::fp16);
}
TEST_CASE("functional devices: two, 4-bit K-means, sums in FP32 by direct exchange") {
  check(twelve_heads, "kmeans4", 2, Algorithm::direct, Reduction::fp32);
}
TEST_CASE("functional devices: three, 1-bit K-means, direct exchange in two steps") {
  check(twelve_heads, "kmeans1", 3, Algorithm::direct_two_step, Reduction::fp16);
}
TEST_CASE("functional devices: four that share two kv heads, INT4, a tree") {
  check({256, 2, 8, 2, 32, 512, 96}, "int4", 4, Algorithm::tree, Reduction::fp16);
}
TEST_CASE("functional devices: norms of heads and multipliers") {
  SmallShape shape = twelve_heads;
  shape.qk_norm = shape.multipliers = true;
  check(shape, "kmeans2", 2, Algorithm::ring, Reduction::fp32);
}
TEST_CASE("functional devices: biases of all matrices, sinks, and caps of scores and logits") {
  SmallShape shape = twelve_heads;
  shape.bias = true;
  shape.more = [](ModelShape& m) {
    m.o_bias = m.ffn_bias = m.attention_sinks = true;
    m.attention_cap = 4.0;
    m.logits_cap = 3.0;
    m.residual_multiplier = 0.5;
  };
  check(shape, "kmeans4", 2, Algorithm::ring, Reduction::fp16);
}
TEST_CASE("functional devices: norms behind the blocks, alone and with those before them") {
  SmallShape shape = twelve_heads;
  shape.more = [](ModelShape& m) { m.norms = accelerator::NormPlacement::behind; };
  check(shape, "kmeans4", 3, Algorithm::direct, Reduction::fp32);
}
TEST_CASE("functional devices: four norms a layer, biases and random stalls") {
  SmallShape shape = twelve_heads;
  shape.bias = true;
  shape.more = [](ModelShape& m) {
    m.norms = accelerator::NormPlacement::both;
    m.o_bias = m.ffn_bias = true;
    m.residual_multiplier = 0.5;
  };
  check(shape, "int4", 2, Algorithm::ring, Reduction::fp16, 0.3);
}
TEST_CASE("functional devices: a part of each expert of a mixture, FP16 weights") {
  SmallShape shape = twelve_heads;
  shape.mixture.experts = 5;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 192;
  check(shape, "fp16", 2, Algorithm::ring, Reduction::fp16);
}
TEST_CASE("functional devices: parts of experts, of shared ones and of a dense layer, three devices") {
  SmallShape shape = twelve_heads;
  shape.layers = 3;
  shape.mixture.experts = 4;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 384;
  shape.mixture.shared_width = 192;
  shape.mixture.dense_layers = 1;
  check(shape, "kmeans4", 3, Algorithm::direct, Reduction::fp32);
}
TEST_CASE("functional devices: shared experts with a gate, sigmoid scores, random stalls") {
  SmallShape shape = twelve_heads;
  shape.mixture.experts = 6;
  shape.mixture.experts_per_token = 3;
  shape.mixture.expert_width = 128;
  shape.mixture.shared_width = 128;
  shape.mixture.shared_gate = true;
  shape.mixture.scores = accelerator::RouterScores::sigmoid;
  check(shape, "int4", 2, Algorithm::tree, Reduction::fp16, 0.3);
}
TEST_CASE("functional devices: biases of router and experts") {
  SmallShape shape = twelve_heads;
  shape.mixture.experts = 4;
  shape.mixture.experts_per_token = 1;
  shape.mixture.expert_width = 256;
  shape.more = [](ModelShape& m) { m.ffn_bias = true; };
  check(shape, "kmeans2", 2, Algorithm::direct, Reduction::fp16);
}

// Experts that are whole on one device each.
namespace {
void check_placed(const SmallShape& shape, const char* format, int devices, Algorithm algorithm, Reduction reduction,
                  double stalls = 0) {
  const Split split(shape, formats::weight_format(format), devices, 40 + static_cast<std::uint64_t>(devices),
                    ExpertSplit::placed);
  run_beside_golden(split, scenario_of(split, algorithm, reduction), 33, 6, stalls);
}
}  // namespace

TEST_CASE("functional devices: placed experts, two devices, FP16 weights, the width of an expert odd") {
  SmallShape shape = twelve_heads;
  shape.mixture.experts = 6;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 97;
  check_placed(shape, "fp16", 2, Algorithm::ring, Reduction::fp16);
}
// A step of one token goes to one expert: of three devices there is nothing in that layer, and they add zeros.
TEST_CASE("functional devices: placed experts, four devices of which three have none of a token's") {
  SmallShape shape = {256, 3, 8, 4, 32, 512, 96};
  shape.mixture.experts = 8;
  shape.mixture.experts_per_token = 1;
  shape.mixture.expert_width = 128;
  check_placed(shape, "kmeans4", 4, Algorithm::direct, Reduction::fp32);
}
TEST_CASE("functional devices: placed experts, parts of shared ones and of a dense layer, four devices, stalls") {
  SmallShape shape = {256, 3, 8, 4, 32, 512, 96};
  shape.mixture.experts = 4;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 128;
  shape.mixture.shared_width = 256;
  shape.mixture.shared_gate = true;
  shape.mixture.dense_layers = 1;
  check_placed(shape, "int4", 4, Algorithm::tree, Reduction::fp16, 0.3);
}
TEST_CASE("functional devices: placed experts with biases, and weights ahead of all-reduces") {
  SmallShape shape = twelve_heads;
  shape.mixture.experts = 4;
  shape.mixture.experts_per_token = 1;
  shape.mixture.expert_width = 256;
  shape.more = [](ModelShape& m) { m.ffn_bias = true; };
  const Split split(shape, formats::weight_format("kmeans2"), 2, 42, ExpertSplit::placed);
  Scenario s = scenario_of(split, Algorithm::direct, Reduction::fp16);
  s.devices.overlap = true;
  run_beside_golden(split, s, 33, 6);
}
TEST_CASE("functional devices: random stalls on every link change no bit") {
  check(twelve_heads, "kmeans4", 3, Algorithm::ring, Reduction::fp16, 0.3);
}
TEST_CASE("functional devices: four, random stalls on every link, all to all") {
  check({256, 1, 8, 4, 32, 512, 96}, "fp16", 4, Algorithm::direct, Reduction::fp32, 0.3);
}
TEST_CASE("functional devices: weights ahead of all-reduces change no bit") {
  const Split split(twelve_heads, formats::weight_format("kmeans4"), 2, 50);
  Scenario s = scenario_of(split, Algorithm::ring, Reduction::fp16);
  s.devices.overlap = true;
  run_beside_golden(split, s, 33, 6);
}

TEST_CASE("golden devices: FP32 sums differ from one device by the rounding of partial products alone") {
  for (const int devices : {2, 3, 4}) {
    const SmallShape shape = {192, 2, 12, 12, 32, 384, 96};
    const Split split(shape, formats::weight_format("fp16"), devices, 60);
    const Scenario s = scenario_of(split, Algorithm::ring, Reduction::fp32);
    const accelerator::GoldenSettings settings = testbench::golden_settings(s);
    GoldenLlama one(split.whole, settings);
    GoldenDevices several(split.parts, settings, reduction_of(s));
    std::vector<int> tokens;
    for (int t = 0; t < 33; ++t) tokens.push_back(t * 7 % 96);
    std::vector<Fp16> a(96), b(96);
    one.step(tokens.data(), tokens.size(), a.data(), true);
    several.step(tokens.data(), tokens.size(), b.data());
    double error = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double x = formats::to_float(a[i]), y = formats::to_float(b[i]);
      error += (x - y) * (x - y);
      size += x * x;
    }
    const double relative = std::sqrt(error / size);
    WARN(devices << " devices, logits against one device: relative difference " << relative);
    CHECK(relative > 0);
    CHECK(relative < 0.02);
  }
}

// ---- Pipelines ----

namespace {

/// What a stage has of a device's weights.
std::shared_ptr<GoldenModelWeights> stage_weights(const GoldenModelWeights& all, int stages, int stage) {
  auto w = std::make_shared<GoldenModelWeights>(all);
  w->shape = accelerator::stage_of(all.shape, stages, stage);
  const auto first = all.layers.begin() + w->shape.first_layer;
  w->layers.assign(first, first + w->shape.num_hidden_layers);
  return w;
}

/// Three sequences of `prompt` tokens, then `decode` steps of them, in micro-batches over stages: logits as the golden model of one
/// device (or of the devices of a stage) has them for each sequence, and its cache in the stage that has the layer.
void run_stages_beside_golden(const Parts& parts, Scenario scenario, int stages, int micro_batches,
                              double stall_probability = 0) {
  constexpr std::size_t kSequences = 3, kPrompt = 17, kDecode = 4;
  scenario.devices.pipeline = stages;
  scenario.devices.micro_batches = micro_batches;
  testbench::Capacity capacity;
  capacity.slots = kSequences;
  capacity.tokens_per_slot = kPrompt + kDecode;
  capacity.max_step_tokens = kSequences * kPrompt;
  capacity.sequence_step_tokens = kPrompt;
  LinkStalls stalls(stall_probability);
  std::vector<std::vector<std::shared_ptr<GoldenModelWeights>>> weights;  // [stage][device]
  std::vector<Machine::StageOptions> options;
  for (int s = 0; s < stages; ++s) {
    weights.emplace_back();
    for (const auto& part : parts) weights.back().push_back(stage_weights(*part, stages, s));
    options.push_back({scenario, {}});
    options.back().scenario.model = weights.back().front()->shape;
    for (const auto& w : weights.back())
      options.back().devices.push_back(testbench::functional_options(options.back().scenario, w));
  }
  const accelerator::GoldenSettings settings = testbench::golden_settings(scenario);
  std::vector<GoldenLlama> one;
  std::vector<GoldenDevices> several;
  for (std::size_t q = 0; q < kSequences; ++q)
    if (parts.size() == 1)
      one.emplace_back(parts.front(), settings);
    else
      several.emplace_back(parts, settings, reduction_of(scenario));
  const auto vocabulary = static_cast<std::size_t>(parts.front()->shape.vocab_size) * parts.size();
  const auto body = [&](Host& host) {
    std::uint32_t random = 77;
    for (std::size_t cached = 0; cached < kPrompt + kDecode;) {
      const std::size_t count = cached == 0 ? kPrompt : 1;
      accelerator::StepWork work;
      std::vector<Fp16> expected(kSequences * vocabulary);
      for (std::size_t q = 0; q < kSequences; ++q) {
        work.sequences.push_back({q, cached, count, true});
        std::vector<int> tokens;
        for (std::size_t t = 0; t < count; ++t) {
          random = random * 1664525u + 1013904223u;
          tokens.push_back(static_cast<int>((random >> 8) % static_cast<std::uint32_t>(vocabulary)));
          work.token_ids.push_back(static_cast<std::uint32_t>(tokens.back()));
        }
        Fp16* out = expected.data() + q * vocabulary;
        if (parts.size() == 1)
          one[q].step(tokens.data(), count, out, true);
        else
          several[q].step(tokens.data(), count, out);
      }
      host.step(work);
      require_equal(host.logits(kSequences * vocabulary), expected.data(), expected.size(),
                    "behind " + std::to_string(cached) + " tokens: logits");
      cached += count;
    }
    if (stall_probability > 0) sc_core::wait(10, sc_core::SC_US);  // answers that a stall still holds
  };
  Machine m(options, capacity, body, stalls.connect());
  for (std::size_t s = 0; s < options.size(); ++s) {
    Machine& stage = s == 0 ? m : *m.stages[s - 1];
    for (std::size_t d = 0; d < parts.size(); ++d) testbench::load_weights(stage.device(d), *weights[s][d]);
  }
  m.simulate();
  for (std::size_t s = 0; s < options.size(); ++s) {
    Machine& stage = s == 0 ? m : *m.stages[s - 1];
    for (std::size_t d = 0; d < parts.size(); ++d)
      for (int l = 0; l < stage.shape.num_hidden_layers; ++l)
        for (std::size_t q = 0; q < kSequences; ++q) {
          const auto layer = static_cast<std::size_t>(stage.shape.first_layer + l);
          const accelerator::GoldenLayer& golden = parts.size() == 1 ? one[q].layer(layer) : several[q].layer(d, layer);
          REQUIRE(testbench::compare_kv(stage.device(d), q, l, golden.cache()) == "");
        }
  }
  if (stall_probability > 0) REQUIRE(stalls.stalls() > 0);
}

void check_stages(const SmallShape& shape, const char* format, int devices, int stages, int micro_batches,
                  double stall_probability = 0, ExpertSplit experts = ExpertSplit::divided) {
  const Split split(shape, formats::weight_format(format), devices, 70 + static_cast<std::uint64_t>(stages), experts);
  const Parts parts = devices == 1 ? Parts{split.whole} : split.parts;
  Scenario s = functional_scenario(*parts.front());
  s.devices.tensor = devices;
  s.devices.fold = false;
  s.devices.algorithm = "ring";
  s.devices.link.message_bytes = 200;  // several messages of each row, and room for three
  s.devices.link.buffer_bytes = 600;
  run_stages_beside_golden(parts, s, stages, micro_batches, stall_probability);
}

SmallShape layers(int count) {
  SmallShape shape = twelve_heads;
  shape.layers = count;
  return shape;
}

}  // namespace

TEST_CASE("functional pipeline: two stages and one micro-batch give the logits of one device") {
  check_stages(layers(2), "kmeans4", 1, 2, 1);
}
TEST_CASE("functional pipeline: two stages and three micro-batches do too") {
  check_stages(layers(2), "fp16", 1, 2, 3);
}
TEST_CASE("functional pipeline: three stages of unequal layers, windows among them, and two micro-batches do too") {
  SmallShape shape = layers(5);
  shape.window = 8;
  shape.full = {1, 4};
  shape.multipliers = shape.qk_norm = true;
  check_stages(shape, "kmeans1", 1, 3, 2);
}
TEST_CASE("functional pipeline: two stages of two devices give the logits of two devices") {
  check_stages(layers(2), "kmeans4", 2, 2, 2);
}
TEST_CASE("functional pipeline: random stalls on every link change no bit") {
  check_stages(layers(3), "kmeans4", 1, 3, 3, 0.3);
}
TEST_CASE("functional pipeline: random stalls on every link of stages of two devices change no bit") {
  check_stages(layers(2), "fp16", 2, 2, 3, 0.3);
}
TEST_CASE("functional pipeline: stages of two devices on which experts are placed give the logits of two devices") {
  SmallShape shape = layers(3);
  shape.mixture.experts = 4;
  shape.mixture.experts_per_token = 1;
  shape.mixture.expert_width = 128;
  check_stages(shape, "kmeans4", 2, 2, 2, 0, ExpertSplit::placed);
}
