#include "harmonia/hw/golden/golden_llama.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/formats/int8_row.h"
#include "harmonia/hw/formats/pe.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;

constexpr std::size_t kSlot = kBfp8.group_bytes();
constexpr std::size_t kGroup = 32;
static_assert(kBfp8.group_size == 32 && kBfp4.group_size == 32, "a slot holds one group of 32");

std::vector<float> widened(const std::vector<Fp16>& x) {
  std::vector<float> out(x.size());
  formats::to_float(x.data(), x.size(), out.data());
  return out;
}

vector::RopeTable rope_table(const ModelShape& shape, formats::RopePairing pairing,
                             const std::vector<float>& frequencies) {
  if (frequencies.empty()) return {static_cast<std::size_t>(shape.head_dim), shape.rope_theta, pairing};
  return {frequencies, pairing};
}

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

const char* name(Operation operation) noexcept {
  static constexpr const char* kNames[] = {"embedding",
                                           "attention_norm",
                                           "attention_norm_bfp",
                                           "q",
                                           "k",
                                           "v",
                                           "q_rotated",
                                           "k_rotated",
                                           "k_smoothed",
                                           "q_bfp",
                                           "scores",
                                           "probabilities",
                                           "probabilities_bfp",
                                           "attention",
                                           "attention_bfp",
                                           "o",
                                           "attention_residual",
                                           "ffn_norm",
                                           "ffn_norm_bfp",
                                           "gate",
                                           "up",
                                           "activated",
                                           "activated_bfp",
                                           "down",
                                           "ffn_residual",
                                           "final_norm",
                                           "final_norm_bfp",
                                           "logits"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Operation::kLogits) + 1);
  return kNames[static_cast<std::size_t>(operation)];
}

void GoldenModelWeights::validate() const {
  const std::string problem = shape.problem();
  if (!problem.empty()) throw std::invalid_argument(problem);
  const auto length = [](const char* tensor, std::size_t is, std::size_t expected) {
    if (is != expected)
      throw std::invalid_argument(std::string(tensor) + " has " + std::to_string(is) + " elements, expected " +
                                  std::to_string(expected));
  };
  const auto matrix = [](const char* tensor, const LinearWeights& w, int rows, int cols) {
    if (w.rows() != size(rows) || w.cols() != size(cols))
      throw std::invalid_argument(std::string(tensor) + " is [" + std::to_string(w.rows()) + ", " +
                                  std::to_string(w.cols()) + "], expected [" + std::to_string(rows) + ", " +
                                  std::to_string(cols) + "]");
  };
  if (!rope_frequencies.empty()) length("rope_frequencies", rope_frequencies.size(), size(shape.head_dim / 2));
  length("embedding", embedding.size(), size(shape.vocab_size) * size(shape.hidden_size));
  length("layers", layers.size(), size(shape.num_hidden_layers));
  for (const GoldenLayerWeights& l : layers) {
    length("attention_norm", l.attention_norm.size(), size(shape.hidden_size));
    length("ffn_norm", l.ffn_norm.size(), size(shape.hidden_size));
    matrix("q", l.q, shape.q_width(), shape.hidden_size);
    matrix("k", l.k, shape.kv_width(), shape.hidden_size);
    matrix("v", l.v, shape.kv_width(), shape.hidden_size);
    matrix("o", l.o, shape.hidden_size, shape.q_width());
    matrix("gate", l.gate, shape.intermediate_size, shape.hidden_size);
    matrix("up", l.up, shape.intermediate_size, shape.hidden_size);
    matrix("down", l.down, shape.hidden_size, shape.intermediate_size);
  }
  length("final_norm", final_norm.size(), size(shape.hidden_size));
  matrix("lm_head", lm_head, shape.vocab_size, shape.hidden_size);
}

// ---- KV cache ----

GoldenKvCache::GoldenKvCache(const ModelShape& shape, const GoldenSettings& settings)
    : settings_(settings),
      policy_(settings.kv_policy()),
      kv_heads_(size(shape.num_key_value_heads)),
      head_dim_(size(shape.head_dim)),
      key_groups_(kBfp8.groups(head_dim_)),
      key_rows_(kv_heads_),
      value_rows_(kv_heads_),
      scratch_(kv_heads_ * head_dim_ * 2) {}

std::uint8_t* GoldenKvCache::key_slot(std::size_t kv_head, std::size_t token) {
  return key_slots_.data() + (kv_head * capacity_ + token) * key_groups_ * kSlot;
}

