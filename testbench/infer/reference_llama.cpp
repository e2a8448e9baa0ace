#include "harmonia/testbench/infer/reference_llama.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

float silu(float x) { return x * (1.0F / (1.0F + std::exp(-x))); }

/// By its tanh formula: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
float gelu_tanh(float x) { return 0.5F * x * (1.0F + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x))); }

}  // namespace

ReferenceLlama::ReferenceLlama(std::shared_ptr<const ModelWeights> weights) : weights_(std::move(weights)) { reset(); }

void ReferenceLlama::reset() {
  position_ = 0;
  const auto layers = static_cast<std::size_t>(weights_->info.shape.num_hidden_layers);
  key_cache_.assign(layers, {});
  value_cache_.assign(layers, {});
}

void ReferenceLlama::step(const std::vector<int>& tokens, std::vector<float>& logits) {
  const accelerator::ModelShape& s = weights_->info.shape;
  check(tokens);
  logits.resize(tokens.size() * static_cast<std::size_t>(s.vocab_size));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    forward(tokens[i], logits.data() + i * static_cast<std::size_t>(s.vocab_size));
}

void ReferenceLlama::multiply(const WeightView& w, const std::vector<float>& x, std::vector<float>& out) {
  multiply_rows(w, 0, w.rows, x, out);
}

void ReferenceLlama::multiply_rows(const WeightView& w, std::int64_t first, std::int64_t count,
                                   const std::vector<float>& x, std::vector<float>& out) {
  const auto cols = static_cast<std::size_t>(w.cols);
  row_.resize(cols);
  out.resize(static_cast<std::size_t>(count));
  for (std::size_t r = 0; r < out.size(); ++r) {
    w.read_row(first + static_cast<std::int64_t>(r), row_.data());
    float sum = 0.0F;
    for (std::size_t c = 0; c < cols; ++c) sum += row_[c] * x[c];
    out[r] = sum;
  }
}

/// RMSNorm, or LayerNorm, whose biases stand behind the gains.
void ReferenceLlama::normalise(const std::vector<float>& x, const WeightView& weight, std::vector<float>& out) {
  const auto size = static_cast<float>(x.size());
  const bool centred = static_cast<std::size_t>(weight.cols) == 2 * x.size();
  float mean = 0.0F, squares = 0.0F;
  if (centred)
    for (const float v : x) mean += v / size;
  for (const float v : x) squares += (v - mean) * (v - mean);
  const float scale = 1.0F / std::sqrt(squares / size + static_cast<float>(weights_->info.shape.rms_norm_eps));
  row_.resize(static_cast<std::size_t>(weight.cols));
  weight.read_row(0, row_.data());
  out.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = row_[i] * (scale * (x[i] - mean)) + (centred ? row_[x.size() + i] : 0.0F);
}

/// Part `part` of `parts` of a bias.
void ReferenceLlama::add_bias(const WeightView& bias, std::int64_t part, std::int64_t parts, std::vector<float>& out) {
  row_.resize(static_cast<std::size_t>(bias.cols));
  bias.read_row(0, row_.data());
  const auto first = static_cast<std::size_t>(part * (bias.cols / parts));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += row_[first + i];
}

void ReferenceLlama::project(const LayerWeights& l, ModelTensor matrix, bool with_bias, ModelTensor bias,
                             const std::vector<float>& operand, std::vector<float>& out) {
  multiply(l[matrix], operand, out);
  if (with_bias) add_bias(l[bias], 0, 1, out);
}

/// Of each head, or of all at once: as many gains as are there.
void ReferenceLlama::normalise_heads(const WeightView& gains, std::vector<float>& heads) {
  const auto head_dim = static_cast<std::ptrdiff_t>(gains.cols);
  std::vector<float> normed;
  for (auto head = heads.begin(); head != heads.end(); head += head_dim) {
    normalise(std::vector<float>(head, head + head_dim), gains, normed);
    std::copy(normed.begin(), normed.end(), head);
  }
}

float ReferenceLlama::activated(float gate, float up) const {
  const accelerator::ModelShape& s = weights_->info.shape;
  const auto limit = static_cast<float>(s.activation_limit);
  switch (s.activation) {
    case accelerator::Activation::silu:
      return silu(gate) * up;
    case accelerator::Activation::gelu:
      return gelu_tanh(gate) * up;
    case accelerator::Activation::relu_squared:
      return gate > 0.0F ? gate * gate * up : 0.0F;
    case accelerator::Activation::clamped:
      gate = std::fmin(gate, limit);
      up = std::fmax(std::fmin(up, limit), -limit);
      return (up + 1.0F) * gate / (1.0F + std::exp(-1.702F * gate));
  }
  return 0.0F;
}

