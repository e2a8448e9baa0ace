// What must hold at the end of every run. A check that fails fails the run.
//
// Models: conservation (bytes, operations and transactions of everything simulated against the formulas, exact); lower
//   bounds of the time (bytes / peak, operations / peak) of the whole, of every step and of every class of operations;
//   that no count is negative and that the classes' times add up.
// Does not model: how the formulas come about (hw/program); checks of a request trace (replay.h).
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/accelerator/config.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

CheckResult check_equal(const std::string& name, double expected, double actual, const std::string& unit);
/// Within rounding.
CheckResult check_at_least(const std::string& name, double expected, double actual, const std::string& unit);

/// Of everything that was simulated, up to the end of the last complete step.
std::vector<CheckResult> conservation_checks(const Totals& simulated);

/// That no time is below what memory and array need at their peak rates. `of` goes before each name.
std::vector<CheckResult> bound_checks(const std::string& of, const Totals& totals, double seconds,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s);

/// Bytes that the chip and the queues of its DRAM hold at most: what a class of operations may have fetched before its
/// turn, or have left to write after it.
double bytes_in_flight(const accelerator::AcceleratorConfig& config);

/// That no count is negative, that the classes' times add up to the steps' (within rounding), and that no class took
/// less time than its operations at the array's peak rate, nor less than its bytes at peak bandwidth where bytes that
/// lie on chip when a turn begins or ends do not count. `of` goes before each name.
std::vector<CheckResult> class_checks(const std::string& of, const Totals& totals,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s);

/// That no step of a run is faster than its bytes at peak bandwidth and its operations at peak rate allow.
class StepBounds {
 public:
  StepBounds(const accelerator::AcceleratorConfig& config, double peak_bytes_per_s);
  /// A step that took `seconds`. Of `counts`, those by the formulas count: expected_bytes and expected_slots.
  void add(const Totals& counts, double seconds);
  /// One check, of the step that comes nearest to what it needs or falls below it; none without steps.
  std::vector<CheckResult> checks() const;

 private:
  double groups_per_s_, bytes_per_s_;
  double worst_least_ = 0, worst_seconds_ = 0;
  bool any_ = false;
};

}  // namespace harmonia::testbench
