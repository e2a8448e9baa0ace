// Constrained-random stimulus: what tests draw, by weights and constraints, from one seed.
//
// Models: whole numbers from weighted ranges, FP16 tensors of several distributions with outliers and special values, named modes
//   by weight, stalls of streams. Each is a described config struct, so that a YAML file sets it and a wrong one is refused with its
//   place. Does not model: solving of relations between several values; a bench draws them one after the other.
//
// The same seed and the same file give the same stimulus on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/random.h"

namespace harmonia::stimulus {

using Random = formats::SplitMix64;

/// 0 .. below - 1; below > 0.
inline std::uint64_t draw_below(Random& random, std::uint64_t below) { return random.next() % below; }
/// The index of a weight with that chance; the sum must not be 0.
std::size_t draw_weighted(Random& random, const std::vector<int>& weights);

/// Whole numbers from weighted ranges.
struct Range {
  std::int64_t from = 0, to = 0;
  int weight = 1;
  void describe(config::Fields& f);
};
std::int64_t draw(Random& random, const std::vector<Range>& ranges);

/// FP16 values. The weights choose a kind for each group of 32 values.
struct Tensor {
  int any_bits = 1;       // any bit pattern
  int subnormal = 1;      // subnormals of both signs
  int zero = 1;           // zeros of both signs, a value now and then
  int largest = 1;        // the largest magnitude, both signs
  int not_finite = 1;     // infinities and NaNs among others
  int near_exponent = 3;  // exponents that lie `spread` or less below one that is drawn
  int gaussian = 1;       // standard normal
  int spread = 15;
  double outlier_share = 0;  // of values
  int outlier_doublings = 6;
  void describe(config::Fields& f);
};
void draw(Random& random, const Tensor& tensor, formats::Fp16* x, std::size_t count);

/// Patterns of pauses on the streams of a block; one is drawn for each batch.
struct Stalls {
  int none = 2, input = 1, output = 1, both = 1, heavy = 1;
  int share = 400;  // of 1024: chance of a pause in patterns but `heavy`, which has 900
  void describe(config::Fields& f);
};
/// Chances of a pause in 1024.
struct StallPattern {
  std::uint32_t input = 0, output = 0;
};
StallPattern draw(Random& random, const Stalls& stalls);

/// A mode and its weight.
struct Mode {
  std::string name;
  int weight = 1;
  void describe(config::Fields& f);
};

/// What a bench is given. Each bench uses what it has a use for (docs/random.md).
struct Stimulus {
  std::int64_t transactions = 600;
  Tensor tensor;
  Stalls stalls;
  std::vector<Range> lengths;  // empty: the bench's own
  std::vector<Mode> modes;     // empty: all modes of the bench alike
  void describe(config::Fields& f);
};

/// A YAML file of these keys. Throws config::InputError with the place.
Stimulus read_stimulus(const std::string& file);

}  // namespace harmonia::stimulus
