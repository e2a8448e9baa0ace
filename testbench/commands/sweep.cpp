// `harmonia sweep`: many points, each a run in a process of its own; what is finished survives any crash. Alone, as one
// of several workers on a shared folder (--shard), or putting together (merge) and looking (status) at what those did.
#include "harmonia/testbench/sweep/sweep.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/study/bounds_table.h"
#include "harmonia/testbench/sweep/engine.h"
#include "harmonia/testbench/sweep/processes.h"
#include "harmonia/testbench/sweep/shard.h"

namespace harmonia::testbench {
namespace {

void require_success(const SweepOutcome& o) {
  if (o.failed > 0)
    throw config::RunError(std::to_string(o.failed) + " of " + std::to_string(o.points) +
                           " points failed; sweep.csv names each with its reason");
}

using Json = nlohmann::ordered_json;

/// What a sweep that was run here came to, for scripts.
Json json_of(const SweepOutcome& o) {
  return {{"folder", o.folder}, {"complete", o.complete}, {"points", o.points},
          {"ran", o.ran},       {"kept", o.kept},         {"failed", o.failed}};
}

/// Of a sweep that was put together. Throws when points of it failed.
void say(const SweepOutcome& o, bool json) {
  if (json)
    std::cout << json_of(o).dump() << '\n';
  else
    std::cout << o.points << " points, " << o.failed << " failed\nwritten to " << o.folder << " (sweep.csv)\n";
  require_success(o);
}

constexpr const char* kNoJson = "--json is given, expected it with a sweep that is run, submitted or merged";

int look_at(const std::string& what, const std::string& folder, bool json) {
  if (folder.empty())
    throw config::InputError({"command line", 0, 0},
                             "DIR is missing, expected `harmonia sweep " + what + " DIR`, the -o of a sweep");
  if (what == "status") {
    if (json) throw config::InputError({"command line", 0, 0}, kNoJson);
    std::cout << text(sweep_status(folder));
    return 0;
  }
  say(merge_sweep(folder), json);
  return 0;
}

int run_one_shard(const std::string& file, const CommonOptions& common, SweepOptions options,
                  const ShardOptions& shard) {
  const Library library(common.workloads, common.data, common.allow_unknown);
  if (options.output.empty()) options.output = "results/" + read_sweep(file, common.set, library).name;
  const ShardOutcome o = run_shard(file, common.set, options, shard);
  std::cout << o.name << ": shard " << shard.shard.index + 1 << '/' << shard.shard.count << " ran " << o.ran << " of "
            << o.points << " points, " << o.failed << " failed, " << o.taken_over << " taken over, " << o.lost
            << " lost to others\n";
  if (o.merged) {
    std::cout << "the sweep is put together already\n";
  } else if (o.complete) {
    std::cout << "every point is there: `harmonia sweep merge " << options.output << "` puts them together\n";
  }
  return o.complete || o.merged ? 0 : 1;
}

int run_on_engine(const std::string& file, const CommonOptions& common, SweepOptions options,
                  const EngineOptions& engine, bool dry_run, bool json) {
  const Library library(common.workloads, common.data, common.allow_unknown);
  if (options.output.empty()) options.output = "results/" + read_sweep(file, common.set, library).name;
  if (dry_run) {
    read_sweep(file, common.set, library);
    std::cout << text(submission_of(file, common.set, options, engine));
    return 0;
  }
  const EngineOutcome o = run_with_engine(file, common.set, options, engine);
  if (!o.merged && json) {
    std::cout << Json{{"folder", options.output},
                      {"complete", false},
                      {"job_array", o.jobs},
                      {"job_merge", o.job_merge},
                      {"workers", engine.workers}}
                     .dump()
              << '\n';
    return 0;
  }
  if (!o.merged) {
    std::cout << "submitted: job array " << o.jobs << " of " << engine.workers << " workers; job " << o.job_merge
              << " collects their points in " << options.output << "\n`harmonia sweep status " << options.output
              << "` shows their progress\n";
    return 0;
  }
  say(o.sweep, json);
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a(kSweepCommand);
  CommonOptions common;
  std::string file, folder, shard_text;
  std::int64_t jobs = 0, attempts = 3;
  SweepOptions options;
  ShardOptions shard;
  EngineOptions engine;
  std::int64_t workers = 0, throttle = 0;
  bool dry_run = false, bounds = false, json = false;
  a.positional("SWEEP", file, "sweep file or built-in name; or `merge` or `status`", true);
  a.positional("DIR", folder, "with `merge` and `status`: the folder that the sweep was given with -o");
  a.integer("jobs,j", jobs, 1, 1024, "N",
            "points simulated at the same time (default: one for each processor of this computer; 1 in a shard)");
  a.flag("resume", options.resume,
         "continue an unfinished sweep in the folder of -o: simulate the missing points only");
  a.text("shard", shard_text, "I/N",
         "run as worker I of N, all with the same -o on a shared file system; `sweep merge` then collects the points");
  a.number("lease", shard.lease_s, 1, 86400, "SECONDS",
           "with --shard: time without a sign of life after which a worker on another computer is taken for dead "
           "(default: 120)");
  a.integer("attempts", attempts, 1, 1000, "N",
            "with --shard: number of workers that may end during a point before it counts as failed (default: 3)");
  a.text("engine", engine.name, "NAME", "how the workers are started: local (by this process), slurm, mpi or parallel")
      .choices({"local", "slurm", "mpi", "parallel"});
  a.integer("workers", workers, 1, 100000, "N",
            "with --engine: number of workers (default: the processors of this computer)");
  a.integer("throttle", throttle, 1, 100000, "N", "with --engine slurm: most workers that run at the same time");
  a.texts("engine-option", engine.options, "TEXT",
          "option for mpirun, parallel or the script of the Slurm job array, as in --engine-option=--time=1:00:00");
  a.flag("dry-run", dry_run, "with --engine: print what would be submitted, and exit");
  a.flag("bounds", bounds, "simulate nothing: print as CSV the analytical bound of each point's figures");
  a.flag("json", json, "print one line of JSON instead of text: what was run, or the jobs that were submitted");
  QualitySource quality;
  a.text("weights", quality.weights, "FILE",
         "with --bounds: real model on which the quality of each point's formats is measured");
  a.text("tokenizer", quality.tokenizer, "FILE", "tokenizer of that model (default: the one in the same file)");
  a.texts("text", quality.texts, "FILE", "text on which perplexity is measured");
  a.common(common);
  if (!a.parse(arguments)) return 0;
  if (quality.weights.empty() != quality.texts.empty() || (!bounds && !quality.weights.empty()))
    throw config::InputError({"command line", 0, 0}, "expected --weights and --text together, and with --bounds");
  shard.attempts = static_cast<unsigned>(attempts);
  if (file == "merge" || file == "status") return look_at(file, folder, json);
  if (!folder.empty())
    throw config::InputError({"command line", 0, 0},
                             "unexpected argument '" + config::printable(folder) + "', expected one sweep file");
  if (json && (bounds || dry_run || !shard_text.empty())) throw config::InputError({"command line", 0, 0}, kNoJson);
  if (bounds) {
    if (!shard_text.empty() || !engine.name.empty() || options.resume || jobs > 0 || !common.output.empty())
      throw config::InputError({"command line", 0, 0},
                               "--bounds prints and writes nothing, expected it without -o, -j, --resume, --shard and "
                               "--engine");
    const Library library(common.workloads, common.data, common.allow_unknown);
    std::cout << bounds_csv(read_sweep(file, common.set, library), library,
                            quality.weights.empty() ? nullptr : &quality);
    return 0;
  }
  if (!common.output.empty() && names_stream(common.output))
    throw config::InputError({"command line", 0, 0}, "-o " + config::printable(common.output) +
                                                         " is a stream, expected the folder of the sweep's points");
  options.output = common.output;
  options.data = common.data;
  options.workloads = common.workloads;
  options.allow_unknown = common.allow_unknown;
  const bool on_engine = !engine.name.empty() && engine.name != "local";
  if (!on_engine && (workers > 0 || throttle > 0 || dry_run || !engine.options.empty()))
    throw config::InputError(
        {"command line", 0, 0},
        "--workers, --throttle, --engine-option and --dry-run need --engine slurm, mpi or parallel");
  if (on_engine && !shard_text.empty())
    throw config::InputError({"command line", 0, 0}, "--shard and --engine are given, expected one of them");
  if (on_engine) {
    engine.workers = workers > 0 ? static_cast<std::size_t>(workers) : processors();
    engine.throttle = static_cast<std::size_t>(throttle);
    engine.lease_s = shard.lease_s;
    engine.attempts = shard.attempts;
    engine.output_to_stderr = json;
    options.jobs = static_cast<std::size_t>(std::max<std::int64_t>(jobs, 1));
    return run_on_engine(file, common, options, engine, dry_run, json);
  }
  if (!shard_text.empty()) {
    shard.shard = parse_shard(shard_text);
    options.jobs = static_cast<std::size_t>(std::max<std::int64_t>(jobs, 1));
    return run_one_shard(file, common, options, shard);
  }
  options.jobs = jobs > 0 ? static_cast<std::size_t>(jobs) : processors();
  const Library library(common.workloads, common.data, common.allow_unknown);
  const Sweep sweep = load_sweep(file, common.set, library);
  if (options.output.empty()) options.output = "results/" + sweep.name;
  const SweepOutcome o = run_sweep(sweep, options);
  if (json) {
    std::cout << json_of(o).dump() << '\n';
    require_success(o);
    return o.complete ? 0 : 1;
  }
  std::cout << sweep.name << ": " << o.points << " points; " << o.ran << " simulated now, " << o.kept
            << " from an earlier run, " << o.failed << " failed\n"
            << (o.complete ? "written to " : "stopped; the completed points are in ") << o.folder
            << (o.complete ? " (sweep.csv)\n" : ", --resume simulates the others\n");
  require_success(o);
  return o.complete ? 0 : 1;
}

}  // namespace

const Command kSweepCommand = {
    "sweep",
    "SWEEP.yaml [-j N] [--resume] [--shard I/N | --engine NAME | --bounds] [--set key=value]... [-o DIR] | merge DIR | "
    "status DIR",
    "Run many points, each in a process of its own, on one computer or many", run,
    "harmonia sweep equal-memory -j 2 -o results/equal-memory"};

}  // namespace harmonia::testbench
