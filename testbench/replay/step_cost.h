// What a step of continuous batching costs, from few simulated steps: the interpolation behind sampled trace replay.
//
// Models: a step as (sequences that decode, their mean context, prompt tokens, tokens cached before those, whether
// lm_head
//   runs). Cost is
//     decode alone:  D(sequences, context), bilinear between simulated steps
//     with prompts:  P(prompt tokens + sequences, cached), bilinear, plus what the decoding sequences add to such a
//     step,
//                    M(sequences, context), bilinear; less lm_head when no output token is wanted
//   Time of attention grows linearly with context, that of linears with tokens once the array is the limit: between
//   neighbouring points of the axes both are straight lines.
// Does not model: differences between sequences of one step (their mean context counts), neighbours in time.
//
// A cost is returned as weights of simulated points, so that every count of a run is interpolated alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// A step that a point is simulated for.
struct StepShape {
  std::uint64_t sequences = 0, context = 0;  // decoding
  std::uint64_t prompt = 0, cached = 0;      // tokens of a prompt's chunk, and tokens before it
  bool logits = true;
  bool operator<(const StepShape& o) const {
    return std::tie(sequences, context, prompt, cached, logits) <
           std::tie(o.sequences, o.context, o.prompt, o.cached, o.logits);
  }
};

/// A step whose cost is wanted; sums of several prompts' chunks come as one.
struct StepQuery {
  double sequences = 0, context = 0, prompt = 0, cached = 0;
  bool logits = true;
};

class StepCost {
 public:
  struct Limits {
    std::uint64_t sequences = 1, context = 1, prompt = 1, cached = 0;  // largest that will be asked for
  };
  using Point = std::size_t;
  using Mix = std::vector<std::pair<Point, double>>;  // weights may be negative; each point once
  /// `simulate` gives the number of a new point for a shape; it is asked for each shape at most once.
  StepCost(const Limits& limits, std::function<Point(const StepShape&)> simulate);

  Mix cost(const StepQuery& query);
  std::size_t points() const { return points_.size(); }

 private:
  using Axis = std::vector<std::uint64_t>;
  struct Between {
    std::uint64_t low, high;
    double share;  // of high
  };
  static Axis axis(std::uint64_t first, std::uint64_t factor, std::uint64_t last);
  static Between between(const Axis& axis, double value);
  Point point(const StepShape& shape);
  void add(std::map<Point, double>& mix, const StepShape& shape, double weight);
  void prompts(std::map<Point, double>& mix, double rows, double cached, double weight);

  Axis sequences_, context_, prompt_, cached_;
  std::uint64_t reference_prompt_;  // of the steps that tell what decoding adds
  std::function<Point(const StepShape&)> simulate_;
  std::map<StepShape, Point> points_;
};

}  // namespace harmonia::testbench
