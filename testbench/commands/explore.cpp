// `harmonia explore`: searches a design space for the points that nothing in it beats (python/harmonia/explore.py). Here
// the study is read and checked.
#include <iostream>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/report/report.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/study/study.h"

namespace harmonia::testbench {
namespace {

using Words = std::vector<std::string>;

/// The longest text that one argument of a process may be on Linux.
constexpr std::size_t kLongestArgument = 100 * 1024;

int run(const Words& arguments) {
  Arguments a(kExploreCommand);
  CommonOptions common;
  std::string file, engine;
  Words engine_options;
  std::int64_t jobs = 0, workers = 0, throttle = 0;
  bool resume = false, dry_run = false;
  a.positional("STUDY", file, "study file or built-in name", true);
  a.integer("jobs,j", jobs, 1, 1024, "N",
            "points simulated at the same time (default: one for each processor of this computer)");
  a.flag("resume", resume, "continue an unfinished study in the folder of -o");
  a.text("engine", engine, "NAME", "how the points are run: local, slurm, mpi or parallel, as in `harmonia sweep`");
  a.integer("workers", workers, 1, 100000, "N", "with --engine: number of workers");
  a.integer("throttle", throttle, 1, 100000, "N", "with --engine slurm: most workers that run at the same time");
  a.texts("engine-option", engine_options, "TEXT", "option for the engine, as in `harmonia sweep`");
  a.flag("dry-run", dry_run, "print the study as read, as JSON, and exit");
  a.common(common);
  if (!a.parse(arguments)) return 0;
  const Library library(common.workloads, common.data, common.allow_unknown);
  const Study study = read_study(file, common.set, library);
  const std::string text = to_json(study).dump();
  if (dry_run) {
    std::cout << to_json(study).dump(1) << '\n';
    return 0;
  }
  if (text.size() > kLongestArgument)
    throw config::InputError({study.file}, "the study lists too many values, expected ranges in place of lists");
  Words words = {"--study", text, "--output", common.output.empty() ? "results/" + study.name : common.output};
  if (resume) words.emplace_back("--resume");
  const auto sweep = [&words](const std::string& option, const std::string& value) {
    words.push_back("--sweep-option=" + option);
    if (!value.empty()) words.push_back("--sweep-option=" + value);
  };
  if (jobs > 0) sweep("-j", std::to_string(jobs));
  if (!engine.empty()) sweep("--engine", engine);
  if (workers > 0) sweep("--workers", std::to_string(workers));
  if (throttle > 0) sweep("--throttle", std::to_string(throttle));
  for (const std::string& option : engine_options) sweep("--engine-option=" + option, "");
  const auto folder = [&words](const std::string& option, const std::string& value) {
    words.push_back("--folder-option=" + option);
    if (!value.empty()) words.push_back("--folder-option=" + value);
  };
  if (!common.data.empty()) folder("--data", common.data);
  if (!common.workloads.empty()) folder("--workloads", common.workloads);
  if (common.allow_unknown) folder("--allow-unknown", "");
  return run_study("explore", words);
}

}  // namespace

const Command kExploreCommand = {
    "explore", "STUDY.yaml [-j N] [--resume] [--engine NAME] [--set key=value]... [-o DIR]",
    "Search a design space under constraints: Pareto front, limit of each point, most useful change", run,
    "harmonia explore edge-8b -j 2 -o results/edge-8b"};

}  // namespace harmonia::testbench
