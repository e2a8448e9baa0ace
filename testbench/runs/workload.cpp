#include "harmonia/testbench/runs/workload.h"

#include "harmonia/testbench/runs/decode.h"
#include "harmonia/testbench/runs/gemv.h"
#include "harmonia/testbench/runs/prefill.h"
#include "harmonia/testbench/runs/replay.h"

namespace harmonia::testbench {

accelerator::StepWork Workload::batch_step(std::uint64_t cached, std::uint64_t tokens) const {
  accelerator::StepWork work;
  for (int b = 0; b < scenario_.workload.batch; ++b)
    work.sequences.push_back({static_cast<std::uint64_t>(b), cached, tokens, true});
  return work;
}

std::unique_ptr<Workload> make_workload(const LoadedScenario& loaded) {
  const Scenario& s = loaded.scenario;
  if (s.workload.is_trace()) return std::make_unique<Replay>(s, loaded.trace_file);
  switch (s.workload.phase) {
    case Phase::prefill:
      return std::make_unique<Prefill>(s);
    case Phase::gemv:
      return std::make_unique<Gemv>(s);
    default:
      return std::make_unique<Decode>(s);
  }
}

}  // namespace harmonia::testbench
