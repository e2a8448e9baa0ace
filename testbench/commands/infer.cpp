// `harmonia infer`: a real small model through the machine's arithmetic, on a prompt, on a text, or on a text under
// many settings.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/infer/trained_family.h"
#include "harmonia/testbench/quality/quality_table.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

using config::InputError;

constexpr std::size_t kLargestText = 64U << 20;
// A run without --weights and --text reads so much of the family's held-out text: a second or two of the golden path.
constexpr std::size_t kShippedPieces = 16;
constexpr std::int64_t kShippedTokens = 64;
// A small model repeats itself when it is greedy.
constexpr double kShippedTemperature = 0.7;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// Throws config::RunError unless they are equal as users see them: a line end after the last line does not count.
void compare_with(const std::string& text, std::string expected, const std::string& file) {
  if (!expected.empty() && expected.back() == '\n' && (text.empty() || text.back() != '\n')) expected.pop_back();
  if (text == expected) {
    return;
  }
  std::size_t at = 0;
  while (at < text.size() && at < expected.size() && text[at] == expected[at]) ++at;
  throw config::RunError(
      fmt::format("the output differs from {} at byte {}: '{}', expected '{}' (other weights, a permuted model, or "
                  "another tokenizer give this)",
                  file, at, config::printable(text.substr(at, 40)), config::printable(expected.substr(at, 40))));
}

std::vector<std::pair<std::string, std::vector<std::string>>> parse_over(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::vector<std::string>>> over;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      throw InputError({"command line"}, "--over " + config::printable(text) + ": expected key=value,value,...");
    over.push_back({text.substr(0, equals), {}});
    std::size_t start = equals + 1;
    while (start <= text.size()) {
      const std::size_t comma = std::min(text.find(',', start), text.size());
      over.back().second.push_back(text.substr(start, comma - start));
      start = comma + 1;
    }
  }
  return over;
}

struct Options {
  std::string weights, tokenizer, prompt, path, expect, calibration, markdown, settings;
  std::string accelerator = "harmonia";
  std::vector<std::string> texts, set, over;
  std::int64_t tokens = -1, prefill = 32, seed = 1;
  double temperature = -1, top_p = 1;  ///< temperature below 0: not given
  Printing printing;
  bool shipped = false;  ///< neither model nor text was named: the shipped model on the machine, and its held-out text
  CommonOptions folders;

  /// Text is printed as it comes, unless nothing or one document is wanted.
  bool prints_text() const { return !printing.json && !printing.quiet; }

  bool tabulated() const { return !over.empty() || !settings.empty(); }
};

/// Overrides of the machine's own keys, and the others, which say how the model is computed.
bool concerns_machine(const std::string& override_text) {
  for (const char* section : {"accelerator", "blocks", "dram", "fidelity.timing"}) {
    const std::string prefix = section;
    if (override_text.compare(0, prefix.size(), prefix) == 0 && override_text.size() > prefix.size() &&
        (override_text[prefix.size()] == '.' || override_text[prefix.size()] == '='))
      return true;
  }
  return false;
}

LoadedScenario load_machine(const Options& o, accelerator::ModelShape shape) {
  config::Fields model;
  shape.describe(model);
  config::Node document = config::Node::map();
  document.set("model", model.dump());
  document.set("accelerator", config::Node::scalar(o.accelerator, false, {"--accelerator"}));
  config::Node fidelity = config::Node::map();
  fidelity.set("data", config::Node::scalar("functional"));
  document.set("fidelity", std::move(fidelity));
  std::vector<std::string> overrides;
  std::copy_if(o.set.begin(), o.set.end(), std::back_inserter(overrides), concerns_machine);
  return load_scenario(document, overrides, Library(o.folders.workloads, o.folders.data, o.folders.allow_unknown));
}

