// What a step of continuous batching costs, from steps of the same run that were simulated: the interpolation behind
// sampled trace replay.
//
// Models: a step as a sum of simulated ones with weights that are never negative, chosen so that the sum has the
//   step's features: how many steps it is (1), rows (tokens), output tokens, whether lm_head runs, and the demand of its
//   attention, of decoding sequences and of prompts apart. Demand is the time that traffic and operations of attention
//   take at peak rates, known for every step from its shape. Every count is a sum with the same weights, so that what
//   holds for each simulated step (nothing is negative, no time is below bytes / peak or operations / peak) holds for
//   every interpolated one.
//   A step that no such sum of near steps makes within a tolerance lies outside what was simulated: it is simulated,
//   and stands by for others. Now and then a step is simulated that could be interpolated, to measure the error; while
//   that is too large, only nearer steps count as near, so that more are simulated.
// Does not model: in which order the sequences of one step stand, neighbours in time.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// What a step's cost follows from.
struct StepFeatures {
  double rows = 0;      // tokens
  double outputs = 0;   // output tokens, the rows of lm_head
  double decoding = 0;  // seconds: demand of the attention of sequences that decode
  double prompts = 0;   // seconds: the same of prompts
  bool on_chip = true;  // whether the activations stay on chip: the machine works otherwise when they do not
};

/// About how much one of each takes, in seconds: what a deviation matters, not what a step costs.
struct FeatureWeights {
  double step = 0, row = 0, head = 0, output = 0;
};

class StepCost {
 public:
  using Point = std::size_t;
  using Mix = std::vector<std::pair<Point, double>>;  // weights > 0; each point once
  static constexpr double kTolerance = 0.01;          // of a step's time: what the features of its mix may be off by
  static constexpr double kTarget = 0.05;             // error above which points must be nearer

  explicit StepCost(const FeatureWeights& weights) : weights_(weights) {}

  /// Simulated steps whose weighted sum is the step; empty when it lies outside what was simulated.
  Mix interpolate(const StepFeatures& step) const;
  /// A step was simulated: its number, counted from 0.
  Point add(const StepFeatures& step);
  /// A step that was interpolated turned out to be so much off, relative to its time.
  void measured_error(double error);

  std::size_t points() const { return points_.size(); }
  /// Binary orders of magnitude of rows within which a point is near.
  double radius() const { return radius_; }

 private:
  static constexpr std::size_t kFeatures = 6;
  using Vector = std::array<double, kFeatures>;
  Vector vector_of(const StepFeatures& step) const;

  FeatureWeights weights_;
  std::vector<StepFeatures> points_;
  double radius_ = 0.5;
};

/// The error of sampling, from steps that were both simulated and interpolated: of the time, and of each further
/// quantity (bytes, the time of each class) as a share of what the same steps have of it.
class SamplingError {
 public:
  /// The first quantity is the time. Both have the same quantities at every call.
  void add(const std::vector<double>& interpolated, const std::vector<double>& simulated);
  /// Of the time of the step added last, relative.
  double last() const { return last_; }
  /// The largest of the quantities' errors; those that make up less than a hundredth of the first one (class times) or
  /// nothing do not count. 0 when nothing was measured.
  double estimate() const;
  std::size_t count() const { return count_; }

 private:
  std::vector<double> off_, sum_;
  double last_ = 0, largest_ = 0;
  std::size_t count_ = 0;
};

}  // namespace harmonia::testbench
