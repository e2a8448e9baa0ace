// `harmonia sweep`: many points, each a run in a process of its own; what is finished survives any crash.
#include "harmonia/testbench/sweep/sweep.h"

#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/sweep/processes.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) {
  Arguments a(kSweepCommand);
  CommonOptions common;
  std::string file;
  std::int64_t jobs = static_cast<std::int64_t>(processors());
  SweepOptions options;
  a.positional("SWEEP", file, "a sweep file, or the name of one in workloads/sweeps", true);
  a.integer("jobs,j", jobs, 1, 1024, "N", "points at a time (default: the processors of this computer)");
  a.flag("resume", options.resume, "go on with the unfinished sweep of this -o; runs exactly the missing points");
  a.common(common);
  if (!a.parse(arguments)) return 0;
  const Library library(common.workloads, common.data, common.allow_unknown);
  const Sweep sweep = load_sweep(file, common.set, library);
  options.output = common.output.empty() ? "results/" + sweep.name : common.output;
  options.data = common.data;
  options.workloads = common.workloads;
  options.allow_unknown = common.allow_unknown;
  options.jobs = static_cast<std::size_t>(jobs);
  const SweepOutcome o = run_sweep(sweep, options);
  std::cout << sweep.name << ": " << o.points << " points, " << o.ran << " run now, " << o.kept << " kept from before, "
            << o.failed << " failed\n"
            << (o.complete ? "written to " : "stopped; finished points are kept in ") << o.folder
            << (o.complete ? " (sweep.csv)\n" : ", go on with --resume\n");
  if (o.failed > 0)
    throw config::RunError(std::to_string(o.failed) + " of " + std::to_string(o.points) +
                           " points failed; sweep.csv names each with its reason");
  return o.complete ? 0 : 1;
}

}  // namespace

const Command kSweepCommand = {"sweep", "SWEEP.yaml [-j N] [--resume] [--set key=value]... [-o DIR]",
                               "many points, each in a process of its own; a killed sweep resumes", run};

}  // namespace harmonia::testbench
