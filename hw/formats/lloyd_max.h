// One-dimensional K-means (Lloyd-Max quantiser design): k centroids that minimise the mean squared error of a set of
// values, by alternating midpoint boundaries and cell means from a k-means++ start.
// Source: "1-Bit Wonder", codebook training; Lloyd 1982, Max 1960; Arthur and Vassilvitskii 2007 (k-means++).
//
// Models: training on finite FP32 values, the same result for a seed on every machine. The values are sorted once, and
// running sums are kept every 64 values, so that a cell's mean costs two binary searches and at most 128 additions
// instead of a pass over the data: the sums are those of the definition, formed in double.
// Does not model: more than one dimension, weighted values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace harmonia::formats {

struct LloydMaxOptions {
  std::uint64_t seed = 0;
  int starts = 10;             ///< independent k-means++ starts, of which the best result is kept (our choice)
  int max_iterations = 10000;  ///< of one start; it ends before that when no value changes its cell
};

struct LloydMaxResult {
  std::vector<float> centroids;   ///< ascending
  double mean_squared_error = 0;  ///< of the values against the returned centroids
  int iterations = 0;             ///< of the best start
  bool converged = false;         ///< no value changed its cell
};

/// k >= 1 centroids of n >= 1 values. Boundaries are midpoints in double, a value on a boundary belongs to the lower
/// cell; a cell without values keeps its centroid; the centroids are rounded to FP32 at the end. Memory: 8 bytes per
/// value. Throws std::invalid_argument for n = 0, k = 0, starts < 1 or a value that is not finite.
LloydMaxResult lloyd_max(const float* values, std::size_t n, std::size_t k, const LloydMaxOptions& options = {});

}  // namespace harmonia::formats
