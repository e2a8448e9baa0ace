// Smoothing of the keys' outlier channels, offline (folded into weights) and online (FP16 offsets).
//
// Models: per-channel factors tied over the pairs that RoPE rotates and shared by the query heads of a kv head; folding
// them into the Q and K projections; choosing offsets after the first prefill step; subtracting them. Does not model:
// the smoother's pipeline and its table in hardware (hw/smoother). V and Q are never smoothed. Source: number formats
// section 4. Exponent 0.5, four channels and the ranking by |mean|/std are our assumptions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

/// Which two channels of a head RoPE rotates together: (2i, 2i+1) as in llama2.c, or (i, i + head_dim/2) as in Hugging
/// Face.
enum class RopePairing { kAdjacent, kHalfSplit };

/// The channel that RoPE pairs with c; head_dim even, c < head_dim.
constexpr std::size_t rope_partner(RopePairing pairing, std::size_t head_dim, std::size_t c) noexcept {
  return pairing == RopePairing::kAdjacent ? c ^ 1u : (c < head_dim / 2 ? c + head_dim / 2 : c - head_dim / 2);
}

// ---- Offline ----

/// Widens the per-channel maxima of one calibration step: key is [tokens][kv_heads * head_dim] FP32, maxima is
/// [kv_heads * head_dim] and holds the maxima so far (zeros at first). NaNs are ignored.
void update_key_maxima(const float* key, std::size_t tokens, std::size_t channels, float* maxima) noexcept;

/// s_c = (pair maximum of maxima)^exponent; 1 where that maximum is zero or not finite. maxima, factors: [kv_heads *
/// head_dim]. Throws std::invalid_argument when head_dim is odd or 0, or exponent is not within 0..1.
void smoothing_factors(const float* maxima, std::size_t kv_heads, std::size_t head_dim, RopePairing pairing,
                       double exponent, float* factors);

/// W_Q' = W_Q diag(s): row (h, c) of w [heads * head_dim][in] is multiplied by the factor of kv head h / (heads /
/// kv_heads), channel c, one FP32 rounding each. Throws std::invalid_argument when kv_heads does not divide heads.
void fold_into_query(float* w, std::size_t heads, std::size_t kv_heads, std::size_t head_dim, std::size_t in,
                     const float* factors);
/// W_K' = W_K diag(1/s): row (h, c) of w [kv_heads * head_dim][in] is divided by its factor.
void fold_into_key(float* w, std::size_t kv_heads, std::size_t head_dim, std::size_t in, const float* factors);

// ---- Online ----

inline constexpr std::size_t kMaxOffsets = 16;
inline constexpr std::size_t kDefaultOffsets = 4;

/// The flagged channels of one kv head, ascending, and their offsets.
struct KeyOffsets {
  std::size_t count = 0;
  std::array<std::uint16_t, kMaxOffsets> channel{};
  std::array<Fp16, kMaxOffsets> offset{};
};

/// Chooses the `count` channels with the largest |mean|/std (population, in FP64, tokens ascending) and their mean,
/// rounded to FP16, over the prefill keys (after RoPE) of one kv head: key[t * stride + c], t < tokens, c < head_dim. A
/// constant nonzero channel ranks above all others, an all-zero one below; a tie takes the lower channel; a channel
/// with an infinity or NaN is never chosen. Chooses min(count, head_dim, eligible) channels. Throws
/// std::invalid_argument when count > kMaxOffsets, head_dim > 65536 or stride < head_dim.
KeyOffsets choose_offsets(const Fp16* key, std::size_t tokens, std::size_t stride, std::size_t head_dim,
                          std::size_t count = kDefaultOffsets);

/// key[c] -= offset for the flagged channels of one token of one kv head, in FP16, nearest-even.
inline void subtract_offsets(const KeyOffsets& offsets, Fp16* key) noexcept {
  for (std::size_t i = 0; i < offsets.count; ++i) {
    key[offsets.channel[i]] = subtract(key[offsets.channel[i]], offsets.offset[i]);
  }
}

}  // namespace harmonia::formats
