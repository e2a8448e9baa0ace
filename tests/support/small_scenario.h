// A scenario whose model is one small layer, so that a step's descriptors can be gone through.
#pragma once

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::test {

inline testbench::Scenario small_scenario() {
  testbench::Scenario s;
  s.model.hidden_size = 512;
  s.model.num_hidden_layers = 1;
  s.model.num_attention_heads = 8;
  s.model.num_key_value_heads = 2;
  s.model.head_dim = 64;
  s.model.intermediate_size = 1024;
  s.model.vocab_size = 1000;
  s.workload.context = 100;
  s.workload.tokens = 4;
  return s;
}

}  // namespace harmonia::test
