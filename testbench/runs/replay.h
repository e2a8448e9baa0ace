// The replay of a request trace with continuous batching.
//
// Models: steps as the scheduler puts them together (testbench/replay/continuous_batching.h), each on the machine or, in
//   a sampled run, interpolated between few that are (step_cost.h); the room that the KV cache has for requests.
// Does not model: contents; traces carry lengths and no text, so that a functional run is refused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/program/memory_map.h"
#include "harmonia/testbench/replay/continuous_batching.h"
#include "harmonia/testbench/runs/step_cost.h"
#include "harmonia/testbench/runs/workload.h"

namespace harmonia::testbench {

/// Throws config::InputError at the trace's row when a request grows beyond the model's attention window; returns a
/// notice when some grow beyond what it was trained for, else an empty text. Requests of more than `longest` tokens are
/// refused by the replay and do not count.
std::string check_trace_contexts(const accelerator::ModelShape& model, const std::string& trace_file,
                                 const std::vector<Request>& requests, std::uint64_t longest = ~std::uint64_t{0});

class Replay : public Workload {
 public:
  /// Reads the trace and finds how much of it the memory can hold. Throws config::InputError.
  Replay(const Scenario& scenario, std::string trace_file);

  Capacity capacity() const override { return capacity_; }
  accelerator::StepWork largest_step() const override;
  bool own_time_line() const override { return true; }
  void run(StepSource& steps, Collector& collector) override;
  void finish(Collector& collector) override;
  void report(RunResult& result) const override;

 private:
  using Parts = std::vector<ContinuousBatching::Part>;
  struct Point {  // a simulated step that others are interpolated between
    StepOutcome outcome;
    double uses = 0;  // how often it counts
  };

  bool sampled() const { return scenario().fidelity.mode == FidelityMode::sampled; }
  void find_room(const std::vector<Request>& requests);
  void check_contexts(const std::vector<Request>& requests);
  /// Seconds of the step.
  double simulated_step(StepSource& steps, Collector& collector, const accelerator::StepWork& work);
  double sampled_step(StepSource& steps, Collector& collector, const Parts& parts, const accelerator::StepWork& work);
  StepCost::Mix mix_of(StepSource& steps, const Parts& parts, const accelerator::StepWork& work);
  void measure(const StepCost::Mix& mix, const Totals& simulated);
  FeatureWeights feature_weights() const;
  StepFeatures features_of(const Parts& parts, const accelerator::StepWork& work) const;
  double attention_demand(const accelerator::StepWork& work) const;
  void report_requests(RunResult& result) const;
  void report_checks(RunResult& result) const;

  std::string trace_file_;
  std::vector<std::string> notices_;  // about the trace
  Capacity capacity_;
  BatchLimits limits_;
  std::unique_ptr<ContinuousBatching> batching_;
  std::uint64_t longest_context_ = 1, longest_chunk_ = 1;
  double now_ = 0;

  // Of a sampled replay.
  accelerator::MemoryMap map_;
  accelerator::OnChip chip_;
  std::uint64_t rows_on_chip_ = 0;
  std::unique_ptr<StepCost> cost_;
  std::vector<Point> points_;  // in the order of cost_
  SamplingError sampling_error_;
  std::uint64_t steps_ = 0, next_measured_ = 4;
};

}  // namespace harmonia::testbench
