#include "harmonia/testbench/runs/collector.h"

#include <algorithm>

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
  error_ = std::max(error_, step.error);
}

void Collector::spread(const Totals& totals, double begin_s, double end_s) {
  for (std::size_t i = 0; i < totals.channels.size(); ++i) series_.add(i, begin_s, end_s, totals.channels[i].pin_bytes);
}

void Collector::spread(std::size_t channel, double begin_s, double end_s, const BandwidthBins::Bytes& bytes) {
  series_.add(channel, begin_s, end_s, bytes);
}

void Collector::add_weighted(const Totals& totals, double weight) { totals_.add(totals, weight); }

void Collector::bound_step(const accelerator::Expected& expected, double seconds) {
  if (!bounds_) return;
  Totals by_formula;
  by_formula.expect(expected);
  bounds_->add(by_formula, seconds);
}

void Collector::count_step(std::uint64_t prompt_tokens, std::uint64_t output_tokens) {
  ++steps_;
  prompt_tokens_ += prompt_tokens;
  output_tokens_ += output_tokens;
}

void Collector::report(const Scenario& s, bool single_linear, const std::vector<ChannelFacts>& channels,
                       RunResult& result) {
  result.simulated_seconds = seconds_;
  result.steps = steps_;
  result.prompt_tokens = prompt_tokens_;
  result.output_tokens = output_tokens_;
  result.output_tokens_per_s = seconds_ > 0 ? static_cast<double>(output_tokens_) / seconds_ : 0;
  result.fidelity.steps_total = steps_;
  result.fidelity.error_estimate = error_;
  result.latency.time_per_output_token_s = per_token_.distribution();
  result.latency.time_to_first_token_s = first_token_.distribution();
  result.latency.end_to_end_s = end_to_end_.distribution();

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
}

}  // namespace harmonia::testbench
