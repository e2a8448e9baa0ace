#include "harmonia/hw/formats/smoothing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace harmonia::formats {

void update_key_maxima(const float* key, std::size_t tokens, std::size_t channels, float* maxima) noexcept {
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float magnitude = std::fabs(key[t * channels + c]);
      if (magnitude > maxima[c]) maxima[c] = magnitude;
    }
  }
}

void smoothing_factors(const float* maxima, std::size_t kv_heads, std::size_t head_dim, RopePairing pairing,
                       double exponent, float* factors) {
  if (head_dim == 0 || head_dim % 2 != 0) {
    throw std::invalid_argument("smoothing: head_dim is " + std::to_string(head_dim) +
                                ", expected an even number above 0");
  }
  if (!(exponent >= 0.0 && exponent <= 1.0)) {
    throw std::invalid_argument("smoothing: exponent is " + std::to_string(exponent) + ", expected 0 to 1");
  }
  for (std::size_t h = 0; h < kv_heads; ++h) {
    for (std::size_t c = 0; c < head_dim; ++c) {
      const std::size_t base = h * head_dim;
      const float pair = std::max(maxima[base + c], maxima[base + rope_partner(pairing, head_dim, c)]);
      // The square root is exact everywhere; other exponents depend on the last bit of the system's pow().
      const double raised =
          exponent == 0.5 ? std::sqrt(static_cast<double>(pair)) : std::pow(static_cast<double>(pair), exponent);
      factors[base + c] = pair > 0.0f && std::isfinite(pair) ? static_cast<float>(raised) : 1.0f;
    }
  }
}

void fold_into_query(float* w, std::size_t heads, std::size_t kv_heads, std::size_t head_dim, std::size_t in,
                     const float* factors) {
  if (kv_heads == 0 || heads % kv_heads != 0) {
    throw std::invalid_argument("smoothing: " + std::to_string(heads) + " query heads cannot share " +
                                std::to_string(kv_heads) + " kv heads evenly");
  }
  const std::size_t shared = heads / kv_heads;
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t c = 0; c < head_dim; ++c) {
      float* row = w + (h * head_dim + c) * in;
      const float factor = factors[h / shared * head_dim + c];
      for (std::size_t i = 0; i < in; ++i) row[i] *= factor;
    }
  }
}

void fold_into_key(float* w, std::size_t kv_heads, std::size_t head_dim, std::size_t in, const float* factors) {
  for (std::size_t row = 0; row < kv_heads * head_dim; ++row) {
    for (std::size_t i = 0; i < in; ++i) w[row * in + i] /= factors[row];
  }
}

KeyOffsets choose_offsets(const Fp16* key, std::size_t tokens, std::size_t stride, std::size_t head_dim,
                          std::size_t count) {
  if (count > kMaxOffsets) {
    throw std::invalid_argument("smoothing: " + std::to_string(count) + " offsets per kv head, expected at most " +
                                std::to_string(kMaxOffsets));
  }
  if (head_dim > 65536) {
    throw std::invalid_argument("smoothing: head_dim is " + std::to_string(head_dim) + ", expected at most 65536");
  }
  if (stride < head_dim) {
    throw std::invalid_argument("smoothing: stride is " + std::to_string(stride) +
                                ", expected at least head_dim = " + std::to_string(head_dim));
  }
  KeyOffsets chosen;
  std::array<double, kMaxOffsets> rank{};
  for (std::size_t c = 0; c < head_dim && tokens > 0 && count > 0; ++c) {
    double sum = 0.0;
    bool finite = true;
    for (std::size_t t = 0; t < tokens; ++t) {
      const Fp16 x = key[t * stride + c];
      finite = finite && is_finite(x);
      sum += static_cast<double>(to_float(x));
    }
    if (!finite) continue;
    const double mean = sum / static_cast<double>(tokens);
    double squares = 0.0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const double d = static_cast<double>(to_float(key[t * stride + c])) - mean;
      squares += d * d;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(tokens));
    double score = 0.0;
    if (mean != 0.0) score = deviation == 0.0 ? std::numeric_limits<double>::infinity() : std::fabs(mean) / deviation;
    // Insertion into the list ordered by falling rank; an equal rank stays behind the lower channel.
    std::size_t at = chosen.count;
    while (at > 0 && score > rank[at - 1]) --at;
    if (at >= count) continue;
    if (chosen.count < count) ++chosen.count;
    for (std::size_t i = chosen.count - 1; i > at; --i) {
      rank[i] = rank[i - 1];
      chosen.channel[i] = chosen.channel[i - 1];
      chosen.offset[i] = chosen.offset[i - 1];
    }
    rank[at] = score;
    chosen.channel[at] = static_cast<std::uint16_t>(c);
    chosen.offset[at] = to_fp16(mean);
  }
  // The table is kept by channel.
  KeyOffsets sorted;
  sorted.count = chosen.count;
  std::array<std::size_t, kMaxOffsets> order{};
  for (std::size_t i = 0; i < chosen.count; ++i) order[i] = i;
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(chosen.count),
            [&](std::size_t a, std::size_t b) { return chosen.channel[a] < chosen.channel[b]; });
  for (std::size_t i = 0; i < chosen.count; ++i) {
    sorted.channel[i] = chosen.channel[order[i]];
    sorted.offset[i] = chosen.offset[order[i]];
  }
  return sorted;
}

}  // namespace harmonia::formats
