// Arithmetic of the vector unit: RMSNorm, softmax, SiLU * up, RoPE, residual add, choice and weights of experts.
//
// Models: FP16 operands and results, FP32 inside, one nearest-even rounding per operation, no fused multiply-add, sums
// in ascending order. Division and square root are IEEE's. exp, sine and cosine are defined here, by a range reduction
// and a polynomial in a fixed order of operations, because libm differs between systems and these results must not.
// Does not model: cycles and lanes (vector_module.h). The sine and cosine table is prepared in FP64 and rounded once.
// Source: number formats section 6 (our definition); RMSNorm, SiLU and RoPE as in the Llama papers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/smoothing.h"

namespace harmonia::vector {

using formats::Fp16;
using formats::RopePairing;

/// e^x in FP32, error below 2 ulp over the whole range, subnormal results included. exp(-inf) = 0, overflow gives +inf.
float exp_f32(float x) noexcept;

struct SinCos {
  float sin = 0.0f;
  float cos = 0.0f;
};
/// Largest |angle| that sincos_f32() reduces exactly enough; beyond it (and for NaN) both results are NaN.
inline constexpr float kMaxAngle = 8388608.0f;
/// Error below 2 ulp of FP32 for |angle| <= kMaxAngle, in radians.
SinCos sincos_f32(float angle) noexcept;

/// x / (1 + e^-x) in FP32.
float silu_f32(float x) noexcept;

/// out[i] = fp16((x[i] * r) * weight[i]), r = 1 / sqrt(sum x^2 / n + eps), all FP32. n > 0. out may be x.
void rms_norm(const Fp16* x, const float* weight, std::size_t n, float eps, Fp16* out) noexcept;

/// LayerNorm: out[i] = fp16(((x[i] - m) * r) * weight[i] + bias[i]), m = sum x / n, r = 1 / sqrt(sum (x - m)^2 / n + eps), all FP32,
/// sums ascending. out may be x.
void layer_norm(const Fp16* x, const float* weight, const float* bias, std::size_t n, float eps, Fp16* out) noexcept;

/// The factor of attention scores in FP32: the model's own, or where that is 0, 1 / sqrt(head_dim).
float attention_scale(std::size_t head_dim, double own = 0.0) noexcept;
/// c tanh(x / c) as c (2 / (1 + e^(-2 x / c)) - 1), in FP32.
float capped_f32(float x, float cap) noexcept;
/// What scores become before their exponentials, and what else takes part in the sum of these.
struct ScoreRule {
  float scale = 1.0f, cap = 0.0f;                        // capped after the scale; 0: not
  float sink = -std::numeric_limits<float>::infinity();  // a further score, neither scaled nor capped
};
/// out[i] = fp16(e_i / sum e), e_i = exp(scores[i] * scale - max_j(scores[j] * scale)), sum ascending. out may be
/// scores.
void softmax(const Fp16* scores, std::size_t n, float scale, Fp16* out) noexcept;
/// The same by a rule: the sink takes part in the maximum, and its exponential begins the sum.
void softmax(const Fp16* scores, std::size_t n, const ScoreRule& rule, Fp16* out) noexcept;

/// Running softmax of one row over blocks of its scores, all in FP32: the largest scaled score and the sum of exponentials
/// relative to it. One with a sink begins as {sink, 1}.
struct OnlineRow {
  float largest = -std::numeric_limits<float>::infinity(), sum = 0.0f;
};
/// The next block of a row's scores: largest' = max(largest, max_i(scores[i] * scale)), e_i = exp(scores[i] * scale -
/// largest'), out[i] = fp16(e_i), sum' = sum * f + sum_i e_i, the block's own sum first and ascending. Returns f =
/// exp(largest - largest'), by which what was accumulated before is rescaled: exactly 1 while the maximum does not grow.
/// out may be scores.
float online_softmax(const Fp16* scores, std::size_t n, float scale, OnlineRow& row, Fp16* out) noexcept;
/// The same by a rule, whose sink the row holds already.
float online_softmax(const Fp16* scores, std::size_t n, const ScoreRule& rule, OnlineRow& row, Fp16* out) noexcept;
/// accumulated[i] = accumulated[i] * factor + block[i], product and sum rounded to FP32 each.
void online_accumulate(const Fp16* block, std::size_t n, float factor, float* accumulated) noexcept;
/// out[i] = fp16(accumulated[i] / sum).
void online_divide(const float* accumulated, std::size_t n, float sum, Fp16* out) noexcept;

/// out[i] = fp16(silu(gate[i]) * up[i]). out may be gate or up.
void silu_mul(const Fp16* gate, const Fp16* up, std::size_t n, Fp16* out) noexcept;

/// g / (1 + e^-2u), u = sqrt(2 / pi) * (g + 0.044715 * (g * g * g)), in FP32: 0.5 g (1 + tanh u).
float gelu_tanh_f32(float g) noexcept;
/// Activation functions. clamped is one of two values (gpt-oss): g = min(gate, limit), u = up within -limit and limit,
/// (u + 1) (g sigmoid(1.702 g)).
enum class Function : std::uint8_t { silu, gelu, relu_squared, clamped };
/// Of one value in FP32; clamped: of the gate alone. gelu is gelu_tanh_f32.
float function_f32(Function function, float x) noexcept;
/// out[i] = fp16(function(x[i])). out may be x.
void activate(Function function, const Fp16* x, std::size_t n, Fp16* out) noexcept;
/// out[i] = fp16(function(gate[i]) * up[i]), or the clamped function of both. out may be gate or up.
void activate_mul(Function function, float limit, const Fp16* gate, const Fp16* up, std::size_t n, Fp16* out) noexcept;

/// out[i] = fp16(c tanh(x[i] / c)). out may be x.
void cap_values(const Fp16* x, std::size_t n, float cap, Fp16* out) noexcept;

/// out[i] = fp16(x[i] * factor). out may be x.
void scale_values(const Fp16* x, std::size_t n, float factor, Fp16* out) noexcept;
/// out[i] = fp16(x[i] / divisor). out may be x.
void divide_values(const Fp16* x, std::size_t n, float divisor, Fp16* out) noexcept;

/// out[i] = fp16(a[i] + b[i]), one rounding. out may be a or b.
void residual_add(const Fp16* a, const Fp16* b, std::size_t n, Fp16* out) noexcept;

/// 1 / (1 + e^-x) in FP32.
float sigmoid_f32(float x) noexcept;
/// out[i] = fp16(a[i] + scale * b[i]), product and sum rounded to FP32. out may be a or b.
void scaled_add(const Fp16* a, const Fp16* b, float scale, std::size_t n, Fp16* out) noexcept;

/// How a token's experts follow from the scores of all.
struct RouteRule {
  std::uint32_t experts_per_token = 1;
  bool sigmoid = false;     // of each score; otherwise softmax
  bool normalised = false;  // divided by the sum of those chosen: softmax is over their scores alone
  float scale = 1.0f;       // of the weights, afterwards
};
/// experts: the experts_per_token of the highest scores, the highest first, of equal scores the lower number first; a NaN is
/// below all. weights: v_i / sum v * scale, all FP32, where v is sigmoid(score) or exp(score - the highest score), and the sum is
/// that of the chosen ones in their order (normalised), of all in ascending order (softmax), or 1. n > 0.
void route(const Fp16* scores, std::size_t n, const RouteRule& rule, std::uint32_t* experts, float* weights);

/// theta^(-2i / head_dim), formed in FP64 from this file's own logarithm and exponential and rounded once to FP32.
/// i < head_dim / 2, theta > 0.
float rope_inverse_frequency(double theta, std::size_t head_dim, std::size_t i) noexcept;

/// Rotary position embedding of one head: which channels pair, and the angle of every pair at a position.
class RopeTable {
 public:
  /// Throws std::invalid_argument when head_dim is 0 or odd or theta is not a positive finite number.
  RopeTable(std::size_t head_dim, double theta, RopePairing pairing);
  /// With inverse frequencies of the caller's (a scaled RoPE), head_dim / 2 of them, and a factor of sine and cosine.
  RopeTable(std::vector<float> inverse_frequencies, RopePairing pairing, float magnitude = 1.0f);

  std::size_t head_dim() const noexcept { return 2 * inverse_frequency_.size(); }
  RopePairing pairing() const noexcept { return pairing_; }

  /// sin and cos of position * inverse frequency (FP32 product), head_dim / 2 of each. position * frequency <=
  /// kMaxAngle.
  void angles(std::size_t position, float* cos, float* sin) const noexcept;
  /// Rotates `heads` consecutive heads of x in place by the result of angles(): a' = fp16(a*cos - b*sin),
  /// b' = fp16(a*sin + b*cos), every product and sum rounded to FP32.
  void rotate(const float* cos, const float* sin, std::size_t heads, Fp16* x) const noexcept {
    rotate(cos, sin, heads, head_dim(), x);
  }
  /// The same of the first head_dim() channels of heads of `stride` channels.
  void rotate(const float* cos, const float* sin, std::size_t heads, std::size_t stride, Fp16* x) const noexcept;

 private:
  std::vector<float> inverse_frequency_;
  RopePairing pairing_;
  float magnitude_ = 1.0f;
};

}  // namespace harmonia::vector
