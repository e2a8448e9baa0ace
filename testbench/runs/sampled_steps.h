// The steps of a sampled trace replay: few are simulated, the others follow from them.
//
// Models: the cost of a step from its features (step_cost.h) and what the formulas know of it (sampler.h), which steps
//   are simulated, and how well each simulated one is predicted from the others.
// Does not model: which steps come, and when (replay.h).
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/program/memory_map.h"
#include "harmonia/testbench/replay/continuous_batching.h"
#include "harmonia/testbench/runs/estimated_error.h"
#include "harmonia/testbench/runs/sampler.h"
#include "harmonia/testbench/runs/step_cost.h"
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

  /// The references must outlive this.
  SampledSteps(const Scenario& scenario, const accelerator::MemoryMap& map, StepSource& source);

  /// The cost of a step. It is simulated where it lies outside what was simulated, and to hold it out: of the steps that
  /// can be predicted the first one, and then ever more rarely.
  Cost cost(const Parts& parts, const accelerator::StepWork& work);
  /// The cost from what was simulated, as near as that comes. There must be a point.
  StepOutcome predicted(const Parts& parts, const accelerator::StepWork& work) const;

  /// Each simulated step that the others predict, predicted from them.
  HeldOut held_out() const;
  /// Asks for nearer points around the steps whose predictions of the figure are off most. False when that changes
  /// nothing, or when half as many were added as the first time through the trace took.
  bool refine(std::size_t figure);

  std::size_t points() const { return points_.size(); }

 private:
  StepFeatures features_of(const Parts& parts, const accelerator::StepWork& work) const;
  double array_rows(double tokens) const;
  double attention_demand(const accelerator::StepWork& work) const;
  FeatureWeights feature_weights() const;
  StepOutcome sum_of(const StepCost::Mix& mix, const Totals& formulas) const;
  StepCost::Mix mix_of(const StepFeatures& features) const;

  const Scenario& scenario_;
  const accelerator::MemoryMap& map_;
  StepSource& source_;
  accelerator::OnChip chip_;
  PeakRates peak_;
  std::uint64_t rows_on_chip_ = 0;
  StepCost cost_;
  std::vector<StepFeatures> features_;  // of each point
  std::vector<StepOutcome> points_;
  std::uint64_t predictions_ = 0, next_held_out_ = 0;
  std::size_t most_points_ = ~std::size_t{0};
};

}  // namespace harmonia::testbench
