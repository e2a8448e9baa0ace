// The trained models that come with the project: what the formats make of their codes is what PyTorch trained with, the
// FP32 path computes PyTorch's logits, and the machine stays within its documented rounding of them.
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "harmonia/config/yaml.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/infer/trained_family.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/model_weights.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kLargestText = 1U << 24;
constexpr std::uintmax_t kMostBytes = 4'000'000;

fs::path trained_folder() { return Library().folder() / "models/trained"; }

json read_json(const char* file) {
  return json::parse(config::read_text_file((trained_folder() / file).string(), kLargestText));
}

/// What family.json says of each member.
std::vector<json> members() { return read_json("family.json")["members"].get<std::vector<json>>(); }

/// PyTorch's values of a member.
json values_of(const json& member) { return read_json("reference.json").at(member["name"].get<std::string>()); }

std::shared_ptr<const ModelWeights> weights_of(const json& member) {
  return std::make_shared<const ModelWeights>(
      load_weights((trained_folder() / member["file"].get<std::string>()).string()));
}

std::uint32_t crc_of(const std::vector<float>& values) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(values.data()), static_cast<uInt>(values.size() * sizeof(float))));
}

std::vector<std::vector<int>> held_out(const Tokenizer& tokenizer, std::int64_t context, std::size_t pieces) {
  const std::string text = config::read_text_file((trained_folder() / "held-out.txt").string(), kLargestText);
  std::vector<std::vector<int>> all = documents(tokenizer, text, context);
  all.resize(std::min(all.size(), pieces));
  return all;
}

TEST_CASE("trained models: the stored codes decode to the weights that PyTorch trained with, bit for bit") {
  std::size_t packed = 0;
  for (const json& member : members()) {
    INFO(member["name"]);
    const std::shared_ptr<const ModelWeights> model = weights_of(member);
    const json sums = values_of(member)["crc32_of_linears"];
    std::size_t compared = 0;
    for (std::size_t layer = 0; layer < model->layers.size(); ++layer)
      for (const ModelTensor tensor : {ModelTensor::q, ModelTensor::k, ModelTensor::v, ModelTensor::o,
                                       ModelTensor::gate, ModelTensor::up, ModelTensor::down}) {
        const std::string name = huggingface_layer(layer) + huggingface_name(tensor);
        INFO(name);
        const WeightView& view = model->layers[layer][tensor];
        REQUIRE(sums.at(name).get<std::uint32_t>() == crc_of(view.read()));
        ++compared;
        packed += view.type == ElementType::kLut ? 1 : 0;
      }
    REQUIRE(compared == sums.size());
  }
  REQUIRE(packed > 0);
}

TEST_CASE("trained models: the FP32 path computes PyTorch's logits to 1e-4") {
  for (const json& member : members()) {
    INFO(member["name"]);
    EngineRequest request;
    request.model = weights_of(member);
    const json values = values_of(member);
    const auto tokens = values["tokens"].get<std::vector<int>>();
    std::vector<float> logits;
    make_engine("fp32", request)->step(tokens, logits);
    const auto vocabulary = static_cast<std::size_t>(request.model->info.shape.vocab_size);
    REQUIRE(logits.size() == tokens.size() * vocabulary);
    double largest = 0;
    REQUIRE_FALSE(values["logits"].empty());
    for (const auto& [position, expected] : values["logits"].items()) {
      REQUIRE(expected.size() == vocabulary);
      for (std::size_t i = 0; i < vocabulary; ++i)
        largest = std::max(largest, std::fabs(static_cast<double>(logits[std::stoul(position) * vocabulary + i]) -
                                              expected[i].get<double>()));
    }
    REQUIRE(largest < 1e-4);
  }
}

TEST_CASE(
    "trained models: the machine's arithmetic stays within its rounding of FP32, and both know more than frequencies") {
  const std::string tokenizer_file = (trained_folder() / "tokenizer.bin").string();
  for (const json& member : members()) {
    if (!member["equal_memory"].get<bool>()) continue;
    INFO(member["name"]);
    EngineRequest request;
    request.model = weights_of(member);
    const ModelInfo& info = request.model->info;
    const Tokenizer tokenizer = load_tokenizer(tokenizer_file, info.shape.vocab_size);
    const auto text = held_out(tokenizer, info.max_context, 3);
    const TextQuality reference = evaluate_text(*make_engine("fp32", request), text);
    request.config = infer_config({"kv.format=bfp8"});
    const TextQuality machine = evaluate_text(*make_engine("golden", request), text);
    // docs/quality.md: a BFP8 array with a BFP8 cache costs 0.009 nats on the borrowed model.
    REQUIRE(std::fabs(quality_loss(machine, reference).nll) < 0.03);
    std::vector<double> counts(static_cast<std::size_t>(info.shape.vocab_size));
    double total = 0, entropy = 0;
    for (const std::vector<int>& document : text)
      for (std::size_t i = 1; i < document.size(); ++i, ++total) ++counts[static_cast<std::size_t>(document[i])];
    for (const double count : counts)
      if (count > 0) entropy -= count / total * std::log(count / total);
    REQUIRE(machine.nll < entropy - 0.2);
  }
}

