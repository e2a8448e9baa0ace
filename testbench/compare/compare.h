// The same scenario over variants: one table, ratios against the first variant, and why a speed-up falls short of the
// ratio of bytes.
//
// Models: variants as combinations of `--over` axes; speed-up, bytes, energy, area and quality of each beside the
//   first; the time that keeps a variant from being faster by as much as its weights are smaller, by cause.
// Does not model: runs (each is a `harmonia run` in a process of its own).
//
// Shortfall. Let R be the first variant's bits per weight over this one's (on the quantised linears), times this one's devices over
// the first's where they share the model, and t0, t the times per token. Were everything to shrink as the linears' bytes do, t would be t0 / R. What t exceeds that by is
// summed over classes of operations, each with its own excess t_c - t0_c / R:
//   lm_head      the output head, which keeps its format
//   kv           attention over the cache
//   decoder, compute, vector   linears whose bound is that resource
//   link         what is between devices, which share the model
//   bubble       what stages of a pipeline wait for each other
//   overhead     linears that are memory-bound and use less of the bandwidth, norms and the like, idle time
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/testbench/compare/measured_quality.h"
#include "harmonia/testbench/quality/weight_quality.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/sweep/grid.h"

namespace harmonia::testbench {

struct Variant {
  Settings settings;
  std::string label;
  std::string failure;             // why it could not run; empty when it did
  std::optional<Metrics> metrics;  // of a variant that ran
  std::optional<WeightQuality> quality;
  std::optional<MeasuredQuality> measured;  // where a real model was given
  std::string unmeasured;                   // why its quality cannot be measured; empty where it can
};

/// A cause and the seconds per token that it costs; they add up to t - t0 / R.
using Shortfall = std::vector<std::pair<std::string, double>>;

/// R and the shortfall of `m` against `first`. R is 1 when the weights are the same size.
double byte_ratio(const Metrics& first, const Metrics& m);
Shortfall shortfall(const Metrics& first, const Metrics& m);
/// "lm_head 52 %, kv 30 %": causes of at least a twentieth of what is missing, largest first; "none" when nothing is.
std::string shortfall_text(const Metrics& first, const Metrics& m);

struct Comparison {
  std::string scenario;
  std::string source;
  std::vector<std::string> keys;
  std::vector<Variant> variants;
  std::optional<QualityMeasurement> measurement;  // what `measured` of the variants was measured on
  std::string model;                              // the scenario's, of the first variant

  /// The first variant that ran, and the fastest one; nullptr when none did.
  const Variant* reference() const;
  const Variant* winner() const;
  std::string text() const;
  std::string csv() const;
  std::string json() const;
};

}  // namespace harmonia::testbench
