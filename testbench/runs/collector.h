// What a run amounts to: the sums that workloads feed, step by step, and the figures of a result made of them.
//
// Models: totals over steps with weights, bytes over time, latencies, tokens, and how sure all that is; which step comes
//   nearest to its bounds.
// Does not model: other checks (checks.h); what only one workload reports (Workload::report).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "harmonia/testbench/results/percentiles.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/bandwidth_bins.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/runs/figures.h"
#include "harmonia/testbench/runs/step_outcome.h"

namespace harmonia::testbench {

class Collector {
 public:
  /// `series`: empty bins of the run's bandwidth series.
  explicit Collector(BandwidthBins series) : series_(std::move(series)) {}
  /// Steps are held to these bounds from now on.
  void hold_to(const StepBounds& bounds) { bounds_ = bounds; }

  /// A step that begins when the one before ended.
  void add(const StepOutcome& step);
  /// A step of a time line that the workload keeps, in seconds. Steps that are only interpolated are spread over their
  /// time with spread() and counted at the end with add_weighted().
  void add(const StepOutcome& step, double begin_s, double end_s);
  void spread(std::size_t channel, double begin_s, double end_s, const BandwidthBins::Bytes& bytes);
  void add_weighted(const Totals& totals, double weight);
  /// A step that is only interpolated: what the formulas say of it, and the time that it is said to take.
  void bound_step(const accelerator::Expected& expected, double seconds);
  /// Tokens of a step.
  void count_step(std::uint64_t prompt_tokens, std::uint64_t output_tokens);
  /// Latencies in seconds, of `count` sequences at once.
  void time_per_token(double s, std::uint64_t count = 1) { per_token_.add(s, count); }
  void time_to_first_token(double s, std::uint64_t count = 1) { first_token_.add(s, count); }
  void end_to_end(double s, std::uint64_t count = 1) { end_to_end_.add(s, count); }
  /// The relative error of the time where it is not the largest one of the added steps.
  void set_error(double error) { error_ = error; }
  /// Time of a run that has a time line of its own.
  void set_seconds(double s) { seconds_ = s; }

  double seconds() const { return seconds_; }
  const Totals& totals() const { return totals_; }
  std::vector<CheckResult> step_checks() const { return bounds_ ? bounds_->checks() : std::vector<CheckResult>{}; }

  /// Fills what follows from the sums: tokens, latencies, bandwidth, channels, units, operations, energy.
  void report(const Scenario& scenario, bool single_linear, const std::vector<ChannelFacts>& channels,
              RunResult& result);
  const BandwidthBins& series() const { return series_; }

 private:
  void count(const StepOutcome& step);
  void spread(const Totals& totals, double begin_s, double end_s);

  Totals totals_;
  BandwidthBins series_;
  std::optional<StepBounds> bounds_;
  double seconds_ = 0, error_ = 0;
  std::uint64_t steps_ = 0, prompt_tokens_ = 0, output_tokens_ = 0;
  Samples per_token_, first_token_, end_to_end_;
};

}  // namespace harmonia::testbench
