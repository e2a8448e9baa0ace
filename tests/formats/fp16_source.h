// Random FP16 values that reach every case: whole groups of ordinary numbers, of subnormals and zeros, of any finite
// bits, and a few with infinities and NaNs. The same on every machine for a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::test {

class Fp16Source {
 public:
  explicit Fp16Source(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double gaussian() {  // sum of twelve: enough for data
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

  /// Fills x, changing the kind of values every `run` elements. With `nonfinite` one run in eight holds some inf and
  /// NaN.
  void fill(formats::Fp16* x, std::size_t n, std::size_t run, bool nonfinite) {
    for (std::size_t i = 0; i < n;) {
      const std::size_t kind = below(8);
      const auto base = static_cast<unsigned>(below(28));
      for (const std::size_t end = i + run < n ? i + run : n; i < end;) {
        std::uint64_t bits = next();
        for (int k = 0; k < 4 && i < end; ++k, bits >>= 16, ++i)
          x[i] = {shape(static_cast<std::uint16_t>(bits), kind, base, nonfinite)};
      }
    }
  }
  std::vector<formats::Fp16> values(std::size_t n, std::size_t run = 32, bool nonfinite = false) {
    std::vector<formats::Fp16> x(n);
    fill(x.data(), n, run, nonfinite);
    return x;
  }

 private:
  static std::uint16_t finite(unsigned bits) {
    return static_cast<std::uint16_t>((bits & 0x7c00u) == 0x7c00u ? bits & 0xbfffu : bits);
  }
  static std::uint16_t shape(std::uint16_t bits, std::size_t kind, unsigned base, bool nonfinite) {
    const unsigned sign_fraction = bits & 0x83ffu;
    switch (kind) {
      case 0:  // any finite value
        return finite(bits);
      case 1:  // subnormals
        return static_cast<std::uint16_t>(sign_fraction);
      case 2:  // mostly zeros of both signs
        return (bits & 0x1c00u) != 0 ? static_cast<std::uint16_t>(bits & 0x8000u) : finite(bits);
      case 3:  // a few infinities and NaNs
        return nonfinite && (bits & 0x1cu) == 0 ? static_cast<std::uint16_t>(bits | 0x7c00u) : finite(bits);
      default:  // ordinary: eight neighbouring binades
        return finite(sign_fraction | ((base + ((bits >> 10) & 7u)) % 31u) << 10);
    }
  }

  std::uint64_t state_;
};

}  // namespace harmonia::test
