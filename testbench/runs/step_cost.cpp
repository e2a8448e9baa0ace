#include "harmonia/testbench/runs/step_cost.h"

#include <algorithm>
#include <utility>

namespace harmonia::testbench {

StepCost::Axis StepCost::axis(std::uint64_t first, std::uint64_t factor, std::uint64_t last) const {
  Axis points;
  for (std::uint64_t v = first; v < last; v *= factor) points.push_back(v);
  points.push_back(std::max<std::uint64_t>(last, 1));
  return points;
}

StepCost::StepCost(const Limits& l, std::function<Point(const StepShape&)> simulate,
                   std::function<double(const StepShape&)> demand)
    : limits_(l),
      sequences_(axis(1, 4, l.sequences)),
      context_(axis(128, 4, l.context)),
      rows_(axis(16, 4, l.prompt)),
      cached_(axis(512, 4, l.cached)),
      simulate_(std::move(simulate)),
      demand_(std::move(demand)) {
  rows_.push_back(1);
  cached_.push_back(0);
  for (Axis* a : {&sequences_, &rows_})
    for (const std::uint64_t edge : {l.rows_on_chip, l.rows_on_chip + 1})
      if (edge > 0 && edge < (a == &rows_ ? l.prompt : l.sequences)) a->push_back(edge);
  if (l.cached == 0) cached_ = {0};
  for (Axis* a : {&sequences_, &rows_, &cached_}) {
    std::sort(a->begin(), a->end());
    a->erase(std::unique(a->begin(), a->end()), a->end());
  }
  reference_ = std::min<std::uint64_t>(64, l.prompt);
}

StepCost::Between StepCost::between(const Axis& axis, std::uint64_t value) {
  const auto above = std::lower_bound(axis.begin(), axis.end(), value);
  if (above == axis.begin()) return {axis.front(), axis.front(), 0};
  if (above == axis.end()) return {axis.back(), axis.back(), 0};
  const std::uint64_t low = *(above - 1), high = *above;
  return {low, high, static_cast<double>(value - low) / static_cast<double>(high - low)};
}

StepCost::Point StepCost::point(const StepShape& shape) {
  const auto known = points_.find(shape);
  if (known != points_.end()) return known->second;
  const Point p = simulate_(shape);
  points_.emplace(shape, p);
  return p;
}

void StepCost::add(std::map<Point, double>& mix, const StepShape& shape, double weight) {
  if (weight != 0) mix[point(shape)] += weight;
}

/// A step between two of those that `shape` gives along the axis, where the attention has this demand.
void StepCost::attention(std::map<Point, double>& mix, const std::function<StepShape(std::uint64_t)>& shape,
                         const Axis& axis, double demand, double weight) {
  std::size_t high = 1;
  while (high + 1 < axis.size() && demand_(shape(axis[high])) < demand) ++high;
  const StepShape a = shape(axis[high < axis.size() ? high - 1 : 0]), b = shape(axis[std::min(high, axis.size() - 1)]);
  const double from = demand_(a), to = demand_(b);
  const double share = to > from ? (demand - from) / (to - from) : 0;
  add(mix, a, weight * (1 - share));
  add(mix, b, weight * share);
}

void StepCost::decode(std::map<Point, double>& mix, std::uint64_t sequences, double demand) {
  const Between s = between(sequences_, sequences);
  for (const auto& [count, weight] : {std::pair{s.low, 1 - s.share}, std::pair{s.high, s.share}}) {
    if (weight == 0) continue;
    const double scaled = demand * static_cast<double>(count) / static_cast<double>(sequences);
    attention(
        mix,
        [n = count](std::uint64_t context) {
          return StepShape{n, context, 0, 0, true};
        },
        context_, scaled, weight);
  }
}

void StepCost::prompts(std::map<Point, double>& mix, const StepQuery& q) {
  const Between r = between(rows_, q.prompt + q.sequences);
  double demand = 0;
  for (const auto& [rows, weight] : {std::pair{r.low, 1 - r.share}, std::pair{r.high, r.share}}) {
    const StepShape shape{0, 0, rows, 0, false};
    add(mix, shape, weight);
    if (weight != 0) demand += weight * demand_(shape);
  }
  // What the attention differs by, from prompts on the same side of the on-chip limit.
  std::uint64_t length = std::max(reference_, std::min(limits_.rows_on_chip + 1, limits_.prompt));
  if (q.prompt + q.sequences <= limits_.rows_on_chip) length = std::min(reference_, limits_.rows_on_chip);
  const auto after = [length](std::uint64_t cached) { return StepShape{0, 0, length, cached, false}; };
  const double own = demand_(after(0));
  const double difference = q.demand - demand;
  if (cached_.size() > 1 && difference != 0 && own > 0) {
    // The slope where the contexts of this step are: as much demand for each row as it has.
    const double wanted = q.demand * static_cast<double>(length) / static_cast<double>(q.prompt + q.sequences);
    std::size_t high = 1;
    while (high + 1 < cached_.size() && demand_(after(cached_[high])) < wanted) ++high;
    const StepShape low_shape = after(cached_[high - 1]), high_shape = after(cached_[high]);
    const double span = demand_(high_shape) - demand_(low_shape);
    if (span > 0) {
      add(mix, high_shape, difference / span);
      add(mix, low_shape, -difference / span);
    }
  }
  if (q.outputs == 0) return;
  const Between m = between(sequences_, q.outputs);
  for (const auto& [count, weight] : {std::pair{m.low, 1 - m.share}, std::pair{m.high, m.share}}) {
    add(mix, {count, context_.front(), 0, 0, true}, weight);
    add(mix, {count, context_.front(), 0, 0, false}, -weight);
  }
}

StepCost::Mix StepCost::cost(const StepQuery& q) {
  std::map<Point, double> mix;
  if (q.prompt > 0)
    prompts(mix, q);
  else if (q.sequences > 0)
    decode(mix, q.sequences, q.demand);
  return Mix(mix.begin(), mix.end());
}

}  // namespace harmonia::testbench
