#include "harmonia/testbench/runs/step_cost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace harmonia::testbench {
namespace {

constexpr std::size_t kNear = 16;  // points of a mix, before those of weight 0 are left out

/// Distance in binary orders of magnitude, of values that may be 0.
double octaves(double a, double b, double least) { return std::abs(std::log2((a + least) / (b + least))); }

}  // namespace

StepCost::Vector StepCost::vector_of(const StepFeatures& s) const {
  return {weights_.step,
          weights_.row * s.array_rows,
          s.outputs > 0 ? weights_.head : 0,
          weights_.output * s.array_outputs,
          s.decoding,
          s.prompts};
}

/// Points on the same side of the on-chip limit, or on either.
std::vector<StepCost::Near> StepCost::by_distance(const StepFeatures& step, Point without, bool either_side) const {
  const Vector wanted = vector_of(step);
  const double least = 0.05 * std::accumulate(wanted.begin(), wanted.end(), 0.0);  // demand below that hardly matters
  std::vector<Near> near;
  for (Point p = 0; p < points_.size(); ++p) {
    const StepFeatures& f = points_[p];
    if (p == without || (f.on_chip != step.on_chip && !either_side)) continue;
    const double rows = octaves(f.rows, step.rows, 0);
    near.push_back(
        {rows + 0.25 * octaves(f.decoding, step.decoding, least) + 0.25 * octaves(f.prompts, step.prompts, least), rows,
         p});
  }
  std::sort(near.begin(), near.end(), [](const Near& a, const Near& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.point < b.point);
  });
  return near;
}

/// Weights w >= 0 that make least of |sum of w x point - step|^2 and, a little, of the distance: by coordinates.
StepCost::Fit StepCost::fit(const StepFeatures& step, const std::vector<Near>& near) const {
  const Vector wanted = vector_of(step);
  const double whole = std::accumulate(wanted.begin(), wanted.end(), 0.0);
  const std::size_t count = std::min(near.size(), kNear);
  std::vector<Vector> columns;
  std::vector<double> squares, weight(count, 0.0);
  for (std::size_t i = 0; i < count; ++i) {
    columns.push_back(vector_of(points_[near[i].point]));
    squares.push_back(std::inner_product(columns.back().begin(), columns.back().end(), columns.back().begin(), 0.0));
  }
  Vector missing = wanted;
  const double pull = 1e-5 * whole * whole;
  for (int round = 0; round < 3000; ++round) {
    double moved = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double slope =
          std::inner_product(columns[i].begin(), columns[i].end(), missing.begin(), 0.0) - pull * near[i].distance;
      const double change = std::max(-weight[i], slope / squares[i]);
      weight[i] += change;
      moved = std::max(moved, std::abs(change));
      for (std::size_t k = 0; k < kFeatures; ++k) missing[k] -= change * columns[i][k];
    }
    if (moved < 1e-7) break;
  }
  Fit result;
  result.off = 0;
  for (const double m : missing) result.off += std::abs(m) / whole;
  for (std::size_t i = 0; i < count; ++i)
    if (weight[i] > 0) result.mix.emplace_back(near[i].point, weight[i]);
  return result;
}

StepCost::Mix StepCost::within(const StepFeatures& step, std::vector<Near> near, double radius) const {
  // Demand is a quarter of a distance's weight: a point may be as much further in it.
  near.erase(std::remove_if(near.begin(), near.end(),
                            [&](const Near& n) { return n.rows > radius || n.distance > 4 * radius; }),
             near.end());
  const Fit found = fit(step, near);
  return found.off > kTolerance ? Mix{} : found.mix;
}

StepCost::Mix StepCost::interpolate(const StepFeatures& step, Point without) const {
  const std::vector<Near> near = by_distance(step, without, false);
  return near.empty() ? Mix{} : within(step, near, radii_[near.front().point]);
}

StepCost::Mix StepCost::interpolate_widely(const StepFeatures& step) const {
  return within(step, by_distance(step, kNone, false), kRadius);
}

StepCost::Mix StepCost::closest(const StepFeatures& step) const {
  std::vector<Near> near = by_distance(step, kNone, false);
  if (near.empty()) near = by_distance(step, kNone, true);
  const Fit found = fit(step, near);
  // All weights can be 0 only where nothing is alike: then the nearest stands in.
  return found.mix.empty() && !near.empty() ? Mix{{near.front().point, 1.0}} : found.mix;
}

StepCost::Point StepCost::add(const StepFeatures& step) {
  points_.push_back(step);
  radii_.push_back(kRadius);
  return points_.size() - 1;
}

bool StepCost::narrow(Point point) {
  if (radii_[point] <= kLeastRadius) return false;
  radii_[point] = std::max(kLeastRadius, radii_[point] / 2);
  return true;
}

}  // namespace harmonia::testbench
