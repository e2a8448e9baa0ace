// What a run is asked to do: which steps are to be simulated, and what they amount to.
//
// Models: the interface behind which decode, prefill, a single matrix-vector product and the replay of a request trace
//   stand (decode.h, prefill.h, gemv.h, replay.h), and where their steps come from.
// Does not model: the machine. A workload asks a StepSource for the cost of a step, so that it works without SystemC's
//   kernel too.
#pragma once

#include <memory>
#include <utility>

#include "harmonia/hw/program/step_program.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/collector.h"
#include "harmonia/testbench/runs/step_outcome.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/system/capacity.h"

namespace harmonia::testbench {

class Workload {
 public:
  /// `scenario` as the machine is to be built from it.
  explicit Workload(Scenario scenario) : scenario_(std::move(scenario)) {}
  virtual ~Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  const Scenario& scenario() const { return scenario_; }
  /// Whether a step is one matrix-vector product, without embedding, layers and final norm.
  virtual bool single_linear() const { return false; }
  /// Room that it needs in the memory.
  virtual Capacity capacity() const { return fixed_capacity(scenario_.workload); }
  /// The largest step that it may ask for; the machine must be able to hold it.
  virtual accelerator::StepWork largest_step() const = 0;
  /// Whether the run has another time line than the machine: steps are interpolated, or there is time between them.
  virtual bool own_time_line() const { return scenario_.fidelity.mode == FidelityMode::sampled; }
  /// Asks for steps until the work is done and hands what they cost to the collector. Interrupted may leave it; what was
  /// complete is with the collector then too.
  virtual void run(StepSource& steps, Collector& collector) = 0;
  /// What it reports beside the collector's figures: requests, notices, checks of its own.
  virtual void report(RunResult&) const {}

 protected:
  /// One step of the whole batch: `tokens` new ones in each sequence after `cached`.
  accelerator::StepWork batch_step(std::uint64_t cached, std::uint64_t tokens) const;

 private:
  Scenario scenario_;
};

/// The workload of a scenario. Throws config::InputError when a request trace cannot be read or does not fit.
std::unique_ptr<Workload> make_workload(const LoadedScenario& loaded);

}  // namespace harmonia::testbench