bool parse(const std::vector<std::string>& arguments, Options& o) {
  Arguments a(kInferCommand);
  a.text(
       "weights", o.weights, "FILE",
       "llama2.c .bin, .safetensors (or its folder), GGUF; or a model that comes with the project: kmeans4 (default), "
       "fp16, kmeans2, kmeans1")
      .text("tokenizer", o.tokenizer, "FILE",
            "tokenizer.bin, or a GGUF file with one; default: the weights, if GGUF, and the trained models' own")
      .words("prompt", o.prompt, "TEXT", "text to continue; empty: from the sequence start")
      .text("path", o.path, "PATH",
            "fp32: the reference; golden: the machine's arithmetic; systemc: the simulated machine, with time and "
            "energy (default without --weights and --text, else golden)")
      .choices({"fp32", "golden", "systemc"})
      .integer("tokens", o.tokens, 0, 1 << 24, "N",
               "number of tokens to generate (default 256, 64 without --weights, 0 with --text)")
      .texts("set", o.set, "KEY=VALUE",
             "weights.format, weights.codebook, kv.format, activations.format, smoothing.online, ...; of the systemc "
             "path also accelerator.KEY, dram.KEY, blocks.NAME.model, fidelity.timing")
      .text("accelerator", o.accelerator, "ACCELERATOR", "accelerator of the systemc path: built-in name or file")
      .number("temperature", o.temperature, 0, 100, "T",
              "sampling temperature; 0 is greedy (default 0, 0.7 without --weights)")
      .number("top-p", o.top_p, 0, 1, "P", "sample from the most probable tokens with this total probability")
      .integer("seed", o.seed, 0, INT64_MAX, "N", "seed of sampling and of codebook training")
      .texts("text", o.texts, "FILE", "report NLL per token and perplexity of this text")
      .integer("prefill", o.prefill, 1, 1 << 24, "N",
               "number of a text's first tokens processed in one step; the others follow one by one")
      .text("expect", o.expect, "FILE", "fail unless the output is this text")
      .texts("over", o.over, "KEY=V,V,...",
             "print a table of --text for every combination of values, on the golden path")
      .text("settings", o.settings, "FILE", "print a table of --text for each setting in this YAML list")
      .text("calibrate", o.calibration, "FILE", "calibration text of smoothing.offline_exponent > 0")
      .text("markdown", o.markdown, "FILE", "also write the table of --over or --settings as Markdown")
      .printing(o.printing)
      .folders(o.folders);
  if (!a.parse(arguments)) return false;
  const auto fail = [](const std::string& message) { throw InputError({"command line"}, message); };
  o.shipped = o.weights.empty() && o.texts.empty();
  if (o.path.empty()) o.path = o.shipped ? "systemc" : "golden";
  if (o.temperature < 0) o.temperature = o.shipped ? kShippedTemperature : 0;
  if (o.tokens < 0) o.tokens = !o.texts.empty() ? 0 : o.shipped ? kShippedTokens : 256;
  if (!o.expect.empty() && o.tokens == 0) fail("--expect needs tokens to compare: --tokens N with N > 0");
  if (!o.over.empty() && !o.settings.empty()) fail("--over and --settings exclude each other");
  if (o.tabulated() && o.texts.empty())
    fail(std::string(o.over.empty() ? "--settings" : "--over") + " needs --text FILE");
  if (!o.tabulated() && !o.markdown.empty())
    fail("--markdown has no effect without a table, expected --over or --settings");
  if (o.tabulated() && !o.expect.empty())
    fail("--expect has no effect on a table, expected --over or --settings alone");
  return true;
}

std::vector<QualityText> read_texts(const Options& o, const Tokenizer& tokenizer, std::int64_t context) {
  std::vector<QualityText> texts;
  for (const std::string& file : o.texts) {
    texts.push_back(
        {file.substr(file.rfind('/') + 1), documents(tokenizer, config::read_text_file(file, kLargestText), context)});
    if (texts.back().documents.empty()) throw InputError({file}, "holds no text");
  }
  return texts;
}

void print_table(const Options& o, const std::shared_ptr<const ModelWeights>& model,
                 const std::vector<QualityText>& texts, const QualitySettings& settings,
                 const std::vector<std::vector<int>>& calibration) {
  QualityTable table;
  {
    std::unique_ptr<Progress> progress;
    table = quality_table(model, texts, settings, calibration, [&](std::size_t done, std::size_t total) {
      if (!progress) progress = std::make_unique<Progress>("tokens", static_cast<double>(total));
      progress->update(static_cast<double>(done));
    });
  }
  std::cout << table.text();
  if (!table.complete)
    throw config::RunError(fmt::format("stopped by an interrupt: the table above has {} of {} settings{}",
                                       table.rows.size(), settings.settings.size(),
                                       (o.markdown.empty() ? "" : ", " + o.markdown + " is not written")));
  if (o.markdown.empty()) return;
  write_file(o.markdown, table.markdown());
}

