#include "harmonia/hw/dram/statistics.h"

#include <algorithm>
#include <cmath>

namespace harmonia::dram {
namespace {

constexpr int kOctave0 = 12;  // 4096 = 2^12 begins the coarse part
constexpr int kSteps = 64;

int log2_floor(std::uint64_t v) {
  int n = 0;
  while (v >>= 1) ++n;
  return n;
}

}  // namespace

void Histogram::add_coarse(Cycle value) {
  const int octave = log2_floor(static_cast<std::uint64_t>(value));
  const int step = static_cast<int>((value >> (octave - 6)) & (kSteps - 1));
  const std::size_t index = static_cast<std::size_t>((octave - kOctave0) * kSteps + step);
  if (coarse_.size() <= index) coarse_.resize(index + 1);
  ++coarse_[index];
}

Cycle Histogram::percentile(double p) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::max(1.0, std::ceil(p * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (int v = 0; v < kExact; ++v) {
    seen += exact_[static_cast<std::size_t>(v)];
    if (seen >= rank) return v;
  }
  for (std::size_t i = 0; i < coarse_.size(); ++i) {
    seen += coarse_[i];
    if (seen >= rank) {
      const int octave = kOctave0 + static_cast<int>(i) / kSteps;
      const Cycle step = static_cast<Cycle>(i) % kSteps;
      return std::min(max_, ((kSteps + step + 1) << (octave - 6)) - 1);
    }
  }
  return max_;
}

}  // namespace harmonia::dram
