#include "harmonia/testbench/runs/sampler.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::testbench {

// ------------------------------------------------------------------------------------------------------------- steps

StepSeries::StepSeries(std::uint64_t steps, std::uint64_t most) : steps_(steps), most_(most) {
  if (most < 2 && most < steps) throw std::invalid_argument("two steps of a series must be simulated at least");
}

std::uint64_t StepSeries::simulated_step(std::uint64_t i) const {
  return steps_ <= most_ ? i : i * (steps_ - 1) / (most_ - 1);
}

void StepSeries::run(const Simulate& simulate, const Take& take) const {
  StepOutcome before;
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < simulated(); ++i) {
    const std::uint64_t at = simulated_step(i);
    const StepOutcome after = simulate(at);
    const std::uint64_t first = next;
    for (; next <= at; ++next) {
      const double share = next == at ? 1 : static_cast<double>(next - first + 1) / static_cast<double>(at - first + 1);
      take(next, interpolate(before, after, share));
    }
    before = after;
  }
}

StepOutcome interpolate(const StepOutcome& before, const StepOutcome& after, double share) {
  StepOutcome between;
  between.totals.add(after.totals, share);
  if (share != 1) between.totals.add(before.totals, 1 - share);
  between.error = after.error;
  return between;
}

StepSeries sampled_series(const FidelityConfig& fidelity, std::uint64_t steps) {
  if (fidelity.mode == FidelityMode::full) return {steps, steps};
  return {steps, std::max<std::uint64_t>(2, static_cast<std::uint64_t>(fidelity.sample_steps))};
}

// ------------------------------------------------------------------------------------------------------------ layers

LayerSample::LayerSample(const FidelityConfig& fidelity, const accelerator::ModelShape& shape, bool single_linear)
    : layers_(static_cast<std::uint32_t>(shape.num_hidden_layers)),
      all_layers_(layers_),
      vocabulary_(static_cast<std::uint64_t>(shape.vocab_size)) {
  if (fidelity.mode == FidelityMode::sampled && !single_linear)
    layers_ = std::min(all_layers_, static_cast<std::uint32_t>(fidelity.sample_layers));
}

namespace {

/// What was extrapolated although the formulas know it: bytes and operations become theirs, and bytes at the pins and
/// bursts go with the bytes that were asked for.
void scale_to_expected(Totals& t) {
  for (std::size_t k = 0; k < kTrafficClasses; ++k) {
    const double extrapolated = t.bytes_of(k);
    if (extrapolated <= 0) continue;
    const double factor = t.expected_bytes[k] / extrapolated;
    for (ChannelTotals& c : t.channels) {
      c.request_bytes[k] *= factor;
      c.pin_bytes[k] *= factor;
    }
  }
  t.macs = t.expected_macs;
  t.slots = t.expected_slots;
}

}  // namespace

StepOutcome LayerSample::whole_step(const Totals& simulated, const std::vector<Totals>& marks,
                                    const accelerator::Expected& expected) const {
  StepOutcome outcome;
  outcome.totals = simulated;
  // The first layer also fills the pipeline; those after it are alike.
  const std::uint32_t first = 2;
  const double counted = layers_ - first + 1;
  const Totals layer_sum = marks[layers_] - marks[first - 1];
  double least = 1e300, most = 0;
  for (std::uint32_t i = layers_ == 2 ? 1 : first; i <= layers_; ++i) {
    const double d = marks[i].time_ps - marks[i - 1].time_ps;
    least = std::min(least, d);
    most = std::max(most, d);
  }
  const double added = all_layers_ - layers_;
  outcome.totals.add(layer_sum, added / counted);
  // Of three pieces of lm_head the middle one has no beginning and no end.
  if (marks.size() == layers_ + 4) {
    const double pieces = static_cast<double>(vocabulary_) / kHeadColumns;
    outcome.totals.add(marks[layers_ + 2] - marks[layers_ + 1], pieces - 3);
  }
  const double mean = layer_sum.time_ps / counted;
  outcome.error = mean > 0 ? (most - least) / mean * (added * mean / outcome.totals.time_ps) : 0;
  outcome.totals.expect(expected);
  scale_to_expected(outcome.totals);
  return outcome;
}

}  // namespace harmonia::testbench