/// A number of units with three significant digits, such as "45.6 us".
std::string engineering(double value, const char* unit) {
  static const char* const prefixes[] = {"p", "n", "u", "m", "", "k", "M", "G", "T"};
  int i = 4;
  while (value != 0 && std::fabs(value) < 1 && i > 0) {
    value *= 1000;
    --i;
  }
  while (std::fabs(value) >= 1000 && i < 8) {
    value /= 1000;
    ++i;
  }
  const int digits = std::fabs(value) < 10 ? 2 : std::fabs(value) < 100 ? 1 : 0;
  return fixed(value, digits) + ' ' + prefixes[i] + unit;
}

std::string cost_text(const MachineCost& c) {
  std::string text = fmt::format("\nPredicted cost on accelerator {} ({} steps)\n", c.machine, c.steps.size());
  std::int64_t outputs = 0, prompts = 0;
  double prompt_seconds = 0, prompt_bytes = 0, prompt_joules = 0, least = INFINITY, most = 0;
  for (const MachineCost::Step& s : c.steps) {
    if (s.tokens == 1) {
      ++outputs;
      least = std::min(least, s.seconds);
      most = std::max(most, s.seconds);
    } else {
      prompts += s.tokens;
      prompt_seconds += s.seconds;
      prompt_bytes += static_cast<double>(s.pin_bytes);
      prompt_joules += s.joules;
    }
  }
  if (prompts > 0)
    text += entry("Prompt",
                  fmt::format("{} tokens in {}, {} of DRAM traffic, {}", prompts, engineering(prompt_seconds, "s"),
                              engineering(prompt_bytes, "B"), engineering(prompt_joules, "J")));
  const MachineCost::PerToken mean = c.per_output_token();
  const double achieved = static_cast<double>(c.pin_bytes) / c.seconds;
  if (outputs > 0) {
    text += entry("Time per output token", engineering(mean.seconds, "s") + " (minimum " + engineering(least, "s") +
                                               ", maximum " + engineering(most, "s") + ')');
    text += entry("Throughput", engineering(1 / mean.seconds, "token/s"));
    text += entry("DRAM traffic", engineering(mean.pin_bytes, "B") + " per output token");
  }
  text +=
      entry("DRAM utilisation", fixed(100 * achieved / c.peak_bytes_per_s, 1) + " % (" + engineering(achieved, "B/s") +
                                    " of " + engineering(c.peak_bytes_per_s, "B/s") + ')');
  text += entry("Energy", engineering(c.energy.total_j, "J") +
                              (outputs > 0 ? ", " + engineering(mean.joules, "J") + " per output token" : ""));
  std::string parts;
  for (const ComponentEnergy& e : c.energy.components)
    if (e.joules > 0)
      parts += (parts.empty() ? "" : ", ") + e.component + ' ' + fixed(100 * e.joules / c.energy.total_j, 1) + " %";
  text += entry("Energy by component", parts);
  return text + entry("Assumptions", fmt::format("{} assumed inputs, listed by --json", c.assumptions.size()));
}

nlohmann::json cost_json(const MachineCost& c) {
  nlohmann::json j = {{"machine", c.machine},
                      {"steps", nlohmann::json::array()},
                      {"simulated_s", c.seconds},
                      {"time_per_output_token_s", c.per_output_token().seconds},
                      {"pin_bytes_per_output_token", c.per_output_token().pin_bytes},
                      {"pin_bytes", c.pin_bytes},
                      {"achieved_bytes_per_s", static_cast<double>(c.pin_bytes) / c.seconds},
                      {"peak_bytes_per_s", c.peak_bytes_per_s},
                      {"energy", {{"total_j", c.energy.total_j}, {"per_output_token_j", c.energy.per_token_j}}},
                      {"assumptions", nlohmann::json::array()}};
  for (const MachineCost::Step& s : c.steps)
    j["steps"].push_back({{"tokens", s.tokens},
                          {"context", s.context},
                          {"simulated_s", s.seconds},
                          {"pin_bytes", s.pin_bytes},
                          {"energy_j", s.joules}});
  for (std::size_t i = 0; i < kTrafficClasses; ++i) j["bytes_by_class"][traffic_name(i)] = c.bytes_by_class[i];
  for (const ComponentEnergy& e : c.energy.components) j["energy"]["components"][e.component] = e.joules;
  for (const config::Assumption& a : c.assumptions)
    j["assumptions"].push_back({{"key", a.key}, {"value", a.value}, {"unit", a.unit}, {"source", a.source}});
  return j;
}

