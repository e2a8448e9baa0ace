#include "harmonia/testbench/runs/decode.h"

#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/runs/pipeline_steps.h"
#include "harmonia/testbench/runs/sampler.h"

namespace harmonia::testbench {

accelerator::StepWork Decode::largest_step() const {
  return batch_step(static_cast<std::uint64_t>(scenario().workload.context), 1);
}

void Decode::run(StepSource& steps, Collector& collector) {
  const WorkloadConfig& w = scenario().workload;
  const auto tokens = static_cast<std::uint64_t>(w.tokens), batch = static_cast<std::uint64_t>(w.batch),
             context = static_cast<std::uint64_t>(w.context);
  const StepSeries series = sampled_series(scenario().fidelity, tokens);
  Progress progress("steps", static_cast<double>(series.simulated()));
  double simulated = 0;
  const StepSeries::Held held = series.run(
      [&](std::uint64_t step) {
        progress.update(simulated++);
        return steps.simulate(batch_step(context + step, 1));
      },
      [&](std::uint64_t, const StepOutcome& simulated_step) {
        const StepOutcome o = in_steady_state(simulated_step, scenario());
        collector.add(o);
        collector.count_step(0, batch);
        collector.time_per_token(o.totals.seconds(), batch);
      },
      [&](const StepSeries::Predicted& p) { return worst_residual(p, scenario()); });
  collector.set_errors(errors_of(held, scenario()));
  collector.end_to_end(collector.seconds(), batch);
}

}  // namespace harmonia::testbench
