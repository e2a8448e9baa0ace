#include "harmonia/hw/pe/pe_array.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/pe/kv_operand.h"

namespace harmonia::pe {
namespace {

using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;
using formats::kBfpGroup;

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Units that take a pass more: low planes are a second nibble for a BFP array, nothing for one of FP16 operands.
std::uint64_t second_passes(const GroupedCache& cache, std::uint64_t units) {
  return cache.bfp_a ? wide_units(cache, units) : 0;
}

/// Passes over a group: a plain cache becomes BFP8, which takes two.
std::uint64_t passes_of(const Weights& weights) { return weights.passes; }
std::uint64_t passes_of(const GroupedCache& /*cache*/) { return 1; }
std::uint64_t passes_of(const PlainCache& cache) { return cache.bfp_a ? 2 : 1; }

}  // namespace

std::uint64_t tile_elements(const Descriptor& d) {
  return std::visit(
      bus::Overloaded{
          [&](const Weights&) { return std::uint64_t{d.n} * d.k; },
          [&](const Keys& keys) { return std::uint64_t{kBfpGroup} * d.groups() * (d.n + wide_units(keys, d.n)); },
          [&](const Values& values) {
            return std::uint64_t{kBfpGroup} * d.n * (d.groups() + wide_units(values, d.groups()));
          },
          // Of a plain cache every byte counts.
          [&](const PlainKeys& keys) { return std::uint64_t{d.n} * plain_row_bytes(keys, d.k); },
          [&](const PlainValues& values) { return std::uint64_t{d.k} * plain_row_bytes(values, d.n); }},
      d.b);
}

std::uint64_t tile_slots(const Descriptor& d) {
  const std::uint64_t groups = d.groups();
  return d.m * std::visit(bus::Overloaded{[&](const Values& values) {
                                            return d.n * (groups * passes_of(values) + second_passes(values, groups));
                                          },
                                          [&](const Keys& keys) {
                                            return groups * (d.n * passes_of(keys) + second_passes(keys, d.n));
                                          },
                                          [&](const auto& b) { return groups * d.n * passes_of(b); }},
                          d.b);
}

std::uint64_t tile_cycles(const Config& c, const Descriptor& d) {
  if (d.weights() != nullptr && d.weights()->cycles != 0) return d.weights()->cycles;
  const std::uint64_t rows_used = std::min<std::uint64_t>(d.m, c.rows);
  const std::uint64_t columns = static_cast<std::uint64_t>(c.cols) * (c.spread_idle_rows ? c.rows / rows_used : 1);
  const std::uint64_t repeats = ceil_div(d.m, c.rows), groups = d.groups(), rounds = ceil_div(d.n, columns);
  const std::uint64_t operations = std::visit(
      bus::Overloaded{
          [&](const Values& values) { return rounds * (groups * passes_of(values) + second_passes(values, groups)); },
          [&](const Keys& keys) {
            return (rounds * passes_of(keys) + ceil_div(second_passes(keys, d.n), columns)) * groups;
          },
          [&](const auto& b) { return rounds * groups * passes_of(b); }},
      d.b);
  const double each = d.weights() == nullptr ? c.attention_cycles_per_group : c.linear_cycles_per_group();
  const auto own = static_cast<std::uint64_t>(std::ceil(static_cast<double>(operations * repeats) * each));
  const Cache* cache = bus::as<Cache>(d.b);
  return cache == nullptr ? own : std::max(own, cache->least_cycles);
}

namespace {

/// One tile's arithmetic, for each kind of B.
class Multiplier {
 public:
  Multiplier(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums, Fp16* out)
      : d_(d),
        a_(a),
        b_(b),
        sums_(sums),
        out_(out),
        m_(d.m),
        n_(d.n),
        k_(d.k),
        a_row_(a_bytes(d.a_width())),
        a_begin_(a_bytes(d.a_begin)) {
    if (!d.accumulate && !d.resume) sums.assign(m_ * n_, 0.0f);
    if (!d.bfp_a()) x_.resize(k_);
  }