/// Continues the prompt; prints as tokens come unless `json` gets everything.
void continue_prompt(const Options& o, StepEngine& engine, const Tokenizer& tokenizer, std::vector<int> sequence,
                     const std::string& expected, nlohmann::json& result) {
  const std::size_t prompt_tokens = sequence.size();
  std::string text = tokenizer.decode(sequence);
  if (o.prints_text()) std::cout << text;
  const auto start = std::chrono::steady_clock::now();
  const Sampling sampling{o.temperature, o.top_p, static_cast<std::uint64_t>(o.seed)};
  generate(engine, sequence, static_cast<std::size_t>(o.tokens), sampling, {tokenizer.bos(), tokenizer.eos()},
           [&](int token) {
             const std::string piece = tokenizer.decode(sequence.back(), token);
             sequence.push_back(token);
             text += piece;
             if (o.prints_text()) std::cout << piece << std::flush;
           });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::size_t added = sequence.size() - prompt_tokens;
  result["text"] = text;
  result["tokens"] = sequence;
  result["prompt_tokens"] = prompt_tokens;
  result["wall_seconds"] = seconds;
  if (o.prints_text())
    std::cout << "\n\n"
              << engine.description() << "\n"
              << added << " tokens generated after a prompt of " << prompt_tokens << "; simulation speed "
              << fixed(static_cast<double>(added) / seconds, 0) << " token/s of wall-clock time\n";
  if (o.expect.empty() || interrupted()) return;
  compare_with(text, expected, o.expect);
  result["equals"] = o.expect;
  if (o.prints_text()) std::cout << "equals " << o.expect << " (" << expected.size() << " bytes)\n";
}

void evaluate_texts(const Options& o, StepEngine& engine, const std::vector<QualityText>& texts,
                    nlohmann::json& result) {
  for (const QualityText& t : texts) {
    if (interrupted()) return;
    TextQuality q;
    double total = 0;
    for (const std::vector<int>& d : t.documents) total += static_cast<double>(d.size() - 1);
    {
      Progress progress("tokens", total);
      q = evaluate_text(engine, t.documents, static_cast<std::size_t>(o.prefill),
                        [&](std::size_t done) { progress.update(static_cast<double>(done)); });
    }
    result["quality"].push_back({{"text", t.name},
                                 {"tokens", q.tokens},
                                 {"nll_per_token", q.nll},
                                 {"perplexity", q.perplexity()},
                                 {"complete", q.complete}});
    if (!o.prints_text()) continue;
    std::cout << t.name << ": " << q.tokens << " tokens";
    if (!q.complete) std::cout << " before the interrupt";
    if (engine.last_logits_only() && o.prefill > 1)
      std::cout << " (of " << fixed(total, 0)
                << "; the output head of the machine computes the last token of a step only)";
    std::cout << ", NLL " << fixed(q.nll, 4) << " nats/token, perplexity " << fixed(q.perplexity(), 3) << '\n';
  }
}

/// The first pieces of the family's held-out text, on the golden path: it gives the machine's values without its time.
void evaluate_held_out(const Options& o, const EngineRequest& request, const Tokenizer& tokenizer,
                       const std::string& file, nlohmann::json& result) {
  Options golden = o;
  if (o.path == "systemc") golden.path = "golden";
  golden.texts = {file};
  std::vector<QualityText> texts = read_texts(golden, tokenizer, request.model->info.max_context);
  std::vector<std::vector<int>>& pieces = texts.front().documents;
  if (pieces.size() > kShippedPieces) pieces.resize(kShippedPieces);
  evaluate_texts(golden, *make_engine(golden.path, request), texts, result);
}

