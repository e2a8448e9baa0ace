#include "harmonia/testbench/random/stimulus.h"

#include <algorithm>
#include <numeric>

#include "harmonia/config/yaml.h"

namespace harmonia::stimulus {

using formats::Fp16;

void Range::describe(config::Fields& f) {
  f.add("from", from).required().says("smallest number of the range");
  f.add("to", to).required().says("largest number of the range");
  f.add("weight", weight).range(1, 1000).says("how often against the other ranges");
  f.check("to", [this] { return to < from ? "must not be below `from`" : ""; });
}

void Tensor::describe(config::Fields& f) {
  const auto weight = [&](const char* key, int& value, const char* what) {
    f.add(key, value).range(0, 1000).says(std::string("weight of groups of ") + what);
  };
  weight("any_bits", any_bits, "any bit patterns");
  weight("subnormal", subnormal, "subnormals");
  weight("zero", zero, "zeros and a value now and then");
  weight("largest", largest, "values of the largest magnitude");
  weight("not_finite", not_finite, "infinities and NaNs among others");
  weight("near_exponent", near_exponent, "values whose exponents lie near one that is drawn");
  weight("gaussian", gaussian, "standard normal values");
  f.add("spread", spread).range(0, 30).says("of near_exponent: exponents below the one that is drawn");
  f.add("outlier_share", outlier_share).range(0, 1).says("share of values that are outliers");
  f.add("outlier_doublings", outlier_doublings).range(0, 30).says("an outlier is 2 to this power times larger");
  f.check("any_bits", [this] {
    return any_bits + subnormal + zero + largest + not_finite + near_exponent + gaussian == 0
               ? "one weight must not be 0"
               : "";
  });
}

void Stalls::describe(config::Fields& f) {
  f.add("none", none).range(0, 1000).says("weight of batches without pauses");
  f.add("input", input).range(0, 1000).says("weight of batches whose inputs pause");
  f.add("output", output).range(0, 1000).says("weight of batches whose output is not always taken");
  f.add("both", both).range(0, 1000).says("weight of batches with both");
  f.add("heavy", heavy).range(0, 1000).says("weight of batches that nearly always pause");
  f.add("share", share).range(1, 1000).unit("of 1024").says("chance of a pause in all but heavy batches");
  f.check("none", [this] { return none + input + output + both + heavy == 0 ? "one weight must not be 0" : ""; });
}

void Mode::describe(config::Fields& f) {
  f.add("name", name).required().says("a mode of the bench");
  f.add("weight", weight).range(1, 1000).says("how often against the other modes");
}

void Stimulus::describe(config::Fields& f) {
  f.add("transactions", transactions).range(1, 100000000).says("beats, requests or steps of one test");
  f.add("tensor", tensor).says("values");
  f.add("stalls", stalls).says("pauses of streams");
  f.add("lengths", lengths).says("lengths in values or bytes, by weighted ranges; empty: the bench's own");
  f.add("modes", modes).says("modes by weight; empty: all alike");
}

Stimulus read_stimulus(const std::string& file) {
  Stimulus s;
  config::Node document = config::read_yaml(file);
  config::Fields f;
  s.describe(f);
  f.read(document);
  return s;
}

std::size_t draw_weighted(Random& random, const std::vector<int>& weights) {
  const auto sum = static_cast<std::uint64_t>(std::accumulate(weights.begin(), weights.end(), 0LL));
  std::uint64_t at = draw_below(random, sum);
  for (std::size_t i = 0;; ++i) {
    if (at < static_cast<std::uint64_t>(weights[i])) return i;
    at -= static_cast<std::uint64_t>(weights[i]);
  }
}

std::int64_t draw(Random& random, const std::vector<Range>& ranges) {
  std::vector<int> weights;
  for (const Range& r : ranges) weights.push_back(r.weight);
  const Range& r = ranges[draw_weighted(random, weights)];
  return r.from + static_cast<std::int64_t>(draw_below(random, static_cast<std::uint64_t>(r.to - r.from) + 1));
}

void draw(Random& random, const Tensor& t, Fp16* x, std::size_t count) {
  constexpr std::size_t kGroup = 32;
  for (std::size_t first = 0; first < count; first += kGroup) {
    const std::size_t kind =
        draw_weighted(random, {t.any_bits, t.subnormal, t.zero, t.largest, t.not_finite, t.near_exponent, t.gaussian});
    const int base = 1 + static_cast<int>(draw_below(random, 30));
    formats::GaussianSource gaussian(random.next());
    for (std::size_t i = first; i < std::min(count, first + kGroup); ++i) {
      const std::uint64_t r = random.next();
      auto bits = static_cast<std::uint16_t>(r);
      switch (kind) {
        case 0:
          break;
        case 1:
          bits &= 0x83ff;
          break;
        case 2:
          bits = (r >> 16 & 3) != 0 ? bits & 0x8000 : bits;
          break;
        case 3:
          bits = static_cast<std::uint16_t>((bits & 0x8000) | 0x7bff);
          break;
        case 4:
          if ((r >> 16 & 7) != 0)
            bits &= 0xbfff;
          else
            bits = static_cast<std::uint16_t>((r >> 19 & 1) != 0 ? (bits & 0x8000) | 0x7c00 : bits | 0x7c00);
          break;
        case 5: {
          const int below = static_cast<int>(draw_below(random, static_cast<std::uint64_t>(t.spread) + 1));
          bits = static_cast<std::uint16_t>((bits & 0x83ff) | std::max(0, base - below) << 10);
          break;
        }
        default:
          bits = formats::to_fp16(gaussian.next()).bits;
      }
      if (t.outlier_share > 0 && random.uniform() < t.outlier_share && (bits & 0x7c00) != 0x7c00) {
        const int exponent = std::min(30, (bits >> 10 & 31) + t.outlier_doublings);
        bits = static_cast<std::uint16_t>((bits & 0x83ff) | exponent << 10);
      }
      x[i].bits = bits;
    }
  }
}

StallPattern draw(Random& random, const Stalls& s) {
  const auto share = static_cast<std::uint32_t>(s.share);
  switch (draw_weighted(random, {s.none, s.input, s.output, s.both, s.heavy})) {
    case 0:
      return {};
    case 1:
      return {share, 0};
    case 2:
      return {0, share};
    case 3:
      return {share, share};
    default:
      return {900, 900};
  }
}

}  // namespace harmonia::stimulus
