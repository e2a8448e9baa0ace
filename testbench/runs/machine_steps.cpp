#include "harmonia/testbench/runs/machine_steps.h"

#include <string>

#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/testbench/files/interrupt.h"

namespace harmonia::testbench {

MachineSteps::MachineSteps(const Scenario& scenario, Machine& machine, Instruments& instruments, bool single_linear)
    : machine_(machine),
      instruments_(instruments),
      sample_(scenario.fidelity, scenario.model, single_linear),
      chip_(accelerator::on_chip(scenario.accelerator)),
      settings_(machine_options(scenario).program),
      single_linear_(single_linear),
      rests_(scenario.devices.pipeline > 1) {
  machine.accelerator->sequencer.on_marker = [this](std::uint32_t) { marks_.push_back(totals_now()); };
}

void refuse_impossible_step(const accelerator::ModelShape& shape, const accelerator::MemoryMap& map,
                            const Scenario& scenario, const accelerator::StepWork& work, bool single_linear) {
  // Generating a layer throws when a tile does not fit on chip.
  accelerator::StepProgram program(shape, map, accelerator::on_chip(scenario.accelerator),
                                   machine_options(scenario).program, work);
  if (single_linear) {
    program.input();
  } else {
    program.embedding();
    for (const int layer : shape.sorts_of_layers()) program.layer(layer);
  }
  program.head();
}

accelerator::Expected MachineSteps::expected(const accelerator::StepWork& work) const {
  return accelerator::expected_of_step(machine_.shape, machine_.map.formats(), settings_.codebook, chip_, work,
                                       accelerator::StepExtent::whole(machine_.shape), settings_.routing.get());
}

StepOutcome MachineSteps::formulas(const accelerator::StepWork& work) const {
  StepOutcome step;
  step.totals.expect(expected(work));
  return step;
}

StepOutcome MachineSteps::simulate(const accelerator::StepWork& work) {
  if (interrupted()) throw Interrupted{};
  begin();
  machine_.host->step(work, layers_of_step(), head_columns(), single_linear_);
  return end(work);
}

void MachineSteps::begin() {
  // A channel that rested catches up with its refreshes later, which are not this step's.
  if (rests_)
    for (const auto& channel : machine_.accelerator->channels) channel->statistics();
  instruments_.step_begins();
  marks_.clear();
  begin_ = totals_now();
}

StepOutcome MachineSteps::end(const accelerator::StepWork& work) {
  instruments_.step_ends();
  simulated_ = totals_now();
  ++steps_;
  name_phases(begin_);
  sort_tiles(begin_);
  if (!sample_.partial()) return {simulated_ - begin_, {}};
  StepOutcome whole = sample_.whole_step(simulated_ - begin_, marks_, expected(work), peak_rates(machine_.config));
  whole.totals.share_out_time();
  return whole;
}

/// Of the marks of a step: what the array did counts by the part of the step that it is of. The array works ahead of the
/// vector unit, which passes the markers.
void MachineSteps::sort_tiles(const Totals& begin) {
  const std::vector<ClassTimes::Times>& parts = instruments_.times().parts();
  ClassTimes::Times sum = begin.classes;
  for (std::size_t i = 0; i < marks_.size(); ++i)
    for (std::size_t c = 0; c < sum.size(); ++c) {
      if (i < parts.size()) ClassTimes::add(sum[c], parts[i][c]);
      ClassTotals& mark = marks_[i].classes[c];
      mark.elapsed_ps = sum[c].elapsed_ps;
      mark.compute_cycles = sum[c].compute_cycles;
      mark.tiles = sum[c].tiles;
    }
}

void MachineSteps::name_phases(const Totals& begin) {
  auto from = static_cast<std::uint64_t>(begin.time_ps);
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    const auto to = static_cast<std::uint64_t>(marks_[i].time_ps);
    instruments_.phase(single_linear_          ? (i == 0 ? "vectors" : "matrix")
                       : i == 0                ? "embedding"
                       : i <= sample_.layers() ? "layer " + std::to_string(i - 1)
                                               : "lm_head",
                       from, to);
    from = to;
  }
}

}  // namespace harmonia::testbench
