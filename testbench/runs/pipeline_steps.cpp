#include "harmonia/testbench/runs/pipeline_steps.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/link/schedule.h"
#include "harmonia/hw/program/tiling.h"

namespace harmonia::testbench {

std::vector<accelerator::StepWork> micro_batches(const accelerator::StepWork& work, std::size_t count) {
  std::vector<accelerator::StepWork> parts(std::min(count, work.sequences.size()));
  std::size_t row = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const link::Piece piece =
        link::piece_of(work.sequences.size(), static_cast<unsigned>(parts.size()), static_cast<unsigned>(p));
    for (std::uint64_t i = piece.begin; i < piece.begin + piece.count; ++i) {
      const accelerator::SequenceStep& s = work.sequences[i];
      parts[p].sequences.push_back(s);
      for (std::uint64_t t = 0; t < s.tokens; ++t, ++row)
        if (row < work.token_ids.size()) parts[p].token_ids.push_back(work.token_ids[row]);
    }
  }
  return parts;
}

namespace {

/// What a micro-batch's cost follows from: of each sequence, without its place in the cache.
using Likeness = std::vector<std::array<std::uint64_t, 3>>;
Likeness likeness(const accelerator::StepWork& work) {
  Likeness all;
  for (const accelerator::SequenceStep& s : work.sequences) all.push_back({s.cached, s.tokens, s.logits ? 1u : 0u});
  return all;
}

double bytes_of(const Totals& t) {
  double sum = 0;
  for (std::size_t k = 0; k < kTrafficClasses; ++k) sum += t.bytes_of(k);
  return sum;
}

}  // namespace

PipelineSteps::PipelineSteps(const Scenario& scenario, const std::vector<StageKind>& kinds,
                             std::vector<std::unique_ptr<MachineSteps>> of_kinds)
    : scenario_(scenario),
      kinds_(kinds),
      of_kinds_(std::move(of_kinds)),
      link_(scenario.devices),
      chip_(accelerator::on_chip(scenario.accelerator)),
      settings_(machine_options(scenario).program),
      stages_(static_cast<std::size_t>(scenario.devices.pipeline)) {}

StepOutcome PipelineSteps::simulate(const accelerator::StepWork& work) {
  const std::vector<accelerator::StepWork> batches =
      micro_batches(work, static_cast<std::size_t>(scenario_.devices.micro_batches));
  StepOutcome whole;
  whole.pipeline.stages = stages_;
  whole.pipeline.batches = batches.size();
  whole.pipeline.busy_ps.resize(stages_ * batches.size());
  std::map<Likeness, std::vector<StepOutcome>> known;  // by kind of stage
  for (std::size_t m = 0; m < batches.size(); ++m) {
    const auto [found, is_new] = known.try_emplace(likeness(batches[m]));
    std::vector<StepOutcome>& of_kinds = found->second;
    for (std::size_t k = 0; is_new && k < kinds_.size(); ++k) {
      accelerator::StepWork own = batches[m];
      if (kinds_[k].scenario.model.stage_behind)
        for (accelerator::SequenceStep& s : own.sequences) s.logits = false;
      of_kinds.push_back(of_kinds_[k]->simulate(own));
    }
    double bytes = 0;
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const StepOutcome& o = of_kinds[k];
      const auto count = static_cast<double>(kinds_[k].stages.size());
      whole.totals.add(o.totals, count / static_cast<double>(stages_));
      whole.spread.add(o.spread, count / static_cast<double>(stages_));
      bytes += count * bytes_of(o.totals);
      for (const int stage : kinds_[k].stages)
        whole.pipeline.busy_ps[static_cast<std::size_t>(stage) * batches.size() + m] = o.totals.time_ps;
    }
    const double values = static_cast<double>(batches[m].tokens()) * static_cast<double>(scenario_.model.hidden_size);
    const DeviceLink::Cost& hop = link_.send(static_cast<std::uint64_t>(values));
    whole.pipeline.hop_ps.push_back(1e6 * hop.us);
    const double hops = static_cast<double>(stages_ - 1) / static_cast<double>(stages_);
    whole.totals.sends += hops;
    whole.totals.sent_values += hops * values;
    whole.totals.sent_bytes += hops * hop.payload_bytes;
    whole.totals.sent_wire_bytes += hops * hop.wire_bytes;
    count_moved(batches[m], bytes);
  }
  ++steps_;
  simulated_ = Totals{};
  for (const auto& steps : of_kinds_) simulated_ += steps->simulated();
  return whole;
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

accelerator::Expected PipelineSteps::expected(const accelerator::StepWork&) const {
  throw std::logic_error("steps of a pipeline are not predicted from others");
}

std::uint64_t PipelineSteps::layers_simulated() const {
  std::uint64_t sum = 0;
  for (const auto& steps : of_kinds_) sum += steps->layers_simulated();
  return sum;
}

StepOutcome waiting_of(const PassTime& pass, double waiting_ps, const Scenario& scenario) {
  using accelerator::OperationClass;
  StepOutcome o;
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
  whole.add(waiting_of(pass, std::max(0.0, pass.ps - step.totals.time_ps), scenario), 1);
  return whole;
}

}  // namespace harmonia::testbench
