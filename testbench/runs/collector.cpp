#include "harmonia/testbench/runs/collector.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/runs/energy.h"

namespace harmonia::testbench {

void Collector::add(const StepOutcome& step) {
  const double begin = seconds_;
  count(step);
  seconds_ = totals_.seconds();
  spread(step.totals, begin, seconds_);
}

void Collector::add(const StepOutcome& step, double begin_s, double end_s) {
  count(step);
  spread(step.totals, begin_s, end_s);
}

void Collector::count(const StepOutcome& step) {
  totals_ += step.totals;
  if (bounds_) bounds_->add(step.totals, step.totals.seconds());
  spread_ += step.spread;
  stage_busy_ps_.resize(std::max(stage_busy_ps_.size(), step.pipeline.stages));
  for (std::size_t s = 0; s < step.pipeline.stages; ++s)
    for (std::size_t m = 0; m < step.pipeline.batches; ++m) stage_busy_ps_[s] += step.pipeline.busy(s, m);
  if (step.totals.time_ps > 0) worst_step_ = std::max(worst_step_, step.spread.time_ps / step.totals.time_ps);
}

void Collector::spread(const Totals& totals, double begin_s, double end_s) {
  for (std::size_t i = 0; i < totals.channels.size(); ++i) series_.add(i, begin_s, end_s, totals.channels[i].pin_bytes);
}

void Collector::count_step(std::uint64_t prompt_tokens, std::uint64_t output_tokens) {
  ++steps_;
  prompt_tokens_ += prompt_tokens;
  output_tokens_ += output_tokens;
}

// ------------------------------------------------------------------------------------------------------------ errors

RunErrors Collector::errors(const Scenario& s) const {
  const std::vector<double> figures = error_figures(totals_, s), spread = error_figures(spread_, s);
  RunErrors all = errors_;
  all.figures.resize(figures.size());
  for (std::size_t f = 0; f < figures.size(); ++f) {
    if (figures[f] <= 0) continue;
    all.figures[f] += std::abs(spread[f]) / figures[f] + chance(f, simulated_, s);
  }
  if (!all.latencies) {
    const double of_steps = errors_.figures.empty() ? 0 : errors_.figures[kTimeFigure];
    all.first_token = all.per_token = all.end_to_end = of_steps + worst_step_;
  }
  const auto chance_in = [&](const Samples& samples) {
    return samples.count() == 0 ? 0 : refresh_noise(s.accelerator, samples.distribution().mean);
  };
  all.first_token += chance_in(first_token_);
  // The tokens of a request are a stretch of time together, where the steps of each are not the same for all.
  all.per_token += chance_in(all.latencies ? end_to_end_ : per_token_);
  all.end_to_end += chance_in(end_to_end_);
  // More than everything says no more than that nothing is known.
  for (double& error : all.figures) error = std::min(1.0, error);
  for (double* error : {&all.first_token, &all.per_token, &all.end_to_end}) *error = std::min(1.0, *error);
  return all;
}

WorstFigure Collector::worst_error(const Scenario& s) const { return worst_of(errors(s), s); }

WorstFigure Collector::worst_worth_simulating(const RunErrors& steps, const Scenario& s) const {
  const std::vector<double> figures = error_figures(totals_, s);
  RunErrors worth = errors(s);
  const auto consider = [](double& error, double of_steps) {
    if (error <= kErrorTarget || of_steps < kErrorTarget / 2) error = 0;
  };
  for (std::size_t f = 0; f < worth.figures.size(); ++f) {
    const double of_steps = f < steps.figures.size() ? steps.figures[f] : 0;
    consider(worth.figures[f], of_steps);
    if (error_of_run(f, of_steps, figures) < kErrorTarget / 10) worth.figures[f] = 0;
  }
  consider(worth.first_token, steps.first_token);
  consider(worth.per_token, steps.per_token);
  consider(worth.end_to_end, steps.end_to_end);
  return worst_of(worth, s);
}

WorstFigure Collector::worst_of(const RunErrors& all, const Scenario& s) const {
  const std::vector<bool> counts = figures_that_count(error_figures(totals_, s));
  WorstFigure worst;
  const auto consider = [&worst](std::size_t figure, double error) {
    if (error > worst.error) worst = {figure, error};
  };
  for (std::size_t f = 0; f < all.figures.size(); ++f)
    if (counts[f]) consider(f, all.figures[f]);
  if (first_token_.count() > 0) consider(kTimeFigure, all.first_token);
  if (per_token_.count() > 0) consider(kTimeFigure, all.per_token);
  if (end_to_end_.count() > 0) consider(kTimeFigure, all.end_to_end);
  return worst;
}

namespace {

double relative(double value, double reference) { return reference > 0 ? std::abs(value / reference - 1) : 0; }

double difference(const Samples& a, const Samples& b) {
  const Distribution mine = a.distribution(), its = b.distribution();
  return std::max({relative(its.mean, mine.mean), relative(its.p50, mine.p50), relative(its.p95, mine.p95),
                   relative(its.p99, mine.p99)});
}

}  // namespace

RunErrors Collector::difference(const Collector& other, const Scenario& s) const {
  const std::vector<double> mine = error_figures(totals_, s), its = error_figures(other.totals_, s);
  RunErrors off;
  for (std::size_t f = 0; f < mine.size(); ++f) off.figures.push_back(relative(its[f], mine[f]));
  off.latencies = true;
  off.first_token = testbench::difference(first_token_, other.first_token_);
  off.per_token = testbench::difference(per_token_, other.per_token_);
  off.end_to_end = testbench::difference(end_to_end_, other.end_to_end_);
  return off;
}

void Collector::report_errors(const Scenario& s, bool single_linear, RunResult& result) const {
  const RunErrors all = errors(s);
  const std::vector<double> figures = error_figures(totals_, s);
  std::vector<EstimatedError>& stated = result.fidelity.estimated_errors;
  for (std::size_t f = 0; f < figures.size(); ++f)
    if (figures[f] > 0) stated.push_back({figure_path(f, single_linear), all.figures[f]});
  const auto latency = [&stated](const char* name, const Samples& samples, double error) {
    if (samples.count() > 0) stated.push_back({std::string("latency.") + name, error});
  };
  latency("time_to_first_token_s", first_token_, all.first_token);
  latency("time_per_output_token_s", per_token_, all.per_token);
  latency("end_to_end_s", end_to_end_, all.end_to_end);
  result.fidelity.error_estimate = worst_error(s).error;
  if (result.fidelity.error_estimate <= kErrorTarget) return;
  std::string above;
  for (const EstimatedError& e : stated)
    if (e.error > kErrorTarget) above += (above.empty() ? "" : ", ") + e.figure + " " + percent(e.error);
  result.notices.push_back("estimated errors above the 5 % that sampling aims at: " + above +
                           "; `fidelity.mode: full` simulates every step");
}

// ------------------------------------------------------------------------------------------------------------ report

void Collector::report(const Scenario& s, bool single_linear, const std::vector<ChannelFacts>& channels,
                       RunResult& result) {
  result.simulated_seconds = seconds_;
  result.steps = steps_;
  result.prompt_tokens = prompt_tokens_;
  result.output_tokens = output_tokens_;
  result.output_tokens_per_s = seconds_ > 0 ? static_cast<double>(output_tokens_) / seconds_ : 0;
  result.fidelity.steps_total = steps_;
  result.latency.time_per_output_token_s = per_token_.distribution();
  result.latency.time_to_first_token_s = first_token_.distribution();
  result.latency.end_to_end_s = end_to_end_.distribution();

  if (s.fidelity.mode == FidelityMode::sampled) report_errors(s, single_linear, result);
  totals_.channels.resize(channels.size());
  result.bandwidth = bandwidth_of(totals_, accelerator::peak_bandwidth(s.accelerator), seconds_);
  for (std::size_t i = 0; i < channels.size(); ++i)
    result.channels.push_back(channel_of(totals_.channels[i], channels[i], seconds_));
  result.units = units_of(totals_, seconds_ * s.accelerator.clock_mhz * 1e6);
  result.operations = operations_of(totals_, s, single_linear);
  result.limits = limits_of(result.operations, seconds_);
  result.bound = bound_of(result.limits);
  result.energy = energy_of(totals_, s.accelerator, seconds_);
  const auto tokens = static_cast<double>(counted_tokens(result));
  result.energy.per_token_j = tokens > 0 ? result.energy.total_j / tokens : 0;
  if (totals_.experts.experts > 0 && tokens > 0) result.mixture = mixture_of(totals_, s.model, tokens);
}

}  // namespace harmonia::testbench
