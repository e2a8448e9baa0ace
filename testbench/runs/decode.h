// Decoding: a fixed batch of equal sequences, a number of tokens each.
// Models: steps that differ in their context only. Does not model: sequences of different lengths (replay.h).
#pragma once

#include "harmonia/testbench/runs/workload.h"

namespace harmonia::testbench {

class Decode : public Workload {
 public:
  using Workload::Workload;
  accelerator::StepWork largest_step() const override;
  void run(StepSource& steps, Collector& collector) override;
};

}  // namespace harmonia::testbench