std::uint8_t* GoldenKvCache::value_slot(std::size_t kv_head, std::size_t channel, std::size_t group) {
  return value_slots_.data() + ((kv_head * head_dim_ + channel) * (capacity_ / kGroup) + group) * kSlot;
}

void GoldenKvCache::reserve(std::size_t tokens) {
  if (tokens <= capacity_) return;
  const std::size_t old = capacity_;
  capacity_ = std::max((tokens + kGroup - 1) / kGroup * kGroup, 2 * old);
  // The token dimension grows inside each head (and channel): move what is there to its new place.
  const auto grow = [](auto& all, std::size_t outer, std::size_t old_row, std::size_t new_row) {
    std::remove_reference_t<decltype(all)> bigger(outer * new_row);
    for (std::size_t i = 0; i < outer; ++i)
      std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i * old_row), old_row,
                  bigger.begin() + static_cast<std::ptrdiff_t>(i * new_row));
    all = std::move(bigger);
  };
  if (stores_bfp() || settings_.activations == ActivationFormat::kBfp8) {
    const std::size_t key = key_groups_ * kSlot;
    grow(key_slots_, kv_heads_, old * key, capacity_ * key);
    grow(value_slots_, kv_heads_ * head_dim_, old / kGroup * kSlot, capacity_ / kGroup * kSlot);
  }
  if (settings_.activations == ActivationFormat::kFp16) {
    grow(key_fp16_, kv_heads_, old * head_dim_, capacity_ * head_dim_);
    grow(value_fp16_, kv_heads_ * head_dim_, old, capacity_);
  }
}

std::size_t GoldenKvCache::store_row(const Fp16* x, std::vector<std::uint8_t>& rows, Fp16* read_back) {
  const std::size_t start = rows.size();
  if (settings_.kv == KvFormat::kFp16) {
    rows.resize(start + head_dim_ * 2);
    std::memcpy(rows.data() + start, x, head_dim_ * 2);
    std::copy_n(x, head_dim_, read_back);
    return 0;
  }
  rows.resize(start + formats::int8_row_bytes(head_dim_));
  const std::size_t nonfinite = formats::encode_int8_row(x, head_dim_, rows.data() + start);
  formats::decode_int8_row(rows.data() + start, head_dim_, read_back);
  return nonfinite;
}

std::size_t GoldenKvCache::append(const Fp16* k, const Fp16* v, std::size_t tokens) {
  reserve(tokens_ + tokens);
  const std::size_t width = kv_heads_ * head_dim_;
  const std::size_t first = tokens_;
  std::size_t nonfinite = 0;
  for (std::size_t t = 0; t < tokens; ++t, ++tokens_) {
    const Fp16* keys = k + t * width;
    const Fp16* values = v + t * width;
    if (!stores_bfp()) {
      for (std::size_t h = 0; h < kv_heads_; ++h) {
        nonfinite += store_row(keys + h * head_dim_, key_rows_[h], scratch_.data() + h * head_dim_);
        nonfinite += store_row(values + h * head_dim_, value_rows_[h], scratch_.data() + width + h * head_dim_);
      }
      keys = scratch_.data();
      values = scratch_.data() + width;
    }
    for (std::size_t h = 0; h < kv_heads_; ++h) {
      if (!key_slots_.empty()) {
        nonfinite += formats::encode_row(kBfp8, keys + h * head_dim_, head_dim_, key_slot(h, tokens_));
        for (std::size_t c = 0; c < head_dim_; ++c) {
          std::uint8_t* slot = value_slot(h, c, tokens_ / kGroup);
          if (tokens_ % kGroup == 0) formats::clear_stored(kBfp8, slot);
          nonfinite += static_cast<std::size_t>(
              formats::append_stored(kBfp8, values[h * head_dim_ + c], static_cast<int>(tokens_ % kGroup), slot));
        }
      }
      if (settings_.activations == ActivationFormat::kFp16 && !stores_bfp()) {
        std::copy_n(keys + h * head_dim_, head_dim_, key_fp16_.data() + (h * capacity_ + tokens_) * head_dim_);
        for (std::size_t c = 0; c < head_dim_; ++c)
          value_fp16_[(h * head_dim_ + c) * capacity_ + tokens_] = values[h * head_dim_ + c];
      }
    }
  }
  first_stale_ = first / kGroup * kGroup;
  demote();
  if (settings_.activations == ActivationFormat::kFp16 && stores_bfp()) decode_to_fp16(first_stale_);
  return nonfinite;
}

