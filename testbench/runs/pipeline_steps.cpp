#include "harmonia/testbench/runs/pipeline_steps.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/files/interrupt.h"

namespace harmonia::testbench {

namespace {

/// What a micro-batch's cost follows from: of each sequence, without its place in the cache. Where its tokens go to experts of their own,
/// with it.
using Likeness = std::vector<std::array<std::uint64_t, 4>>;
Likeness likeness(const accelerator::StepWork& work, bool mixture) {
  Likeness all;
  for (const accelerator::SequenceStep& s : work.sequences)
    all.push_back({s.cached, s.tokens, s.logits ? 1u : 0u, mixture ? s.slot : 0});
  return all;
}

double bytes_of(const Totals& t) {
  double sum = 0;
  for (std::size_t k = 0; k < kTrafficClasses; ++k) sum += t.bytes_of(k);
  return sum;
}

}  // namespace

PipelineSteps::PipelineSteps(const Scenario& scenario, const std::vector<StageKind>& kinds,
                             std::vector<std::unique_ptr<MachineSteps>> of_kinds, Machine& machine)
    : scenario_(scenario),
      kinds_(kinds),
      of_kinds_(std::move(of_kinds)),
      link_(scenario.devices),
      chip_(accelerator::on_chip(scenario.accelerator)),
      settings_(machine_options(scenario).program),
      stages_(static_cast<std::size_t>(scenario.devices.pipeline)),
      batches_(scenario.workload.is_trace() ? 1 : static_cast<std::size_t>(scenario.devices.micro_batches)),
      machine_(machine) {}

/// Only the last stage gives logits.
accelerator::StepWork PipelineSteps::work_of(std::size_t kind, const accelerator::StepWork& batch) const {
  accelerator::StepWork own = batch;
  if (kinds_[kind].scenario.model.stage_behind)
    for (accelerator::SequenceStep& s : own.sequences) s.logits = false;
  return own;
}

PipelineSteps::Outcomes PipelineSteps::one_by_one(const std::vector<accelerator::StepWork>& batches) {
  Outcomes outcomes;
  std::map<Likeness, std::size_t> known;
  for (std::size_t m = 0; m < batches.size(); ++m) {
    const auto [found, is_new] = known.try_emplace(likeness(batches[m], scenario_.model.mixture_layers() > 0), m);
    if (!is_new) {
      outcomes.push_back(outcomes[found->second]);
      continue;
    }
    outcomes.emplace_back();
    for (std::size_t k = 0; k < kinds_.size(); ++k)
      outcomes[m].push_back(of_kinds_[k]->simulate(work_of(k, batches[m])));
  }
  return outcomes;
}

/// Each kind is a stage.
PipelineSteps::Outcomes PipelineSteps::all_together(const accelerator::StepWork& work,
                                                    const std::vector<accelerator::StepWork>& batches) {
  if (interrupted()) throw Interrupted{};
  Outcomes outcomes(batches.size(), std::vector<StepOutcome>(kinds_.size()));
  accelerator::Pipeline& pipeline = *machine_.pipeline;
  pipeline.on_begin = [this](std::size_t stage, std::size_t) { of_kinds_[stage]->begin(); };
  pipeline.on_done = [&](std::size_t stage, std::size_t batch) {
    outcomes[batch][stage] = of_kinds_[stage]->end(work_of(stage, batches[batch]));
  };
  const std::uint64_t sent = pipeline.payload_bytes();
  machine_.host->step(work);
  pipeline.on_begin = pipeline.on_done = {};
  together_.simulated_ps += 1e12 * (pipeline.step_end() - pipeline.step_begin()).to_seconds();
  together_.sent_bytes += static_cast<double>(pipeline.payload_bytes() - sent);
  return outcomes;
}

StepOutcome PipelineSteps::simulate(const accelerator::StepWork& work) {
  const std::vector<accelerator::StepWork> batches = accelerator::micro_batches(work, batches_);
  const Outcomes outcomes = machine_.pipeline ? all_together(work, batches) : one_by_one(batches);
  StepOutcome whole;
  whole.pipeline.stages = stages_;
  whole.pipeline.batches = batches.size();
  whole.pipeline.busy_ps.resize(stages_ * batches.size());
  for (std::size_t m = 0; m < batches.size(); ++m) {
    double bytes = 0;
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const StepOutcome& o = outcomes[m][k];
      const auto count = static_cast<double>(kinds_[k].stages.size());
      whole.totals.add(o.totals, count / static_cast<double>(stages_));
      whole.spread.add(o.spread, count / static_cast<double>(stages_));
      bytes += count * bytes_of(o.totals);
      for (const int stage : kinds_[k].stages)
        whole.pipeline.busy_ps[static_cast<std::size_t>(stage) * batches.size() + m] = o.totals.time_ps;
    }
    add_send(batches[m], whole);
    count_moved(batches[m], bytes);
  }
  together_.composed_ps += PipelineFlow(stages_).pass(whole.pipeline, false).ps;
  ++steps_;
  simulated_ = Totals{};
  for (const auto& steps : of_kinds_) simulated_ += steps->simulated();
  return whole;
}

