// One matrix-vector product, or a few vectors at once.
// Models: a matrix that stands where lm_head would; its weights alone. Does not model: layers, embedding, a KV cache.
#pragma once

#include "harmonia/testbench/runs/workload.h"

namespace harmonia::testbench {

class Gemv : public Workload {
 public:
  explicit Gemv(const Scenario& scenario);
  bool single_linear() const override { return true; }
  accelerator::StepWork largest_step() const override { return batch_step(0, 1); }
  void run(StepSource& steps, Collector& collector) override;
};

}  // namespace harmonia::testbench
