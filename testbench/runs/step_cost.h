// What a step of continuous batching costs, from few simulated steps: the interpolation behind sampled trace replay.
//
// Models: the time of a step is that of its linears, which follows the number of its rows (tokens), that of its
// attention, and that of lm_head, which follows the number of output tokens. Attention is measured by its demand: the
// time that its memory traffic and array operations take at peak rates, known exactly for every step (it depends on the
// context of each sequence and on how a prompt's queries are cut into strips).
//     decode alone:  D(sequences, demand), bilinear between simulated steps
//     with prompts:  P(rows), linear between simulated prompts, plus (demand - P's demand) times the slope between two
//                    prompts of the same length after different contexts, plus lm_head as simulated decode steps have
//                    it
//   The axis of rows has a point on either side of where activations cease to fit on chip.
// Does not model: in which order the sequences of one step stand, neighbours in time.
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

/// A step whose cost is wanted.
struct StepQuery {
  std::uint64_t sequences = 0;  // that decode
  std::uint64_t prompt = 0;     // tokens of prompts
  std::uint64_t outputs = 0;    // output tokens, the rows of lm_head
  double demand = 0;            // of attention
};

class StepCost {
 public:
  struct Limits {
    std::uint64_t sequences = 1, context = 1, prompt = 1, cached = 0;  // largest that will be asked for
    std::uint64_t rows_on_chip = 0;  // most rows of a step whose activations stay on chip
  };
  using Point = std::size_t;
  using Mix = std::vector<std::pair<Point, double>>;  // weights may be negative; each point once
  /// `simulate` gives the number of a new point for a shape, at most once each; `demand` that of a shape's attention.
  StepCost(const Limits& limits, std::function<Point(const StepShape&)> simulate,
           std::function<double(const StepShape&)> demand);

  Mix cost(const StepQuery& query);
  std::size_t points() const { return points_.size(); }

 private:
  using Axis = std::vector<std::uint64_t>;
  struct Between {
    std::uint64_t low, high;
    double share;  // of high
  };
  static Between between(const Axis& axis, std::uint64_t value);
  Axis axis(std::uint64_t first, std::uint64_t factor, std::uint64_t last) const;
  Point point(const StepShape& shape);
  void add(std::map<Point, double>& mix, const StepShape& shape, double weight);
  void attention(std::map<Point, double>& mix, const std::function<StepShape(std::uint64_t)>& shape, const Axis& axis,
                 double demand, double weight);
  void decode(std::map<Point, double>& mix, std::uint64_t sequences, double demand);
  void prompts(std::map<Point, double>& mix, const StepQuery& query);

  Limits limits_;
  Axis sequences_, context_, rows_, cached_;
  std::uint64_t reference_ = 1;  // tokens of the prompts that tell what attention costs
  std::function<Point(const StepShape&)> simulate_;
  std::function<double(const StepShape&)> demand_;
  std::map<StepShape, Point> points_;
};

}  // namespace harmonia::testbench