TEST_CASE("trained models: they are small, and the members of equal memory take the same bytes") {
  std::uintmax_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(trained_folder()))
    if (entry.is_regular_file()) bytes += entry.file_size();
  REQUIRE(bytes < kMostBytes);
  double sixteen = 0;
  for (const json& member : members())
    if (member["equal_memory"].get<bool>() && member["bits"] == 16) sixteen = member["linear_bytes"].get<double>();
  REQUIRE(sixteen > 0);
  for (const json& member : members())
    if (member["equal_memory"].get<bool>()) {
      INFO(member["name"]);
      REQUIRE(member["linear_bytes"].get<double>() / sixteen == Approx(1).epsilon(0.08));
    }
}

TEST_CASE("trained models: infer without arguments runs one through the machine, from any folder") {
  const test::Scratch s;
  const test::Outcome plain = test::run_harmonia(s, "infer --tokens 12 --prompt 'And the LORD said unto'");
  INFO(plain.err);
  REQUIRE(plain.status == 0);
  for (const char* part : {"And the LORD said unto", "Predicted cost on accelerator harmonia",
                           "Time per output token:", "DRAM traffic:", "Energy:", "held-out.txt:", "nats/token"})
    REQUIRE_THAT(plain.out, ContainsSubstring(part));
  const test::Outcome named =
      test::run_harmonia(s, "infer --weights fp16 --tokens 4 --path fp32 --prompt 'In the beginning'");
  REQUIRE(named.status == 0);
  REQUIRE_THAT(named.out, ContainsSubstring("FP32 reference"));
  const test::Outcome unknown = test::run_harmonia(s, "infer --weights kmeans5");
  REQUIRE(unknown.status == 2);
  REQUIRE_THAT(unknown.err, ContainsSubstring("neither a file nor a trained model: expected one of"));

  // Another folder of built-ins, as an installation has it, without the models.
  fs::create_directories(s.path() / "workloads");
  const test::Outcome missing = test::run_harmonia(s, "infer --workloads workloads");
  REQUIRE(missing.status == 2);
  REQUIRE_THAT(missing.err, ContainsSubstring("family.json: is not there"));
}

TEST_CASE("trained models: an installed program finds them beside it") {
  const test::Scratch s;
  fs::create_directories(s.path() / "bin");
  fs::create_directories(s.path() / "share/harmonia");
  fs::copy_file(HARMONIA_PROGRAM, s.path() / "bin/harmonia");
  fs::copy(Library().folder(), s.path() / "share/harmonia/workloads", fs::copy_options::recursive);
  // The index of the copy has another default, so that the source tree's cannot be what was read.
  const std::string file = s / "share/harmonia/workloads/models/trained/family.json";
  json copy = json::parse(test::Scratch::read(file));
  copy["default"] = "fp16";
  s.write("share/harmonia/workloads/models/trained/family.json", copy.dump());
  const std::string command = "cd '" + s.path().string() + "' && env -u HARMONIA_WORKLOADS -u HARMONIA_DATA " +
                              "bin/harmonia infer --tokens 2 --json > out.json 2> err.txt";
  REQUIRE(std::system(command.c_str()) == 0);
  REQUIRE_THAT(json::parse(test::Scratch::read(s / "out.json"))["engine"].get<std::string>(),
               ContainsSubstring("weights as stored (fp16)"));
}

TEST_CASE("trained models: compare measures each weight format on the member that was trained in it") {
  const test::Scratch s;
  s.write("text.txt", "And the LORD spake unto Moses, saying,\nSpeak unto the children of Israel.\n");
  const std::string compare =
      "compare --set model=stories260k --set workload.context=40 --set workload.tokens=1 --over "
      "weights=kmeans2,int4,kmeans1 ";
  const test::Outcome o = test::run_harmonia(s, compare + "--text text.txt -o out");
  INFO(o.err);
  REQUIRE(o.status == 0);
  const json result = json::parse(test::Scratch::read(s / "out/compare.json"));
  const std::vector<std::string> expected = {"kmeans2", "fp16", "kmeans1"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const json& measured = result["variants"][i]["measured"];
    REQUIRE(measured["model"] == expected[i]);
    // The loss is against one reference for all: the 16-bit member in FP32.
    REQUIRE(measured["nll_loss"].get<double>() ==
            Approx(measured["nll"].get<double>() - result["measured_on"]["fp32_nll"].get<double>()));
  }
  const json alone = json::parse(test::run_harmonia(s,
                                                    "infer --weights kmeans2 --text text.txt --json --set "
                                                    "smoothing.online=true")
                                     .out)["quality"][0];
  REQUIRE(result["variants"][0]["measured"]["nll"].get<double>() == Approx(alone["nll_per_token"].get<double>()));
  const test::Outcome both = test::run_harmonia(s, compare + "--quality --weights fp16 --text text.txt");
  REQUIRE(both.status == 2);
  REQUIRE_THAT(both.err, ContainsSubstring("exclude each other"));
}

}  // namespace
}  // namespace harmonia::testbench
