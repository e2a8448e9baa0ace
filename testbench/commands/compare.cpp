// `harmonia compare`: the same scenario over variants, each a run in a process of its own; one table.
#include "harmonia/testbench/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/files/temporary.h"
#include "harmonia/testbench/scenario/portable_name.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/sweep/processes.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostVariants = 1000;

struct Options {
  CommonOptions common;
  std::string scenario = "default";
  std::vector<std::string> over;
  std::int64_t jobs = static_cast<std::int64_t>(processors());
  bool full = false;
  Printing printing;
  QualitySource quality;
  bool family = false;
  bool measures_quality() const { return family || !quality.weights.empty(); }
};

/// False when only help was asked for.
bool parse(const std::vector<std::string>& arguments, Options& o) {
  Arguments a(kCompareCommand);
  a.positional("SCENARIO", o.scenario, "built-in name or file");
  a.texts("over", o.over, "KEY=V1,V2,...",
          "values of a key to compare; several --over are combined. A comma within [], {} or quotes does not separate");
  a.integer("jobs,j", o.jobs, 1, 1024, "N",
            "variants simulated at the same time (default: one for each processor of this computer)");
  a.flag("full", o.full,
         "simulate every layer and step; otherwise a sample of them, unless --set fidelity=... is given");
  a.flag("quality", o.family,
         "measure each variant's quality too, on the trained models that come with the project: for a weight format in "
         "which one was trained that one, else the 16-bit one; --text alone does the same");
  a.text(
      "weights", o.quality.weights, "FILE",
      "measure each variant's quality on this real model: llama2.c .bin, .safetensors, GGUF, a trained model's name");
  a.text("tokenizer", o.quality.tokenizer, "FILE",
         "tokenizer of that model; default: the one in a GGUF file, or that of the trained models");
  a.texts("text", o.quality.texts, "FILE", "text on which perplexity is measured");
  a.printing(o.printing).common(o.common);
  if (!a.parse(arguments)) return false;
  if (o.family && !o.quality.weights.empty())
    throw config::InputError({"command line"}, "--quality and --weights exclude each other");
  o.family = o.family || (o.quality.weights.empty() && !o.quality.texts.empty());
  if (!o.quality.weights.empty() && o.quality.texts.empty())
    throw config::InputError({"command line"}, "--weights needs --text FILE");
  if (o.quality.weights.empty() && !o.quality.tokenizer.empty())
    throw config::InputError({"command line"}, "--tokenizer needs --weights FILE");
  if (o.over.empty() && o.measures_quality())
    o.over = {"weights.format=fp16,int8,int4,kmeans8,kmeans4,kmeans3,kmeans2,kmeans1",
              "kv.format=bfp8,bfp4,bfp4+windows"};
  if (o.over.empty()) throw config::InputError({"command line"}, "no --over, expected --over key=value,value,...");

  // Variants are compared at one fidelity, and five of them should not take five times as long as one.
  const auto sets_fidelity = [](const std::string& text) { return text.compare(0, 8, "fidelity") == 0; };
  const bool said = std::any_of(o.common.set.begin(), o.common.set.end(), sets_fidelity) ||
                    std::any_of(o.over.begin(), o.over.end(), sets_fidelity);
  if (o.full || !said)
    o.common.set.insert(o.common.set.begin(), o.full ? "fidelity.mode=full" : "fidelity.mode=sampled");
  return true;
}

std::vector<Axis> axes_of(const Options& o) {
  std::vector<Axis> axes;
  for (const std::string& text : o.over) axes.push_back(parse_over(text));
  for (const std::string& text : o.common.set)
    require_known_key(config::parse_override(text).path, {"--set " + config::printable(text)});
  double count = 1;
  for (const Axis& axis : axes) count *= static_cast<double>(axis.values.size());
  if (count > static_cast<double>(kMostVariants))
    throw config::InputError(
        {"command line"},
        fmt::format("the --over axes make more than {} variants, expected fewer (`harmonia sweep` takes many points)",
                    kMostVariants));
  return axes;
}

/// The variants of one comparison: those that can be loaded become tasks, the others are named with their reason.
class Variants {
 public:
  Variants(const Options& options, const Library& library, fs::path results)
      : options_(options), library_(library), results_(std::move(results)) {}

  /// What one variant alone cannot do is that variant's failure, not the command's.
  void load(const Settings& settings, Comparison& c) {
    Variant v;
    v.settings = settings;
    v.label = label_of(settings);
    const std::vector<std::string> set = overrides_of(options_.common.set, settings);
    try {
      const LoadedScenario loaded = load_scenario(options_.scenario, set, library_);
      c.scenario = loaded.scenario.name;
      v.quality = weight_quality(loaded.scenario, library_);
      if (c.model.empty()) c.model = loaded.scenario.model.name;
      const InferConfig formats = quality_settings(loaded.scenario);
      v.unmeasured = formats.weights_problem();
      if (v.unmeasured.empty()) {
        quality_settings_.push_back(formats);
        measured_.push_back(c.variants.size());
      }
      tasks_.push_back(task_of(c.variants.size(), set));
      variant_of_.push_back(c.variants.size());
    } catch (const config::InputError& e) {
      v.failure = e.what();
    }
    c.variants.push_back(std::move(v));
  }

