// `harmonia require`: the least of each resource with which a scenario reaches a target (python/harmonia/require.py).
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/report/report.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) { return run_study("require", arguments); }

}  // namespace

const Command kRequireCommand = {
    "require", "SCENARIO --target FIGURE=NUMBER [--free KEY,...] [--set key=value]... [-j N]",
    "the least bandwidth, lanes or decoder rate with which a scenario reaches a target", run};

}  // namespace harmonia::testbench
