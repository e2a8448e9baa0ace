// What must hold at the end of every run. A check that fails fails the run.
//
// Models: conservation (bytes, operations and transactions of everything simulated against the formulas, exact) and
//   lower bounds of the time (bytes / peak, operations / peak).
// Does not model: how the formulas come about (hw/program); checks of a request trace (replay.h).
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/accelerator/config.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

CheckResult check_equal(const std::string& name, double expected, double actual, const std::string& unit);
CheckResult check_at_least(const std::string& name, double expected, double actual, const std::string& unit);

/// Of everything that was simulated, up to the end of the last complete step.
std::vector<CheckResult> conservation_checks(const Totals& simulated);

/// That no time is below what memory and array need at their peak rates. `of` goes before each name.
std::vector<CheckResult> bound_checks(const std::string& of, const Totals& totals, double seconds,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s);

}  // namespace harmonia::testbench