  void measure_quality(Comparison& c) const {
    std::unique_ptr<Progress> progress;
    c.measurement = testbench::measure_quality(
        options_.quality, quality_settings_, library_, [&](std::size_t done, std::size_t total) {
          if (interrupted()) throw config::RunError("interrupted before the variants ran: nothing was written");
          if (!progress) progress = std::make_unique<Progress>("tokens of quality", static_cast<double>(total));
          progress->update(static_cast<double>(done));
        });
    for (std::size_t i = 0; i < measured_.size(); ++i) c.variants[measured_[i]].measured = c.measurement->settings[i];
  }

  /// False when an interrupt stopped some.
  bool run(Comparison& c, const std::string& scratch) const {
    Progress progress("variants", static_cast<double>(tasks_.size()));
    std::size_t done = 0;
    std::vector<bool> ended(tasks_.size());
    run_tasks(tasks_, static_cast<std::size_t>(options_.jobs), scratch, [&](std::size_t i, const TaskOutcome& outcome) {
      Variant& v = c.variants[variant_of_[i]];
      ended[i] = true;
      if (outcome.succeeded) {
        const fs::path file = folder_of(variant_of_[i]) / "result.json";
        v.metrics = read_metrics(file.string());
      } else {
        v.failure = outcome.reason;
      }
      progress.update(static_cast<double>(++done));
    });
    bool complete = true;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      if (ended[i]) continue;
      c.variants[variant_of_[i]].failure = "stopped by an interrupt";
      complete = false;
    }
    remove_leftovers_in(results_);  // of variants that were killed
    return complete;
  }

 private:
  fs::path folder_of(std::size_t variant) const { return results_ / std::to_string(variant + 1); }

  Task task_of(std::size_t variant, const std::vector<std::string>& set) const {
    const CommonOptions& common = options_.common;
    Task task{{"run", options_.scenario, "-o", folder_of(variant).string(), "--set", "output.timeline=false"}};
    for (const std::string& s : set) task.arguments.insert(task.arguments.end(), {"--set", s});
    if (!common.data.empty()) task.arguments.insert(task.arguments.end(), {"--data", common.data});
    if (!common.workloads.empty()) task.arguments.insert(task.arguments.end(), {"--workloads", common.workloads});
    if (common.allow_unknown) task.arguments.emplace_back("--allow-unknown");
    return task;
  }

  const Options& options_;
  const Library& library_;
  fs::path results_;
  std::vector<Task> tasks_;
  std::vector<std::size_t> variant_of_;        // of each task
  std::vector<InferConfig> quality_settings_;  // of the variants in measured_
  std::vector<std::size_t> measured_;
};

/// Writes the table into the folder, if there is one, and prints it. The folder comes first: whoever reads what is
/// printed may be gone.
void show(const Comparison& c, OutputFolder* folder, const std::string& stream, bool complete, Printing printing) {
  const std::string text = c.text();
  std::string written;
  if (folder) {
    folder->write("compare.txt", text);
    folder->write("compare.csv", c.csv());
    folder->write("compare.json", c.json());
    if (complete) folder->commit();
    written = "\n" + (complete ? "written to " + folder->target().string() : folder->commit_interrupted()) + "\n";
  }
  if (!stream.empty()) printing = write_to_stream(stream, c.json(), printing);
  print_result(printing, text, c.json(), written);
}

int run(const std::vector<std::string>& arguments) {
  Options options;
  if (!parse(arguments, options)) return 0;
  const Library library(options.common.workloads, options.common.data, options.common.allow_unknown);
  Comparison c;
  c.scenario = options.scenario;
  c.source = portable_name(library.find(BuiltIn::kScenario, options.scenario, {}).string(), library.folder());
  c.scenario = portable_name(c.scenario);
  const std::vector<Axis> axes = axes_of(options);
  for (const Axis& axis : axes) c.keys.push_back(axis.key);

  const InterruptGuard guard;
  std::unique_ptr<OutputFolder> folder;
  const std::string stream = names_stream(options.common.output) ? options.common.output : "";
  if (!options.common.output.empty() && stream.empty()) folder = std::make_unique<OutputFolder>(options.common.output);
  const TemporaryFolder scratch(fs::temp_directory_path() / "harmonia-compare");
  const fs::path results = folder ? folder->path() / "variants" : scratch.path();
  fs::create_directories(results);

  Variants variants(options, library, results);
  for (const Settings& settings : product(axes)) variants.load(settings, c);
  // Before the runs: files that cannot be used should not cost a user those.
  if (options.measures_quality()) variants.measure_quality(c);
  const bool complete = variants.run(c, scratch.path().string());
  show(c, folder.get(), stream, complete, options.printing);

  std::size_t failed = 0;
  for (const Variant& v : c.variants) failed += v.metrics ? 0 : 1;
  if (failed > 0)
    throw config::RunError(
        fmt::format("{} of {} variants failed; each is named above with its reason", failed, c.variants.size()));
  return 0;
}

}  // namespace

const Command kCompareCommand = {
    "compare", "[SCENARIO] --over KEY=V1,V2,... [--over ...] [--quality] [--weights FILE --text FILE] [-j N] [-o DIR]",
    "Run a scenario in several variants and print one table with ratios against the first", run,
    "harmonia compare default --over weights=fp16,kmeans4,kmeans2 -o results/weights"};

}  // namespace harmonia::testbench
