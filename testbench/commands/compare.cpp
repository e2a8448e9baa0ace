// `harmonia compare`: the same scenario over variants, each a run in a process of its own; one table.
#include "harmonia/testbench/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/files/temporary.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/sweep/processes.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostVariants = 1000;
constexpr std::size_t kLargestResult = 512U << 20;

int run(const std::vector<std::string>& arguments) {
  Arguments a(kCompareCommand);
  CommonOptions common;
  std::string name = "default";
  std::vector<std::string> over;
  std::int64_t jobs = static_cast<std::int64_t>(processors());
  bool full = false;
  a.positional("SCENARIO", name, "built-in name or file");
  a.texts("over", over, "KEY=V1,V2,...",
          "vary this key; may be repeated (every combination). A comma within [], {} or quotes does not separate");
  a.integer("jobs,j", jobs, 1, 1024, "N", "variants at a time (default: the processors of this computer)");
  a.flag("full", full, "simulate every layer and step; otherwise, unless --set fidelity says more, a sample of them");
  QualitySource source_of_quality;
  a.text("weights", source_of_quality.weights, "FILE",
         "measure each variant's quality on this real model too: llama2.c .bin, .safetensors, GGUF");
  a.text("tokenizer", source_of_quality.tokenizer, "FILE", "its tokenizer; default: the weights, if GGUF");
  a.texts("text", source_of_quality.texts, "FILE", "text that its perplexity is taken on; may be repeated");
  a.common(common);
  if (!a.parse(arguments)) return 0;
  const bool measure = !source_of_quality.weights.empty();
  if (measure && source_of_quality.texts.empty())
    throw config::InputError({"command line"}, "--weights needs --text FILE");
  if (!measure && (!source_of_quality.texts.empty() || !source_of_quality.tokenizer.empty()))
    throw config::InputError({"command line"}, "--text and --tokenizer need --weights FILE");
  if (over.empty() && measure)
    over = {"weights.format=fp16,int8,int4,kmeans8,kmeans4,kmeans3,kmeans2,kmeans1",
            "kv.format=bfp8,bfp4,bfp4+windows"};
  if (over.empty()) throw config::InputError({"command line"}, "no --over, expected --over key=value,value,...");

  std::vector<Axis> axes;
  for (const std::string& text : over) axes.push_back(parse_over(text));
  const Library library(common.workloads, common.data, common.allow_unknown);
  // What no variant can do without is unusable input; what one variant alone cannot do is that variant's failure.
  const std::string source = library.find(BuiltIn::kScenario, name, {}).string();
  for (const std::string& text : common.set)
    require_known_key(config::parse_override(text).path, {"--set " + config::printable(text)});
  double count = 1;
  for (const Axis& axis : axes) count *= static_cast<double>(axis.values.size());
  if (count > static_cast<double>(kMostVariants))
    throw config::InputError(
        {"command line"},
        fmt::format("the --over axes make more than {} variants, expected fewer (`harmonia sweep` takes many points)",
                    kMostVariants));

  // Variants are compared at one fidelity, and five of them should not take five times as long as one.
  const auto sets_fidelity = [](const std::string& text) { return text.compare(0, 8, "fidelity") == 0; };
  if (!full && std::none_of(common.set.begin(), common.set.end(), sets_fidelity) &&
      std::none_of(over.begin(), over.end(), sets_fidelity))
    common.set.insert(common.set.begin(), "fidelity.mode=sampled");
  if (full) common.set.insert(common.set.begin(), "fidelity.mode=full");

  Comparison c;
  c.scenario = name;
  c.source = source;
  for (const Axis& axis : axes) c.keys.push_back(axis.key);
  const InterruptGuard guard;
  std::unique_ptr<OutputFolder> folder;
  if (!common.output.empty()) folder = std::make_unique<OutputFolder>(common.output);
  const TemporaryFolder scratch(fs::temp_directory_path() / "harmonia-compare");
  const fs::path results = folder ? folder->path() / "variants" : scratch.path();
  fs::create_directories(results);

  std::vector<Task> tasks;
  std::vector<std::size_t> variant_of;
  std::vector<InferConfig> quality_settings_of;  // of the variants below, where there are any
  std::vector<std::size_t> measured;
  for (const Settings& settings : product(axes)) {
    Variant v;
    v.settings = settings;
    v.label = label_of(settings);
    const std::vector<std::string> set = overrides_of(common.set, settings);
    try {
      const LoadedScenario loaded = load_scenario(name, set, library);
      c.scenario = loaded.scenario.name;
      v.quality = weight_quality(loaded.scenario, library);
      if (c.model.empty()) c.model = loaded.scenario.model.name;
      if (const std::optional<InferConfig> formats = quality_settings(loaded.scenario)) {
        quality_settings_of.push_back(*formats);
        measured.push_back(c.variants.size());
      }
      Task task{{"run", name, "-o", (results / std::to_string(c.variants.size() + 1)).string(), "--set",
                 "output.timeline=false"}};
      for (const std::string& s : set) task.arguments.insert(task.arguments.end(), {"--set", s});
      if (!common.data.empty()) task.arguments.insert(task.arguments.end(), {"--data", common.data});
      if (!common.workloads.empty()) task.arguments.insert(task.arguments.end(), {"--workloads", common.workloads});
      if (common.allow_unknown) task.arguments.emplace_back("--allow-unknown");
      tasks.push_back(std::move(task));
      variant_of.push_back(c.variants.size());
    } catch (const config::InputError& e) {
      v.failure = e.what();
    }
    c.variants.push_back(std::move(v));
  }

  // Before the runs: files that cannot be used should not cost a user those.
  if (measure) {
    std::unique_ptr<Progress> progress;
    c.measurement = measure_quality(source_of_quality, quality_settings_of, [&](std::size_t done, std::size_t total) {
      if (interrupted()) throw config::RunError("interrupted before the variants ran: nothing was written");
      if (!progress) progress = std::make_unique<Progress>("tokens of quality", static_cast<double>(total));
      progress->update(static_cast<double>(done));
    });
    for (std::size_t i = 0; i < measured.size(); ++i) c.variants[measured[i]].measured = c.measurement->settings[i];
  }

  bool complete = true;
  {
    Progress progress("variants", static_cast<double>(tasks.size()));
    std::size_t done = 0;
    std::vector<bool> ended(tasks.size());
    run_tasks(tasks, static_cast<std::size_t>(jobs), scratch.path().string(),
              [&](std::size_t i, const TaskOutcome& outcome) {
                Variant& v = c.variants[variant_of[i]];
                ended[i] = true;
                if (outcome.succeeded) {
                  const fs::path file = results / std::to_string(variant_of[i] + 1) / "result.json";
                  v.metrics = metrics_of(nlohmann::json::parse(config::read_text_file(file.string(), kLargestResult)));
                } else {
                  v.failure = outcome.reason;
                }
                progress.update(static_cast<double>(++done));
              });
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (ended[i]) continue;
      c.variants[variant_of[i]].failure = "stopped by an interrupt";
      complete = false;
    }
    remove_leftovers_in(results);  // of variants that were killed
  }

  const std::string text = c.text();
  std::string written;
  if (folder) {
    folder->write("compare.txt", text);
    folder->write("compare.csv", c.csv());
    folder->write("compare.json", c.json());
    // Before anything is printed: whoever reads that may be gone.
    if (complete) folder->commit();
    written = "\n" + (complete ? "written to " + folder->target().string() : folder->commit_interrupted()) + "\n";
  }
  std::cout << text << written;
  std::size_t failed = 0;
  for (const Variant& v : c.variants) failed += v.metrics ? 0 : 1;
  if (failed > 0)
    throw config::RunError(
        fmt::format("{} of {} variants failed; each is named above with its reason", failed, c.variants.size()));
  return 0;
}

}  // namespace

const Command kCompareCommand = {
    "compare", "[SCENARIO] --over KEY=V1,V2,... [--over ...] [--weights FILE --text FILE] [-j N] [-o DIR]",
    "the same scenario over variants: one table, ratios against the first", run};

}  // namespace harmonia::testbench
