// What holds for the figures of any result, whatever made them: rules that know units and nothing of machines.
//
// Models: every figure is finite and not negative, every share lies in [0, 1], parts add up to their wholes, and no
//   resource works longer than the run.
// Does not model: what a run must move and compute (testbench/runs/checks.h).
#pragma once

#include <vector>

#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {

/// Within rounding, relative to the expected value.
CheckResult check_close(const std::string& name, double expected, double actual, const std::string& unit);

/// The name of a check that failed says which figure it was; `checks`, `provenance`, `assumptions` and `notices` hold
/// no figures of the run.
std::vector<CheckResult> figure_checks(const RunResult& result);

}  // namespace harmonia::testbench
