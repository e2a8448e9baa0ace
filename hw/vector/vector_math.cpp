#include "harmonia/hw/vector/vector_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace harmonia::vector {

using formats::float_bits;
using formats::float_from_bits;
using formats::power_of_two;
using formats::to_float;
using formats::to_fp16;

namespace {

// Adding and subtracting 1.5 * 2^23 (1.5 * 2^52) rounds to an integer, nearest-even, and leaves that integer in the low
// bits.
constexpr float kRound32 = 12582912.0f;
constexpr double kRound64 = 6755399441055744.0;

double power_of_two_64(int e) noexcept {
  const std::uint64_t u = static_cast<std::uint64_t>(e + 1023) << 52;
  double x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}

// ln 2 and pi/2 in pieces whose products with a small integer are exact.
constexpr double kLn2High = 0x1.62e42fefp-1;  // 33 bits
constexpr double kLn2Low = 0x1.473de6af278edp-34;
constexpr double kHalfPi1 = 0x1.921fb54p+0;  // 27 bits
constexpr double kHalfPi2 = 0x1.10b461p-30;  // 27 bits
constexpr double kHalfPi3 = 0x1.a62633145c06ep-58;

// Natural logarithm of a positive normal x: x = m * 2^k, m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)).
double log_64(double x) noexcept {
  int k;
  double m = std::frexp(x, &k);  // [1/2, 1), exact
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --k;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 0.0;
  for (int i = 25; i >= 3; i -= 2) p = (p + 1.0 / i) * z;
  const double kd = k;
  return kd * kLn2High + (2.0 * (s + s * p) + kd * kLn2Low);
}

// e^x for |x| < 700.
double exp_64(double x) noexcept {
  const double n = (x * 1.4426950408889634 + kRound64) - kRound64;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double p = 1.0;
  for (int i = 14; i >= 1; --i) p = 1.0 + p * r / i;
  return p * power_of_two_64(static_cast<int>(n));
}

}  // namespace

