// What one step cost, and who can say it.
// Models: the border between workloads and the machine. Does not model: how a step is simulated (machine_steps.h).
#pragma once

#include "harmonia/hw/program/step_program.h"
#include "harmonia/testbench/runs/pipeline_times.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

/// One step, simulated whole or extrapolated from some of its layers.
struct StepOutcome {
  Totals totals;
  Totals spread;  // of each count: what the sampled layers differ by, carried to those left out; nothing in full
  PipelineTimes pipeline{};  // of a pipeline, whose waiting is not in the totals yet (pipeline_steps.h)

  /// Adds `factor` times the other.
  void add(const StepOutcome& other, double factor) {
    totals.add(other.totals, factor);
    spread.add(other.spread, factor);
    pipeline.add(other.pipeline, factor);
  }
};

/// Leaves a workload's run() when the user interrupts.
struct Interrupted {};

class StepSource {
 public:
  virtual ~StepSource() = default;
  /// Cost of one step of the workload. Throws Interrupted.
  virtual StepOutcome simulate(const accelerator::StepWork& work) = 0;
  /// Everything that was simulated, up to the end of the last complete step.
  virtual const Totals& simulated() const = 0;
  /// What the formulas say of the step, without simulating it: what Totals::expect sets, and of a pipeline what goes from stage to
  /// stage. Only replays ask for it.
  virtual StepOutcome formulas(const accelerator::StepWork& work) const = 0;
};

}  // namespace harmonia::testbench