void GoldenKvCache::demote() {
  if (!stores_bfp()) return;
  // A zeroed low plane makes the slot, read as BFP8, stand for exactly the value of its BFP4 prefix (m4 * 16 * 2^-7 =
  // m4 * 2^-3), and every integer partial stays below 2^24: multiplying the slot in M8M8 gives the bits of M8M4.
  const auto drop = [](std::uint8_t* slot) { std::fill(slot + kBfp4.group_bytes(), slot + kSlot, std::uint8_t{0}); };
  // What lies between the windows is 4 bit and stays so; what an earlier step has demoted needs no further look.
  const WideUnits keys = policy_.wide_keys({0, tokens_}, tokens_);
  for (std::size_t t = std::max<std::size_t>(demoted_keys_, keys.initial.to); t < keys.local.from; ++t) {
    for (std::size_t h = 0; h < kv_heads_; ++h)
      for (std::size_t g = 0; g < key_groups_; ++g) drop(key_slot(h, t) + g * kSlot);
    first_stale_ = std::min(first_stale_, t);
    demoted_keys_ = t + 1;
  }
  const WideUnits values = policy_.wide_groups({0, value_groups()}, tokens_);
  for (std::size_t g = std::max<std::size_t>(demoted_values_, values.initial.to); g < values.local.from; ++g) {
    for (std::size_t h = 0; h < kv_heads_; ++h)
      for (std::size_t c = 0; c < head_dim_; ++c) drop(value_slot(h, c, g));
    first_stale_ = std::min(first_stale_, g * kGroup);
    demoted_values_ = g + 1;
  }
}

void GoldenKvCache::decode_to_fp16(std::size_t first_token) {
  for (std::size_t h = 0; h < kv_heads_; ++h) {
    for (std::size_t t = first_token; t < tokens_; ++t)
      formats::decode_row(kBfp8, key_slot(h, t), head_dim_, key_fp16_.data() + (h * capacity_ + t) * head_dim_);
    for (std::size_t c = 0; c < head_dim_; ++c)
      for (std::size_t g = first_token / kGroup; g < value_groups(); ++g)
        formats::decode_row(kBfp8, value_slot(h, c, g), kGroup,
                            value_fp16_.data() + (h * head_dim_ + c) * capacity_ + g * kGroup);
  }
}

GoldenKvCache::Stored GoldenKvCache::key_group(std::size_t kv_head, std::size_t token, std::size_t group) const {
  const std::uint8_t* slot = key_slots_.data() + ((kv_head * capacity_ + token) * key_groups_ + group) * kSlot;
  return {slot, policy_.wide_key(token, tokens_) ? kSlot : kBfp4.group_bytes()};
}

GoldenKvCache::Stored GoldenKvCache::value_group(std::size_t kv_head, std::size_t channel, std::size_t group) const {
  const std::uint8_t* slot =
      value_slots_.data() + ((kv_head * head_dim_ + channel) * (capacity_ / kGroup) + group) * kSlot;
  return {slot, policy_.wide_group(group, tokens_) ? kSlot : kBfp4.group_bytes()};
}

GoldenKvCache::Stored GoldenKvCache::key_row(std::size_t kv_head, std::size_t token) const {
  const std::size_t bytes = KvHead(policy_, static_cast<int>(head_dim_)).key_main_bytes();
  return {key_rows_[kv_head].data() + token * bytes, bytes};
}

GoldenKvCache::Stored GoldenKvCache::value_row(std::size_t kv_head, std::size_t token) const {
  const std::size_t bytes = KvHead(policy_, static_cast<int>(head_dim_)).key_main_bytes();
  return {value_rows_[kv_head].data() + token * bytes, bytes};
}

std::size_t GoldenKvCache::live_bytes() const {
  if (tokens_ == 0) return 0;
  return KvHead(policy_, static_cast<int>(head_dim_)).live_bytes(tokens_) * kv_heads_;
}

void GoldenKvCache::scores(const void* q, std::size_t kv_head, std::size_t count, Fp16* out) const {
  if (settings_.activations == ActivationFormat::kBfp8) {
    const std::size_t row = key_groups_ * kSlot;
    formats::gemv_bfp(kBfp8, static_cast<const std::uint8_t*>(q), kBfp8, key_slots_.data() + kv_head * capacity_ * row,
                      row, count, head_dim_, out);
    return;
  }
  for (std::size_t t = 0; t < count; ++t)
    out[t] = formats::to_fp16(formats::dot_fp16(static_cast<const Fp16*>(q),
                                                key_fp16_.data() + (kv_head * capacity_ + t) * head_dim_, head_dim_));
}