  void operator()(const CodebookWeights& weights) {
    const auto dot = [](float scale) {
      return [scale](const std::uint8_t* a, const std::int8_t* w, const formats::Bf16* scales, std::size_t count) {
        return formats::dot_codebook(kBfp8, a, w, scales, scale, count);
      };
    };
    // The codebook's scale multiplies the sum of all parts.
    if (d_.is_part())
      part_rows<formats::Bf16>(weights.block, weights.scale, dot(1.0f));
    else
      scaled_rows<formats::Bf16>(weights.block, dot(weights.scale));
  }
  void operator()(const IntegerWeights& weights) {
    const auto dot = [&](const std::uint8_t* a, const std::int8_t* w, const Fp16* scales, std::size_t count) {
      return formats::dot_int(kBfp8, a, w, scales, count, weights.block);
    };
    if (d_.is_part())
      part_rows<Fp16>(weights.block, 1.0f, dot);
    else
      scaled_rows<Fp16>(weights.block, dot);
  }
  void operator()(const Bfp8Weights&) {
    for (std::size_t r = 0; r < n_; ++r)
      for (std::size_t t = 0; t < m_; ++t)
        store(t, r, formats::dot_bfp(kBfp8, row(t), kBfp8, b_ + r * kBfp8.row_bytes(k_), k_, sums_[t * n_ + r]));
  }
  void operator()(const Fp16Weights&) {
    std::vector<Fp16> w(k_);
    for (std::size_t r = 0; r < n_; ++r) {
      std::memcpy(static_cast<void*>(w.data()), b_ + r * 2 * k_, 2 * k_);
      for (std::size_t t = 0; t < m_; ++t) store(t, r, plain_dot(t, 0, w.data(), k_, sums_[t * n_ + r]));
    }
  }
  void operator()(const Keys& keys) {
    const std::size_t groups = d_.groups();
    const Planes planes(keys, b_, n_, groups);
    std::vector<std::uint8_t> stored(kBfp8.row_bytes(k_));
    std::vector<Fp16> key(k_);
    for (std::size_t token = 0; token < n_; ++token) {
      const auto& format = planes.wide(token) ? kBfp8 : kBfp4;
      for (std::size_t g = 0; g < groups; ++g) planes.group(token, g, stored.data() + g * format.group_bytes());
      if (!keys.bfp_a) formats::decode_row(format, stored.data(), k_, key.data());
      for (std::size_t t = 0; t < m_; ++t)
        store(t, token,
              keys.bfp_a ? formats::dot_bfp(kBfp8, row(t), format, stored.data(), k_)
                         : plain_dot(t, 0, key.data(), k_, 0.0f));
    }
  }
  void operator()(const Values& values) {
    const std::size_t groups = d_.groups();
    const Planes planes(values, b_, groups, n_);
    std::vector<std::uint8_t> one(kBfp8.group_bytes());
    std::array<Fp16, kBfpGroup> decoded;
    for (std::size_t g = 0; g < groups; ++g) {
      const auto& format = planes.wide(g) ? kBfp8 : kBfp4;
      const std::size_t first = kBfpGroup * g;
      for (std::size_t channel = 0; channel < n_; ++channel) {
        planes.group(g, channel, one.data());
        if (!values.bfp_a) formats::decode_row(format, one.data(), kBfpGroup, decoded.data());
        for (std::size_t t = 0; t < m_; ++t) {
          const float sum = sums_[t * n_ + channel];
          store(t, channel,
                values.bfp_a
                    ? formats::dot_bfp(kBfp8, row(t) + g * kBfp8.group_bytes(), format, one.data(), kBfpGroup, sum)
                    : plain_dot(t, first, decoded.data(), std::min<std::size_t>(kBfpGroup, k_ - first), sum));
        }
      }
    }
  }
  void operator()(const PlainKeys& keys) {
    const std::size_t bytes = plain_row_bytes(keys, k_);
    plain_lines(keys, [&](std::size_t token, std::size_t i) { return plain_element(keys, b_ + token * bytes, i); });
  }
  void operator()(const PlainValues& values) {
    const std::size_t bytes = plain_row_bytes(values, n_);
    plain_lines(values,
                [&](std::size_t channel, std::size_t i) { return plain_element(values, b_ + i * bytes, channel); });
  }

