#include "harmonia/testbench/runs/step_cost.h"

#include <cmath>
#include <numeric>

#include "harmonia/testbench/runs/nonnegative_fit.h"

namespace harmonia::testbench {
namespace {

constexpr double kPull = 3e-4;  // what a step's worth of an octave's distance costs, as the square of a misfit
constexpr double kDistanceDissimilarity = 0.02;   // dissimilarity of a step's worth of an octave's distance
constexpr std::size_t kAttention = 4;             // its features come last
constexpr double kAttentionDissimilarity = 0.25;  // attention goes with its demand where a sum has another one

/// Distance in binary orders of magnitude, of values that may be 0.
double octaves(double a, double b, double least) { return std::abs(std::log2((a + least) / (b + least))); }

double sum_of(const StepCost::Vector& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double ratio(double to, double from) { return to > 0 && from > 0 ? to / from : 1; }

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
std::vector<StepCost::Near> StepCost::near(const StepFeatures& step, double whole, const std::vector<bool>& without,
                                           bool either_side) const {
  const double least = 0.05 * whole;  // demand below that hardly matters
  std::vector<Near> near;
  for (Point p = 0; p < points_.size(); ++p) {
    const StepFeatures& f = points_[p];
    if ((!without.empty() && without[p]) || (f.on_chip != step.on_chip && !either_side)) continue;
    near.push_back({octaves(f.rows, step.rows, 0) + 0.25 * octaves(f.decoding, step.decoding, least) +
                        0.25 * octaves(f.prompts, step.prompts, least),
                    p});
  }
  return near;
}

StepCost::Mix StepCost::fit(const Vector& wanted, double whole, const std::vector<Near>& near) const {
  Vector target = wanted;
  for (double& t : target) t /= whole;
  std::vector<Vector> columns;
  std::vector<double> lengths, prices;
  for (const Near& n : near) {
    Vector v = vectors_[n.point];
    lengths.push_back(std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)));
    for (double& x : v) x /= lengths.back();
    columns.push_back(v);
    prices.push_back(kPull * n.distance);
  }
  const NonnegativeFit<kFeatures> fit(std::move(columns), target, std::move(prices));
  Mix mix;
  for (std::size_t i = 0; i < near.size(); ++i)
    if (fit.x()[i] > 0) mix.emplace_back(near[i].point, fit.x()[i] * whole / lengths[i]);
  return mix;
}

StepCost::Prediction StepCost::predict(const StepFeatures& step, const std::vector<bool>& without) const {
  const Vector wanted = vector_of(step);
  const double whole = sum_of(wanted);
  std::vector<Near> around = near(step, whole, without, false);
  if (around.empty()) around = near(step, whole, without, true);
  Prediction p;
  if (around.empty()) return p;
  p.mix = fit(wanted, whole, around);
  if (p.mix.empty()) p.mix = {{around.front().point, 1.0}};
  Vector got{};
  double far = 0, rows = 0, outputs = 0;
  for (const auto& [point, weight] : p.mix) {
    for (std::size_t k = 0; k < kFeatures; ++k) got[k] += weight * vectors_[point][k];
    rows += weight * points_[point].rows;
    outputs += weight * points_[point].outputs;
    for (const Near& n : around)
      if (n.point == point) far += n.distance * weight * sum_of(vectors_[point]) / whole;
  }
  p.demand = {ratio(wanted[1], got[1]) / ratio(step.rows, rows),
              ratio(wanted[3], got[3]) / ratio(step.outputs, outputs), ratio(wanted[4] + wanted[5], got[4] + got[5])};
  p.dissimilarity = kDistanceDissimilarity * far + (points_[p.mix.front().first].on_chip == step.on_chip ? 0 : 1);
  for (std::size_t k = 0; k < kFeatures; ++k)
    p.dissimilarity += (k < kAttention ? 1 : kAttentionDissimilarity) * std::abs(wanted[k] - got[k]) / whole;
  return p;
}

StepCost::Point StepCost::add(const StepFeatures& step) {
  points_.push_back(step);
  vectors_.push_back(vector_of(step));
  return points_.size() - 1;
}

StepCost::Point StepCost::same(const StepFeatures& step) const {
  for (Point p = 0; p < points_.size(); ++p)
    if (points_[p] == step) return p;
  return kNone;
}

}  // namespace harmonia::testbench
