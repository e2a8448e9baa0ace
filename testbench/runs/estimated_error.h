// What a sampled run may be off by: an estimated relative error of each figure that it prints.
//
// Models: two sources. Layers: what the counts of the simulated layers differ by, carried to those left out
//   (StepOutcome::spread). Steps: simulated steps are predicted from the other simulated ones, in the way in which the
//   steps between are, and what the predictions are off by is taken for the error of the steps that were predicted
//   (HeldOut). To that comes chance: whether a refresh falls into a stretch that was simulated, and to which of two
//   neighbouring classes a wait falls.
// Does not model: how the error of steps moves the latencies of a queue (sampled_replay.h).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// Error that sampling aims at, of every figure: above it more steps are simulated, or the result says so.
constexpr double kErrorTarget = 0.05;

/// The figures, of a step's or a run's totals: seconds, bytes at the pins, joules, and of each class of operations its
/// seconds, then its bytes.
std::vector<double> error_figures(const Totals& totals, const Scenario& scenario);
constexpr std::size_t kTimeFigure = 0;
/// Figures whose errors count for the run's: classes below a hundredth of the time, or of the bytes, do not.
std::vector<bool> figures_that_count(const std::vector<double>& of_run);
/// The error of a figure as a share of the run's: a class's of the time or the bytes of all, another figure's as it is.
double error_of_run(std::size_t figure, double error, const std::vector<double>& of_run);
/// Place of a figure in result.json, as in `operations[qkv].simulated_s`.
std::string figure_path(std::size_t figure, bool single_linear);

/// Chance in a time of which so many seconds were simulated: it holds about as many refreshes as refresh intervals, n of
/// them give or take sqrt(n), and each holds it up by the time of one refresh at most. Relative.
double refresh_noise(const accelerator::AcceleratorConfig& config, double seconds);
/// Chance in the time of a class: at each border with another class one tile waits more or less. Relative.
double border_noise(const ClassTotals& simulated);
/// Both, of a figure of a run of which so much was simulated. 0 where it is no time.
double chance(std::size_t figure, const Totals& simulated, const Scenario& scenario);

/// Relative errors of a run.
struct RunErrors {
  std::vector<double> figures;  // of error_figures; none are 0
  bool latencies = false;       // whether those of latencies are known: otherwise they are those of the steps
  double first_token = 0, per_token = 0, end_to_end = 0;

  void add(const RunErrors& other);
  /// Of each the larger one.
  void widen(const RunErrors& other);
};

/// Steps that were both predicted and simulated.
class HeldOut {
 public:
  /// `weight`: how much the step counts, as often as steps like it are predicted; 0 when none is.
  void add(double weight, std::vector<double> predicted, std::vector<double> simulated);

  std::size_t count() const { return simulated_.size(); }
  std::size_t figures() const { return simulated_.empty() ? 0 : simulated_.front().size(); }
  /// Estimated error of a figure's sum over many predicted steps: what the predictions are off by together, as a share
  /// of what the steps have; larger by 2 / sqrt(n), since few say little, where n steps of like weight have something of
  /// the figure (the weights' sum squared over the sum of their squares). When none has, the largest error of the other
  /// figures. 0 when nothing was held out.
  double error(std::size_t figure) const;
  /// Estimated error of a figure's sum over the steps held out themselves, which were simulated, but not in their places
  /// in the run: as much by chance, now more and now less, as predictions are off, so that of n steps a share of
  /// 1 / sqrt(n) is left.
  double chance(std::size_t figure) const;
  /// Of the i-th step, relative and with its sign. 0 where the step has nothing of the figure.
  double residual(std::size_t i, std::size_t figure) const;
  /// Of the i-th step, in the figure's unit.
  double off(std::size_t i, std::size_t figure) const;

 private:
  double own_error(std::size_t figure) const;
  std::vector<double> weights_;
  std::vector<std::vector<double>> predicted_, simulated_;  // by step
};

}  // namespace harmonia::testbench
