// What a scenario can at best be, from formulas alone: nothing is simulated, no kernel runs.
//
// Models: of fixed workloads (decode, prefill, gemv) a time that no run is below, step by step the largest of the times
//   that the memory needs for the step's bytes, the array for its operations and the decoder for its weights, each at its
//   peak rate; an energy that no run is below: products, decoded weights and bytes through buffers and memory, and the
//   background of the memory for the least time; area and bits per weight, which are exact. What a run would refuse is
//   refused. Sampled runs extrapolate, so that their bounds are 1 % lower.
// Does not model: latencies, rows, refresh, waiting: what a run takes beyond that is for the simulation to say. The replay
//   of a trace, whose steps follow from what each takes, and a pipeline of stages have no bound of time and energy.
#pragma once

#include <optional>

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

struct Bounds {
  // At least, of the whole run; nothing where none is known.
  std::optional<double> seconds, joules, watts;
  double tokens = 0;  // output tokens, of a prefill prompt tokens; 0 of a gemv
  bool prefill = false;
  double area_mm2 = 0, bits_per_weight = 0;  // exact
};

/// Throws config::InputError where the run would.
Bounds bounds_of(const LoadedScenario& loaded);

}  // namespace harmonia::testbench
