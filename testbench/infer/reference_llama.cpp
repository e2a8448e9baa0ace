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

void ReferenceLlama::normalise(const std::vector<float>& x, const WeightView& weight, std::vector<float>& out) {
  float squares = 0.0F;
  for (const float v : x) squares += v * v;
  const float scale =
      1.0F / std::sqrt(squares / static_cast<float>(x.size()) + static_cast<float>(weights_->info.shape.rms_norm_eps));
  row_.resize(x.size());
  weight.read_row(0, row_.data());
  out.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = row_[i] * (scale * x[i]);
}

/// Queries, keys or values, with their bias where the model has one.
void ReferenceLlama::project(const LayerWeights& l, ModelTensor matrix, ModelTensor bias, std::vector<float>& out) {
  multiply(l[matrix], normed_, out);
  if (!weights_->info.shape.qkv_bias) return;
  row_.resize(out.size());
  l[bias].read_row(0, row_.data());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += row_[i];
}

void ReferenceLlama::normalise_heads(const WeightView& gains, std::vector<float>& heads) {
  const auto head_dim = static_cast<std::ptrdiff_t>(weights_->info.shape.head_dim);
  std::vector<float> normed;
  for (auto head = heads.begin(); head != heads.end(); head += head_dim) {
    normalise(std::vector<float>(head, head + head_dim), gains, normed);
    std::copy(normed.begin(), normed.end(), head);
  }
}

/// Part `part` of `parts` of the three matrices: what it gives, times a scale, goes to the residual stream.
void ReferenceLlama::feed_forward(const WeightView& gate, const WeightView& up, const WeightView& down,
                                  std::int64_t part, std::int64_t parts, float scale) {
  const auto rows = [&](const WeightView& w, const std::vector<float>& x, std::vector<float>& out) {
    multiply_rows(w, part * (w.rows / parts), w.rows / parts, x, out);
  };
  rows(gate, normed_, gate_);
  rows(up, normed_, up_);
  const bool gelu = weights_->info.shape.gelu_gate;
  for (std::size_t i = 0; i < gate_.size(); ++i) gate_[i] = (gelu ? gelu_tanh(gate_[i]) : silu(gate_[i])) * up_[i];
  rows(down, gate_, projected_);
  for (std::size_t i = 0; i < x_.size(); ++i) x_[i] += scale * projected_[i];
}

void ReferenceLlama::mixture(const LayerWeights& l) {
  const accelerator::Mixture& m = weights_->info.shape.mixture;
  const auto sigmoid = [](float x) { return 1.0F / (1.0F + std::exp(-x)); };
  std::vector<float> scores;
  multiply(l[ModelTensor::router], normed_, scores);
  float shared = 1.0F;
  if (m.shared_gate) {
    multiply(l[ModelTensor::shared_scale], normed_, projected_);
    shared = sigmoid(projected_.front());
  }
  if (m.shared_width > 0)
    feed_forward(l[ModelTensor::shared_gate], l[ModelTensor::shared_up], l[ModelTensor::shared_down], 0, 1, shared);
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
    feed_forward(l[ModelTensor::expert_gate], l[ModelTensor::expert_up], l[ModelTensor::expert_down], order[i].second,
                 m.experts, values[i] / sum * static_cast<float>(m.weight_scale));
}

void ReferenceLlama::rotate(float* vector, std::int64_t heads) const {
  const accelerator::ModelShape& s = weights_->info.shape;
  const std::int64_t half = s.head_dim / 2;
  const bool adjacent = weights_->info.rope_pairing == formats::RopePairing::kAdjacent;
  for (std::int64_t i = 0; i < half; ++i) {
    const float angle = static_cast<float>(position_) * static_cast<float>(rope_frequency(weights_->info, i));
    const float cosine = std::cos(angle), sine = std::sin(angle);
    for (std::int64_t h = 0; h < heads; ++h) {
      float& a = vector[h * s.head_dim + (adjacent ? 2 * i : i)];
      float& b = vector[h * s.head_dim + (adjacent ? 2 * i + 1 : i + half)];
      const float real = a * cosine - b * sine, imaginary = a * sine + b * cosine;
      a = real;
      b = imaginary;
    }
  }
}

void ReferenceLlama::forward(int token, float* logits) {
  const ModelWeights& w = *weights_;
  const accelerator::ModelShape& s = w.info.shape;
  const auto head_dim = static_cast<std::size_t>(s.head_dim), kv_size = static_cast<std::size_t>(s.kv_width());
  const auto group = static_cast<std::size_t>(s.num_attention_heads / s.num_key_value_heads);
  const auto length = static_cast<std::size_t>(position_ + 1);
  const float of_scores =
      s.attention_scale > 0 ? static_cast<float>(s.attention_scale) : 1.0F / std::sqrt(static_cast<float>(head_dim));
  const auto of_residual = static_cast<float>(s.residual_multiplier);
  x_.resize(static_cast<std::size_t>(s.hidden_size));
  w.embedding.read_row(token, x_.data());
  for (float& x : x_) x *= static_cast<float>(s.embedding_multiplier);

  for (std::size_t layer = 0; layer < w.layers.size(); ++layer) {
    const LayerWeights& l = w.layers[layer];
    normalise(x_, l[ModelTensor::attention_norm], normed_);
    project(l, ModelTensor::q, ModelTensor::q_bias, q_);
    project(l, ModelTensor::k, ModelTensor::k_bias, k_);
    project(l, ModelTensor::v, ModelTensor::v_bias, v_);
    if (s.qk_norm) {
      normalise_heads(l[ModelTensor::q_norm], q_);
      normalise_heads(l[ModelTensor::k_norm], k_);
    }
    rotate(q_.data(), s.num_attention_heads);
    rotate(k_.data(), s.num_key_value_heads);
    std::vector<float>& keys = key_cache_[layer];
    std::vector<float>& values = value_cache_[layer];
    keys.insert(keys.end(), k_.begin(), k_.end());
    values.insert(values.end(), v_.begin(), v_.end());

    attended_.assign(static_cast<std::size_t>(s.q_width()), 0.0F);
    const auto window = static_cast<std::size_t>(s.window_of(static_cast<int>(layer)));
    const std::size_t first = window == 0 || window >= length ? 0 : length - window;
    scores_.resize(length - first);
    for (std::size_t h = 0; h < static_cast<std::size_t>(s.num_attention_heads); ++h) {
      const float* query = q_.data() + h * head_dim;
      const std::size_t column = h / group * head_dim;
      float largest = -INFINITY;
      for (std::size_t t = first; t < length; ++t) {
        const float* key = keys.data() + t * kv_size + column;
        float score = 0.0F;
        for (std::size_t i = 0; i < head_dim; ++i) score += query[i] * key[i];
        scores_[t - first] = score * of_scores;
        largest = std::fmax(largest, scores_[t - first]);
      }
      float sum = 0.0F;
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
    multiply(l[ModelTensor::o], attended_, projected_);
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] += of_residual * projected_[i];

    normalise(x_, l[ModelTensor::ffn_norm], normed_);
    if (s.is_mixture(static_cast<int>(layer)))
      mixture(l);
    else
      feed_forward(l[ModelTensor::gate], l[ModelTensor::up], l[ModelTensor::down], 0, 1, of_residual);
  }
  normalise(x_, w.final_norm, normed_);
  multiply(w.lm_head, normed_, projected_);
  for (float& logit : projected_) logit /= static_cast<float>(s.logits_divisor);
  std::memcpy(logits, projected_.data(), projected_.size() * sizeof(float));
  ++position_;
}

}  // namespace harmonia::testbench
