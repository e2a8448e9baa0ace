// Which steps of a run and which layers of a step are simulated, and how the rest follows from them.
//
// Models:
//   - layers: of a sampled step the first few layers are simulated, and three pieces of lm_head; the layers and pieces
//     left out are like those in the middle, which have neither beginning nor end (LayerSample);
//   - steps: of a series of steps that differ in their context only, some are simulated, evenly spaced, and every count
//     is linear between two of them (StepSeries). Simulated ones predicted from their neighbours tell how far that
//     holds; where it does not, more are simulated.
// Does not model: steps that differ in more than their context (step_cost.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/testbench/runs/estimated_error.h"
#include "harmonia/testbench/runs/step_cost.h"
#include "harmonia/testbench/runs/step_outcome.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// A series of steps of which some are simulated.
class StepSeries {
 public:
  using Simulate = std::function<StepOutcome(std::uint64_t step)>;
  using Take = std::function<void(std::uint64_t step, const StepOutcome& outcome)>;
  /// A simulated step, and what it would be by the simulated ones before and after it.
  struct Predicted {
    Totals predicted, simulated;
  };
  struct Held {
    std::vector<Predicted> steps;
    double share = 0;  // of the series: steps that were not simulated
  };
  /// What a prediction is off by, relative, of the figure that is off most.
  using Off = std::function<double(const Predicted& step)>;

  /// `steps` steps of which `most` are simulated at first, 2 at least where there are more steps than `most`. Throws
  /// std::invalid_argument when most is below 2 and below steps.
  StepSeries(std::uint64_t steps, std::uint64_t most);

  /// How many are simulated at first, and which: the first, the last, and evenly spaced ones between.
  std::uint64_t simulated() const { return steps_ <= most_ ? steps_ : most_; }
  std::uint64_t simulated_step(std::uint64_t i) const;
  /// Calls `simulate` for each of those, and `take` for every step of the series, in order. While a prediction is off by
  /// more than kErrorTarget, steps beside the worst one are simulated too, up to four times as many as at first. `take`
  /// gets what is complete when Interrupted leaves `simulate`.
  Held run(const Simulate& simulate, const Take& take, const Off& off) const;

 private:
  using Outcomes = std::map<std::uint64_t, StepOutcome>;
  using Place = Outcomes::const_iterator;
  static bool inside(const Outcomes& outcomes, Place place);
  static Predicted predicted(Place place);
  std::uint64_t worst(const Outcomes& outcomes, const Off& off) const;
  void take_all(const Outcomes& outcomes, const Take& take) const;

  std::uint64_t steps_, most_;
};

/// All steps of a full run, fidelity.sample_steps of a sampled one: three at least, so that one lies between two others.
StepSeries sampled_series(const FidelityConfig& fidelity, std::uint64_t steps);

/// What memory and array do at their best. cycle_ps: of the accelerator's clock; idle_w: what a channel draws that does
/// nothing.
struct PeakRates {
  double bytes_per_s = 0, macs_per_s = 0, cycle_ps = 0, idle_w = 0;
};
PeakRates peak_rates(const accelerator::AcceleratorConfig& config);

/// Which layers of a step are simulated, and the whole step from them.
class LayerSample {
 public:
  static constexpr std::uint32_t kHeadColumns = 2048;  // of each simulated piece of lm_head

  /// single_linear: a step is one matrix-vector product, which is simulated whole.
  LayerSample(const FidelityConfig& fidelity, const accelerator::ModelShape& shape, bool single_linear);

  /// Whether some layers are left out.
  bool partial() const { return layers_ < all_layers_; }
  std::uint32_t layers() const { return layers_; }
  /// lm_head of a model with mixtures is simulated whole: beside layers of few bytes it is a large part of the step.
  std::uint32_t head_columns() const { return partial() && !mixtures_ && has_head_ ? kHeadColumns : 0; }

  /// The whole step from its simulated part. marks: the totals after embedding, after each simulated layer and, where
  /// lm_head was cut, after each of its three pieces; expected: what the formulas say of the whole step; peak: of the machine, where
  /// the model has mixtures.
  StepOutcome whole_step(const Totals& simulated, const std::vector<Totals>& marks,
                         const accelerator::Expected& expected, const PeakRates& peak = {}) const;

 private:
  std::uint32_t layers_, all_layers_;
  std::vector<std::vector<std::uint32_t>> sorts_;  // of layers that are alike, their numbers
  std::uint64_t vocabulary_;
  bool mixtures_, has_head_;  // stages of a pipeline but for the last have none
};

/// Between two outcomes: share 0 is `before`, 1 is `after`.
StepOutcome interpolate(const StepOutcome& before, const StepOutcome& after, double share);

double worst_residual(const StepSeries::Predicted& step, const Scenario& scenario);
/// What predictions were off by counts for the steps that were not simulated.
RunErrors errors_of(const StepSeries::Held& held, const Scenario& scenario);

/// Picoseconds that memory or array need at least for the class.
double bound_ps(const ClassTotals& c, const PeakRates& peak);
/// Picoseconds that memory and array need at least for a whole step. Work is fetched ahead within a step, never before it.
double step_bound_ps(const Totals& formulas, const PeakRates& peak);

/// What the mean of the devices takes that a model's experts are placed on, from what the simulated one took: the formulas know what the
/// experts of all take, and everything else is the same on each. Time and what goes with it is that of the simulated one, for which the
/// others wait. Without placed experts the totals as they are.
Totals of_mean_device(const Totals& simulated, int devices, const PeakRates& peak);

/// What was predicted although the formulas know it becomes theirs: bytes of each class of traffic and of operations, and
/// operations. What goes with it follows in proportion: bytes at the pins, bursts and commands, busy time of the decoder,
/// cycles of the array, and the time of a class, which stays as far above its bound (bytes at peak rate, operations at peak
/// rate, or cycles of the array) as in the simulated steps: further below only where it is there, where work fetched ahead
/// is the only reason. The step as a whole takes no less than all of its bytes at peak bandwidth and all of its operations
/// at peak rate. What units do and wait goes with the time of the step.
/// formulas: totals of which what expect() sets counts, and what goes from stage to stage.
void follow_formulas(Totals& predicted, const Totals& formulas, const PeakRates& peak, const DemandRatios& demand = {});

}  // namespace harmonia::testbench
