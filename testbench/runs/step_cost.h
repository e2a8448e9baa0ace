// What a step of continuous batching costs, from steps of the same run that were simulated: the interpolation behind
// sampled trace replay.
//
// Models: a step as a sum of simulated ones with weights that are never negative, chosen so that the sum has the
//   step's features: how many steps it is (1), rows that tokens and output tokens take of the array, whether lm_head
//   runs, and the demand of its attention, of decoding sequences and of prompts apart. Demand is the time that traffic and operations of attention
//   take at peak rates, known for every step from its shape. Every count is a sum with the same weights, so that what
//   holds for each simulated step (nothing is negative, no time is below bytes / peak or operations / peak) holds for
//   every interpolated one.
//   A step that no such sum of near steps makes within a tolerance lies outside what was simulated: it is simulated,
//   and stands by for others. Around a step whose cost the others predict badly only nearer steps count as near, so that
//   more are simulated there.
// Does not model: in which order the sequences of one step stand, neighbours in time.
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

class StepCost {
 public:
  using Point = std::size_t;
  using Mix = std::vector<std::pair<Point, double>>;  // weights > 0; each point once
  static constexpr Point kNone = ~Point{0};
  static constexpr double kTolerance = 0.01;    // of a step's time: what the features of its mix may be off by
  static constexpr double kRadius = 0.5;        // at first: octaves of rows within which a point is near
  static constexpr double kLeastRadius = 0.02;  // nearer than that points are not asked for

  explicit StepCost(const FeatureWeights& weights) : weights_(weights) {}

  /// Simulated steps whose weighted sum is the step; empty when it lies outside what was simulated. `without`: as if that
  /// point were not there.
  Mix interpolate(const StepFeatures& step, Point without = kNone) const;
  /// The same with the first radius everywhere: what is near before more points are asked for.
  Mix interpolate_widely(const StepFeatures& step) const;
  /// The sum that comes nearest, however far that is. Empty only without points.
  Mix closest(const StepFeatures& step) const;
  /// A step was simulated: its number, counted from 0.
  Point add(const StepFeatures& step);
  /// Asks for nearer points around this one; false when they are as near as they will be.
  bool narrow(Point point);

  std::size_t points() const { return points_.size(); }
  double radius(Point point) const { return radii_[point]; }

 private:
  static constexpr std::size_t kFeatures = 6;
  using Vector = std::array<double, kFeatures>;
  struct Near {
    double distance, rows;
    Point point;
  };
  struct Fit {
    Mix mix;
    double off = 1;  // what the features are off by, relative to the step's
  };
  Vector vector_of(const StepFeatures& step) const;
  std::vector<Near> by_distance(const StepFeatures& step, Point without, bool either_side) const;
  Fit fit(const StepFeatures& step, const std::vector<Near>& near) const;
  Mix within(const StepFeatures& step, std::vector<Near> near, double radius) const;

  FeatureWeights weights_;
  std::vector<StepFeatures> points_;
  std::vector<double> radii_;
};

}  // namespace harmonia::testbench
