#include "harmonia/hw/baselines/linears.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "harmonia/hw/baselines/baselines.h"

namespace harmonia::baselines {
namespace {

using formats::ArrayRows;
using formats::Fp16;

std::size_t groups_of(std::size_t columns) { return (columns + kLanes - 1) / kLanes; }

/// The accumulator over the groups of a row: group(g) is the FP32 sum of group g. The same steps as Accumulator::add().
template <typename Group>
float accumulated(const ArrayRows& of, std::size_t row, std::size_t groups, Group group) {
  const std::size_t each = of.block == 0 ? groups : of.block / kLanes, blocks = (groups + each - 1) / each;
  float sum = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    float inner = group(b * each);
    for (std::size_t g = b * each + 1; g < std::min(groups, (b + 1) * each); ++g) inner += group(g);
    const float scaled = inner * (of.scales.empty() ? 1.0f : of.scales[row * blocks + b]);
    sum = b == 0 ? scaled : sum + scaled;
  }
  return sum * of.last;
}

/// Activations under the exponent of their group, exact integer sums.
class AlignedMatrix : public formats::ArrayMatrix {
 public:
  AlignedMatrix(ArrayRows rows, int bits) : rows_(std::move(rows)), bits_(bits), groups_(groups_of(rows_.cols)) {
    weights_.resize(rows_.rows * groups_ * kLanes);
    for (std::size_t r = 0; r < rows_.rows; ++r)
      std::copy_n(rows_.integers.begin() + static_cast<std::ptrdiff_t>(r * rows_.cols), rows_.cols,
                  weights_.begin() + static_cast<std::ptrdiff_t>(r * groups_ * kLanes));
    rows_.integers = {};
  }

  void multiply(const Fp16* x, std::size_t tokens, std::size_t first, std::size_t count, Fp16* out) const override {
    std::vector<Fp16> padded(groups_ * kLanes);
    std::vector<std::int16_t> a(padded.size());
    std::vector<float> unit(groups_);
    for (std::size_t t = 0; t < tokens; ++t) {
      std::copy_n(x + t * rows_.cols, rows_.cols, padded.begin());
      for (std::size_t g = 0; g < groups_; ++g) {
        const Aligned group = align(&padded[g * kLanes], bits_);
        for (std::size_t i = 0; i < kLanes; ++i) a[g * kLanes + i] = static_cast<std::int16_t>(group.value(i));
        unit[g] = formats::power_of_two(group.exponent - 14 - bits_);
      }
      for (std::size_t r = 0; r < count; ++r) {
        const std::int16_t* w = &weights_[(first + r) * groups_ * kLanes];
        out[t * count + r] = formats::to_fp16(accumulated(rows_, first + r, groups_, [&](std::size_t g) {
          std::int32_t sum = 0;
          for (std::size_t i = 0; i < kLanes; ++i) sum += a[g * kLanes + i] * w[g * kLanes + i];
          return static_cast<float>(sum) * unit[g];
        }));
      }
    }
  }

 private:
  ArrayRows rows_;
  int bits_;
  std::size_t groups_;
  std::vector<std::int16_t> weights_;  // [rows][groups][32]
};

/// Trees of FP32 adders. Lanes lie in bit-reversed order, so that neighbours of every level are half of the row apart.
class TreeMatrix : public formats::ArrayMatrix {
 public:
  explicit TreeMatrix(ArrayRows rows) : rows_(std::move(rows)), groups_(groups_of(rows_.cols)) {
    for (std::size_t i = 0; i < kLanes; ++i)
      for (std::size_t bit = 1, back = kLanes / 2; bit < kLanes; bit *= 2, back /= 2)
        if ((i & bit) != 0) lane_[i] += back;
    weights_.resize(rows_.rows * groups_ * kLanes);
    for (std::size_t r = 0; r < rows_.rows; ++r)
      for (std::size_t c = 0; c < rows_.cols; ++c) {
        const std::size_t at = r * rows_.cols + c;
        weights_[r * groups_ * kLanes + place(c)] =
            rows_.words.empty() ? static_cast<float>(rows_.integers[at]) : formats::to_float(rows_.words[at]);
      }
    rows_.integers = {};
    rows_.words = {};
  }

  void multiply(const Fp16* x, std::size_t tokens, std::size_t first, std::size_t count, Fp16* out) const override {
    std::vector<float> a(groups_ * kLanes);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t c = 0; c < rows_.cols; ++c) a[place(c)] = formats::to_float(x[t * rows_.cols + c]);
      for (std::size_t r = 0; r < count; ++r) {
        const float* w = &weights_[(first + r) * groups_ * kLanes];
        out[t * count + r] = formats::to_fp16(accumulated(rows_, first + r, groups_, [&](std::size_t g) {
          std::array<float, kLanes> terms;
          for (std::size_t i = 0; i < kLanes; ++i) terms[i] = a[g * kLanes + i] * w[g * kLanes + i];
          for (std::size_t n = kLanes / 2; n > 0; n /= 2)
            for (std::size_t i = 0; i < n; ++i) terms[i] += terms[i + n];
          return terms[0];
        }));
      }
    }
  }

 private:
  std::size_t place(std::size_t column) const { return column / kLanes * kLanes + lane_[column % kLanes]; }

  ArrayRows rows_;
  std::size_t groups_;
  std::array<std::size_t, kLanes> lane_{};
  std::vector<float> weights_;  // [rows][groups][32]
};

struct Facts {
  const char* name;
  int least, largest;  // integers of a weight
  int bits;            // of an aligned activation; 0: floating point
};

Facts facts(Design design, int mantissa_bits) {
  switch (design) {
    case Design::fp_fp:
      return {"fp_fp", 0, 0, 0};
    case Design::fp_int:
      return {"fp_int", -15, 15, 0};
    case Design::ifpu:
      return {"ifpu", -8, 7, kFignaBits};
    case Design::figna:
      return {"figna", -15, 15, kFignaBits};
    case Design::figna_m11:
      return {"figna_m11", -15, 15, 11};
    case Design::figna_m8:
      return {"figna_m8", -15, 15, 8};
    case Design::bitmod:
      return {"bitmod", -8, 7, kFignaBits};
    case Design::anda:
      return {"anda", -15, 15, mantissa_bits};
  }
  throw std::invalid_argument("no such design");
}

class Array : public formats::ArrayArithmetic {
 public:
  explicit Array(const Facts& of) : of_(of) {
    // Signed values of 14 bits are what the integers of AlignedMatrix hold.
    if (of_.bits < 0 || of_.bits > kFignaBits) throw std::invalid_argument("activations have 1 to 14 bits");
  }
  const char* name() const override { return of_.name; }
  int least() const override { return of_.least; }
  int largest() const override { return of_.largest; }
  std::shared_ptr<const formats::ArrayMatrix> matrix(ArrayRows rows) const override {
    if (of_.bits == 0) return std::make_shared<const TreeMatrix>(std::move(rows));
    return std::make_shared<const AlignedMatrix>(std::move(rows), of_.bits);
  }

 private:
  Facts of_;
};

}  // namespace

std::shared_ptr<const formats::ArrayArithmetic> arithmetic(Design design, int mantissa_bits) {
  return std::make_shared<const Array>(facts(design, mantissa_bits));
}

}  // namespace harmonia::baselines
