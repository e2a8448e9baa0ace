// A result with a value under every key.
#pragma once

#include "harmonia/testbench/results/run_result.h"

namespace harmonia::test {

inline testbench::RunResult example() {
  testbench::RunResult r;
  r.provenance = {"0.1.0", "default", "default.yaml", 7, config::Node::map()};
  r.provenance.config.set("seed", config::Node::scalar("7"));
  r.model = "llama-3-8b";
  r.accelerator = "harmonia";
  r.weight_bytes = 4.8e9;
  r.effective_bits_per_weight = 4.25;
  r.simulated_seconds = 0.32;
  r.steps = 4;
  r.output_tokens = 4;
  r.output_tokens_per_s = 12.5;
  r.fidelity = {"full", "at", "timing_only", 32, 32, 4, 4, 0};
  r.fidelity.estimated_errors = {{"simulated_seconds", 0}};  // a full run has none; here each key is there
  testbench::Samples tpot;
  for (const double s : {0.081, 0.079, 0.080, 0.080}) tpot.add(s);
  r.latency.time_per_output_token_s = tpot.distribution();
  testbench::Samples first;
  first.add(0.1);
  r.latency.time_to_first_token_s = first.distribution();
  r.bandwidth = {64e9, 60e9, 0.9375, {1000, 100, 50, 5, 20, 0}, {1024, 128, 64, 64, 32, 0}};
  r.channels.push_back({1100, 75, 0.9, {{"ACT", 10}, {"RD", 100}}, 90, 9, 1, 0.03, 12.5, 64, tpot.distribution()});
  r.units.push_back({"pe_array", 0.25, {{"no_input", 0.5}, {"output_blocked", 0.25}}});
  r.units.push_back({"decoder", 0.75, {{"no_input", 0.25}}});
  r.operations.push_back({"qkv", 128, 1000, 900, 0.2, 0.19, 0.01, 0.05, 0.0, 0.1, 0.04, "memory"});
  r.operations.push_back({"attention", 128, 1000, 275, 0.12, 0.05, 0.0, 0.11, 0.01, 0.02, 0.02, "compute"});
  r.limits = testbench::limits_of(r.operations, r.simulated_seconds);
  r.bound = testbench::bound_of(r.limits);
  r.energy = {0.5,
              0.125,
              {{"dram", 0.4}, {"pe", 0.1}},
              "published",
              {{"dram", 0.4}, {"pe", 0.1}},
              {{"dram", 0.4}, {"pe", 0.2}}};
  r.area = {3.5,
            {{"pe_array", 2.0}, {"buffers", 1.5}},
            "published",
            {{"pe_array", 2.0}, {"buffers", 1.5}},
            {{"pe_array", 3.0}, {"buffers", 1.5}}};
  r.checks.push_back({"bytes at the pins", true, 1175, 1175, "B", "equal"});
  r.assumptions.push_back({"accelerator.clock_mhz", "500", "MHz", "clock of every block", "unpublished", "default"});
  r.notices.push_back("a notice");
  r.requests.push_back({0, 0.0, 10, 4, 0.1, 0.08, 0.34});
  r.bandwidth_interval_s = 0.001;
  r.bandwidth_series.push_back({0.0, 0, {1000, 0, 0, 0, 0, 0}});
  r.wall_seconds = 1.5;
  r.simulation_events = 1000;
  return r;
}

}  // namespace harmonia::test
