// What one step cost, and who can say it.
// Models: the border between workloads and the machine. Does not model: how a step is simulated (machine_steps.h).
#pragma once

#include "harmonia/hw/program/step_program.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

/// One step, simulated whole or extrapolated from some of its layers.
struct StepOutcome {
  Totals totals;
  double error = 0;  // relative, of the time: what the sampled layers differ by
};

/// Leaves a workload's run() when the user interrupts.
struct Interrupted {};

class StepSource {
 public:
  virtual ~StepSource() = default;
  /// Cost of one step of the workload. Throws Interrupted.
  virtual StepOutcome simulate(const accelerator::StepWork& work) = 0;
};

}  // namespace harmonia::testbench
