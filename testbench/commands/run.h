// `harmonia run`: replays one scenario, prints the table, writes the result folder.
// Models: how the result of a run leaves the program. Does not model: the run (testbench/runs/run.h).
#pragma once

#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {

/// Prints the table, writes the files into `folder` when there is one, and gives the exit status: 1 of a run that was
/// interrupted. A result whose checks failed is printed and written all the same, and then config::RunError names the
/// check.
int deliver(const RunResult& result, OutputFolder* folder, const Printing& printing = {});

}  // namespace harmonia::testbench