void GoldenKvCache::attend(const void* p, std::size_t kv_head, std::size_t count, Fp16* out) const {
  if (settings_.activations == ActivationFormat::kBfp8) {
    // P is zero beyond `count`, so that younger tokens in the last group add nothing.
    const std::size_t row = capacity_ / kGroup * kSlot;
    formats::gemv_bfp(kBfp8, static_cast<const std::uint8_t*>(p), kBfp8,
                      value_slots_.data() + kv_head * head_dim_ * row, row, head_dim_, count, out);
    return;
  }
  for (std::size_t c = 0; c < head_dim_; ++c)
    out[c] = formats::to_fp16(formats::dot_fp16(static_cast<const Fp16*>(p),
                                                value_fp16_.data() + (kv_head * head_dim_ + c) * capacity_, count));
}

// ---- One layer ----

GoldenLayer::GoldenLayer(const ModelShape& shape, formats::RopePairing pairing,
                         const std::vector<float>& rope_frequencies, const GoldenSettings& settings,
                         const GoldenLayerWeights& weights, int index)
    : shape_(shape),
      settings_(settings),
      weights_(&weights),
      index_(index),
      rope_(rope_table(shape, pairing, rope_frequencies)),
      attention_norm_(widened(weights.attention_norm)),
      ffn_norm_(widened(weights.ffn_norm)),
      cache_(shape, settings) {}

void GoldenLayer::reset() {
  cache_ = GoldenKvCache(shape_, settings_);
  offsets_.clear();
  nonfinite_ = 0;
}

void GoldenLayer::emit(const Tap& tap, Operation operation, const void* data, std::size_t bytes, std::size_t token,
                       int head) const {
  if (tap) tap({index_, operation, token, head, data, bytes});
}

const void* GoldenLayer::operand(const Fp16* x, std::size_t tokens, std::size_t width, const Tap& tap,
                                 Operation operation, std::size_t position) {
  if (settings_.activations == ActivationFormat::kFp16) return x;
  const std::size_t row = kBfp8.row_bytes(width);
  bfp_.resize(tokens * row);
  for (std::size_t t = 0; t < tokens; ++t)
    nonfinite_ += formats::encode_row(kBfp8, x + t * width, width, bfp_.data() + t * row);
  emit(tap, operation, bfp_.data(), bfp_.size(), position);
  return bfp_.data();
}

void GoldenLayer::step(Fp16* x, std::size_t tokens, const Tap& tap) {
  attention(x, tokens, tap);
  feed_forward(x, tokens, tap);
}

