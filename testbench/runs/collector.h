// What a run amounts to: the sums that workloads feed, step by step, and the figures of a result made of them.
//
// Models: totals over steps with weights, bytes over time, latencies, tokens, and how sure all that is; which step comes
//   nearest to its bounds.
// Does not model: other checks (checks.h); what only one workload reports (Workload::report).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "harmonia/testbench/results/percentiles.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/bandwidth_bins.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/runs/estimated_error.h"
#include "harmonia/testbench/runs/figures.h"
#include "harmonia/testbench/runs/step_outcome.h"

namespace harmonia::testbench {

struct WorstFigure {
  std::size_t figure = kTimeFigure;
  double error = 0;
};

class Collector {
 public:
  /// `series`: empty bins of the run's bandwidth series.
  explicit Collector(BandwidthBins series) : series_(std::move(series)) {}
  /// Steps are held to these bounds from now on.
  void hold_to(const StepBounds& bounds) { bounds_ = bounds; }

  /// A step that begins when the one before ended.
  void add(const StepOutcome& step);
  /// A step of a time line that the workload keeps, in seconds.
  void add(const StepOutcome& step, double begin_s, double end_s);
  /// Tokens of a step.
  void count_step(std::uint64_t prompt_tokens, std::uint64_t output_tokens);
  /// Latencies in seconds, of `count` sequences at once.
  void time_per_token(double s, std::uint64_t count = 1) { per_token_.add(s, count); }
  void time_to_first_token(double s, std::uint64_t count = 1) { first_token_.add(s, count); }
  void end_to_end(double s, std::uint64_t count = 1) { end_to_end_.add(s, count); }
  /// Errors beside what the sampled layers of the added steps differ by.
  void set_errors(RunErrors errors) { errors_ = std::move(errors); }
  /// Time of a run that has a time line of its own.
  void set_seconds(double s) { seconds_ = s; }

  /// What was simulated: the less that is, the more of it is chance.
  void set_simulated(const Totals& simulated) { simulated_ = simulated; }

  double seconds() const { return seconds_; }
  const Totals& totals() const { return totals_; }
  /// Of a pipeline: of each stage, what it was busy with in all steps.
  const std::vector<double>& stage_busy_ps() const { return stage_busy_ps_; }
  std::vector<CheckResult> step_checks() const { return bounds_ ? bounds_->checks() : std::vector<CheckResult>{}; }
  /// What the sampled layers differ by, as a share of the time of all steps.
  double spread_of_time() const { return totals_.time_ps > 0 ? spread_.time_ps / totals_.time_ps : 0; }
  /// Estimated errors of everything that was added.
  RunErrors errors(const Scenario& scenario) const;
  /// Of the figures that count (figures_that_count) and the latencies the one that is off most; a latency's figure is the
  /// time.
  WorstFigure worst_error(const Scenario& scenario) const;
  /// The same of figures whose errors are above the target, for half of it at least because of these errors of steps: what
  /// layers differ by, and chance, do not become less with more steps. Of a class the errors must be a tenth of the target
  /// as a share of the whole run too.
  WorstFigure worst_worth_simulating(const RunErrors& steps, const Scenario& scenario) const;
  /// What the figures of the other are off by, and of the latencies means and percentiles.
  RunErrors difference(const Collector& other, const Scenario& scenario) const;

  /// Fills what follows from the sums: tokens, latencies, bandwidth, channels, units, operations, energy.
  void report(const Scenario& scenario, bool single_linear, const std::vector<ChannelFacts>& channels,
              RunResult& result);
  const BandwidthBins& series() const { return series_; }

 private:
  void count(const StepOutcome& step);
  void spread(const Totals& totals, double begin_s, double end_s);
  WorstFigure worst_of(const RunErrors& errors, const Scenario& scenario) const;
  void report_errors(const Scenario& scenario, bool single_linear, RunResult& result) const;

  Totals totals_, spread_, simulated_;
  std::vector<double> stage_busy_ps_;
  BandwidthBins series_;
  std::optional<StepBounds> bounds_;
  RunErrors errors_;
  double seconds_ = 0, worst_step_ = 0;  // worst_step_: relative spread of the time of the worst step
  std::uint64_t steps_ = 0, prompt_tokens_ = 0, output_tokens_ = 0;
  Samples per_token_, first_token_, end_to_end_;
};

}  // namespace harmonia::testbench
