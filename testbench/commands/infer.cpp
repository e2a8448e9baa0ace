// `harmonia infer`: a real small model through the machine's arithmetic, on a prompt, on a text, or on a text under
// many settings.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/program/arguments.h"
#include "harmonia/testbench/program/commands.h"
#include "harmonia/testbench/program/progress.h"
#include "harmonia/testbench/quality/quality_table.h"

namespace harmonia::testbench {
namespace {

using config::InputError;

constexpr std::size_t kLargestText = 64U << 20;

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
  throw config::RunError("the output differs from " + file + " at byte " + std::to_string(at) + ": '" +
                         config::printable(text.substr(at, 40)) + "', expected '" +
                         config::printable(expected.substr(at, 40)) +
                         "' (other weights, a permuted model, or another tokenizer give this)");
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

int run(const std::vector<std::string>& arguments) {
  std::string weights_file, tokenizer_file, prompt, path = "golden", expect, calibration_file, markdown_file,
                                                    settings_file;
  std::vector<std::string> text_files, set, over;
  std::int64_t tokens = -1, prefill = 32, seed = 1;
  double temperature = 0, top_p = 1;
  bool json = false;
  Arguments a(kInferCommand);
  a.text("weights", weights_file, "FILE", "llama2.c .bin, .safetensors (or its folder), GGUF")
      .text("tokenizer", tokenizer_file, "FILE",
            "tokenizer.bin, or a GGUF file with one; default: the weights, if GGUF")
      .text("prompt", prompt, "TEXT", "text to continue; empty: from the sequence start")
      .text("path", path, "PATH", "what computes: " + engine_names())
      .integer("tokens", tokens, 0, 1 << 24, "N", "tokens to add (default 256, or 0 with --text)")
      .texts("set", set, "KEY=VALUE",
             "weights.format, weights.codebook, kv.format, activations.format, smoothing.online, ...")
      .number("temperature", temperature, 0, 100, "T", "0: greedy")
      .number("top-p", top_p, 0, 1, "P", "sample from the likeliest tokens of this total probability")
      .integer("seed", seed, 0, INT64_MAX, "N", "of sampling and of codebook training")
      .texts("text", text_files, "FILE", "report NLL per token and perplexity of this text; may be repeated")
      .integer("prefill", prefill, 1, 1 << 24, "N", "tokens of a text that are fed as one step, the rest one by one")
      .text("expect", expect, "FILE", "fail unless the output is this text")
      .texts("over", over, "KEY=V,V,...", "table of --text under every combination of values, on the golden path")
      .text("settings", settings_file, "FILE", "table of --text under each setting of this YAML list")
      .text("calibrate", calibration_file, "FILE", "text for smoothing.offline_exponent > 0")
      .text("markdown", markdown_file, "FILE", "write the table of --over or --settings as Markdown too")
      .flag("json", json, "print one JSON object instead of text");
  if (!a.parse(arguments)) return 0;
  if (weights_file.empty()) throw InputError({"command line"}, "--weights FILE is missing");
  if (tokens < 0) tokens = text_files.empty() ? 256 : 0;
  if (!expect.empty() && tokens == 0)
    throw InputError({"command line"}, "--expect needs tokens to compare: --tokens N with N > 0");
  if (!over.empty() && !settings_file.empty())
    throw InputError({"command line"}, "--over and --settings exclude each other");
  const bool tabulated = !over.empty() || !settings_file.empty();
  if (tabulated && text_files.empty())
    throw InputError({"command line"}, std::string(over.empty() ? "--settings" : "--over") + " needs --text FILE");
  set.insert(set.begin(), "seed=" + std::to_string(seed));
  const InferConfig c = infer_config(set);
  QualitySettings settings;
  if (tabulated)
    settings = over.empty() ? read_quality_settings(settings_file, set) : quality_combinations(set, parse_over(over));
  for (const QualitySetting& setting : settings.settings)
    if (setting.config.smoothing.offline_exponent > 0 && calibration_file.empty())
      throw InputError({"command line"}, "smoothing.offline_exponent needs a calibration text (--calibrate FILE)");

  const auto model = std::make_shared<const ModelWeights>(load_weights(weights_file));
  const Tokenizer tokenizer =
      load_tokenizer(tokenizer_file.empty() ? weights_file : tokenizer_file, model->info.shape.vocab_size);
  const std::string expected = expect.empty() ? "" : config::read_text_file(expect, kLargestText);
  std::vector<std::vector<int>> calibration;
  if (!calibration_file.empty())
    calibration = documents(tokenizer, config::read_text_file(calibration_file, kLargestText), model->info.max_context);
  std::vector<QualityText> texts;
  for (const std::string& file : text_files) {
    texts.push_back({file.substr(file.rfind('/') + 1),
                     documents(tokenizer, config::read_text_file(file, kLargestText), model->info.max_context)});
    if (texts.back().documents.empty()) throw InputError({file}, "holds no text");
  }

  if (tabulated) {
    QualityTable result;
    {
      std::unique_ptr<Progress> progress;
      result = quality_table(model, texts, settings, calibration, [&](std::size_t done, std::size_t total) {
        if (!progress) progress = std::make_unique<Progress>("tokens", static_cast<double>(total));
        progress->update(static_cast<double>(done));
      });
    }
    std::cout << result.text();
    if (!markdown_file.empty()) {
      std::ofstream out(markdown_file + ".partial");
      out << result.markdown();
      out.close();
      if (!out || std::rename((markdown_file + ".partial").c_str(), markdown_file.c_str()) != 0)
        throw config::RunError(markdown_file + " cannot be written");
    }
    return 0;
  }

  const std::unique_ptr<StepEngine> engine = make_engine(path, model, c, calibration);
  nlohmann::json result = {{"path", path}, {"engine", engine->description()}, {"seed", seed}};
  if (tokens > 0) {
    std::vector<int> sequence = tokenizer.encode(prompt, true);
    if (static_cast<std::int64_t>(sequence.size()) > model->info.max_context)
      throw InputError({"command line"}, "--prompt has " + std::to_string(sequence.size()) +
                                             " tokens, the model's context " + std::to_string(model->info.max_context));
    const std::size_t prompt_tokens = sequence.size();
    std::string text = tokenizer.decode(sequence);
    if (!json) std::cout << text;
    const auto start = std::chrono::steady_clock::now();
    const Sampling sampling{temperature, top_p, static_cast<std::uint64_t>(seed)};
    generate(*engine, sequence, static_cast<std::size_t>(tokens), sampling, {tokenizer.bos(), tokenizer.eos()},
             [&](int token) {
               const std::string piece = tokenizer.decode(sequence.back(), token);
               sequence.push_back(token);
               text += piece;
               if (!json) std::cout << piece << std::flush;
             });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::size_t added = sequence.size() - prompt_tokens;
    result["text"] = text;
    result["tokens"] = sequence;
    result["prompt_tokens"] = prompt_tokens;
    result["wall_seconds"] = seconds;
    if (!json)
      std::cout << "\n\n"
                << engine->description() << "\n"
                << added << " tokens after a prompt of " << prompt_tokens << ", "
                << fixed(static_cast<double>(added) / seconds, 0) << " tokens/s of this computer's time\n";
    if (!expect.empty()) {
      if (json) result["equals"] = expect;
      compare_with(text, expected, expect);
      if (!json) std::cout << "equals " << expect << " (" << expected.size() << " bytes)\n";
    }
  } else if (!json) {
    std::cout << engine->description() << '\n';
  }
  for (const QualityText& t : texts) {
    TextQuality q;
    {
      double total = 0;
      for (const std::vector<int>& d : t.documents) total += static_cast<double>(d.size() - 1);
      Progress progress("tokens", total);
      q = evaluate_text(*engine, t.documents, static_cast<std::size_t>(prefill),
                        [&](std::size_t done) { progress.update(static_cast<double>(done)); });
    }
    result["quality"].push_back(
        {{"text", t.name}, {"tokens", q.tokens}, {"nll_per_token", q.nll}, {"perplexity", q.perplexity()}});
    if (!json)
      std::cout << t.name << ": " << q.tokens << " tokens, NLL " << fixed(q.nll, 4) << " nats/token, perplexity "
                << fixed(q.perplexity(), 3) << '\n';
  }
  if (json) std::cout << result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  return 0;
}

}  // namespace

const Command kInferCommand = {
    "infer", "--weights FILE --tokenizer FILE [--prompt TEXT] [--text FILE]... [--set KEY=VALUE]...",
    "runs a real small model through the machine's arithmetic: text, tokens, perplexity", run};

}  // namespace harmonia::testbench