void GoldenLayer::attention(Fp16* x, std::size_t tokens, const Tap& tap) {
  const std::size_t hidden = size(shape_.hidden_size), q_width = size(shape_.q_width()),
                    kv_width = size(shape_.kv_width());
  const std::size_t head_dim = size(shape_.head_dim), heads = size(shape_.num_attention_heads);
  const std::size_t kv_heads = size(shape_.num_key_value_heads), position = cache_.tokens();
  const bool bfp = settings_.activations == ActivationFormat::kBfp8;
  const auto eps = static_cast<float>(shape_.rms_norm_eps);

  normed_.resize(tokens * hidden);
  for (std::size_t t = 0; t < tokens; ++t)
    vector::rms_norm(x + t * hidden, attention_norm_.data(), hidden, eps, normed_.data() + t * hidden);
  emit(tap, Operation::kAttentionNorm, normed_.data(), normed_.size() * 2, position);
  const void* input = operand(normed_.data(), tokens, hidden, tap, Operation::kAttentionNormBfp, position);
  q_.resize(tokens * q_width);
  k_.resize(tokens * kv_width);
  v_.resize(tokens * kv_width);
  weights_->q.multiply(input, tokens, q_.data());
  weights_->k.multiply(input, tokens, k_.data());
  weights_->v.multiply(input, tokens, v_.data());
  emit(tap, Operation::kQ, q_.data(), q_.size() * 2, position);
  emit(tap, Operation::kK, k_.data(), k_.size() * 2, position);
  emit(tap, Operation::kV, v_.data(), v_.size() * 2, position);

  cos_.resize(head_dim / 2);
  sin_.resize(head_dim / 2);
  for (std::size_t t = 0; t < tokens; ++t) {
    rope_.angles(position + t, cos_.data(), sin_.data());
    rope_.rotate(cos_.data(), sin_.data(), heads, q_.data() + t * q_width);
    rope_.rotate(cos_.data(), sin_.data(), kv_heads, k_.data() + t * kv_width);
  }
  emit(tap, Operation::kQRotated, q_.data(), q_.size() * 2, position);
  emit(tap, Operation::kKRotated, k_.data(), k_.size() * 2, position);

  if (settings_.online_smoothing) {
    if (offsets_.empty())
      for (std::size_t h = 0; h < kv_heads; ++h)
        offsets_.push_back(
            formats::choose_offsets(k_.data() + h * head_dim, tokens, kv_width, head_dim, settings_.smoothed_channels));
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t h = 0; h < kv_heads; ++h)
        formats::subtract_offsets(offsets_[h], k_.data() + t * kv_width + h * head_dim);
    emit(tap, Operation::kKSmoothed, k_.data(), k_.size() * 2, position);
  }
  nonfinite_ += cache_.append(k_.data(), v_.data(), tokens);

  const std::size_t q_row = kBfp8.row_bytes(head_dim);
  if (bfp) {
    q_bfp_.resize(tokens * heads * q_row);
    for (std::size_t i = 0; i < tokens * heads; ++i)
      nonfinite_ += formats::encode_row(kBfp8, q_.data() + i * head_dim, head_dim, q_bfp_.data() + i * q_row);
    emit(tap, Operation::kQBfp, q_bfp_.data(), q_bfp_.size(), position);
  }
  attended_.resize(tokens * q_width);
  scores_.resize(cache_.tokens());
  p_bfp_.resize(kBfp8.row_bytes(cache_.tokens()));
  const float scale = vector::attention_scale(head_dim);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t token = position + t, count = token + 1;
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t kv_head = h / size(shape_.queries_per_kv_head());
      const void* query = bfp ? static_cast<const void*>(q_bfp_.data() + (t * heads + h) * q_row)
                              : static_cast<const void*>(q_.data() + t * q_width + h * head_dim);
      cache_.scores(query, kv_head, count, scores_.data());
      emit(tap, Operation::kScores, scores_.data(), count * 2, token, static_cast<int>(h));
      vector::softmax(scores_.data(), count, scale, scores_.data());
      emit(tap, Operation::kProbabilities, scores_.data(), count * 2, token, static_cast<int>(h));
      const void* p = scores_.data();
      if (bfp) {
        nonfinite_ += formats::encode_row(kBfp8, scores_.data(), count, p_bfp_.data());
        emit(tap, Operation::kProbabilitiesBfp, p_bfp_.data(), kBfp8.row_bytes(count), token, static_cast<int>(h));
        p = p_bfp_.data();
      }
      cache_.attend(p, kv_head, count, attended_.data() + t * q_width + h * head_dim);
    }
  }
  emit(tap, Operation::kAttention, attended_.data(), attended_.size() * 2, position);
  input = operand(attended_.data(), tokens, q_width, tap, Operation::kAttentionBfp, position);
  projected_.resize(tokens * hidden);
  weights_->o.multiply(input, tokens, projected_.data());
  emit(tap, Operation::kO, projected_.data(), projected_.size() * 2, position);
  vector::residual_add(x, projected_.data(), tokens * hidden, x);
  emit(tap, Operation::kAttentionResidual, x, tokens * hidden * 2, position);
}

