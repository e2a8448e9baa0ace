// Deterministic random numbers for codebook seeding and synthetic tensors: the same for a seed on every machine and
// with every library, since they use only IEEE additions, multiplications, divisions and square roots in a fixed order.
//
// Models: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), uniform
// numbers, Gaussian numbers by Marsaglia's polar method with a logarithm of our own (std::log differs between systems),
// and three synthetic weight distributions. Does not model: cryptographic or parallel generators.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harmonia::formats {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

/// Natural logarithm of a positive normal number, the same bits everywhere; relative error below 1e-15 away from 1 and
/// absolute error below 1e-15 near 1.
double portable_log(double x);

/// Standard normal numbers.
class GaussianSource {
 public:
  explicit GaussianSource(std::uint64_t seed) : uniform_(seed) {}
  double next();

 private:
  SplitMix64 uniform_;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// n standard normal values.
void fill_gaussian(std::uint64_t seed, std::size_t n, float* out);

/// n values of Student's t with `degrees` degrees of freedom (heavier tails than Gaussian): Z / sqrt(chi^2 / degrees).
void fill_student_t(std::uint64_t seed, int degrees, std::size_t n, float* out);

/// Gaussian [rows, cols] of which one column in `every` (at least one, chosen by the seed) is `factor` times larger:
/// the outlier channels of trained models.
void fill_outlier_channels(std::uint64_t seed, std::size_t rows, std::size_t cols, std::size_t every, float factor,
                           float* out);

}  // namespace harmonia::formats
