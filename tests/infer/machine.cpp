// The SystemC machine behind `harmonia infer` against the golden composition, bit for bit: the logits of every step and
// every live byte of the KV cache.
#include <cstring>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/infer/machine_engine.h"
#include "harmonia/testbench/system/functional.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/model_files.h"

namespace harmonia::testbench {
namespace {

using test::TinyModel;

std::shared_ptr<const ModelWeights> loaded(const std::string& file) {
  return std::make_shared<const ModelWeights>(load_weights(file));
}

/// A random model in the sizes of stories260K, so that nothing from outside is needed.
std::shared_ptr<const ModelWeights> random_stories() {
  const test::TemporaryFolder folder;
  return loaded(folder.write("model.bin", test::llama2c_bytes(TinyModel(31, TinyModel::stories_shape(), 256))));
}

LoadedScenario machine_for(const ModelWeights& model, const std::vector<std::string>& overrides = {}) {
  accelerator::ModelShape shape = model.info.shape;
  config::Fields fields;
  shape.describe(fields);
  config::Node document = config::Node::map();
  document.set("model", fields.dump());
  document.set("accelerator", config::Node::scalar("harmonia"));
  return load_scenario(document, overrides, Library());
}

/// A prompt as one step, then greedy tokens of the golden composition, each given to both engines.
void require_equality(const std::shared_ptr<const ModelWeights>& model, const std::vector<std::string>& settings,
                      std::size_t prompt, std::size_t decode, const std::vector<std::string>& machine = {}) {
  const InferConfig config = infer_config(settings);
  const auto weights = prepare_weights(*model, config);
  GoldenEngine golden(model->info, weights, config);
  MachineEngine engine(model->info, weights, config, machine_for(*model, machine), static_cast<std::int64_t>(prompt));
  const auto vocab = static_cast<std::size_t>(model->info.shape.vocab_size);
  formats::SplitMix64 random(7);
  // Two sequences on one machine: the second must see nothing of the first.
  for (const std::size_t tokens : {std::size_t{3}, decode}) {
    golden.reset();
    engine.reset();
    std::vector<int> step = {1};
    while (step.size() < prompt) step.push_back(static_cast<int>(random.next() % vocab));
    std::vector<float> expected, got;
    for (std::size_t i = 0; i <= tokens; ++i) {
      golden.step(step, expected);
      engine.step(step, got);
      INFO("step " << i << ", position " << engine.position());
      REQUIRE(got.size() == vocab);
      REQUIRE(engine.position() == golden.position());
      // As bits: logits that are not finite would have to agree too.
      REQUIRE(std::memcmp(got.data(), expected.data() + expected.size() - vocab, vocab * sizeof(float)) == 0);
      step = {static_cast<int>(std::max_element(got.begin(), got.end()) - got.begin())};
    }
    for (std::size_t l = 0; l < weights->layers.size(); ++l)
      REQUIRE(compare_kv(engine.machine(), 0, static_cast<int>(l), golden.golden().layer(l).cache()) == "");
  }

  const std::unique_ptr<MachineCost> cost = engine.cost();
  REQUIRE(cost->steps.size() == 2 + 3 + decode);
  REQUIRE(cost->tokens() == static_cast<std::int64_t>(2 * prompt + 3 + decode));
  // What was moved could not have been moved faster.
  REQUIRE(cost->seconds >= static_cast<double>(cost->pin_bytes) / cost->peak_bytes_per_s);
  REQUIRE(cost->bytes_by_class[static_cast<std::size_t>(TrafficClass::weights)] >
          cost->steps.size() * weight_bytes(*weights).linears / 2);
  REQUIRE(cost->energy.total_j > 0);
  // The steps add up to the whole.
  double joules = 0;
  std::uint64_t bytes = 0;
  for (const MachineCost::Step& s : cost->steps) {
    joules += s.joules;
    bytes += s.pin_bytes;
    REQUIRE(s.seconds > 0);
  }
  REQUIRE(bytes == cost->pin_bytes);
  REQUIRE(joules == Approx(cost->energy.total_j));
  const MachineCost::PerToken mean = cost->per_output_token();
  REQUIRE(mean.seconds >= mean.pin_bytes / cost->peak_bytes_per_s);
  REQUIRE(mean.joules == cost->energy.per_token_j);
  REQUIRE_FALSE(cost->assumptions.empty());
}

TEST_CASE("machine: 4-bit K-means, small windows, online smoothing: a prompt of 20 and 70 tokens equal the fast path") {
  require_equality(
      random_stories(),
      {"weights.format=kmeans4", "kv.format=bfp4+windows", "kv.n_initial=8", "kv.n_local=20", "smoothing.online=true"},
      20, 70);
}

TEST_CASE("machine: a plain FP16 array: a prompt of 5 and 66 tokens equal the fast path") {
  require_equality(random_stories(), {"weights.format=fp16", "kv.format=fp16", "activations.format=fp16"}, 5, 66);
}

TEST_CASE("machine: a plain FP16 array, K-means weights and a windowed BFP cache decoded for it: 66 tokens") {
  require_equality(random_stories(),
                   {"weights.format=kmeans4", "activations.format=fp16", "kv.format=bfp4+windows", "kv.n_initial=8",
                    "kv.n_local=20"},
                   17, 66);
}

TEST_CASE("machine: a plain FP16 array, bf16 codebooks, INT4 output head and INT8 cache: 40 tokens") {
  require_equality(random_stories(),
                   {"weights.format=nf4", "weights.codebook=bf16", "weights.lm_head=int4", "activations.format=fp16",
                    "kv.format=int8"},
                   3, 40);
}

TEST_CASE("machine: INT4 weights, INT4 output head, BFP4 cache: a prompt of 33 and 66 tokens equal the fast path") {
  require_equality(random_stories(), {"weights.format=int4", "weights.lm_head=int4", "kv.format=bfp4"}, 33, 66);
}

TEST_CASE("machine: 1-bit K-means, BFP8 cache, on a small array: 66 tokens equal the fast path") {
  require_equality(random_stories(), {"weights.format=kmeans1", "kv.format=bfp8"}, 1, 66,
                   {"accelerator.pe.rows=2", "accelerator.pe.cols=4", "dram.channels=1"});
}

TEST_CASE("machine: stories260K in 3-bit K-means with an INT8 cache and its default windows equals the fast path") {
  HARMONIA_REQUIRE_DATA(folder);
  require_equality(loaded((folder / "data/models/stories260K.bin").string()),
                   {"weights.format=kmeans3", "weights.codebook=int5", "kv.format=int8"}, 8, 66);
}

TEST_CASE("machine: stories260K with its default settings and cache equals the fast path over 140 tokens") {
  HARMONIA_REQUIRE_DATA(folder);
  require_equality(loaded((folder / "data/models/stories260K.bin").string()),
                   {"weights.format=kmeans4", "smoothing.online=true"}, 12, 128);
}

TEST_CASE("machine: what it cannot run is refused before anything is simulated") {
  const auto model = random_stories();
  const auto refused = [&](const std::vector<std::string>& settings, const std::vector<std::string>& machine,
                           std::int64_t step, const std::string& message) {
    const InferConfig config = infer_config(settings);
    INFO(message);
    try {
      const MachineEngine engine(model->info, prepare_weights(*model, config), config, machine_for(*model, machine),
                                 step);
      FAIL("expected an error");
    } catch (const config::InputError& e) {
      INFO(e.what());
      REQUIRE(std::string(e.what()).find(message) != std::string::npos);
    }
  };
  // One elaboration a process: every one of these must be found before the machine is built.
  SECTION("integer groups that the machine does not have") {
    refused({"weights.format=int4", "weights.group_size=64"}, {}, 1, "128");
  }
  SECTION("integers that no mode takes") {
    refused({"weights.format=int8", "weights.zero_point=true"}, {}, 1, "zero-point");
  }
  SECTION("a memory that is too small") {
    refused({"weights.format=fp16"}, {"dram.channel.rows=16", "dram.channels=1"}, 1, "does not fit");
  }
}

TEST_CASE("machine: tokens and steps that it was not built for are refused, and it goes on") {
  const auto model = random_stories();
  const InferConfig config = infer_config({"weights.format=kmeans4"});
  MachineEngine engine(model->info, prepare_weights(*model, config), config, machine_for(*model), 4);
  std::vector<float> logits;
  REQUIRE_THROWS_AS(engine.step({}, logits), config::InputError);
  REQUIRE_THROWS_AS(engine.step({512}, logits), config::InputError);
  REQUIRE_THROWS_AS(engine.step({-1}, logits), config::InputError);
  REQUIRE_THROWS_AS(engine.step({1, 2, 3, 4, 5}, logits), config::InputError);
  REQUIRE(engine.position() == 0);
  engine.step({1, 2, 3, 4}, logits);
  REQUIRE(engine.position() == 4);
}

}  // namespace
}  // namespace harmonia::testbench
