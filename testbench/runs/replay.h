// The replay of a request trace with continuous batching.
//
// Models: steps as the scheduler puts them together (testbench/replay/continuous_batching.h), one behind the other or in the
//   stages of a pipeline at a time (pipeline_times.h), each on the machine or, in
//   a sampled run, predicted from few that are (sampled_steps.h); the room that the KV cache has for requests. A sampled
//   run goes through the trace again with more steps simulated while its estimated error is above the target, and again
//   with steps that take as much longer or shorter as they may be off by: so much the latencies of the queue may be off.
// Does not model: contents; traces carry lengths and no text, so that a functional run is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/program/memory_map.h"
#include "harmonia/testbench/replay/continuous_batching.h"
#include "harmonia/testbench/runs/sampled_steps.h"
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
  void report(RunResult& result) const override;

 private:
  using Parts = std::vector<ContinuousBatching::Part>;
  /// One way through the trace.
  struct Pass {
    ContinuousBatching batching;
    Collector collector;
    double now = 0;
    Totals predicted{};    // of steps that were not simulated
    double waited_ps = 0;  // of the totals' time, what stages of a pipeline waited for
  };
  /// Seconds and counts of a step.
  using Cost = std::function<StepOutcome(const Parts& parts, const accelerator::StepWork& work, Pass& pass)>;

  bool sampled() const { return scenario().fidelity.mode == FidelityMode::sampled; }
  void find_room(const std::vector<Request>& requests);
  void check_contexts(const std::vector<Request>& requests);
  /// factor: of the time that a step takes in the queue.
  void serve(Pass& pass, const Cost& cost, const std::function<double()>& factor) const;
  /// The same where a step passes the stages of a pipeline, and as many are under way as there are groups of sequences.
  void serve_stages(Pass& pass, const Cost& cost, const std::function<double()>& factor) const;
  static void take(const Parts& parts, const StepOutcome& step, double begin_s, double end_s, Pass& pass);
  bool staged() const { return scenario().devices.pipeline > 1; }
  void run_sampled(StepSource& steps, Collector& collector);
  RunErrors errors_of_steps(const Pass& pass, const HeldOut& held) const;
  RunErrors errors_of_queue(const Pass& pass, const Pass& start, const SampledSteps& sampled,
                            const HeldOut& held) const;
  void keep(Pass pass, Collector& collector);
  static void add_latencies(Pass& pass);
  void report_requests(RunResult& result) const;
  void report_checks(RunResult& result) const;

  std::string trace_file_;
  std::vector<std::string> notices_;  // about the trace
  Capacity capacity_;
  BatchLimits limits_;
  std::unique_ptr<ContinuousBatching> batching_;  // at the beginning, and after run() at the end
  std::uint64_t longest_context_ = 1, longest_chunk_ = 1;
  accelerator::MemoryMap map_;  // of a sampled replay
};

}  // namespace harmonia::testbench
