#include "harmonia/testbench/results/percentiles.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace harmonia::testbench {

void Samples::add(double value, std::uint64_t weight) {
  if (!std::isfinite(value)) throw std::invalid_argument("a sample must be finite");
  if (weight == 0) return;
  if (!samples_.empty() && value < samples_.back().first) sorted_ = false;
  if (!samples_.empty() && samples_.back().first == value) {
    samples_.back().second += weight;
  } else {
    samples_.emplace_back(value, weight);
  }
  count_ += weight;
}

void Samples::sort() const {
  if (sorted_) return;
  std::sort(samples_.begin(), samples_.end());
  sorted_ = true;
}

double Samples::percentile(double p) const {
  if (!(p >= 0 && p <= 100)) throw std::invalid_argument("a percentile must lie between 0 and 100");
  if (samples_.empty()) throw std::invalid_argument("no samples");
  sort();
  // p n / 100 in one multiplication and one division, so that whole results stay whole (p = 95, n = 20 gives rank 19).
  const double exact_rank = std::ceil(p * static_cast<double>(count_) / 100.0);
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact_rank), 1, count_);
  std::uint64_t seen = 0;
  for (const auto& [value, weight] : samples_) {
    seen += weight;
    if (seen >= rank) return value;
  }
  return samples_.back().first;
}

Distribution Samples::distribution() const {
  Distribution d;
  if (samples_.empty()) return d;
  sort();  // also makes the sum independent of the order of addition
  double sum = 0;
  for (const auto& [value, weight] : samples_) sum += value * static_cast<double>(weight);
  d.count = count_;
  d.mean = sum / static_cast<double>(count_);
  d.min = samples_.front().first;
  d.p50 = percentile(50);
  d.p95 = percentile(95);
  d.p99 = percentile(99);
  d.max = samples_.back().first;
  return d;
}

}  // namespace harmonia::testbench
