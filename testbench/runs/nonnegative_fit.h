// Least squares with weights that are not negative, for few equations and some tens of unknowns.
//
// Models: the active-set method of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23), with a price for
//   each unknown and a slight preference for small ones, so that one solution is the best where many are as good.
// Does not model: what is fitted.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// x >= 0 that makes least of |sum of x[i] columns[i] - target|^2 / 2 + sum of prices[i] x[i]. Columns are of length 1
/// about; prices are >= 0.
template <std::size_t N>
class NonnegativeFit {
 public:
  using Column = std::array<double, N>;

  NonnegativeFit(std::vector<Column> columns, const Column& target, std::vector<double> prices)
      : columns_(std::move(columns)), prices_(std::move(prices)), missing_(target), x_(columns_.size(), 0.0) {
    const Column wanted = target;
    for (std::size_t round = 0; round < 3 * columns_.size() + 3; ++round) {
      const std::size_t next = steepest();
      if (next == columns_.size()) break;
      used_.push_back(next);
      settle(wanted);
    }
  }

  const std::vector<double>& x() const { return x_; }
  /// target - sum
  const Column& missing() const { return missing_; }

 private:
  static constexpr double kLeastSlope = 1e-7, kSmall = 1e-9;

  static double product(const Column& a, const Column& b) {
    double sum = 0;
    for (std::size_t k = 0; k < N; ++k) sum += a[k] * b[k];
    return sum;
  }

  /// The unused unknown whose growth helps most; their number when none does.
  std::size_t steepest() const {
    std::size_t best = columns_.size();
    double most = kLeastSlope;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (x_[i] > 0) continue;
      const double slope = product(columns_[i], missing_) - prices_[i];
      if (slope > most) {
        most = slope;
        best = i;
      }
    }
    return best;
  }

  /// The best values of those used; those that would become negative leave, the most hindering first.
  void settle(const Column& wanted) {
    while (!used_.empty()) {
      const std::vector<double> best = solve(wanted);
      double share = 1;
      for (std::size_t u = 0; u < used_.size(); ++u)
        if (best[u] <= 0) share = std::min(share, x_[used_[u]] / (x_[used_[u]] - best[u]));
      std::vector<std::size_t> kept;
      for (std::size_t u = 0; u < used_.size(); ++u) {
        double& x = x_[used_[u]];
        x += share * (best[u] - x);
        if (best[u] <= 0 && x <= kSmall)
          x = 0;
        else
          kept.push_back(used_[u]);
      }
      const bool done = kept.size() == used_.size();
      used_ = std::move(kept);
      if (done) break;
    }
    missing_ = wanted;
    for (const std::size_t i : used_)
      for (std::size_t k = 0; k < N; ++k) missing_[k] -= x_[i] * columns_[i][k];
  }

  /// The normal equations of those used, by Cholesky's method.
  std::vector<double> solve(const Column& wanted) const {
    const std::size_t n = used_.size();
    std::vector<double> l(n * n, 0.0), y(n);
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t c = 0; c <= r; ++c) {
        double sum = product(columns_[used_[r]], columns_[used_[c]]) + (r == c ? kSmall : 0);
        for (std::size_t k = 0; k < c; ++k) sum -= l[r * n + k] * l[c * n + k];
        l[r * n + c] = r == c ? std::sqrt(std::max(sum, kSmall)) : sum / l[c * n + c];
      }
      y[r] = product(columns_[used_[r]], wanted) - prices_[used_[r]];
      for (std::size_t k = 0; k < r; ++k) y[r] -= l[r * n + k] * y[k];
      y[r] /= l[r * n + r];
    }
    for (std::size_t r = n; r-- > 0;) {
      for (std::size_t k = r + 1; k < n; ++k) y[r] -= l[k * n + r] * y[k];
      y[r] /= l[r * n + r];
    }
    return y;
  }

  std::vector<Column> columns_;
  std::vector<double> prices_;
  Column missing_;
  std::vector<double> x_;
  std::vector<std::size_t> used_;
};

}  // namespace harmonia::testbench
