#include "harmonia/testbench/runs/gemv.h"

#include <string>

namespace harmonia::testbench {
namespace {

/// The scenario with a model whose lm_head is the matrix.
Scenario with_matrix(Scenario s) {
  const WorkloadConfig& w = s.workload;
  s.model = accelerator::ModelShape{};
  s.model.name = "matrix " + std::to_string(w.rows) + " x " + std::to_string(w.cols);
  s.model.hidden_size = s.model.intermediate_size = w.cols;
  s.model.vocab_size = w.rows;
  s.model.num_hidden_layers = s.model.num_attention_heads = s.model.num_key_value_heads = 1;
  s.model.head_dim = 2;
  s.weights.lm_head = s.weights.format;
  s.weights.format = "kmeans1";  // of the layer that is not run: the smallest
  return s;
}

}  // namespace

Gemv::Gemv(const Scenario& scenario) : Workload(with_matrix(scenario)) {}

void Gemv::run(StepSource& steps, Collector& collector) {
  collector.add(steps.simulate(batch_step(0, 1)));
  collector.count_step(0, 0);
}

}  // namespace harmonia::testbench
