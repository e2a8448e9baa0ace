#include "harmonia/hw/formats/random.h"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace harmonia::formats {

double portable_log(double x) {
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(t), t = (m - 1) / (m + 1), |t| <= 0.1716: eleven terms
  // of the odd series leave less than 2^-57 of it.
  int e = 0;
  double m = std::frexp(x, &e);
  if (m < 0.70710678118654752) {
    m *= 2;
    --e;
  }
  const double t = (m - 1) / (m + 1);
  const double square = t * t;
  double series = 0;
  for (int k = 21; k >= 1; k -= 2) series = series * square + 1.0 / k;
  return 2 * t * series + e * 0.69314718055994531;
}

double GaussianSource::next() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double u = 0;
  double v = 0;
  double s = 0;
  do {
    u = 2 * uniform_.uniform() - 1;
    v = 2 * uniform_.uniform() - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  const double radius = std::sqrt(-2 * portable_log(s) / s);
  spare_ = v * radius;
  has_spare_ = true;
  return u * radius;
}

void fill_gaussian(std::uint64_t seed, std::size_t n, float* out) {
  GaussianSource source(seed);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(source.next());
}

void fill_student_t(std::uint64_t seed, int degrees, std::size_t n, float* out) {
  if (degrees < 1) throw std::invalid_argument("Student's t needs at least 1 degree of freedom");
  GaussianSource source(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double z = source.next();
    double chi_square = 0;
    for (int k = 0; k < degrees; ++k) {
      const double g = source.next();
      chi_square += g * g;
    }
    out[i] = static_cast<float>(z / std::sqrt(chi_square / degrees));
  }
}

void fill_outlier_channels(std::uint64_t seed, std::size_t rows, std::size_t cols, std::size_t every, float factor,
                           float* out) {
  if (every == 0) throw std::invalid_argument("outlier channels: one column in 0");
  fill_gaussian(seed, rows * cols, out);
  if (cols == 0) return;
  SplitMix64 choice(~seed);
  std::vector<bool> outlier(cols);
  for (std::size_t left = cols / every + (cols < every); left > 0;) {
    const std::size_t c = static_cast<std::size_t>(choice.next() % cols);
    if (outlier[c]) continue;
    outlier[c] = true;
    --left;
  }
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c)
      if (outlier[c]) out[r * cols + c] *= factor;
}

}  // namespace harmonia::formats
