// Steps of a pipeline of stages: each stage a machine of its own, with its layers and its DRAM.
//
// Models: a step's sequences in micro-batches, each of which every stage takes as a step of its own; a step of a replay is one
//   micro-batch. Stages that are alike are
//   simulated once, and so are micro-batches of a step that are. What a step costs is that of the mean of all stages' devices, which is
//   busy, waits for a link or waits for other stages (pipeline_times.h).
// Does not model: transfers that hold up all-reduces of a stage, which have links of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "harmonia/testbench/runs/machine_steps.h"
#include "harmonia/testbench/runs/pipeline_times.h"
#include "harmonia/testbench/system/device_link.h"
#include "harmonia/testbench/system/stages.h"

namespace harmonia::testbench {

class PipelineSteps : public SimulatedSteps {
 public:
  /// scenario: of the model that all stages have together; one source for each kind of stage; machine: of the first stage, or of all
  /// together. The references must outlive this.
  PipelineSteps(const Scenario& scenario, const std::vector<StageKind>& kinds,
                std::vector<std::unique_ptr<MachineSteps>> of_kinds, Machine& machine);

  StepOutcome simulate(const accelerator::StepWork& work) override;
  /// Of the mean device.
  StepOutcome formulas(const accelerator::StepWork& work) const override;
  const Totals& simulated() const override { return simulated_; }
  std::uint64_t steps_simulated() const override { return steps_; }
  /// Of all kinds of stages together.
  std::uint64_t layers_simulated() const override;

  /// Of all steps simulated and all stages: bytes that they moved; what a device with all layers would, which takes the same
  /// micro-batches one by one; and what goes out of memory and into it at the borders of stages.
  struct Moved {
    double all_stages = 0, one_device = 0, at_borders = 0;
  };
  const Moved& moved() const { return moved_; }
  /// Where all stages are simulated together: time of the steps from their first micro-batch's beginning to the end of their last, and
  /// the same by the time that each stage took for each. And bytes sent from stage to stage.
  struct Together {
    double simulated_ps = 0, composed_ps = 0, sent_bytes = 0;
  };
  const Together& together() const { return together_; }

 private:
  /// Outcomes of each micro-batch, of each kind of stage.
  using Outcomes = std::vector<std::vector<StepOutcome>>;
  Outcomes one_by_one(const std::vector<accelerator::StepWork>& batches);
  Outcomes all_together(const accelerator::StepWork& work, const std::vector<accelerator::StepWork>& batches);
  accelerator::StepWork work_of(std::size_t kind, const accelerator::StepWork& batch) const;
  void add_send(const accelerator::StepWork& batch, StepOutcome& step) const;
  void count_moved(const accelerator::StepWork& work, double bytes_of_all_stages);

  const Scenario& scenario_;
  const std::vector<StageKind>& kinds_;
  std::vector<std::unique_ptr<MachineSteps>> of_kinds_;
  mutable DeviceLink link_;  // what it has computed
  accelerator::OnChip chip_;
  accelerator::StepProgram::Settings settings_;
  std::size_t stages_, batches_;  // batches_: of a step, at most
  Totals simulated_;
  Moved moved_;
  Together together_;
  Machine& machine_;
  std::uint64_t steps_ = 0;
};

/// A step of many that follow each other, in which the tokens of a micro-batch go back to the first stage: its time becomes that in which
/// a token of every sequence comes, and what is not busy in it waits. Nothing without a pipeline.
StepOutcome in_steady_state(const StepOutcome& step, const Scenario& scenario);
/// Time that the mean device spends in a pass without work, as the cost of a step in which nothing is moved. It is as uncertain as the
/// work that it waits for; relative_spread: of the time of that.
StepOutcome waiting_of(const PassTime& pass, double waiting_ps, double relative_spread, const Scenario& scenario);

}  // namespace harmonia::testbench
