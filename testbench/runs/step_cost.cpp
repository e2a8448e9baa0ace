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
  return {
      weights_.step, weights_.row * s.rows, s.outputs > 0 ? weights_.head : 0, weights_.output * s.outputs, s.decoding,
      s.prompts};
}

StepCost::Mix StepCost::interpolate(const StepFeatures& step) const {
  const Vector wanted = vector_of(step);
  const double whole = std::accumulate(wanted.begin(), wanted.end(), 0.0);
  // The nearest points, on the same side of the on-chip limit.
  std::vector<std::pair<double, Point>> near;
  for (Point p = 0; p < points_.size(); ++p) {
    const StepFeatures& f = points_[p];
    const double rows = octaves(f.rows, step.rows, 0);
    if (f.on_chip != step.on_chip || rows > radius_) continue;
    const double least = 0.05 * whole;  // demand below that hardly matters
    near.emplace_back(
        rows + 0.25 * octaves(f.decoding, step.decoding, least) + 0.25 * octaves(f.prompts, step.prompts, least), p);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > kNear) near.resize(kNear);

  // Weights w >= 0 that make least of |sum of w x point - wanted|^2 and, a little, of the distance: by coordinates.
  std::vector<Vector> columns;
  std::vector<double> squares, weight(near.size(), 0.0);
  for (const auto& [distance, p] : near) {
    columns.push_back(vector_of(points_[p]));
    squares.push_back(std::inner_product(columns.back().begin(), columns.back().end(), columns.back().begin(), 0.0));
  }
  Vector missing = wanted;
  const auto off = [&] {
    double sum = 0;
    for (const double m : missing) sum += std::abs(m);
    return sum / whole;
  };
  const double pull = 1e-5 * whole * whole;
  for (int round = 0; round < 3000; ++round) {
    double moved = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double slope =
          std::inner_product(columns[i].begin(), columns[i].end(), missing.begin(), 0.0) - pull * near[i].first;
      const double change = std::max(-weight[i], slope / squares[i]);
      weight[i] += change;
      moved = std::max(moved, std::abs(change));
      for (std::size_t k = 0; k < kFeatures; ++k) missing[k] -= change * columns[i][k];
    }
    if (moved < 1e-9) break;
  }
  Mix mix;
  if (off() > kTolerance) return mix;
  for (std::size_t i = 0; i < near.size(); ++i)
    if (weight[i] > 0) mix.emplace_back(near[i].second, weight[i]);
  return mix;
}

StepCost::Point StepCost::add(const StepFeatures& step) {
  points_.push_back(step);
  return points_.size() - 1;
}

void StepCost::measured_error(double error) {
  if (error > kTarget) radius_ = std::max(0.02, radius_ / 2);
}

void SamplingError::add(const std::vector<double>& interpolated, const std::vector<double>& simulated) {
  off_.resize(simulated.size());
  sum_.resize(simulated.size());
  for (std::size_t i = 0; i < simulated.size(); ++i) {
    off_[i] += std::abs(interpolated[i] - simulated[i]);
    sum_[i] += simulated[i];
  }
  last_ = std::abs(interpolated.front() / simulated.front() - 1);
  largest_ = std::max(largest_, last_);
  ++count_;
}

double SamplingError::estimate() const {
  double most = largest_;
  for (std::size_t i = 1; i < sum_.size(); ++i)
    if (sum_[i] > 0.01 * sum_.front()) most = std::max(most, off_[i] / sum_[i]);
  return most;
}

}  // namespace harmonia::testbench
