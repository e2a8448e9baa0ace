// The steps of a sampled trace replay: few are simulated, the others follow from them.
//
// Models: the cost of a step from its features (step_cost.h) and what the formulas know of it (sampler.h); which steps
//   are simulated, as many as a budget allows: those that are least similar to what was simulated, by the time that such
//   steps take, then some from the midst of the trace, and where predictions are off too much more around those; and how
//   well each simulated step is predicted from the others.
// Does not model: which steps come, and when (replay.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "harmonia/hw/program/memory_map.h"
#include "harmonia/testbench/replay/continuous_batching.h"
#include "harmonia/testbench/runs/estimated_error.h"
#include "harmonia/testbench/runs/sampler.h"
#include "harmonia/testbench/runs/step_cost.h"
#include "harmonia/testbench/runs/step_kinds.h"
#include "harmonia/testbench/runs/step_outcome.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

class SampledSteps {
 public:
  using Parts = std::vector<ContinuousBatching::Part>;
  struct Cost {
    StepOutcome outcome;
    bool simulated = false;  // the step itself, not predicted from others
  };
  using CostOf = std::function<StepOutcome(const Parts& parts, const accelerator::StepWork& work)>;
  /// Goes through the trace once with these costs.
  using SchedulePass = std::function<void(const CostOf& cost)>;

  /// The references must outlive this.
  SampledSteps(const Scenario& scenario, const accelerator::MemoryMap& map, StepSource& source);

  /// Steps that may be simulated of so many, before predictions are known to be off.
  static std::size_t budget_of(std::uint64_t steps);

  /// Finds the steps of the trace, first at the times that memory and array need at least, and simulates some. A trace of
  /// no more steps than the budget is left to cost(), which simulates each.
  void plan(const SchedulePass& schedule);
  /// A way through the trace begins, of which cost() keeps account.
  void begin();
  Cost cost(const Parts& parts, const accelerator::StepWork& work);
  /// The cost from what was simulated; of no account. off: what each point's time is multiplied by; empty: nothing.
  StepOutcome predicted(const Parts& parts, const accelerator::StepWork& work,
                        const std::vector<double>& off = {}) const;

  /// Each simulated step predicted from the others; it counts for as much as was made of it since begin().
  HeldOut held_out() const;
  /// Simulates some of the steps that were predicted since begin() from those whose predictions of the figure are off
  /// most. False when there are none, or when as many as may be were added.
  bool refine(std::size_t figure);

  std::size_t points() const { return points_.size(); }
  /// Of the trace, as far as plan() knows.
  std::uint64_t steps() const { return steps_; }

 private:
  StepFeatures features_of(const Parts& parts, const accelerator::StepWork& work) const;
  double array_rows(double tokens) const;
  double attention_demand(const accelerator::StepWork& work) const;
  FeatureWeights feature_weights() const;
  /// formulas: of totals what expect() sets counts, of a pipeline what goes from stage to stage.
  StepOutcome sum_of(const StepCost::Prediction& prediction, const StepOutcome& formulas) const;
  double factor_of(const StepCost::Mix& mix, const std::vector<double>& off) const;
  StepCost::Prediction prediction_without(StepCost::Point point) const;
  StepOutcome least(const accelerator::StepWork& work) const;
  StepKinds kinds_of(const SchedulePass& schedule) const;
  void choose_most_dissimilar(const StepKinds& kinds, std::size_t most);
  void hold_out(const StepKinds& kinds, std::size_t count);
  bool quick() const;
  std::size_t most_points() const;
  void simulate(const StepKinds::Step& step);
  const StepKinds::Step* worst_step(const HeldOut& held, std::size_t figure) const;

  const Scenario& scenario_;
  const accelerator::MemoryMap& map_;
  StepSource& source_;
  accelerator::OnChip chip_;
  PeakRates peak_;
  std::uint64_t rows_on_chip_ = 0;
  StepCost cost_;
  std::vector<StepFeatures> features_;  // of each point
  std::vector<StepOutcome> points_;
  std::size_t budget_ = 0, planned_ = 0;  // planned_: how many plan() simulated
  std::uint64_t steps_ = 0;
  bool whole_ = false;  // every step is simulated, while the budget lasts
  StepKinds kinds_;     // since begin()
  // Of each point since begin(): the weights that predictions gave it, and their dissimilarity by these.
  std::vector<double> used_, dissimilar_;
};

}  // namespace harmonia::testbench
