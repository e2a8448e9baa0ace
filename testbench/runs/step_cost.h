// What a step of continuous batching costs, from steps of the same run that were simulated: the interpolation behind
// sampled trace replay.
//
// Models: a step as a sum of simulated ones with weights that are never negative, chosen so that the sum has the
//   step's features as nearly as may be, and of near steps: how many steps it is (1), rows that tokens and output tokens
//   take of the array, whether lm_head runs, and the demand of its attention, of decoding sequences and of prompts apart.
//   Demand is the time that traffic and operations of attention take at peak rates, known for every step from its shape.
//   Every count is a sum with the same weights, so that what holds for each simulated step (nothing is negative, no time
//   is below bytes / peak or operations / peak) holds for every sum. What the sum's demand is too small or too large by
//   is said beside it, and how dissimilar the step is to what was simulated.
// Does not model: in which order the sequences of one step stand, neighbours in time; what becomes of a class of
//   operations whose demand is another than the sum's (sampler.h).
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// What a step's cost follows from.
struct StepFeatures {
  double rows = 0;           // tokens
  double array_rows = 0;     // rows of the array that they take the time of
  double outputs = 0;        // output tokens, the rows of lm_head
  double array_outputs = 0;  // rows of the array that these take the time of
  double decoding = 0;       // seconds: demand of the attention of sequences that decode
  double prompts = 0;        // seconds: the same of prompts
  bool on_chip = true;       // whether the activations stay on chip: the machine works otherwise when they do not

  bool operator==(const StepFeatures& o) const {
    return rows == o.rows && array_rows == o.array_rows && outputs == o.outputs && array_outputs == o.array_outputs &&
           decoding == o.decoding && prompts == o.prompts && on_chip == o.on_chip;
  }
};

/// About how much one of each takes, in seconds: what a deviation matters, not what a step costs.
struct FeatureWeights {
  double step = 0, row = 0, head = 0, output = 0;
};

/// A step over the sum that stands for it: rows of the array that a token takes, and an output token; demand of attention.
struct DemandRatios {
  double rows_per_token = 1, rows_per_output = 1, attention = 1;
};

class StepCost {
 public:
  using Point = std::size_t;
  using Mix = std::vector<std::pair<Point, double>>;  // weights > 0; each point once
  static constexpr Point kNone = ~Point{0};
  static constexpr std::size_t kFeatures = 6;
  using Vector = std::array<double, kFeatures>;

  struct Prediction {
    Mix mix;
    DemandRatios demand;
    /// What the sum's features are off by, relative to the step's, and a little for points that are not near: 0 where a
    /// simulated step has the same features, 1 and more where nothing like it was simulated.
    double dissimilarity = 1;
  };

  explicit StepCost(const FeatureWeights& weights) : weights_(weights) {}

  /// The sum that comes nearest. `without`: as if the points that it marks were not there; empty: none. Its mix is empty
  /// only without points. Points on the other side of the on-chip limit stand in when there are none on the step's.
  Prediction predict(const StepFeatures& step, const std::vector<bool>& without = {}) const;
  /// A step was simulated: its number, counted from 0.
  Point add(const StepFeatures& step);
  /// The point that has the very same features; kNone when there is none.
  Point same(const StepFeatures& step) const;

  std::size_t points() const { return points_.size(); }
  /// Seconds of each feature: of the step, of its rows, of lm_head, of its outputs, and both demands.
  Vector vector_of(const StepFeatures& step) const;

 private:
  struct Near {
    double distance;
    Point point;
  };
  std::vector<Near> near(const StepFeatures& step, double whole, const std::vector<bool>& without,
                         bool either_side) const;
  Mix fit(const Vector& wanted, double whole, const std::vector<Near>& near) const;

  FeatureWeights weights_;
  std::vector<StepFeatures> points_;
  std::vector<Vector> vectors_;  // of the points
};

}  // namespace harmonia::testbench
