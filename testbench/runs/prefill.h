// Prefill: the prompts of a fixed batch of equal sequences, chunk by chunk.
// Models: chunks of a whole batch, of which the last wants logits. Does not model: prompts of different lengths
// (replay.h).
#pragma once

#include "harmonia/testbench/runs/workload.h"

namespace harmonia::testbench {

class Prefill : public Workload {
 public:
  using Workload::Workload;
  accelerator::StepWork largest_step() const override;
  void run(StepSource& steps, Collector& collector) override;

 private:
  std::uint64_t prompt() const { return static_cast<std::uint64_t>(scenario().workload.context); }
  std::uint64_t chunk() const;
  std::uint64_t chunks() const { return (prompt() + chunk() - 1) / chunk(); }
  accelerator::StepWork chunk_at(std::uint64_t index) const;
};

}  // namespace harmonia::testbench