int run(const std::vector<std::string>& arguments) {
  Options o;
  if (!parse(arguments, o)) return 0;
  // What can be refused is refused before a large file is read.
  std::vector<std::string> set = {fmt::format("seed={}", o.seed)};
  std::remove_copy_if(o.set.begin(), o.set.end(), std::back_inserter(set), concerns_machine);
  EngineRequest request;
  request.config = infer_config(set);
  const bool machine_path = needs_machine(o.path);
  if (!machine_path)
    for (const std::string& text : o.set)
      if (concerns_machine(text))
        throw InputError({"command line"}, "--set " + config::printable(text) + " needs --path systemc");
  QualitySettings settings;
  if (o.tabulated())
    settings = o.over.empty() ? read_quality_settings(o.settings, set) : quality_combinations(set, parse_over(o.over));
  for (const QualitySetting& setting : settings.settings)
    if (setting.config.smoothing.offline_exponent > 0 && o.calibration.empty())
      throw InputError({"command line"}, "smoothing.offline_exponent needs a calibration text (--calibrate FILE)");
  const std::string expected = o.expect.empty() ? "" : config::read_text_file(o.expect, kLargestText);

  const Library library(o.folders.workloads, o.folders.data, o.folders.allow_unknown);
  const ModelFiles files = model_files(o.weights, o.tokenizer, library);
  request.model = std::make_shared<const ModelWeights>(load_weights(files.weights));
  const ModelInfo& info = request.model->info;
  LoadedScenario machine;
  if (machine_path) {
    machine = load_machine(o, info.shape);
    request.machine = &machine;
  }
  const Tokenizer tokenizer = load_tokenizer(files.tokenizer, info.shape.vocab_size);
  if (!o.calibration.empty())
    request.calibration = documents(tokenizer, config::read_text_file(o.calibration, kLargestText), info.max_context);
  const std::vector<QualityText> texts = read_texts(o, tokenizer, info.max_context);
  if (o.tabulated()) {
    const InterruptGuard guard;
    print_table(o, request.model, texts, settings, request.calibration);
    return 0;
  }
  const std::vector<int> prompt = tokenizer.encode(o.prompt, true);
  if (o.tokens > 0 && static_cast<std::int64_t>(prompt.size()) > info.max_context)
    throw InputError({"command line"},
                     fmt::format("--prompt has {} tokens, the model's context {}", prompt.size(), info.max_context));
  request.max_step_tokens =
      std::max(o.tokens > 0 ? static_cast<std::int64_t>(prompt.size()) : 1, texts.empty() ? 1 : o.prefill);

  const InterruptGuard guard;
  const std::unique_ptr<StepEngine> engine = make_engine(o.path, request);
  nlohmann::json result = {{"path", o.path}, {"engine", engine->description()}, {"seed", o.seed}};
  if (!request.model->notices.empty()) result["notices"] = request.model->notices;
  if (o.prints_text())
    for (const std::string& sentence : request.model->notices) std::cout << "note: " << sentence << '\n';
  if (o.tokens > 0)
    continue_prompt(o, *engine, tokenizer, prompt, expected, result);
  else if (o.prints_text())
    std::cout << engine->description() << '\n';
  engine->reset();
  evaluate_texts(o, *engine, texts, result);
  if (o.shipped) evaluate_held_out(o, request, tokenizer, trained_family(library).held_out.string(), result);
  const std::unique_ptr<MachineCost> cost = engine->cost();
  if (cost && !cost->steps.empty()) {
    result["predicted"] = cost_json(*cost);
    if (o.prints_text()) std::cout << cost_text(*cost);
  }
  if (o.printing.json && !o.printing.quiet)
    std::cout << result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  if (interrupted()) throw config::RunError("stopped by an interrupt; what is above stands");
  return 0;
}

}  // namespace

const Command kInferCommand = {
    "infer", "[--weights FILE --tokenizer FILE] [--prompt TEXT] [--text FILE]... [--set KEY=VALUE]...",
    "Run a real small model through the machine's arithmetic: text, tokens, perplexity", run,
    "harmonia infer --prompt \"And the LORD said unto Moses\""};

}  // namespace harmonia::testbench
