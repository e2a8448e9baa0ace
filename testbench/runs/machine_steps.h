// Steps as the machine takes them: whole, or the layers that a sampled run simulates.
// Models: one step after the other on one machine, with the instruments beside it. Does not model: which steps.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/testbench/runs/instruments.h"
#include "harmonia/testbench/runs/sampler.h"
#include "harmonia/testbench/runs/step_outcome.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {

/// Throws config::InputError when the machine cannot hold this step. Simulates nothing. single_linear: the step is one
/// matrix-vector product; shape and map: of the machine.
void refuse_impossible_step(const accelerator::ModelShape& shape, const accelerator::MemoryMap& map,
                            const Scenario& scenario, const accelerator::StepWork& work, bool single_linear);

/// Steps that are simulated, and how many of them and of their layers.
class SimulatedSteps : public StepSource {
 public:
  virtual std::uint64_t steps_simulated() const = 0;
  virtual std::uint64_t layers_simulated() const = 0;
};

class MachineSteps : public SimulatedSteps {
 public:
  /// The references must outlive this.
  MachineSteps(const Scenario& scenario, Machine& machine, Instruments& instruments, bool single_linear);

  /// Called on the host's thread, on which the workload runs.
  StepOutcome simulate(const accelerator::StepWork& work) override;
  /// The same of a step that someone else gives the machine: at its beginning, and at its end.
  void begin();
  StepOutcome end(const accelerator::StepWork& work);
  /// Layers that a step has simulated, and columns of a piece of lm_head, as a step command says them; 0: all.
  std::uint32_t layers_of_step() const { return sample_.partial() ? sample_.layers() : 0; }
  std::uint32_t head_columns() const { return sample_.head_columns(); }
  StepOutcome formulas(const accelerator::StepWork& work) const override;
  accelerator::Expected expected(const accelerator::StepWork& work) const;

  const Totals& simulated() const override { return simulated_; }
  std::uint64_t steps_simulated() const override { return steps_; }
  std::uint64_t layers_simulated() const override { return steps_ == 0 || single_linear_ ? 0 : sample_.layers(); }
  /// What the machine's memory holds in which format.
  accelerator::StoredFormats formats() const { return machine_.map.formats(); }

 private:
  void name_phases(const Totals& begin);
  void sort_tiles(const Totals& begin);
  Totals totals_now() const { return totals_of(*machine_.accelerator, instruments_.times()); }

  Machine& machine_;
  Instruments& instruments_;
  LayerSample sample_;
  accelerator::OnChip chip_;
  accelerator::StepProgram::Settings settings_;
  bool single_linear_;
  bool rests_;  // the machine has nothing to do between two steps, which take time of others
  Totals begin_;
  std::vector<Totals> marks_;  // at the markers of the step under way
  Totals simulated_;
  std::uint64_t steps_ = 0;
};

}  // namespace harmonia::testbench
