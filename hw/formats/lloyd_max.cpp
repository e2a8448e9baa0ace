#include "harmonia/hw/formats/lloyd_max.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/random.h"

namespace harmonia::formats {
namespace {

// FP32 bits to unsigned integers of the same order, and back.
std::uint32_t sortable(float x) {
  const std::uint32_t u = float_bits(x);
  return (u & 0x80000000U) != 0 ? ~u : u | 0x80000000U;
}
float from_sortable(std::uint32_t u) { return float_from_bits((u & 0x80000000U) != 0 ? u & 0x7FFFFFFFU : ~u); }

std::vector<float> sorted(const float* values, std::size_t n) {
  // Least significant digit first, three digits of 11, 11 and 10 bits; all histograms in one pass.
  constexpr std::size_t kDigit = 2048;
  std::array<std::array<std::size_t, kDigit>, 3> first{};
  std::vector<std::uint32_t> keys(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) throw std::invalid_argument("value " + std::to_string(i) + " is not finite");
    const std::uint32_t u = sortable(values[i]);
    keys[i] = u;
    ++first[0][u & 2047];
    ++first[1][u >> 11 & 2047];
    ++first[2][u >> 22];
  }
  for (auto& digit : first) {
    std::size_t sum = 0;
    for (std::size_t& f : digit) {
      const std::size_t count = f;
      f = sum;
      sum += count;
    }
  }
  std::vector<std::uint32_t> other(n);
  for (std::size_t digit = 0; digit < 2; ++digit) {
    for (const std::uint32_t u : keys) other[first[digit][u >> 11 * digit & 2047]++] = u;
    keys.swap(other);
  }
  std::vector<std::uint32_t>().swap(other);
  std::vector<float> out(n);
  for (const std::uint32_t u : keys) out[first[2][u >> 22]++] = from_sortable(u);
  return out;
}

// Sorted values with the running sums of x and x^2.
class Samples {
 public:
  Samples(const float* values, std::size_t n) : x_(sorted(values, n)) {
    sums_.reserve(n / kStride + 1);
    Sums running;
    for (std::size_t i = 0; i < n; ++i) {
      if (i % kStride == 0) sums_.push_back(running);
      running.add(x_[i]);
    }
    if (n % kStride == 0) sums_.push_back(running);
  }

  std::size_t size() const { return x_.size(); }
  double at(std::size_t i) const { return x_[i]; }

  /// How many values are <= bound.
  std::size_t count_up_to(double bound) const {
    return static_cast<std::size_t>(
        std::upper_bound(x_.begin(), x_.end(), bound, [](double b, float x) { return b < x; }) - x_.begin());
  }

  /// Sum of x over [begin, end).
  double sum(std::size_t begin, std::size_t end) const { return up_to(end).x - up_to(begin).x; }

  /// Sum of (x - c)^2 over [begin, end).
  double squared_error(std::size_t begin, std::size_t end, double c) const {
    const Sums b = up_to(begin);
    const Sums e = up_to(end);
    const double error = (e.xx - b.xx) - 2 * c * (e.x - b.x) + c * c * static_cast<double>(end - begin);
    return std::max(error, 0.0);
  }

 private:
  static constexpr std::size_t kStride = 64;
  struct Sums {
    double x = 0;
    double xx = 0;
    void add(double value) {
      x += value;
      xx += value * value;
    }
  };

  Sums up_to(std::size_t end) const {
    Sums s = sums_[end / kStride];
    for (std::size_t i = end / kStride * kStride; i < end; ++i) s.add(x_[i]);
    return s;
  }

  std::vector<float> x_;
  std::vector<Sums> sums_;
};

// cut[j] = first value of cell j; cut[k] = n.
std::vector<std::size_t> cells(const Samples& samples, const std::vector<double>& centroids) {
  std::vector<std::size_t> cut(centroids.size() + 1, 0);
  cut.back() = samples.size();
  for (std::size_t j = 1; j < centroids.size(); ++j)
    cut[j] = samples.count_up_to((centroids[j - 1] + centroids[j]) / 2);
  return cut;
}

// k-means++: the next centroid is a value drawn with probability proportional to its squared distance from the nearest
// centroid so far. In sorted order those distances are sums over cells, so that a draw needs no pass over the values.
std::vector<double> seed_centroids(const Samples& samples, std::size_t k, SplitMix64& random) {
  const auto draw = [&](std::size_t n) {
    return std::min(static_cast<std::size_t>(random.uniform() * static_cast<double>(n)), n - 1);
  };
  std::vector<double> centroids = {samples.at(draw(samples.size()))};
  while (centroids.size() < k) {
    const std::vector<std::size_t> cut = cells(samples, centroids);
    std::vector<double> error(centroids.size());
    double total = 0;
    for (std::size_t j = 0; j < centroids.size(); ++j)
      total += error[j] = samples.squared_error(cut[j], cut[j + 1], centroids[j]);
    double target = random.uniform() * total;
    std::size_t cell = 0;
    while (cell + 1 < centroids.size() && target >= error[cell]) target -= error[cell++];
    // The value of the cell at which the running squared error passes the target.
    std::size_t low = cut[cell];
    std::size_t high = cut[cell + 1];
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      if (samples.squared_error(cut[cell], middle, centroids[cell]) <= target)
        low = middle;
      else
        high = middle;
    }
    const double chosen = samples.at(std::min(low, samples.size() - 1));
    centroids.insert(std::upper_bound(centroids.begin(), centroids.end(), chosen), chosen);
  }
  return centroids;
}

// Midpoint boundaries and cell means from one start until nothing moves.
LloydMaxResult refine(const Samples& samples, std::vector<double> centroids, int max_iterations) {
  const std::size_t k = centroids.size();
  LloydMaxResult result;
  std::vector<std::size_t> cut = cells(samples, centroids);
  while (!result.converged && result.iterations < max_iterations) {
    for (std::size_t j = 0; j < k; ++j)
      if (cut[j + 1] > cut[j])
        centroids[j] = samples.sum(cut[j], cut[j + 1]) / static_cast<double>(cut[j + 1] - cut[j]);
    std::sort(centroids.begin(), centroids.end());
    std::vector<std::size_t> next = cells(samples, centroids);
    result.converged = next == cut;
    cut = std::move(next);
    ++result.iterations;
  }

  for (double& c : centroids) {
    result.centroids.push_back(static_cast<float>(c));
    c = result.centroids.back();
  }
  cut = cells(samples, centroids);
  double error = 0;
  for (std::size_t j = 0; j < k; ++j) error += samples.squared_error(cut[j], cut[j + 1], centroids[j]);
  result.mean_squared_error = error / static_cast<double>(samples.size());
  return result;
}

}  // namespace

LloydMaxResult lloyd_max(const float* values, std::size_t n, std::size_t k, const LloydMaxOptions& options) {
  if (n == 0 || k == 0) throw std::invalid_argument("a codebook needs at least one value and one centroid");
  if (options.starts < 1) throw std::invalid_argument("Lloyd-Max training needs at least one start");
  const Samples samples(values, n);
  SplitMix64 random(options.seed);
  LloydMaxResult best;
  for (int start = 0; start < options.starts; ++start) {
    LloydMaxResult result = refine(samples, seed_centroids(samples, k, random), options.max_iterations);
    if (start == 0 || result.mean_squared_error < best.mean_squared_error) best = std::move(result);
  }
  return best;
}

}  // namespace harmonia::formats
