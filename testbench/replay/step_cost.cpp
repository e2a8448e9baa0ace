#include "harmonia/testbench/replay/step_cost.h"

#include <algorithm>
#include <utility>

namespace harmonia::testbench {

StepCost::Axis StepCost::axis(std::uint64_t first, std::uint64_t factor, std::uint64_t last) {
  Axis points;
  for (std::uint64_t v = first; v < last; v *= factor) points.push_back(v);
  points.push_back(std::max<std::uint64_t>(last, 1));
  return points;
}

StepCost::StepCost(const Limits& l, std::function<Point(const StepShape&)> simulate)
    : sequences_(axis(1, 4, l.sequences)),
      context_(axis(128, 8, l.context)),
      prompt_(axis(64, 2, l.prompt)),
      reference_prompt_(std::max<std::uint64_t>(l.prompt > 2 * l.sequences ? l.prompt - l.sequences : l.prompt / 2, 1)),
      simulate_(std::move(simulate)) {
  prompt_.insert(prompt_.begin(), prompt_.front() > 1 ? 1 : prompt_.front());
  prompt_.erase(std::unique(prompt_.begin(), prompt_.end()), prompt_.end());
  cached_ = {0};
  for (std::uint64_t v = 2048; v < l.cached; v *= 4) cached_.push_back(v);
  if (l.cached > 0) cached_.push_back(l.cached);
}

StepCost::Between StepCost::between(const Axis& axis, double value) {
  const auto above = std::lower_bound(axis.begin(), axis.end(), value,
                                      [](std::uint64_t a, double b) { return static_cast<double>(a) < b; });
  if (above == axis.begin()) return {axis.front(), axis.front(), 0};
  if (above == axis.end()) return {axis.back(), axis.back(), 0};
  const std::uint64_t low = *(above - 1), high = *above;
  return {low, high, (value - static_cast<double>(low)) / static_cast<double>(high - low)};
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

void StepCost::prompts(std::map<Point, double>& mix, double rows, double cached, double weight) {
  const Between r = between(prompt_, rows), k = between(cached_, cached);
  add(mix, {0, 0, r.low, k.low, true}, weight * (1 - r.share) * (1 - k.share));
  add(mix, {0, 0, r.low, k.high, true}, weight * (1 - r.share) * k.share);
  add(mix, {0, 0, r.high, k.low, true}, weight * r.share * (1 - k.share));
  add(mix, {0, 0, r.high, k.high, true}, weight * r.share * k.share);
}

StepCost::Mix StepCost::cost(const StepQuery& q) {
  std::map<Point, double> mix;
  if (q.prompt > 0) {
    prompts(mix, q.prompt + q.sequences, q.cached, 1);
    if (!q.logits) {
      add(mix, {0, 0, prompt_.front(), 0, true}, -1);
      add(mix, {0, 0, prompt_.front(), 0, false}, 1);
    }
  }
  if (q.sequences > 0) {
    const Between s = between(sequences_, q.sequences), c = between(context_, q.context);
    for (const auto& [sequences, by_sequences] : {std::pair{s.low, 1 - s.share}, std::pair{s.high, s.share}})
      for (const auto& [context, by_context] : {std::pair{c.low, 1 - c.share}, std::pair{c.high, c.share}}) {
        const double weight = by_sequences * by_context;
        if (weight == 0) continue;
        if (q.prompt > 0) {
          add(mix, {sequences, context, reference_prompt_, 0, true}, weight);
          prompts(mix, static_cast<double>(reference_prompt_ + sequences), 0, -weight);
        } else {
          add(mix, {sequences, context, 0, 0, true}, weight);
        }
      }
  }
  return Mix(mix.begin(), mix.end());
}

}  // namespace harmonia::testbench