/// The residual stream of a micro-batch over all hops, of the mean device.
void PipelineSteps::add_send(const accelerator::StepWork& batch, StepOutcome& step) const {
  const double hops = static_cast<double>(stages_ - 1) / static_cast<double>(stages_);
  const std::uint64_t values = batch.tokens() * static_cast<std::uint64_t>(scenario_.model.hidden_size);
  const DeviceLink::Cost& hop = link_.send(values);
  step.pipeline.hop_ps.push_back(1e6 * hop.us);
  step.totals.sends += hops;
  step.totals.sent_values += hops * static_cast<double>(values);
  step.totals.sent_bytes += hops * hop.payload_bytes;
  step.totals.sent_wire_bytes += hops * hop.wire_bytes;
}

void PipelineSteps::count_moved(const accelerator::StepWork& work, double bytes_of_all_stages) {
  const accelerator::Expected whole =
      accelerator::expected_of_step(scenario_.model, of_kinds_.front()->formats(), settings_.codebook, chip_, work,
                                    accelerator::StepExtent::whole(scenario_.model), settings_.routing.get());
  moved_.all_stages += bytes_of_all_stages;
  moved_.one_device += static_cast<double>(std::accumulate(whole.bytes.begin(), whole.bytes.end(), std::uint64_t{0}));
  // A step that does not stay on chip: what was received is written, and what is sent is read.
  if (!accelerator::activations_stay(scenario_.model, chip_, work))
    moved_.at_borders += 2.0 * static_cast<double>(stages_ - 1) * 2.0 * static_cast<double>(work.tokens()) *
                         static_cast<double>(scenario_.model.hidden_size);
}

StepOutcome PipelineSteps::formulas(const accelerator::StepWork& work) const {
  StepOutcome step;
  for (std::size_t k = 0; k < kinds_.size(); ++k)
    step.totals.add(of_kinds_[k]->formulas(work_of(k, work)).totals,
                    static_cast<double>(kinds_[k].stages.size()) / static_cast<double>(stages_));
  step.pipeline.stages = stages_;
  step.pipeline.batches = 1;
  step.pipeline.busy_ps.resize(stages_);
  add_send(work, step);
  return step;
}

std::uint64_t PipelineSteps::layers_simulated() const {
  std::uint64_t sum = 0;
  for (const auto& steps : of_kinds_) sum += steps->layers_simulated();
  return sum;
}

StepOutcome waiting_of(const PassTime& pass, double waiting_ps, double relative_spread, const Scenario& scenario) {
  using accelerator::OperationClass;
  StepOutcome o;
  o.spread.time_ps = waiting_ps * relative_spread;
  Totals& t = o.totals;
  t.time_ps = waiting_ps;
  const double link = std::min(pass.link_ps, waiting_ps);
  t.classes[static_cast<std::size_t>(OperationClass::link)].elapsed_ps = link;
  t.classes[static_cast<std::size_t>(OperationClass::bubble)].elapsed_ps = waiting_ps - link;
  const dram::Config channel = accelerator::channel_config(scenario.accelerator);
  t.channels.resize(static_cast<std::size_t>(scenario.accelerator.dram.channels));
  for (ChannelTotals& c : t.channels) {
    c.cycles = waiting_ps / channel.tCK_ps;
    if (channel.currents.devices > 0) c.energy_pj = dram::idle_power_w(channel) * waiting_ps;
  }
  return o;
}

StepOutcome in_steady_state(const StepOutcome& step, const Scenario& scenario) {
  if (step.pipeline.stages == 0) return step;
  const PassTime pass = steady_pass(step.pipeline);
  StepOutcome whole = step;
  const double relative_spread = step.totals.time_ps > 0 ? step.spread.time_ps / step.totals.time_ps : 0;
  whole.add(waiting_of(pass, std::max(0.0, pass.ps - step.totals.time_ps), relative_spread, scenario), 1);
  return whole;
}

}  // namespace harmonia::testbench
