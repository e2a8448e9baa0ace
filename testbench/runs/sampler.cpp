#include "harmonia/testbench/runs/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/model/layer_graph.h"

namespace harmonia::testbench {

// ------------------------------------------------------------------------------------------------------------- steps

StepSeries::StepSeries(std::uint64_t steps, std::uint64_t most) : steps_(steps), most_(most) {
  if (most < 2 && most < steps) throw std::invalid_argument("two steps of a series must be simulated at least");
}

std::uint64_t StepSeries::simulated_step(std::uint64_t i) const {
  return steps_ <= most_ ? i : i * (steps_ - 1) / (most_ - 1);
}

bool StepSeries::inside(const Outcomes& outcomes, Place place) {
  return place != outcomes.begin() && std::next(place) != outcomes.end();
}

StepSeries::Predicted StepSeries::predicted(Place place) {
  const Place before = std::prev(place), after = std::next(place);
  const double share =
      static_cast<double>(place->first - before->first) / static_cast<double>(after->first - before->first);
  return {interpolate(before->second, after->second, share).totals, place->second.totals};
}

/// The step that is off most, of those that have steps beside them to simulate; steps_ when none is off too much.
std::uint64_t StepSeries::worst(const Outcomes& outcomes, const Off& off) const {
  std::uint64_t at = steps_;
  double most = kErrorTarget;
  for (Place i = outcomes.begin(); i != outcomes.end(); ++i) {
    if (!inside(outcomes, i) || std::next(i)->first - std::prev(i)->first <= 2) continue;
    const double error = off(predicted(i));
    if (error > most) {
      most = error;
      at = i->first;
    }
  }
  return at;
}

void StepSeries::take_all(const Outcomes& outcomes, const Take& take) const {
  const StepOutcome* before = nullptr;
  std::uint64_t next = 0;
  for (const auto& [at, after] : outcomes) {
    if (before == nullptr && at > 0) return;
    const std::uint64_t first = next;
    for (; next <= at; ++next) {
      const double share = next == at ? 1 : static_cast<double>(next - first + 1) / static_cast<double>(at - first + 1);
      take(next, next == at ? after : interpolate(*before, after, share));
    }
    before = &after;
  }
}

StepSeries::Held StepSeries::run(const Simulate& simulate, const Take& take, const Off& off) const {
  if (steps_ <= most_) {
    for (std::uint64_t i = 0; i < steps_; ++i) take(i, simulate(i));
    return {};
  }
  Outcomes outcomes;
  try {
    for (std::uint64_t i = 0; i < simulated(); ++i) outcomes.emplace(simulated_step(i), simulate(simulated_step(i)));
    while (outcomes.size() < 4 * most_) {
      const std::uint64_t at = worst(outcomes, off);
      if (at == steps_) break;
      const auto here = outcomes.find(at);
      for (const std::uint64_t middle : {(std::prev(here)->first + at) / 2, (at + std::next(here)->first + 1) / 2})
        if (outcomes.count(middle) == 0) outcomes.emplace(middle, simulate(middle));
    }
  } catch (const Interrupted&) {
    take_all(outcomes, take);
    throw;
  }
  take_all(outcomes, take);
  Held held;
  held.share = 1 - static_cast<double>(outcomes.size()) / static_cast<double>(steps_);
  for (Place i = outcomes.begin(); i != outcomes.end(); ++i)
    if (inside(outcomes, i)) held.steps.push_back(predicted(i));
  return held;
}

double worst_residual(const StepSeries::Predicted& step, const Scenario& s) {
  const std::vector<double> predicted = error_figures(step.predicted, s), simulated = error_figures(step.simulated, s);
  const std::vector<bool> counts = figures_that_count(simulated);
  double worst = 0;
  for (std::size_t f = 0; f < simulated.size(); ++f)
    if (counts[f] && simulated[f] > 0) worst = std::max(worst, std::abs(predicted[f] / simulated[f] - 1));
  return worst;
}

RunErrors errors_of(const StepSeries::Held& held, const Scenario& s) {
  HeldOut all;
  for (std::size_t i = 0; i < held.steps.size(); ++i)
    all.add(i, error_figures(held.steps[i].predicted, s), error_figures(held.steps[i].simulated, s));
  RunErrors errors;
  for (std::size_t f = 0; f < all.figures(); ++f) errors.figures.push_back(held.share * all.error(f));
  return errors;
}

StepOutcome interpolate(const StepOutcome& before, const StepOutcome& after, double share) {
  StepOutcome between;
  between.add(after, share);
  if (share != 1) between.add(before, 1 - share);
  return between;
}

StepSeries sampled_series(const FidelityConfig& fidelity, std::uint64_t steps) {
  if (fidelity.mode == FidelityMode::full) return {steps, steps};
  return {steps, std::max<std::uint64_t>(3, static_cast<std::uint64_t>(fidelity.sample_steps))};
}

// ---------------------------------------------------------------------------------------------------------- formulas

PeakRates peak_rates(const accelerator::AcceleratorConfig& config) {
  const pe::Config& pe = config.pe;
  const double cycles = std::min(pe.linear_cycles_per_group(), pe.attention_cycles_per_group);
  const dram::Config channel = accelerator::channel_config(config);
  return {accelerator::peak_bandwidth(config), 32.0 * pe.rows * pe.cols * config.clock_mhz * 1e6 / cycles,
          1e6 / config.clock_mhz, channel.currents.devices == 0 ? 0 : dram::idle_power_w(channel)};
}

double bound_ps(const ClassTotals& c, const PeakRates& peak) {
  return std::max(
      {1e12 * c.bytes / peak.bytes_per_s, 1e12 * c.macs / peak.macs_per_s, c.compute_cycles * peak.cycle_ps});
}

namespace {

double ratio(double to, double from) { return from > 0 ? to / from : 1; }

/// Of a channel whose bytes of each class were multiplied: everything that goes with bytes.
void follow_bytes(ChannelTotals& c, const std::array<double, kTrafficClasses>& factors, double idle_pj) {
  double before = 0, after = 0;
  for (std::size_t k = 0; k < kTrafficClasses; ++k) {
    before += c.pin_bytes[k];
    c.request_bytes[k] *= factors[k];
    c.pin_bytes[k] *= factors[k];
    after += c.pin_bytes[k];
  }
  const double factor = ratio(after, before);
  for (double* count : {&c.bytes_written, &c.requests, &c.responses, &c.row_hits, &c.row_misses, &c.row_conflicts})
    *count *= factor;
  for (double& commands : c.commands) commands *= factor;
  const double idle = std::min(c.energy_pj, idle_pj);
  c.energy_pj = idle + (c.energy_pj - idle) * factor;
}

void follow_traffic(Totals& t, const Totals& formulas, double idle_pj) {
  std::array<double, kTrafficClasses> factors{};
  for (std::size_t k = 0; k < kTrafficClasses; ++k) factors[k] = ratio(formulas.expected_bytes[k], t.bytes_of(k));
  for (ChannelTotals& c : t.channels) follow_bytes(c, factors, idle_pj);
}

}  // namespace

Totals of_mean_device(const Totals& t, int devices, const PeakRates& peak) {
  if (t.placed.experts <= 0) return t;
  ExpertTotals beyond = t.experts;  // the mean
  beyond.add(t.placed, -1.0 / devices);
  Totals mean = t;
  std::array<double, kTrafficClasses> factors{};
  for (std::size_t k = 0; k < kTrafficClasses; ++k) {
    mean.expected_bytes[k] -= beyond.bytes[k];
    factors[k] = ratio(mean.expected_bytes[k], t.expected_bytes[k]);
  }
  for (ChannelTotals& c : mean.channels) follow_bytes(c, factors, peak.idle_w * t.time_ps);
  mean.experts.add(beyond, -1);
  mean.macs -= beyond.macs;
  mean.slots -= beyond.slots;
  mean.weights -= beyond.weights;
  mean.buffer_bytes -= beyond.buffer_bytes;
  mean.operand_bytes -= beyond.operand_bytes;
  mean.vector_elements -= beyond.results;
  mean.converted -= beyond.converted;
  return mean;
}

namespace {

/// What the array works for the class, over what was predicted.
double array_ratio(std::size_t operation_class, const ClassTotals& predicted, const ClassTotals& formulas,
                   const DemandRatios& demand) {
  using accelerator::OperationClass;
  const double macs = ratio(formulas.macs, predicted.macs);
  switch (static_cast<OperationClass>(operation_class)) {
    case OperationClass::attention_scores:
    case OperationClass::attention_values:
      return demand.attention;
    case OperationClass::lm_head:
      return macs * demand.rows_per_output;
    default:
      return predicted.macs > 0 ? macs * demand.rows_per_token : ratio(formulas.bytes, predicted.bytes);
  }
}

/// The classes share the array's time line, and these have nothing on it: what memory moves for them holds up nobody.
bool on_array(std::size_t operation_class) {
  using accelerator::OperationClass;
  const auto c = static_cast<OperationClass>(operation_class);
  return c != OperationClass::embedding && c != OperationClass::elementwise && c != OperationClass::link &&
         c != OperationClass::bubble;
}

void follow_class(std::size_t operation_class, ClassTotals& c, const ClassTotals& formulas, const PeakRates& peak,
                  double array) {
  const double before = c.bound_ps > 0 ? c.bound_ps : bound_ps(c, peak);
  c.bytes = formulas.bytes;
  c.macs = formulas.macs;
  c.weights = formulas.weights;
  c.weight_buffer_bytes = formulas.weight_buffer_bytes;
  c.kv_buffer_bytes = formulas.kv_buffer_bytes;
  for (double* count : {&c.compute_cycles, &c.vector_ps, &c.tiles, &c.turns}) *count *= array;
  c.bound_ps = bound_ps(c, peak);
  if (before > 0 && c.bound_ps <= 0) c.elapsed_ps = 0;
  if (!on_array(operation_class)) return;
  // What was fetched ahead is so many bytes, not a share of them.
  if (before <= 0)
    c.elapsed_ps = std::max(c.elapsed_ps, c.bound_ps);
  else if (c.elapsed_ps >= before)
    c.elapsed_ps *= c.bound_ps / before;
  else
    c.elapsed_ps = std::max(c.elapsed_ps * std::min(1.0, c.bound_ps / before), c.elapsed_ps + c.bound_ps - before);
}

/// Time and what goes with it.
void scale_time(Totals& t, double factor, const PeakRates& peak) {
  for (ChannelTotals& c : t.channels) c.energy_pj += std::min(c.energy_pj, peak.idle_w * t.time_ps) * (factor - 1);
  t.time_ps *= factor;
  for (double* count : {&t.converted, &t.smoothed, &t.vector_elements, &t.buffer_bytes, &t.operand_bytes})
    *count *= factor;
  for (UnitTotals& u : t.units) {
    u.busy *= factor;
    for (double& waiting : u.waiting) waiting *= factor;
  }
}

/// A unit whose busy time is known waits for the rest of what was accounted to it.
void set_busy(UnitTotals& u, double busy) {
  double waiting = 0;
  for (const double w : u.waiting) waiting += w;
  const double whole = u.busy + waiting;
  u.busy = std::min(busy, whole > 0 ? whole : busy);
  if (waiting <= 0) return;
  for (double& w : u.waiting) w *= (whole - u.busy) / waiting;
}

}  // namespace

double step_bound_ps(const Totals& formulas, const PeakRates& peak) {
  double bytes = 0;
  for (const double of_traffic : formulas.expected_bytes) bytes += of_traffic;
  return 1e12 * std::max(bytes / peak.bytes_per_s, 32 * formulas.expected_slots / peak.macs_per_s);
}

void follow_formulas(Totals& t, const Totals& formulas, const PeakRates& peak, const DemandRatios& demand) {
  follow_traffic(t, formulas, peak.idle_w * t.time_ps);
  ClassTotals before, after;
  const auto add = [](ClassTotals& sum, const ClassTotals& c) {
    sum.elapsed_ps += c.elapsed_ps;
    sum.compute_cycles += c.compute_cycles;
    sum.weights += c.weights;
  };
  for (std::size_t i = 0; i < t.classes.size(); ++i) {
    add(before, t.classes[i]);
    follow_class(i, t.classes[i], formulas.classes[i], peak, array_ratio(i, t.classes[i], formulas.classes[i], demand));
    add(after, t.classes[i]);
  }
  double factor = ratio(after.elapsed_ps, before.elapsed_ps);
  if (const double bound = step_bound_ps(formulas, peak), time = t.time_ps * factor; time > 0 && time < bound) {
    for (ClassTotals& c : t.classes) c.elapsed_ps *= bound / time;
    factor *= bound / time;
  }
  const double cycles = ratio(after.compute_cycles, before.compute_cycles),
               weights = ratio(after.weights, before.weights);
  std::array<double, 2> busy{};  // of array and decoder, in the order of unit_names()
  if (t.units.size() > 1) busy = {t.units[0].busy * cycles, t.units[1].busy * weights};
  scale_time(t, factor, peak);
  for (std::size_t u = 0; u < busy.size() && u < t.units.size(); ++u) set_busy(t.units[u], busy[u]);
  t.weights *= weights;
  t.macs = formulas.expected_macs;
  t.slots = formulas.expected_slots;
  t.expected_bytes = formulas.expected_bytes;
  t.expected_macs = formulas.expected_macs;
  t.mixtures = formulas.mixtures;
  t.experts = formulas.experts;
  t.placed = formulas.placed;
  t.most_experts = formulas.most_experts;
  t.expected_slots = formulas.expected_slots;
  t.reduced_values = formulas.expected_reduced_values;
  t.expected_reduced_values = formulas.expected_reduced_values;
  t.sends = formulas.sends;
  t.sent_values = formulas.sent_values;
  t.sent_bytes = formulas.sent_bytes;
  t.sent_wire_bytes = formulas.sent_wire_bytes;
}

// ------------------------------------------------------------------------------------------------------------ layers

LayerSample::LayerSample(const FidelityConfig& fidelity, const accelerator::ModelShape& shape, bool single_linear)
    : layers_(static_cast<std::uint32_t>(shape.num_hidden_layers)),
      all_layers_(layers_),
      vocabulary_(static_cast<std::uint64_t>(shape.vocab_size)),
      mixtures_(shape.mixture.experts > 0),
      has_head_(!shape.stage_behind) {
  for (const int first : shape.sorts_of_layers()) {
    sorts_.emplace_back();
    for (int l = first; l < shape.num_hidden_layers; ++l)
      if (shape.alike(first, l)) sorts_.back().push_back(static_cast<std::uint32_t>(l));
  }
  if (fidelity.mode != FidelityMode::sampled || single_linear) return;
  // Of the commonest sort so many, and two of each other that has so many.
  layers_ = 0;
  const auto commonest =
      std::max_element(sorts_.begin(), sorts_.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  for (const auto& sort : sorts_) {
    const std::size_t wanted = &sort == &*commonest ? static_cast<std::size_t>(fidelity.sample_layers) : 2;
    layers_ = std::max(layers_, sort[std::min(wanted, sort.size()) - 1] + 1);
  }
}

namespace {

/// Of times, and of what is counted on chip, and energy; bytes and operations become those of the formulas.
void widen(Totals& widest, const Totals& deviation) {
  for (const auto count : {&Totals::time_ps, &Totals::converted, &Totals::smoothed, &Totals::vector_elements,
                           &Totals::buffer_bytes, &Totals::operand_bytes})
    widest.*count = std::max(widest.*count, std::abs(deviation.*count));
  for (std::size_t c = 0; c < widest.classes.size(); ++c)
    widest.classes[c].elapsed_ps = std::max(widest.classes[c].elapsed_ps, std::abs(deviation.classes[c].elapsed_ps));
  widest.channels.resize(deviation.channels.size());
  for (std::size_t c = 0; c < widest.channels.size(); ++c)
    widest.channels[c].energy_pj = std::max(widest.channels[c].energy_pj, std::abs(deviation.channels[c].energy_pj));
}

/// Layers of a mixture read as many experts as their tokens choose, and those that were simulated are not the mean of all. Weights that
/// the formulas have beyond those that were extrapolated are of the feed-forward, whose time, cycles of the array and energy of the
/// memory go with them: an expert of few rows takes the array as long as one of one row. whole: as extrapolated.
void read_as_many_experts(Totals& whole, const Totals& simulated, const Totals& formulas, const PeakRates& peak) {
  using accelerator::OperationClass;
  double all = 0, of_feed_forward = 0, beyond = 0;
  for (std::size_t k = 0; k < kTrafficClasses; ++k) all += whole.bytes_of(k);
  for (const TrafficClass traffic : {TrafficClass::weights, TrafficClass::scales}) {
    const auto k = static_cast<std::size_t>(traffic);
    beyond += formulas.expected_bytes[k] - whole.bytes_of(k);
  }
  constexpr std::array<OperationClass, 2> feed_forward = {OperationClass::gate_up, OperationClass::down};
  for (const OperationClass c : feed_forward) of_feed_forward += simulated.classes[static_cast<std::size_t>(c)].bytes;
  if (of_feed_forward <= 0) return;
  for (const OperationClass c : feed_forward) {
    const auto i = static_cast<std::size_t>(c);
    ClassTotals& t = whole.classes[i];
    ClassTotals read = formulas.classes[i];
    const double before = read.bytes - beyond * simulated.classes[i].bytes / of_feed_forward;
    const double factor = ratio(read.bytes, before);
    t.compute_cycles *= factor;
    t.vector_ps *= factor;
    read.compute_cycles = t.compute_cycles;
    const double elapsed = std::max(t.elapsed_ps * factor, std::min(t.elapsed_ps, bound_ps(read, peak)));
    whole.time_ps += elapsed - t.elapsed_ps;
    t.elapsed_ps = elapsed;
  }
  whole.buffer_bytes += beyond;
  for (ChannelTotals& c : whole.channels) c.energy_pj *= ratio(all + beyond, all);
}

}  // namespace

StepOutcome LayerSample::whole_step(const Totals& simulated, const std::vector<Totals>& marks,
                                    const accelerator::Expected& expected, const PeakRates& peak) const {
  StepOutcome outcome;
  outcome.totals = simulated;
  for (const std::vector<std::uint32_t>& sort : sorts_) {
    std::vector<std::uint32_t> run;
    for (const std::uint32_t layer : sort)
      if (layer < layers_) run.push_back(layer);
    const double added = static_cast<double>(sort.size() - run.size());
    if (added == 0) continue;
    const auto of_layer = [&](std::uint32_t layer) { return marks[layer + 1] - marks[layer]; };
    // The first layer of the model also fills the pipeline.
    const std::size_t first = run.front() == 0 && run.size() > 1 ? 1 : 0;
    Totals mean, deviation;
    for (std::size_t i = first; i < run.size(); ++i)
      mean.add(of_layer(run[i]), 1 / static_cast<double>(run.size() - first));
    const bool alone = run.size() - first == 1;
    for (std::size_t i = alone ? 0 : first; i < run.size(); ++i) widen(deviation, of_layer(run[i]) - mean);
    outcome.totals.add(mean, added);
    // Twice what one of them is off the mean: what the last two of three layers differ by. Of two layers neither lies
    // between others: that much again.
    outcome.spread.add(deviation, (alone ? 4 : 2) * added);
  }
  // Of three pieces of lm_head the middle one has no beginning and no end.
  if (marks.size() == layers_ + 4) {
    const double pieces = static_cast<double>(vocabulary_) / kHeadColumns;
    const Totals middle = marks[layers_ + 2] - marks[layers_ + 1];
    outcome.totals.add(middle, pieces - 3);
    Totals off;
    widen(off, (marks[layers_ + 3] - marks[layers_ + 2]) - middle);
    outcome.spread.add(off, std::abs(pieces - 3));
  }
  // What was fetched ahead of lm_head depends on the layers before it, of which most are left out; of every step in the same
  // way, so that it does not average out.
  using accelerator::OperationClass;
  if (const ClassTotals& head = simulated.classes[static_cast<std::size_t>(OperationClass::lm_head)];
      partial() && head.tiles > 0)
    outcome.spread.classes[static_cast<std::size_t>(OperationClass::lm_head)].elapsed_ps +=
        head.elapsed_ps / head.tiles;
  Totals formulas;
  formulas.expect(expected);
  if (partial() && mixtures_) read_as_many_experts(outcome.totals, simulated, formulas, peak);
  follow_traffic(outcome.totals, formulas, std::numeric_limits<double>::infinity());  // energy as extrapolated
  double decoded = 0;
  for (const ClassTotals& c : formulas.classes) decoded += c.weights;
  if (decoded > 0) outcome.totals.weights = decoded;
  outcome.totals.expect(expected);
  outcome.totals.macs = outcome.totals.expected_macs;
  outcome.totals.slots = outcome.totals.expected_slots;
  return outcome;
}

}  // namespace harmonia::testbench
