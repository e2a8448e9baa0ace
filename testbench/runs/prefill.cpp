#include "harmonia/testbench/runs/prefill.h"

#include <algorithm>

#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/runs/pipeline_steps.h"
#include "harmonia/testbench/runs/sampler.h"

namespace harmonia::testbench {

std::uint64_t Prefill::chunk() const {
  const int tokens = scenario().workload.prefill_chunk_tokens;
  return tokens == 0 ? prompt() : static_cast<std::uint64_t>(tokens);
}

accelerator::StepWork Prefill::largest_step() const { return batch_step(0, std::min(chunk(), prompt())); }

accelerator::StepWork Prefill::chunk_at(std::uint64_t index) const {
  accelerator::StepWork work = batch_step(index * chunk(), std::min(chunk(), prompt() - index * chunk()));
  for (accelerator::SequenceStep& s : work.sequences) s.logits = index + 1 == chunks();
  return work;
}

void Prefill::run(StepSource& steps, Collector& collector) {
  // The last chunk wants logits and may be shorter: it is simulated in any case. The whole ones before it differ in
  // how much they attend to only, and every count is close to linear in that.
  const std::uint64_t last = chunks() - 1;
  const StepSeries series = sampled_series(scenario().fidelity, last);
  Progress progress("chunks", static_cast<double>(series.simulated() + 1));
  double simulated = 0;
  const auto simulate = [&](std::uint64_t i) {
    progress.update(simulated++);
    return steps.simulate(chunk_at(i));
  };
  // The chunks' micro-batches follow each other through the stages of a pipeline.
  PipelineFlow flow(static_cast<std::size_t>(scenario().devices.pipeline));
  PassTime all;
  const auto take = [&](std::uint64_t i, const StepOutcome& o) {
    collector.add(o);
    if (o.pipeline.stages > 0) all.link_ps += flow.pass(o.pipeline, false).link_ps;
    collector.count_step(chunk_at(i).tokens(), 0);
  };
  const StepSeries::Held held =
      series.run(simulate, take, [&](const StepSeries::Predicted& p) { return worst_residual(p, scenario()); });
  collector.set_errors(errors_of(held, scenario()));
  take(last, simulate(last));
  if (flow.end_ps() > 0)
    collector.add(waiting_of(all, flow.end_ps() - collector.totals().time_ps, collector.spread_of_time(), scenario()));
  collector.time_to_first_token(collector.seconds(), static_cast<std::uint64_t>(scenario().workload.batch));
}

}  // namespace harmonia::testbench
