// The simulated machine beside the golden composition on a trained model, bit for bit, under each setting of the table of
// caches and smoothing in docs/trained.md: a prompt of 150 held-out tokens, so that the windows are full, then 64 tokens.
#include <cstring>
#include <memory>

#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/infer/trained_family.h"
#include "tests/support/catch.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kPrompt = 150;
constexpr std::size_t kTokens = 64;

LoadedScenario machine_for(const ModelWeights& model) {
  accelerator::ModelShape shape = model.info.shape;
  config::Fields fields;
  shape.describe(fields);
  config::Node document = config::Node::map();
  document.set("model", fields.dump());
  document.set("accelerator", config::Node::scalar("harmonia"));
  return load_scenario(document, {}, Library());
}

/// Offline smoothing folds its factors into queries and keys, which then are FP16 and no codes: it is compared on the member
/// of 16 bit, since the machine runs the linears of all layers in one format.
void require_equality(const std::vector<std::string>& settings, const std::string& member = "kmeans4") {
  const TrainedFamily family = trained_family(Library());
  auto model = std::make_shared<const ModelWeights>(load_weights(family.find(member)->file.string()));
  const Tokenizer tokenizer = load_tokenizer(family.tokenizer.string(), model->info.shape.vocab_size);
  const std::string text = config::read_text_file(family.held_out.string(), 1U << 24);
  const auto pieces = documents(tokenizer, text, model->info.max_context);
  const std::vector<int>& tokens = pieces.front();
  REQUIRE(tokens.size() > kPrompt + kTokens);

  const InferConfig config = infer_config(settings);
  EngineRequest request;
  request.model = model;
  request.config = config;
  if (config.smoothing.offline_exponent > 0) request.calibration = {pieces.begin() + 1, pieces.begin() + 4};
  const LoadedScenario machine = machine_for(*model);
  request.machine = &machine;
  request.max_step_tokens = kPrompt;
  const std::unique_ptr<StepEngine> golden = make_engine("golden", request), engine = make_engine("systemc", request);
  const auto vocabulary = static_cast<std::size_t>(model->info.shape.vocab_size);
  std::vector<float> expected, got;
  for (std::size_t i = 0; i < kTokens + 1; ++i) {
    const std::vector<int> step =
        i == 0 ? std::vector<int>(tokens.begin(), tokens.begin() + kPrompt) : std::vector<int>{tokens[kPrompt + i - 1]};
    golden->step(step, expected);
    engine->step(step, got);
    INFO("step " << i);
    REQUIRE(got.size() == vocabulary);
    REQUIRE(std::memcmp(got.data(), expected.data() + expected.size() - vocabulary, vocabulary * sizeof(float)) == 0);
  }
}

TEST_CASE("trained model on the machine: an FP16 cache, 64 tokens equal the fast path") {
  require_equality({"kv.format=fp16"});
}
TEST_CASE("trained model on the machine: a BFP8 cache, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp8"});
}
TEST_CASE("trained model on the machine: a BFP4 cache, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4"});
}
TEST_CASE("trained model on the machine: a BFP4 cache with windows, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4+windows"});
}
TEST_CASE("trained model on the machine: a BFP4 cache with the first tokens in 8 bits, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4+windows", "kv.n_local=0"});
}
TEST_CASE("trained model on the machine: a BFP4 cache with the last tokens in 8 bits, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4+windows", "kv.n_initial=0"});
}
TEST_CASE("trained model on the machine: BFP4 and online smoothing, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4", "smoothing.online=true"});
}
TEST_CASE("trained model on the machine: BFP4 and offline smoothing, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4", "smoothing.offline_exponent=0.5"}, "fp16");
}
TEST_CASE("trained model on the machine: BFP4, windows and both smoothings, 64 tokens equal the fast path") {
  require_equality({"kv.format=bfp4+windows", "smoothing.online=true", "smoothing.offline_exponent=0.5"}, "fp16");
}

}  // namespace
}  // namespace harmonia::testbench