/// Gate, up and down of part `part` of `parts`: what they give, times a scale, is added to branch_.
void ReferenceLlama::expert(const LayerWeights& l, const std::array<ModelTensor, 3>& matrices,
                            const std::array<ModelTensor, 3>& biases, bool with_biases, std::int64_t part,
                            std::int64_t parts, float scale) {
  const auto rows = [&](std::size_t i, const std::vector<float>& x, std::vector<float>& out) {
    const WeightView& w = l[matrices.at(i)];
    multiply_rows(w, part * (w.rows / parts), w.rows / parts, x, out);
    if (with_biases) add_bias(l[biases.at(i)], part, parts, out);
  };
  const bool gated = weights_->info.shape.gated;
  rows(1, normed_, up_);
  if (gated) rows(0, normed_, gate_);
  if (!gated) gate_ = up_;
  for (std::size_t i = 0; i < gate_.size(); ++i) gate_[i] = activated(gate_[i], gated ? up_[i] : 1.0F);
  rows(2, gate_, projected_);
  for (std::size_t i = 0; i < branch_.size(); ++i) branch_[i] += scale * projected_[i];
}

void ReferenceLlama::feed_forward(const LayerWeights& l) {
  using T = ModelTensor;
  expert(l, {T::gate, T::up, T::down}, {T::gate_bias, T::up_bias, T::down_bias}, weights_->info.shape.ffn_bias, 0, 1,
         1.0F);
}

/// What a block gave goes to the residual stream, normed where the model does so.
void ReferenceLlama::leave(const LayerWeights& l, ModelTensor post_norm) {
  const accelerator::ModelShape& s = weights_->info.shape;
  if (s.norms_behind()) {
    std::vector<float> normed;
    normalise(branch_, l[post_norm], normed);
    branch_ = normed;
  }
  for (std::size_t i = 0; i < x_.size(); ++i) x_[i] += static_cast<float>(s.residual_multiplier) * branch_[i];
}

void ReferenceLlama::mixture(const LayerWeights& l) {
  using T = ModelTensor;
  const accelerator::Mixture& m = weights_->info.shape.mixture;
  const auto sigmoid = [](float x) { return 1.0F / (1.0F + std::exp(-x)); };
  std::vector<float> scores;
  const bool biases = weights_->info.shape.ffn_bias;
  project(l, ModelTensor::router, biases, ModelTensor::router_bias, normed_, scores);
  float shared = 1.0F;
  if (m.shared_gate) {
    multiply(l[ModelTensor::shared_scale], normed_, projected_);
    shared = sigmoid(projected_.front());
  }
  if (m.shared_width > 0) expert(l, {T::shared_gate, T::shared_up, T::shared_down}, {}, false, 0, 1, shared);
  std::vector<std::pair<float, int>> order;
  for (int e = 0; e < m.experts; ++e) order.emplace_back(-scores[static_cast<std::size_t>(e)], e);
  std::sort(order.begin(), order.end());
  const bool by_sigmoid = m.scores == accelerator::RouterScores::sigmoid;
  const float largest = -order.front().first;
  float of_chosen = 0.0F, of_all = 0.0F;
  std::vector<float> values;
  for (const auto& [negative, e] : order) {
    values.push_back(by_sigmoid ? sigmoid(-negative) : std::exp(-negative - largest));
    of_all += values.back();
    if (values.size() <= static_cast<std::size_t>(m.experts_per_token)) of_chosen += values.back();
  }
  const float sum = m.normalised ? of_chosen : by_sigmoid ? 1.0F : of_all;
  for (std::size_t i = 0; i < static_cast<std::size_t>(m.experts_per_token); ++i)
    expert(l, {T::expert_gate, T::expert_up, T::expert_down},
           {T::expert_gate_bias, T::expert_up_bias, T::expert_down_bias}, biases, order[i].second, m.experts,
           values[i] / sum * static_cast<float>(m.weight_scale));
}

void ReferenceLlama::rotate(float* vector, std::int64_t heads, int layer) const {
  const accelerator::ModelShape& s = weights_->info.shape;
  const std::int64_t half = s.rotated(layer) / 2;
  const bool adjacent = weights_->info.rope_pairing == formats::RopePairing::kAdjacent;
  const float magnitude = s.own_theta(layer) ? 1.0F : static_cast<float>(weights_->info.rope_scaling.magnitude);
  for (std::int64_t i = 0; i < half; ++i) {
    const float angle = static_cast<float>(position_) * static_cast<float>(rope_frequency(weights_->info, i, layer));
    const float cosine = magnitude * std::cos(angle), sine = magnitude * std::sin(angle);
    for (std::int64_t h = 0; h < heads; ++h) {
      float& a = vector[h * s.head_dim + (adjacent ? 2 * i : i)];
      float& b = vector[h * s.head_dim + (adjacent ? 2 * i + 1 : i + half)];
      const float real = a * cosine - b * sine, imaginary = a * sine + b * cosine;
      a = real;
      b = imaginary;
    }
  }
}

