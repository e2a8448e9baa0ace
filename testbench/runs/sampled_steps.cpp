#include "harmonia/testbench/runs/sampled_steps.h"

#include <algorithm>
#include <cmath>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/runs/attention_demand.h"

namespace harmonia::testbench {

SampledSteps::SampledSteps(const Scenario& scenario, const accelerator::MemoryMap& map, StepSource& source)
    : scenario_(scenario),
      map_(map),
      source_(source),
      chip_(accelerator::on_chip(scenario.accelerator)),
      peak_(peak_rates(scenario.accelerator)),
      rows_on_chip_(accelerator::rows_on_chip(scenario.model, chip_)),
      cost_(feature_weights()) {}

// ------------------------------------------------------------------------------------------------------------- costs

/// Empty where the step is to be simulated.
StepCost::Mix SampledSteps::mix_of(const StepFeatures& features) const {
  StepCost::Mix mix = cost_.interpolate(features);
  // With no room for further points those stand by that did before nearer ones were asked for.
  if (mix.empty() && points_.size() >= most_points_) mix = cost_.interpolate_widely(features);
  return mix;
}

SampledSteps::Cost SampledSteps::cost(const Parts& parts, const accelerator::StepWork& work) {
  const StepFeatures features = features_of(parts, work);
  const StepCost::Mix mix = mix_of(features);
  const bool same = mix.size() == 1 && features_[mix.front().first] == features;
  if (same) return {points_[mix.front().first], true};
  const bool hold_out = !mix.empty() && predictions_ == next_held_out_ && points_.size() < most_points_;
  if (!mix.empty()) ++predictions_;
  if (hold_out) next_held_out_ = predictions_ + predictions_ / 2;
  if (!mix.empty() && !hold_out) {
    Totals formulas;
    formulas.expect(source_.expected(work));
    return {sum_of(mix, formulas), false};
  }
  points_.push_back(source_.simulate(work));
  features_.push_back(features);
  cost_.add(features);
  return {points_.back(), true};
}

StepOutcome SampledSteps::predicted(const Parts& parts, const accelerator::StepWork& work) const {
  const StepFeatures features = features_of(parts, work);
  StepCost::Mix mix = mix_of(features);
  if (mix.empty()) mix = cost_.closest(features);
  Totals formulas;
  formulas.expect(source_.expected(work));
  return sum_of(mix, formulas);
}

StepOutcome SampledSteps::sum_of(const StepCost::Mix& mix, const Totals& formulas) const {
  StepOutcome sum;
  for (const auto& [point, weight] : mix) sum.add(points_[point], weight);
  follow_formulas(sum.totals, formulas, peak_);
  return sum;
}

// ------------------------------------------------------------------------------------------------------------ errors

HeldOut SampledSteps::held_out() const {
  HeldOut held;
  for (StepCost::Point p = 0; p < points_.size(); ++p) {
    const StepCost::Mix mix = cost_.interpolate(features_[p], p);
    if (mix.empty()) continue;
    const Totals& simulated = points_[p].totals;
    held.add(p, error_figures(sum_of(mix, simulated).totals, scenario_), error_figures(simulated, scenario_));
  }
  return held;
}

bool SampledSteps::refine(std::size_t figure) {
  if (most_points_ == ~std::size_t{0}) most_points_ = points_.size() + std::max<std::size_t>(8, points_.size() / 2);
  if (points_.size() >= most_points_) return false;
  bool asked = false;
  for (const std::size_t point : held_out().worst(figure)) asked = cost_.narrow(point) || asked;
  return asked;
}

// ---------------------------------------------------------------------------------------------------------- features

FeatureWeights SampledSteps::feature_weights() const {
  const accelerator::AcceleratorConfig& c = scenario_.accelerator;
  const double peak = accelerator::peak_bandwidth(c);
  const double groups_per_s = 32.0 * c.pe.rows * c.pe.cols * c.clock_mhz * 1e6;
  FeatureWeights w;
  for (std::size_t l = 0; l < map_.layers.size(); ++l)
    for (const accelerator::ModelTensor tensor :
         accelerator::layer_graph(scenario_.model, static_cast<int>(l)).layer_matrices()) {
      const accelerator::TensorPlace& t = map_.layers[l].matrix[tensor];
      w.step += static_cast<double>(t.bytes()) / peak;
      w.row += static_cast<double>(t.rows) * static_cast<double>(t.k) / groups_per_s;
    }
  w.head = static_cast<double>(map_.lm_head.bytes()) / peak;
  w.output = static_cast<double>(map_.lm_head.rows) * static_cast<double>(map_.lm_head.k) / groups_per_s;
  return w;
}

StepFeatures SampledSteps::features_of(const Parts& parts, const accelerator::StepWork& work) const {
  StepFeatures f;
  accelerator::StepWork decoding;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    f.rows += static_cast<double>(parts[i].tokens);
    f.outputs += parts[i].token_out ? 1 : 0;
    if (!parts[i].prefill) decoding.sequences.push_back(work.sequences[i]);
  }
  f.array_rows = array_rows(f.rows);
  f.array_outputs = array_rows(f.outputs);
  f.decoding = decoding.sequences.empty() ? 0 : attention_demand(decoding);
  f.prompts = decoding.sequences.size() == parts.size() ? 0 : std::max(0.0, attention_demand(work) - f.decoding);
  f.on_chip = work.tokens() <= rows_on_chip_;
  return f;
}

/// A token takes a row of the array; rows without one either take part of the columns of the others or idle.
double SampledSteps::array_rows(double tokens) const {
  const pe::Config& pe = scenario_.accelerator.pe;
  if (tokens <= 0) return 0;
  const double whole = std::ceil(tokens / pe.rows) * pe.rows;
  return pe.spread_idle_rows && tokens < pe.rows ? whole / std::floor(pe.rows / tokens) : whole;
}

double SampledSteps::attention_demand(const accelerator::StepWork& work) const {
  const accelerator::AcceleratorConfig& config = scenario_.accelerator;
  return attention_seconds(scenario_.model, map_.kv.policy(), chip_, work, accelerator::peak_bandwidth(config),
                           static_cast<double>(config.pe.rows) * config.pe.cols * config.clock_mhz * 1e6);
}

}  // namespace harmonia::testbench