void GoldenLayer::feed_forward(Fp16* x, std::size_t tokens, const Tap& tap) {
  const std::size_t hidden = size(shape_.hidden_size), intermediate = size(shape_.intermediate_size);
  const std::size_t position = cache_.tokens() - tokens;  // the step's tokens are in the cache already
  normed_.resize(tokens * hidden);
  for (std::size_t t = 0; t < tokens; ++t)
    vector::rms_norm(x + t * hidden, ffn_norm_.data(), hidden, static_cast<float>(shape_.rms_norm_eps),
                     normed_.data() + t * hidden);
  emit(tap, Operation::kFfnNorm, normed_.data(), normed_.size() * 2, position);
  const void* input = operand(normed_.data(), tokens, hidden, tap, Operation::kFfnNormBfp, position);
  gate_.resize(tokens * intermediate);
  up_.resize(tokens * intermediate);
  weights_->gate.multiply(input, tokens, gate_.data());
  weights_->up.multiply(input, tokens, up_.data());
  emit(tap, Operation::kGate, gate_.data(), gate_.size() * 2, position);
  emit(tap, Operation::kUp, up_.data(), up_.size() * 2, position);
  vector::silu_mul(gate_.data(), up_.data(), gate_.size(), gate_.data());
  emit(tap, Operation::kActivated, gate_.data(), gate_.size() * 2, position);
  input = operand(gate_.data(), tokens, intermediate, tap, Operation::kActivatedBfp, position);
  projected_.resize(tokens * hidden);
  weights_->down.multiply(input, tokens, projected_.data());
  emit(tap, Operation::kDown, projected_.data(), projected_.size() * 2, position);
  vector::residual_add(x, projected_.data(), tokens * hidden, x);
  emit(tap, Operation::kFfnResidual, x, tokens * hidden * 2, position);
}

// ---- The model ----

GoldenLlama::GoldenLlama(std::shared_ptr<GoldenModelWeights> weights, const GoldenSettings& settings)
    : weights_(std::move(weights)), settings_(settings), final_norm_(widened(weights_->final_norm)) {
  weights_->validate();
  for (GoldenLayerWeights& l : weights_->layers)
    for (LinearWeights* w : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) w->prepare(settings_.activations);
  weights_->lm_head.prepare(settings_.activations);
  layers_.reserve(weights_->layers.size());
  for (std::size_t i = 0; i < weights_->layers.size(); ++i)
    layers_.emplace_back(weights_->shape, weights_->rope_pairing, weights_->rope_frequencies, settings_,
                         weights_->layers[i], static_cast<int>(i));
}

void GoldenLlama::reset() {
  for (GoldenLayer& layer : layers_) layer.reset();
}

void GoldenLlama::step(const int* tokens, std::size_t count, Fp16* logits, bool last_only) {
  const ModelShape& s = weights_->shape;
  const std::size_t hidden = size(s.hidden_size), first = position();
  for (std::size_t t = 0; t < count; ++t)
    if (tokens[t] < 0 || tokens[t] >= s.vocab_size)
      throw std::out_of_range("token " + std::to_string(tokens[t]) + " is outside the vocabulary of " +
                              std::to_string(s.vocab_size));
  if (count == 0) return;
  x_.resize(count * hidden);
  for (std::size_t t = 0; t < count; ++t)
    std::copy_n(weights_->embedding.begin() + static_cast<std::ptrdiff_t>(size(tokens[t]) * hidden), hidden,
                x_.begin() + static_cast<std::ptrdiff_t>(t * hidden));
  if (tap_) tap_({-1, Operation::kEmbedding, first, -1, x_.data(), x_.size() * 2});
  for (GoldenLayer& layer : layers_) layer.step(x_.data(), count, tap_);
  if (last_only)
    output_head(x_.data() + (count - 1) * hidden, 1, first + count - 1, logits);
  else
    output_head(x_.data(), count, first, logits);
}

void GoldenLlama::output_head(const Fp16* x, std::size_t tokens, std::size_t first_position, Fp16* logits) {
  const std::size_t hidden = size(weights_->shape.hidden_size);
  const auto eps = static_cast<float>(weights_->shape.rms_norm_eps);
  normed_.resize(tokens * hidden);
  for (std::size_t t = 0; t < tokens; ++t)
    vector::rms_norm(x + t * hidden, final_norm_.data(), hidden, eps, normed_.data() + t * hidden);
  if (tap_) tap_({-1, Operation::kFinalNorm, first_position, -1, normed_.data(), normed_.size() * 2});
  const void* input = normed_.data();
  if (settings_.activations == ActivationFormat::kBfp8) {
    const std::size_t row = kBfp8.row_bytes(hidden);
    bfp_.resize(tokens * row);
    for (std::size_t t = 0; t < tokens; ++t)
      formats::encode_row(kBfp8, normed_.data() + t * hidden, hidden, bfp_.data() + t * row);
    if (tap_) tap_({-1, Operation::kFinalNormBfp, first_position, -1, bfp_.data(), bfp_.size()});
    input = bfp_.data();
  }
  weights_->lm_head.multiply(input, tokens, logits);
  if (tap_) tap_({-1, Operation::kLogits, first_position, -1, logits, tokens * size(weights_->shape.vocab_size) * 2});
}

}  // namespace harmonia::accelerator