namespace {

float capped(float x, double cap) {
  const auto c = static_cast<float>(cap);
  return cap > 0 ? c * std::tanh(x / c) : x;
}

}  // namespace

/// q_, over the layer's cache up to the token, to attended_.
void ReferenceLlama::attend(std::size_t layer, const LayerWeights& l) {
  const accelerator::ModelShape& s = weights_->info.shape;
  const auto head_dim = static_cast<std::size_t>(s.head_dim), kv_size = static_cast<std::size_t>(s.kv_width());
  const auto group = static_cast<std::size_t>(s.num_attention_heads / s.num_key_value_heads);
  const auto length = static_cast<std::size_t>(position_ + 1);
  const float of_scores =
      s.attention_scale > 0 ? static_cast<float>(s.attention_scale) : 1.0F / std::sqrt(static_cast<float>(head_dim));
  const std::vector<float>&keys = key_cache_[layer], &values = value_cache_[layer];
  attended_.assign(static_cast<std::size_t>(s.q_width()), 0.0F);
  std::vector<float> sinks;
  if (s.attention_sinks) sinks = l[ModelTensor::sinks].read();
  const auto window = static_cast<std::size_t>(s.window_of(static_cast<int>(layer)));
  const std::size_t first = window == 0 || window >= length ? 0 : length - window;
  scores_.resize(length - first);
  for (std::size_t h = 0; h < static_cast<std::size_t>(s.num_attention_heads); ++h) {
    const float* query = q_.data() + h * head_dim;
    const std::size_t column = h / group * head_dim;
    float largest = s.attention_sinks ? sinks[h] : -INFINITY;
    for (std::size_t t = first; t < length; ++t) {
      const float* key = keys.data() + t * kv_size + column;
      float score = 0.0F;
      for (std::size_t i = 0; i < head_dim; ++i) score += query[i] * key[i];
      scores_[t - first] = capped(score * of_scores, s.attention_cap);
      largest = std::fmax(largest, scores_[t - first]);
    }
    float sum = s.attention_sinks ? std::exp(sinks[h] - largest) : 0.0F;
    for (float& score : scores_) {
      score = std::exp(score - largest);
      sum += score;
    }
    float* out = attended_.data() + h * head_dim;
    for (std::size_t t = first; t < length; ++t) {
      const float share = scores_[t - first] / sum;
      const float* value = values.data() + t * kv_size + column;
      for (std::size_t i = 0; i < head_dim; ++i) out[i] += share * value[i];
    }
  }
}

void ReferenceLlama::forward(int token, float* logits) {
  using T = ModelTensor;
  const ModelWeights& w = *weights_;
  const accelerator::ModelShape& s = w.info.shape;
  x_.resize(static_cast<std::size_t>(s.hidden_size));
  w.embedding.read_row(token, x_.data());
  for (float& x : x_) x *= static_cast<float>(s.embedding_multiplier);
  const auto enter = [&](const WeightView& gains) {
    if (s.norms_before())
      normalise(x_, gains, normed_);
    else
      normed_ = x_;
  };
  for (std::size_t layer = 0; layer < w.layers.size(); ++layer) {
    const LayerWeights& l = w.layers[layer];
    const auto index = static_cast<int>(layer);
    enter(l[T::attention_norm]);
    project(l, T::q, s.qkv_bias, T::q_bias, normed_, q_);
    project(l, T::k, s.qkv_bias, T::k_bias, normed_, k_);
    project(l, T::v, s.qkv_bias, T::v_bias, normed_, v_);
    if (s.qk_norm) {
      normalise_heads(l[T::q_norm], q_);
      normalise_heads(l[T::k_norm], k_);
    }
    rotate(q_.data(), s.num_attention_heads, index);
    rotate(k_.data(), s.num_key_value_heads, index);
    key_cache_[layer].insert(key_cache_[layer].end(), k_.begin(), k_.end());
    value_cache_[layer].insert(value_cache_[layer].end(), v_.begin(), v_.end());
    attend(layer, l);
    project(l, T::o, s.o_bias, T::o_bias, attended_, branch_);
    leave(l, T::attention_post_norm);

    enter(l[T::ffn_norm]);
    branch_.assign(x_.size(), 0.0F);
    if (s.is_mixture(index))
      mixture(l);
    else
      feed_forward(l);
    leave(l, T::ffn_post_norm);
  }
  normalise(x_, w.final_norm, normed_);
  multiply(w.lm_head, normed_, projected_);
  for (float& logit : projected_) logit = capped(logit / static_cast<float>(s.logits_divisor), s.logits_cap);
  std::memcpy(logits, projected_.data(), projected_.size() * sizeof(float));
  ++position_;
}

}  // namespace harmonia::testbench