float exp_f32(float x) noexcept {
  // Beyond these the result is 0 or infinite already; a NaN passes both comparisons.
  float c = x < -104.0f ? -104.0f : x;
  c = c > 89.0f ? 89.0f : c;
  const float shifted = c * 1.44269502f + kRound32;
  const float n = shifted - kRound32;
  // ln 2 = 0x1.62e4p-1 (15 bits, so that n times it is exact) + the rest.
  const float r = (c - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  float p = 0x1.a01a02p-13f;  // 1/7!, and so on down: Taylor's series, whose rest is below 0.1 ulp for |r| <= ln(2)/2
  p = p * r + 0x1.6c16c2p-10f;
  p = p * r + 0x1.111112p-7f;
  p = p * r + 0x1.555556p-5f;
  p = p * r + 0x1.555556p-3f;
  p = p * r + 0.5f;
  p = 1.0f + (r + (r * r) * p);
  // In two factors: 2^n itself may lie outside FP32's normal range. Only the second product can round.
  const int ni = static_cast<int>(float_bits(shifted) - float_bits(kRound32));
  const int half = ni >> 1;
  return p * power_of_two(half) * power_of_two(ni - half);
}

SinCos sincos_f32(float angle) noexcept {
  if (!(std::fabs(angle) <= kMaxAngle)) {
    return {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
  }
  const double x = static_cast<double>(angle);
  const double n = (x * 0.63661977236758134 + kRound64) - kRound64;
  const double r = ((x - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3;
  const double z = r * r;
  // Taylor's series, highest power first; the rest is below 2^-54 for |r| <= pi/4.
  double s = 0.0;
  for (int i = 16; i >= 2; i -= 2) s = (1.0 - s) * z / (i * (i + 1));  // s = z/6 - z^2/120 + ...
  double c = 0.0;
  for (int i = 17; i >= 1; i -= 2) c = (1.0 - c) * z / (i * (i + 1));  // c = z/2 - z^2/24 + ...
  const auto sine = static_cast<float>(r - r * s);
  const auto cosine = static_cast<float>(1.0 - c);
  switch (static_cast<int>(n) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

float silu_f32(float x) noexcept { return x / (1.0f + exp_f32(-x)); }

float gelu_tanh_f32(float g) noexcept {
  constexpr float root = 0.7978845608f, cubic = 0.044715f;
  const float u = root * (g + cubic * ((g * g) * g));
  return g / (1.0f + exp_f32(-2.0f * u));
}

namespace {

// FP16 arrays are converted in pieces of this many values, whole pieces at once.
constexpr std::size_t kPiece = 256;
using Piece = std::array<float, kPiece>;

// Calls body(first, count, values) for each piece of x as FP32.
template <typename Body>
void for_pieces(const Fp16* x, std::size_t n, Body body) noexcept {
  Piece values;
  for (std::size_t first = 0; first < n; first += kPiece) {
    const std::size_t count = std::min(kPiece, n - first);
    to_float(x + first, count, values.data());
    body(first, count, values);
  }
}

}  // namespace

void rms_norm(const Fp16* x, const float* weight, std::size_t n, float eps, Fp16* out) noexcept {
  float sum = 0.0f;
  for_pieces(x, n, [&](std::size_t, std::size_t count, const Piece& v) {
    for (std::size_t i = 0; i < count; ++i) sum += v[i] * v[i];
  });
  const float r = 1.0f / std::sqrt(sum / static_cast<float>(n) + eps);
  for_pieces(x, n, [&](std::size_t first, std::size_t count, Piece& v) {
    for (std::size_t i = 0; i < count; ++i) v[i] = (v[i] * r) * weight[first + i];
    to_fp16(v.data(), count, out + first);
  });
}

float attention_scale(std::size_t head_dim, double own) noexcept {
  return own != 0.0 ? static_cast<float>(own) : 1.0f / std::sqrt(static_cast<float>(head_dim));
}

void layer_norm(const Fp16* x, const float* weight, const float* bias, std::size_t n, float eps, Fp16* out) noexcept {
  float sum = 0.0f, squares = 0.0f;
  for_pieces(x, n, [&](std::size_t, std::size_t count, const Piece& v) {
    for (std::size_t i = 0; i < count; ++i) sum += v[i];
  });
  const float mean = sum / static_cast<float>(n);
  for_pieces(x, n, [&](std::size_t, std::size_t count, const Piece& v) {
    for (std::size_t i = 0; i < count; ++i) squares += (v[i] - mean) * (v[i] - mean);
  });
  const float r = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
  for_pieces(x, n, [&](std::size_t first, std::size_t count, Piece& v) {
    for (std::size_t i = 0; i < count; ++i) v[i] = ((v[i] - mean) * r) * weight[first + i] + bias[first + i];
    to_fp16(v.data(), count, out + first);
  });
}

float capped_f32(float x, float cap) noexcept { return cap * (2.0f / (1.0f + exp_f32(-2.0f * (x / cap))) - 1.0f); }

namespace {

/// What scores become before their exponentials.
void apply(const ScoreRule& rule, Piece& v, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) v[i] = v[i] * rule.scale;
  if (rule.cap == 0.0f) return;
  for (std::size_t i = 0; i < count; ++i) v[i] = capped_f32(v[i], rule.cap);
}

}  // namespace

void softmax(const Fp16* scores, std::size_t n, float scale, Fp16* out) noexcept {
  ScoreRule rule;
  rule.scale = scale;
  softmax(scores, n, rule, out);
}

void softmax(const Fp16* scores, std::size_t n, const ScoreRule& rule, Fp16* out) noexcept {
  if (n == 0) return;
  float largest = rule.sink;
  bool first = true;
  for_pieces(scores, n, [&](std::size_t, std::size_t count, Piece& v) {
    apply(rule, v, count);
    if (first) largest = v[0] > rule.sink || std::isnan(v[0]) ? v[0] : rule.sink;
    first = false;
    for (std::size_t i = 0; i < count; ++i) largest = v[i] > largest ? v[i] : largest;
  });
  const auto exponentials = [&](Piece& v, std::size_t count) {
    apply(rule, v, count);
    for (std::size_t i = 0; i < count; ++i) v[i] = exp_f32(v[i] - largest);
  };
  float sum = std::isinf(rule.sink) ? 0.0f : exp_f32(rule.sink - largest);
  for_pieces(scores, n, [&](std::size_t, std::size_t count, Piece& v) {
    exponentials(v, count);
    for (std::size_t i = 0; i < count; ++i) sum += v[i];
  });
  // The exponentials are formed twice rather than kept: no scratch memory, and a row may be of any length.
  for_pieces(scores, n, [&](std::size_t first_of_piece, std::size_t count, Piece& v) {
    exponentials(v, count);
    for (std::size_t i = 0; i < count; ++i) v[i] /= sum;
    to_fp16(v.data(), count, out + first_of_piece);
  });
}

float online_softmax(const Fp16* scores, std::size_t n, float scale, OnlineRow& row, Fp16* out) noexcept {
  ScoreRule rule;
  rule.scale = scale;
  return online_softmax(scores, n, rule, row, out);
}

float online_softmax(const Fp16* scores, std::size_t n, const ScoreRule& rule, OnlineRow& row, Fp16* out) noexcept {
  const float before = row.largest;
  float largest = before;
  for_pieces(scores, n, [&](std::size_t, std::size_t count, Piece& v) {
    apply(rule, v, count);
    for (std::size_t i = 0; i < count; ++i) largest = v[i] > largest ? v[i] : largest;
  });
  float sum = 0.0f;
  for_pieces(scores, n, [&](std::size_t first, std::size_t count, Piece& v) {
    apply(rule, v, count);
    for (std::size_t i = 0; i < count; ++i) v[i] = exp_f32(v[i] - largest);
    for (std::size_t i = 0; i < count; ++i) sum += v[i];
    to_fp16(v.data(), count, out + first);
  });
  const float factor = exp_f32(before - largest);
  row.largest = largest;
  row.sum = row.sum * factor + sum;
  return factor;
}

void online_accumulate(const Fp16* block, std::size_t n, float factor, float* accumulated) noexcept {
  for_pieces(block, n, [&](std::size_t first, std::size_t count, const Piece& v) {
    for (std::size_t i = 0; i < count; ++i) accumulated[first + i] = accumulated[first + i] * factor + v[i];
  });
}

void online_divide(const float* accumulated, std::size_t n, float sum, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(accumulated[i] / sum);
}

void silu_mul(const Fp16* gate, const Fp16* up, std::size_t n, Fp16* out) noexcept {
  Piece u;
  for_pieces(gate, n, [&](std::size_t first, std::size_t count, Piece& g) {
    to_float(up + first, count, u.data());
    for (std::size_t i = 0; i < count; ++i) g[i] = silu_f32(g[i]) * u[i];
    to_fp16(g.data(), count, out + first);
  });
}

float function_f32(Function function, float x) noexcept {
  switch (function) {
    case Function::silu:
      return silu_f32(x);
    case Function::gelu:
      return gelu_tanh_f32(x);
    case Function::relu_squared:
      return x > 0.0f ? x * x : 0.0f;
    case Function::clamped:
      return x * sigmoid_f32(1.702f * x);
  }
  return x;
}

void activate(Function function, const Fp16* x, std::size_t n, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(function_f32(function, to_float(x[i])));
}

void activate_mul(Function function, float limit, const Fp16* gate, const Fp16* up, std::size_t n, Fp16* out) noexcept {
  if (function == Function::silu) return silu_mul(gate, up, n, out);
  for (std::size_t i = 0; i < n; ++i) {
    float g = to_float(gate[i]), u = to_float(up[i]);
    if (function == Function::clamped) {
      g = g > limit ? limit : g;
      u = (u > limit ? limit : u < -limit ? -limit : u) + 1.0f;
    }
    out[i] = to_fp16(function_f32(function, g) * u);
  }
}

void cap_values(const Fp16* x, std::size_t n, float cap, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(capped_f32(to_float(x[i]), cap));
}

void scale_values(const Fp16* x, std::size_t n, float factor, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(to_float(x[i]) * factor);
}

void divide_values(const Fp16* x, std::size_t n, float divisor, Fp16* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = to_fp16(to_float(x[i]) / divisor);
}

void residual_add(const Fp16* a, const Fp16* b, std::size_t n, Fp16* out) noexcept {
  Piece y;
  for_pieces(a, n, [&](std::size_t first, std::size_t count, Piece& x) {
    to_float(b + first, count, y.data());
    for (std::size_t i = 0; i < count; ++i) x[i] += y[i];
    to_fp16(x.data(), count, out + first);
  });
}

float sigmoid_f32(float x) noexcept { return 1.0f / (1.0f + exp_f32(-x)); }

void scaled_add(const Fp16* a, const Fp16* b, float scale, std::size_t n, Fp16* out) noexcept {
  Piece y;
  for_pieces(a, n, [&](std::size_t first, std::size_t count, Piece& x) {
    to_float(b + first, count, y.data());
    for (std::size_t i = 0; i < count; ++i) x[i] += scale * y[i];
    to_fp16(x.data(), count, out + first);
  });
}

void route(const Fp16* scores, std::size_t n, const RouteRule& rule, std::uint32_t* experts, float* weights) {
  std::vector<float> values(n);
  to_float(scores, n, values.data());
  const auto key = [&](std::uint32_t e) {
    return std::isnan(values[e]) ? -std::numeric_limits<float>::infinity() : values[e];
  };
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  const std::size_t chosen = std::min<std::size_t>(rule.experts_per_token, n);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(chosen), order.end(),
                    [&](std::uint32_t a, std::uint32_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
  std::copy_n(order.begin(), chosen, experts);
  const float largest = values[order.front()];
  const auto value = [&](std::uint32_t e) {
    return rule.sigmoid ? sigmoid_f32(values[e]) : exp_f32(values[e] - largest);
  };
  float sum = 0.0f;
  if (rule.normalised) {
    for (std::size_t i = 0; i < chosen; ++i) sum += value(experts[i]);
  } else if (!rule.sigmoid) {
    for (std::size_t e = 0; e < n; ++e) sum += value(static_cast<std::uint32_t>(e));
  } else {
    sum = 1.0f;
  }
  for (std::size_t i = 0; i < chosen; ++i) weights[i] = value(experts[i]) / sum * rule.scale;
}

float rope_inverse_frequency(double theta, std::size_t head_dim, std::size_t i) noexcept {
  const double power = static_cast<double>(2 * i) / static_cast<double>(head_dim);
  return static_cast<float>(exp_64(-power * log_64(theta)));
}

RopeTable::RopeTable(std::size_t head_dim, double theta, RopePairing pairing) : pairing_(pairing) {
  if (head_dim == 0 || head_dim % 2 != 0) {
    throw std::invalid_argument("RoPE: head_dim is " + std::to_string(head_dim) + ", expected an even number above 0");
  }
  if (!(theta > 0.0 && std::isnormal(theta))) {
    throw std::invalid_argument("RoPE: theta is " + std::to_string(theta) + ", expected a positive finite number");
  }
  inverse_frequency_.resize(head_dim / 2);
  for (std::size_t i = 0; i < head_dim / 2; ++i) inverse_frequency_[i] = rope_inverse_frequency(theta, head_dim, i);
}

RopeTable::RopeTable(std::vector<float> inverse_frequencies, RopePairing pairing, float magnitude)
    : inverse_frequency_(std::move(inverse_frequencies)), pairing_(pairing), magnitude_(magnitude) {
  if (inverse_frequency_.empty()) throw std::invalid_argument("RoPE: no inverse frequencies, expected head_dim / 2");
}

void RopeTable::angles(std::size_t position, float* cos, float* sin) const noexcept {
  for (std::size_t i = 0; i < inverse_frequency_.size(); ++i) {
    const SinCos sc = sincos_f32(static_cast<float>(position) * inverse_frequency_[i]);
    cos[i] = sc.cos * magnitude_;
    sin[i] = sc.sin * magnitude_;
  }
}

void RopeTable::rotate(const float* cos, const float* sin, std::size_t heads, std::size_t stride,
                       Fp16* x) const noexcept {
  const std::size_t pairs = inverse_frequency_.size();
  const std::size_t step = pairing_ == RopePairing::kAdjacent ? 2 : 1;
  const std::size_t apart = pairing_ == RopePairing::kAdjacent ? 1 : pairs;
  for (std::size_t h = 0; h < heads; ++h, x += stride) {
    for (std::size_t i = 0; i < pairs; ++i) {
      Fp16& first = x[i * step];
      Fp16& second = x[i * step + apart];
      const float a = to_float(first);
      const float b = to_float(second);
      first = to_fp16(a * cos[i] - b * sin[i]);
      second = to_fp16(a * sin[i] + b * cos[i]);
    }
  }
}

}  // namespace harmonia::vector