 private:
  std::size_t a_bytes(std::size_t values) const { return d_.bfp_a() ? kBfp8.row_bytes(values) : 2 * values; }
  const std::uint8_t* row(std::size_t t) const { return a_ + t * a_row_ + a_begin_; }
  /// scale: of the sum of all parts.
  void store(std::size_t t, std::size_t r, float value, float scale = 1.0f) {
    sums_[t * n_ + r] = value;
    if (d_.spill)
      std::memcpy(static_cast<void*>(out_ + 2 * (t * n_ + r)), &value, sizeof value);
    else if (d_.emit)
      out_[t * n_ + r] = formats::to_fp16(value * scale);
  }
  /// A plain FP16 array: row t of A from element `first` on, times decoded values.
  float plain_dot(std::size_t t, std::size_t first, const Fp16* w, std::size_t count, float sum) {
    std::memcpy(static_cast<void*>(x_.data()), row(t) + 2 * first, 2 * count);
    return formats::dot_fp16(x_.data(), w, count, sum);
  }
  /// Rows of k int8 values, each followed by its scales.
  template <class Scale, class Dot>
  void scaled_rows(std::size_t block, const Dot& dot) {
    const std::size_t blocks = ceil_div(k_, block), bytes = k_ + 2 * blocks;
    std::vector<Scale> scales(blocks);
    for (std::size_t r = 0; r < n_; ++r) {
      std::memcpy(static_cast<void*>(scales.data()), b_ + r * bytes + k_, 2 * blocks);
      for (std::size_t t = 0; t < m_; ++t)
        store(t, r, dot(row(t), reinterpret_cast<const std::int8_t*>(b_ + r * bytes), scales.data(), k_));
    }
  }
  /// The same of a part of k: block after block is added to the sums so far.
  template <class Scale, class Dot>
  void part_rows(std::size_t block, float scale, const Dot& dot) {
    const std::size_t blocks = ceil_div(k_, block), bytes = k_ + 2 * blocks;
    std::vector<Scale> scales(blocks);
    for (std::size_t r = 0; r < n_; ++r) {
      std::memcpy(static_cast<void*>(scales.data()), b_ + r * bytes + k_, 2 * blocks);
      const auto* w = reinterpret_cast<const std::int8_t*>(b_ + r * bytes);
      for (std::size_t t = 0; t < m_; ++t) {
        float sum = sums_[t * n_ + r];
        for (std::size_t i = 0; i < blocks; ++i)
          sum += dot(row(t) + a_bytes(i * block), w + i * block, &scales[i], std::min(block, k_ - i * block));
        store(t, r, sum, scale);
      }
    }
  }
  /// n lines of k FP16 values, converted on the way to a BFP array. at(line, i): a value.
  template <class At>
  void plain_lines(const PlainCache& cache, const At& at) {
    std::vector<Fp16> line(k_);
    std::vector<std::uint8_t> stored(kBfp8.row_bytes(k_));
    for (std::size_t r = 0; r < n_; ++r) {
      for (std::size_t i = 0; i < k_; ++i) line[i] = at(r, i);
      if (cache.bfp_a) formats::encode_row(kBfp8, line.data(), k_, stored.data());
      for (std::size_t t = 0; t < m_; ++t)
        store(t, r,
              cache.bfp_a ? formats::dot_bfp(kBfp8, row(t), kBfp8, stored.data(), k_)
                          : plain_dot(t, 0, line.data(), k_, 0.0f));
    }
  }

  const Descriptor& d_;
  const std::uint8_t *a_, *b_;
  std::vector<float>& sums_;
  Fp16* out_;
  const std::size_t m_, n_, k_, a_row_, a_begin_;
  std::vector<Fp16> x_;
};

}  // namespace

void multiply(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums, Fp16* out) {
  std::visit(Multiplier(d, a, b, sums, out), d.b);
}

}  // namespace harmonia::pe
