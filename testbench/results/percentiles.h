// Samples and their percentiles.
//
// Definition: the p-th percentile of n samples is the smallest sample that at least p percent of all samples do not
// exceed (nearest rank: the ceil(p n / 100)-th smallest; p = 0 gives the smallest). It is always one of the samples,
// never an interpolation. A sample of weight w counts as w equal samples: how a sampled run says that one simulated
// step stands for many. Exact: every distinct (value, weight) that was added is stored, 16 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// What results say about a distribution. All zero when there are no samples.
struct Distribution {
  std::uint64_t count = 0;
  double mean = 0, min = 0, p50 = 0, p95 = 0, p99 = 0, max = 0;
};

class Samples {
 public:
  /// Adds a sample `weight` times; a weight of 0 adds nothing. The value must be finite (std::invalid_argument).
  void add(double value, std::uint64_t weight = 1);
  void reserve(std::size_t n) { samples_.reserve(n); }

  std::uint64_t count() const { return count_; }
  /// Throws std::invalid_argument unless 0 <= p <= 100 and there are samples.
  double percentile(double p) const;
  Distribution distribution() const;

 private:
  void sort() const;

  mutable std::vector<std::pair<double, std::uint64_t>> samples_;
  mutable bool sorted_ = true;
  std::uint64_t count_ = 0;
};

}  // namespace harmonia::testbench
