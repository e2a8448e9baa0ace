// Quality: the loss function itself, and the committed table against a fresh measurement of some of its lines.
#include "harmonia/testbench/quality/quality_table.h"

#include <cmath>
#include <csignal>
#include <sstream>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/compare/measured_quality.h"
#include "harmonia/testbench/files/interrupt.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/model_files.h"

namespace harmonia::testbench {
namespace {

TEST_CASE("a loss is the mean difference, its standard error that of the differences, agreement a share") {
  TextQuality reference, of;
  reference.nll_of = {1, 2, 3, 4};
  of.nll_of = {1.5, 2, 3.5, 5};
  reference.greedy = {1, 2, 3, 4};
  of.greedy = {1, 0, 3, 4};
  const QualityLoss loss = quality_loss(of, reference);
  REQUIRE(loss.nll == Approx(0.5));
  // Differences 0.5 0 0.5 1: variance 1/6, over four of them.
  REQUIRE(loss.standard_error == Approx(std::sqrt(1.0 / 24)));
  REQUIRE(loss.agreement == Approx(0.75));
  reference.nll_of.pop_back();
  REQUIRE_THROWS_AS(quality_loss(of, reference), std::invalid_argument);
}

TEST_CASE("a text begins with the sequence start only where the tokenizer's file asks for one") {
  std::vector<std::string> pieces = test::tiny_pieces();
  const std::vector<float> scores(pieces.size(), 0.0F);
  Tokenizer tokenizer(std::move(pieces), scores, 1, 2, "t");
  const std::vector<int> with = documents(tokenizer, "ab", 16).at(0);
  tokenizer.begin_with(false, true);
  const std::vector<int> without = documents(tokenizer, "ab", 16).at(0);
  REQUIRE(with.front() == 1);
  REQUIRE(std::vector<int>(with.begin() + 1, with.end()) == without);
}

TEST_CASE("settings come from a YAML list, and errors say where") {
  const test::TemporaryFolder folder;
  const auto write = [&](const std::string& text) {
    return folder.write("settings.yaml", test::Blob(text.begin(), text.end()));
  };
  const QualitySettings settings =
      read_quality_settings(write("- {weights: {format: kmeans4, codebook: int5}, smoothing: {online: true}}\n"
                                  "- {kv: {format: bfp4+windows, n_initial: 0}, activations: {format: bfp8}}\n"),
                            {"weights.format=int8"});
  REQUIRE(settings.columns == std::vector<std::string>{"weights", "KV cache", "activations", "K smoothing"});
  REQUIRE(settings.settings[0].cells == std::vector<std::string>{"kmeans4:int5", "bfp4+windows", "bfp8", "online"});
  REQUIRE(settings.settings[1].cells == std::vector<std::string>{"int8", "bfp4+windows 0, 64", "bfp8", "-"});
  const auto says = [&](const std::string& text, const std::string& message) {
    try {
      read_quality_settings(write(text), {});
      FAIL("expected an error");
    } catch (const config::InputError& e) {
      INFO(e.what());
      REQUIRE(std::string(e.what()).find(message) != std::string::npos);
    }
  };
  says("weights: {format: int8}\n", "expected a list of settings");
  says("[]\n", "expected a list of settings");
  says("- int8\n", "settings.yaml:1:3: expected a map");
  says("- {kv: {format: fp16}}\n- {kv: {formt: fp16}}\n", "settings.yaml:2:9");
  says("- {kv: {format: bfp5}}\n", "settings.yaml:1:17");
}

TEST_CASE("a scenario's formats, smoother and PEs become the golden machine's") {
  Scenario s;
  s.weights.format = "int4";
  s.weights.zero_point = true;
  s.kv.format = "bfp4+windows";
  s.kv.n_local = 7;
  s.accelerator.smoother.online = true;
  s.accelerator.smoother.channels_per_head = 3;
  const InferConfig c = quality_settings(s);
  REQUIRE(weight_format(c.weights, c.weights.format) == formats::weight_format("int4z"));
  REQUIRE(c.golden().n_local == 7);
  REQUIRE(c.golden().online_smoothing);
  REQUIRE(c.golden().smoothed_channels == 3);
  REQUIRE(c.golden().activations == formats::ActivationFormat::bfp8);
  REQUIRE(c.golden().linears == nullptr);
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  REQUIRE(quality_settings(s).golden().activations == formats::ActivationFormat::fp16);
  REQUIRE(quality_settings(s).golden().linears == nullptr);
  s.accelerator.pe.kind = accelerator::PeKind::anda;
  s.accelerator.pe.mantissa_bits = 5;
  REQUIRE(quality_settings(s).activations.name() == "anda M5");
  using accelerator::PeKind;
  const std::pair<PeKind, const char*> designs[] = {{PeKind::fp_int, "fp_int"},
                                                    {PeKind::ifpu, "ifpu"},
                                                    {PeKind::figna, "figna"},
                                                    {PeKind::figna_m11, "figna_m11"},
                                                    {PeKind::figna_m8, "figna_m8"}};
  for (const auto& [kind, name] : designs) {
    s.accelerator.pe.kind = kind;
    REQUIRE(quality_settings(s).golden().activations == formats::ActivationFormat::fp16);
    REQUIRE(quality_settings(s).golden().linears->name() == std::string(name));
  }
}

TEST_CASE("designs with the same arithmetic have the same likelihoods, and what they lose is ordered by their bits") {
  const test::TemporaryFolder folder;
  const auto model = std::make_shared<const ModelWeights>(
      load_weights(folder.write("model.bin", test::llama2c_bytes(test::TinyModel(3)))));
  const QualityText text{"text", {{1, 100, 101, 102, 103, 104, 105, 106, 107, 108}}};
  const QualitySettings settings =
      quality_combinations({"weights.format=int4", "kv.format=fp16"},
                           {{"activations.format",
                             {"figna", "bitmod", "ifpu", "figna_m11", "figna_m8", "fp_int", "fp_fp", "anda", "fp16"}}});
  const QualityTable table = quality_table(model, {text}, settings, {});
  const auto nll = [&](const std::string& name) -> const std::vector<double>& {
    for (const QualityRow& row : table.rows)
      if (row.cells[0] == name) return row.texts[0].nll_of;
    throw std::logic_error(name);
  };
  // Three ways to the same integers; Anda with 8 bits is FIGNA with 8.
  REQUIRE(nll("bitmod") == nll("figna"));
  REQUIRE(nll("ifpu") == nll("figna"));
  REQUIRE(nll("anda") == nll("figna_m8"));
  // Against FP-INT, which loses no bit of an activation.
  const auto distance = [&](const std::string& name) {
    double sum = 0;
    for (std::size_t i = 0; i < nll(name).size(); ++i) sum += std::abs(nll(name)[i] - nll("fp_int")[i]);
    return sum;
  };
  REQUIRE(distance("figna_m8") > 3 * distance("figna_m11"));
  REQUIRE(distance("figna_m11") > 2 * distance("figna"));  // near the rounding of the logits
  REQUIRE(distance("fp_fp") > 0);                          // its weights are rounded to FP16
  const QualitySettings narrow = quality_combinations(
      {"weights.format=int4", "kv.format=fp16", "activations.format=anda"}, {{"activations.mantissa_bits", {"4"}}});
  const QualityTable four = quality_table(model, {text}, narrow, {});
  REQUIRE(four.rows[0].texts[0].nll_of != nll("anda"));
}

TEST_CASE("an interrupt ends a table after its last finished line, and a text after its last token") {
  const test::TemporaryFolder folder;
  const auto model = std::make_shared<const ModelWeights>(
      load_weights(folder.write("model.bin", test::llama2c_bytes(test::TinyModel(3)))));
  const QualitySettings settings = quality_combinations({}, {{"weights.format", {"fp16", "int8", "int4"}}});
  const QualityText text{"text", {{1, 100, 101, 102, 103, 104}}};
  const InterruptGuard guard;
  const QualityTable table = quality_table(model, {text}, settings, {}, [](std::size_t done, std::size_t) {
    if (done > 12) std::raise(SIGINT);  // five tokens a line: at the end of INT8's, FP32 being the first
  });
  REQUIRE_FALSE(table.complete);
  REQUIRE(table.rows.size() == 2);
  REQUIRE(table.text().find("fp16") != std::string::npos);
}

/// Cells of the table in docs/quality.md, by line.
std::vector<std::vector<std::string>> committed_table() {
  std::istringstream text(config::read_text_file(HARMONIA_SOURCE "/docs/quality.md", 1 << 20));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    if (line.compare(0, 2, "| ") != 0) continue;
    rows.emplace_back();
    for (std::size_t at = 2; at < line.size();) {
      const std::size_t end = line.find(" |", at);
      rows.back().push_back(line.substr(at, end - at));
      at = end + 3;
    }
  }
  return rows;
}

TEST_CASE("docs/quality.md says what a measurement of today gives") {
  HARMONIA_REQUIRE_DATA(folder);
  const auto model =
      std::make_shared<const ModelWeights>(load_weights((folder / "data/models/stories260K.bin").string()));
  const Tokenizer tokenizer =
      load_tokenizer((folder / "data/models/tok512.bin").string(), model->info.shape.vocab_size);
  const std::string name = "story-kite.txt";
  const QualityText text{
      name, documents(tokenizer, config::read_text_file(HARMONIA_SOURCE "/workloads/texts/" + name, 1 << 20),
                      model->info.max_context)};
  const std::vector<std::vector<std::string>> committed = committed_table();
  QualitySettings all = read_quality_settings(HARMONIA_SOURCE "/workloads/quality/stories.yaml", {"seed=1"}), some;
  REQUIRE(committed.size() == all.settings.size() + 2);  // head and FP32
  const auto column = static_cast<std::size_t>(std::find(committed[0].begin(), committed[0].end(), "NLL " + name) -
                                               committed[0].begin());
  REQUIRE(column < committed[0].size());
  some.columns = all.columns;
  std::vector<std::size_t> lines;
  // Every fourth line, without those whose weights depend on the C library (calibration runs in FP32).
  for (std::size_t i = 0; i < all.settings.size(); ++i) {
    REQUIRE(std::vector<std::string>(committed[i + 2].begin(), committed[i + 2].begin() + 4) == all.settings[i].cells);
    if (i % 4 != 0 || all.settings[i].config.smoothing.offline_exponent > 0) continue;
    lines.push_back(i + 2);
    some.settings.push_back(all.settings[i]);
  }
  const QualityTable table = quality_table(model, {text}, some, {});
  REQUIRE(table.rows.size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    INFO(table.rows[i].summary);
    REQUIRE(std::fabs(table.rows[i].texts[0].nll - std::stod(committed[lines[i]][column])) < 0.00011);
    REQUIRE(std::fabs(table.rows[i].bits_per_weight - std::stod(committed[lines[i]][4])) < 0.0011);
  }
  REQUIRE(std::fabs(table.reference[0].nll - std::stod(committed[1][column])) < 0.0011);
}

}  // namespace
}  // namespace harmonia::testbench
