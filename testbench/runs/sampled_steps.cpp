#include "harmonia/testbench/runs/sampled_steps.h"

#include <algorithm>
#include <cmath>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/files/progress.h"
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

namespace {

StepCost::Prediction itself(StepCost::Point point) { return {{{point, 1.0}}, {}, 0}; }

}  // namespace

SampledSteps::Cost SampledSteps::cost(const Parts& parts, const accelerator::StepWork& work) {
  const StepFeatures features = features_of(parts, work);
  StepCost::Point same = cost_.same(features);
  if (same == StepCost::kNone && whole_ && points_.size() < budget_) {
    simulate({features, work});
    same = points_.size() - 1;
  }
  // Steps with the same features may have other bytes, which follow from where in a group of tokens each sequence is.
  if (same != StepCost::kNone) return {sum_of(itself(same), source_.formulas(work)), true};
  const StepCost::Prediction p = cost_.predict(features);
  for (const auto& [point, weight] : p.mix) {
    used_[point] += weight;
    dissimilar_[point] += weight * p.dissimilarity;
  }
  Cost cost{sum_of(p, source_.formulas(work)), false};
  kinds_.add(features, cost_.vector_of(features), work, cost.outcome.totals.seconds());
  return cost;
}

StepOutcome SampledSteps::predicted(const Parts& parts, const accelerator::StepWork& work,
                                    const std::vector<double>& off) const {
  const StepFeatures features = features_of(parts, work);
  const StepCost::Point same = cost_.same(features);
  const StepCost::Prediction p = same != StepCost::kNone ? itself(same) : cost_.predict(features);
  StepOutcome outcome = sum_of(p, source_.formulas(work));
  if (!off.empty()) {
    const double factor = factor_of(p.mix, off);
    outcome.totals.time_ps *= factor;
    outcome.pipeline.scale_busy(factor);
  }
  return outcome;
}

/// The mean of the points' factors, by the time that they have in the mix.
double SampledSteps::factor_of(const StepCost::Mix& mix, const std::vector<double>& off) const {
  double sum = 0, all = 0;
  for (const auto& [point, weight] : mix) {
    const double time = weight * points_[point].totals.time_ps;
    sum += time * off[point];
    all += time;
  }
  return all > 0 ? sum / all : 1;
}

StepOutcome SampledSteps::sum_of(const StepCost::Prediction& prediction, const StepOutcome& formulas) const {
  StepOutcome sum;
  for (const auto& [point, weight] : prediction.mix) sum.add(points_[point], weight);
  // Every step has as many all-reduces: behind the embedding, and twice a layer.
  if (!points_.empty()) sum.totals.all_reduces = points_.front().totals.all_reduces;
  follow_formulas(sum.totals, formulas.totals, peak_, prediction.demand);
  if (const double busy = sum.pipeline.mean_busy_ps(); busy > 0) {
    sum.pipeline.scale_busy(sum.totals.time_ps / busy);
    sum.pipeline.hop_ps = formulas.pipeline.hop_ps;
  }
  return sum;
}

// -------------------------------------------------------------------------------------------------------------- plan

namespace {

/// Share of the time, weighted by dissimilarity, at which the simulated steps represent the trace well enough.
constexpr double kRepresented = 0.01;
/// Traffic whose simulation is a matter of seconds.
constexpr double kFewBytes = 8e9;

/// What it takes to simulate a step of the kind is as its time; a step is wanted the less the longer that is.
double effort(const StepKinds::Kind& kind) { return std::sqrt(kind.seconds / static_cast<double>(kind.steps)); }

double binary_logarithm(std::uint64_t n) { return std::log2(static_cast<double>(std::max<std::uint64_t>(1, n))); }

}  // namespace

std::size_t SampledSteps::budget_of(std::uint64_t steps) {
  return 8 + static_cast<std::size_t>(2 * binary_logarithm(steps));
}

void SampledSteps::plan(const SchedulePass& schedule) {
  StepKinds kinds = kinds_of(schedule);
  steps_ = kinds.steps();
  budget_ = budget_of(steps_);
  whole_ = kinds.steps() <= budget_;
  if (whole_) return;
  // With a few simulated the trace is known better.
  choose_most_dissimilar(kinds, budget_ / 3);
  kinds = kinds_of(schedule);
  choose_most_dissimilar(kinds, budget_ * 2 / 3);
  hold_out(kinds, 2 + (quick() ? static_cast<std::size_t>(binary_logarithm(kinds.steps()) / 4) : 0));
  planned_ = points_.size();
}

/// In the time that memory and array need at least, all stages of a pipeline alike.
StepOutcome SampledSteps::least(const accelerator::StepWork& work) const {
  StepOutcome step = source_.formulas(work);
  step.totals.time_ps = step_bound_ps(step.totals, peak_);
  std::fill(step.pipeline.busy_ps.begin(), step.pipeline.busy_ps.end(), step.totals.time_ps);
  return step;
}

/// At these times while nothing was simulated.
StepKinds SampledSteps::kinds_of(const SchedulePass& schedule) const {
  StepKinds kinds;
  schedule([&](const Parts& parts, const accelerator::StepWork& work) {
    StepOutcome outcome;
    if (points_.empty())
      outcome = least(work);
    else
      outcome = predicted(parts, work);
    const StepFeatures features = features_of(parts, work);
    kinds.add(features, cost_.vector_of(features), work, outcome.totals.seconds());
    return outcome;
  });
  return kinds;
}

