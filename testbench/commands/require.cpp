// `harmonia require`: the least of each resource with which a scenario reaches a target (python/harmonia/require.py).
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/report/report.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) {
  Arguments a(kRequireCommand);
  std::string scenario, target, free;
  std::vector<std::string> set;
  std::int64_t jobs = 0;
  bool full = false;
  a.positional("SCENARIO", scenario, "built-in name or file", true)
      .text("target", target, "FIGURE=NUMBER",
            "a column of sweep.csv; tokens_per_s and utilisation at least, others at most")
      .text("free", free, "KEY,...",
            "keys that may change (default: accelerator.dram.channels and others, docs/require.md)")
      .texts("set", set, "KEY=VALUE", "replace one value of the scenario")
      .integer("jobs,j", jobs, 0, 1024, "N", "points at a time (default: the processors of this computer)")
      .flag("full", full, "simulate every layer and step; otherwise a sample, unless --set fidelity says more");
  if (!a.parse(arguments)) return 0;
  return run_study("require", arguments);
}

}  // namespace

const Command kRequireCommand = {
    "require", "SCENARIO --target FIGURE=NUMBER [--free KEY,...] [--set key=value]... [-j N] [--full]",
    "Find the least bandwidth, lanes or decoder rate with which a scenario reaches a target", run,
    "harmonia require default --target tokens_per_s=13 --free accelerator.dram.channels"};

}  // namespace harmonia::testbench
