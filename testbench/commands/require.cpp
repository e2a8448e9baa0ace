// `harmonia require`: the least of each resource with which a scenario reaches a target (python/harmonia/require.py).
#include <fmt/format.h>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/report/report.h"

namespace harmonia::testbench {
namespace {

const std::vector<std::string> kDefaultFree = {"accelerator.dram.channels", "accelerator.pe.rows",
                                               "accelerator.decoder.weights_per_cycle", "accelerator.clock_mhz"};

int run(const std::vector<std::string>& arguments) {
  Arguments a(kRequireCommand);
  std::string scenario, target, free;
  std::vector<std::string> set;
  std::int64_t jobs = 0;
  bool full = false;
  a.positional("SCENARIO", scenario, "built-in name or file", true)
      .text("target", target, "FIGURE=NUMBER",
            "column of sweep.csv and its value: a lower limit of tokens_per_s and utilisation, an upper limit of all "
            "others")
      .text("free", free, "KEY,...",
            fmt::format("one to four keys that may change (default: {})", fmt::join(kDefaultFree, ", ")))
      .texts("set", set, "KEY=VALUE", "replace one value of the scenario")
      .integer("jobs,j", jobs, 0, 1024, "N",
               "points simulated at the same time (default: one for each processor of this computer)")
      .flag("full", full,
            "simulate every layer and step; otherwise a sample of them, unless --set fidelity=... is given");
  if (!a.parse(arguments)) return 0;
  if (target.empty())
    throw config::InputError({"command line"}, "--target is missing, expected FIGURE=NUMBER, such as tokens_per_s=20");
  if (free.empty()) free = fmt::format("{}", fmt::join(kDefaultFree, ","));
  std::vector<std::string> words = {"--scenario=" + scenario, "--target=" + target, "--free=" + free,
                                    "--jobs=" + std::to_string(jobs)};
  for (const std::string& one : set) words.push_back("--set=" + one);
  if (full) words.emplace_back("--full");
  return run_study("require", words);
}

}  // namespace

const Command kRequireCommand = {
    "require", "SCENARIO --target FIGURE=NUMBER [--free KEY,...] [--set key=value]... [-j N] [--full]",
    "Find the smallest number of channels, lanes or similar with which a scenario reaches a target", run,
    "harmonia require default --target tokens_per_s=13 --free accelerator.dram.channels"};

}  // namespace harmonia::testbench