void SampledSteps::choose_most_dissimilar(const StepKinds& kinds, std::size_t most) {
  Progress progress("steps simulated", static_cast<double>(budget_));
  while (points_.size() < most) {
    progress.update(static_cast<double>(points_.size()));
    const StepKinds::Kind* most_dissimilar = nullptr;
    double all = 0, largest = 0;
    for (const StepKinds::Kind& kind : kinds.kinds()) {
      if (cost_.same(kind.first.features) != StepCost::kNone) continue;
      const double dissimilarity = kind.seconds * cost_.predict(kind.first.features).dissimilarity;
      all += dissimilarity;
      if (dissimilarity <= largest * effort(kind)) continue;
      largest = dissimilarity / effort(kind);
      most_dissimilar = &kind;
    }
    const bool represented = (points_.size() >= budget_ / 3 || !quick()) && all < kRepresented * kinds.seconds();
    if (most_dissimilar == nullptr || represented) return;
    simulate(most_dissimilar->first);
  }
}

/// Steps at even distances of the time that all take, kind by kind.
void SampledSteps::hold_out(const StepKinds& kinds, std::size_t count) {
  Progress progress("steps simulated", static_cast<double>(budget_));
  double passed = 0, next = 0.5;
  for (const StepKinds::Kind& kind : kinds.kinds()) {
    progress.update(static_cast<double>(points_.size()));
    passed += kind.seconds * static_cast<double>(count) / kinds.seconds();
    if (passed < next) continue;
    next = std::floor(passed + 0.5) + 0.5;
    if (cost_.same(kind.midst.features) == StepCost::kNone) simulate(kind.midst);
  }
}

void SampledSteps::simulate(const StepKinds::Step& step) {
  points_.push_back(source_.simulate(step.work));
  for (ClassTotals& c : points_.back().totals.classes) c.bound_ps = bound_ps(c, peak_);
  features_.push_back(step.features);
  cost_.add(step.features);
  used_.push_back(0);
  dissimilar_.push_back(0);
}

void SampledSteps::begin() {
  kinds_ = {};
  used_.assign(points_.size(), 0);
  dissimilar_.assign(points_.size(), 0);
}

// ------------------------------------------------------------------------------------------------------------ errors

HeldOut SampledSteps::held_out() const {
  HeldOut held;
  if (points_.size() < 2) return held;
  for (StepCost::Point p = 0; p < points_.size(); ++p) {
    const Totals& simulated = points_[p].totals;
    held.add(used_[p], error_figures(sum_of(prediction_without(p), points_[p]).totals, scenario_),
             error_figures(simulated, scenario_));
  }
  return held;
}

/// At least as dissimilar to what it is predicted from as the steps are that were predicted from it: those that would make it
/// less so are left out too, the nearest first.
StepCost::Prediction SampledSteps::prediction_without(StepCost::Point point) const {
  std::vector<bool> without(points_.size(), false);
  without[point] = true;
  const double usual = used_[point] > 0 ? dissimilar_[point] / used_[point] : 0;
  StepCost::Prediction prediction = cost_.predict(features_[point], without);
  while (prediction.dissimilarity < usual) {
    const auto most = std::max_element(prediction.mix.begin(), prediction.mix.end(), [&](const auto& a, const auto& b) {
      return a.second * points_[a.first].totals.time_ps < b.second * points_[b.first].totals.time_ps;
    });
    without[most->first] = true;
    StepCost::Prediction farther = cost_.predict(features_[point], without);
    if (farther.mix.empty()) break;
    prediction = std::move(farther);
  }
  return prediction;
}

bool SampledSteps::refine(std::size_t figure) {
  const std::size_t most = most_points();
  Progress progress("steps simulated", static_cast<double>(most));
  bool added = false;
  while (points_.size() < most_points()) {
    progress.update(static_cast<double>(points_.size()));
    const HeldOut held = held_out();
    if (added && held.error(figure) <= kErrorTarget / 2) break;
    const StepKinds::Step* worst = worst_step(held, figure);
    if (worst == nullptr) break;
    simulate(*worst);
    added = true;
  }
  return added;
}

bool SampledSteps::quick() const { return source_.simulated().pin_bytes() < kFewBytes; }

/// A third more than planned, and while that is quick a third more than the budget.
std::size_t SampledSteps::most_points() const {
  return std::max(planned_ + std::max<std::size_t>(3, planned_ / 3), quick() ? budget_ + budget_ / 3 : 0);
}

/// Of the kind whose predictions are off most together, for what a step of it takes to simulate.
const StepKinds::Step* SampledSteps::worst_step(const HeldOut& held, std::size_t figure) const {
  const StepKinds::Step* worst = nullptr;
  double largest = 0;
  for (const StepKinds::Kind& kind : kinds_.kinds()) {
    const bool midst = cost_.same(kind.midst.features) == StepCost::kNone;
    if (!midst && cost_.same(kind.first.features) != StepCost::kNone) continue;
    double off = 0;
    for (const auto& [point, weight] : cost_.predict(kind.midst.features).mix)
      off += static_cast<double>(kind.steps) * weight * held.off(point, figure);
    off /= effort(kind);
    if (off <= largest) continue;
    largest = off;
    worst = midst ? &kind.midst : &kind.first;
  }
  return worst;
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
