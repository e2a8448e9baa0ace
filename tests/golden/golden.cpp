// The golden Llama against a second composition, written from the definitions with decoded real numbers, from-scratch
// conversion at every step and no state but the history of keys and values.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/hw/vector/vector_math.h"
#include "tests/support/catch.h"

namespace harmonia::accelerator {
namespace {

using formats::BfpFormat;
using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;

std::vector<Fp16> random_fp16(formats::GaussianSource& random, std::size_t n, double scale, double mean = 0) {
  std::vector<Fp16> out(n);
  for (Fp16& v : out) v = formats::to_fp16(mean + scale * random.next());
  return out;
}

formats::LinearWeights random_linear(formats::GaussianSource& random, formats::WeightFormat format,
                                     formats::CodebookKind kind, int rows, int cols) {
  std::vector<float> w(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (float& v : w) v = static_cast<float>(random.next() / std::sqrt(cols));
  return formats::LinearWeights::encode(format, w.data(), static_cast<std::size_t>(rows),
                                        static_cast<std::size_t>(cols), kind);
}

/// Sizes that are no multiples of 32 or 64, grouped-query attention, head_dim below a group.
std::shared_ptr<GoldenModelWeights> random_model(formats::WeightFormat format, formats::CodebookKind kind,
                                                 std::uint64_t seed, int hidden = 48, int intermediate = 172,
                                                 int heads = 6, int kv_heads = 2, int head_dim = 8) {
  formats::GaussianSource random(seed);
  auto w = std::make_shared<GoldenModelWeights>();
  ModelShape& s = w->shape;
  s.hidden_size = hidden;
  s.intermediate_size = intermediate;
  s.num_hidden_layers = 2;
  s.num_attention_heads = heads;
  s.num_key_value_heads = kv_heads;
  s.head_dim = head_dim;
  s.vocab_size = 90;
  s.rope_theta = 10000.0;
  w->rope_pairing = seed % 2 ? formats::RopePairing::kAdjacent : formats::RopePairing::kHalfSplit;
  w->embedding = random_fp16(random, 90U * static_cast<std::size_t>(hidden), 1.0);
  const auto linear = [&](int rows, int cols) { return random_linear(random, format, kind, rows, cols); };
  for (int i = 0; i < s.num_hidden_layers; ++i) {
    GoldenLayerWeights l;
    l.gains[ModelTensor::attention_norm] = random_fp16(random, static_cast<std::size_t>(hidden), 0.2, 1.0);
    l.gains[ModelTensor::ffn_norm] = random_fp16(random, static_cast<std::size_t>(hidden), 0.2, 1.0);
    l.matrices[ModelTensor::q] = linear(s.q_width(), hidden);
    l.matrices[ModelTensor::k] = linear(s.kv_width(), hidden);
    l.matrices[ModelTensor::v] = linear(s.kv_width(), hidden);
    l.matrices[ModelTensor::o] = linear(hidden, s.q_width());
    l.matrices[ModelTensor::gate] = linear(intermediate, hidden);
    l.matrices[ModelTensor::up] = linear(intermediate, hidden);
    l.matrices[ModelTensor::down] = linear(hidden, intermediate);
    w->layers.push_back(std::move(l));
  }
  w->final_norm = random_fp16(random, static_cast<std::size_t>(hidden), 0.2, 1.0);
  w->lm_head = random_linear(random, formats::weight_format("fp16"), kind, s.vocab_size, hidden);
  return w;
}

/// FP16 values as BFP sees them: real numbers, in groups of 32.
std::vector<double> through_bfp(const std::vector<Fp16>& x, const BfpFormat& format) {
  std::vector<double> out;
  for (std::size_t first = 0; first < x.size(); first += 32) {
    const int n = static_cast<int>(std::min<std::size_t>(32, x.size() - first));
    formats::BfpGroup group;
    formats::encode(format, x.data() + first, n, &group);
    for (int i = 0; i < n; ++i) out.push_back(static_cast<double>(formats::decode(format, group, i)));
  }
  return out;
}

/// Sum over one group of 32: exact in double (8-bit by 8-bit mantissas), then FP32 as the definition says.
float partial(const std::vector<double>& a, const std::vector<double>& b, std::size_t first) {
  double sum = 0;
  for (std::size_t i = first; i < std::min(a.size(), first + 32); ++i) sum += a[i] * b[i];
  return static_cast<float>(sum);
}

Fp16 dot_bfp(const std::vector<double>& a, const std::vector<double>& b) {
  float sum = 0;
  for (std::size_t g = 0; g < a.size(); g += 32) sum += partial(a, b, g);
  return formats::to_fp16(sum);
}

/// The definition's order, whatever the format: groups of 32, scaled blocks (64 for codebooks, 128 for integers),
/// codebook scale.
std::vector<Fp16> naive_linear(const formats::LinearWeights& w, const std::vector<Fp16>& x,
                               formats::ActivationFormat activations) {
  std::vector<Fp16> out;
  const std::size_t cols = w.cols();
  for (std::size_t r = 0; r < w.rows(); ++r) {
    if (activations == formats::ActivationFormat::fp16) {
      std::vector<Fp16> row(cols);
      w.decode_row_fp16(r, row.data());
      float sum = 0;
      for (std::size_t i = 0; i < cols; ++i) sum += formats::to_float(x[i]) * formats::to_float(row[i]);
      out.push_back(formats::to_fp16(sum));
      continue;
    }
    const std::vector<double> a = through_bfp(x, kBfp8);
    if (w.format() == formats::weight_format("fp16")) {
      std::vector<Fp16> row(cols);
      w.decode_row_fp16(r, row.data());
      out.push_back(dot_bfp(a, through_bfp(row, kBfp8)));
      continue;
    }
    std::vector<std::int16_t> codes(cols);
    w.decode_row_codes(r, codes.data());
    const std::vector<double> b(codes.begin(), codes.end());
    const bool codebook = is_codebook(w.format());
    const std::size_t block = codebook ? 64 : 128;
    float sum = 0;
    for (std::size_t first = 0; first < cols; first += block) {
      float inside = partial(a, b, first);
      for (std::size_t g = first + 32; g < std::min(cols, first + block); g += 32) inside += partial(a, b, g);
      const float scale = codebook ? formats::to_float(w.kmeans().row_scales(r)[first / block])
                                   : formats::to_float(w.integers().row_scales(r)[first / block]);
      sum += inside * scale;
    }
    if (codebook) sum *= w.integer_codebook().scale;
    out.push_back(formats::to_fp16(sum));
  }
  return out;
}

std::vector<float> widened(const std::vector<Fp16>& x) {
  std::vector<float> out;
  for (const Fp16 v : x) out.push_back(formats::to_float(v));
  return out;
}

class NaiveLlama {
 public:
  NaiveLlama(std::shared_ptr<const GoldenModelWeights> w, const GoldenSettings& settings)
      : w_(std::move(w)), s_(settings), layers_(w_->layers.size()) {}

  std::vector<Fp16> step(const std::vector<int>& tokens) {
    const ModelShape& s = w_->shape;
    const auto hidden = static_cast<std::size_t>(s.hidden_size);
    std::vector<std::vector<Fp16>> x;
    for (const int t : tokens)
      x.emplace_back(w_->embedding.begin() + t * s.hidden_size, w_->embedding.begin() + (t + 1) * s.hidden_size);
    for (std::size_t i = 0; i < layers_.size(); ++i) layer(i, x);
    std::vector<Fp16> logits;
    const std::vector<float> norm = widened(w_->final_norm);
    for (const std::vector<Fp16>& row : x) {
      std::vector<Fp16> normed(hidden);
      vector::rms_norm(row.data(), norm.data(), hidden, static_cast<float>(s.rms_norm_eps), normed.data());
      const std::vector<Fp16> y = naive_linear(w_->lm_head, normed, s_.activations);
      logits.insert(logits.end(), y.begin(), y.end());
    }
    return logits;
  }

  struct Layer {
    std::vector<std::vector<Fp16>> k, v;  // [token][kv_width], as stored before any conversion
    std::vector<formats::KeyOffsets> offsets;
  };
  const Layer& state(std::size_t i) const { return layers_[i]; }

  /// Mantissa bits that K of a token, V of a group of 32 tokens have now.
  int key_bits(std::size_t t, std::size_t context) const {
    if (s_.kv == KvFormat::kBfp4) return 4;
    if (s_.kv == KvFormat::kBfp4Windows) return t < s_.n_initial || t + s_.n_local >= context ? 8 : 4;
    return 8;
  }
  int value_bits(std::size_t g, std::size_t context) const {
    if ((g + 1) * 32 > context) return 8;
    int bits = 4;
    for (std::size_t t = g * 32; t < (g + 1) * 32; ++t) bits = std::max(bits, key_bits(t, context));
    return bits;
  }

 private:
  /// What an INT8 cache gives back for one head's row.
  static std::vector<Fp16> through_int8(const std::vector<Fp16>& x) {
    double largest = 0;
    for (const Fp16 v : x) largest = std::max(largest, std::fabs(static_cast<double>(formats::to_float(v))));
    const float scale = formats::to_float(formats::to_fp16(static_cast<float>(largest) / 127.0F));
    std::vector<Fp16> out;
    for (const Fp16 v : x) {
      const float q =
          scale > 0 ? std::min(127.0F, std::max(-127.0F, std::nearbyint(formats::to_float(v) / scale))) : 0.0F;
      out.push_back(formats::to_fp16(q * scale));
    }
    return out;
  }

  void layer(std::size_t index, std::vector<std::vector<Fp16>>& x) {
    const GoldenLayerWeights& w = w_->layers[index];
    const ModelShape& s = w_->shape;
    Layer& state = layers_[index];
    const auto hidden = static_cast<std::size_t>(s.hidden_size), head_dim = static_cast<std::size_t>(s.head_dim);
    const auto heads = static_cast<std::size_t>(s.num_attention_heads),
               kv_heads = static_cast<std::size_t>(s.num_key_value_heads);
    const vector::RopeTable rope(head_dim, s.rope_theta, w_->rope_pairing);
    const std::size_t position = state.k.size();
    std::vector<std::vector<Fp16>> queries, keys;
    for (std::size_t t = 0; t < x.size(); ++t) {
      std::vector<Fp16> normed(hidden);
      vector::rms_norm(x[t].data(), widened(w.gains[ModelTensor::attention_norm]).data(), hidden,
                       static_cast<float>(s.rms_norm_eps), normed.data());
      queries.push_back(naive_linear(w.matrices[ModelTensor::q], normed, s_.activations));
      keys.push_back(naive_linear(w.matrices[ModelTensor::k], normed, s_.activations));
      state.v.push_back(naive_linear(w.matrices[ModelTensor::v], normed, s_.activations));
      std::vector<float> cosine(head_dim / 2), sine(head_dim / 2);
      rope.angles(position + t, cosine.data(), sine.data());
      rope.rotate(cosine.data(), sine.data(), heads, queries.back().data());
      rope.rotate(cosine.data(), sine.data(), kv_heads, keys.back().data());
    }
    if (s_.online_smoothing) {
      if (state.offsets.empty()) {
        std::vector<Fp16> all;
        for (const auto& k : keys) all.insert(all.end(), k.begin(), k.end());
        for (std::size_t h = 0; h < kv_heads; ++h)
          state.offsets.push_back(formats::choose_offsets(all.data() + h * head_dim, keys.size(), kv_heads * head_dim,
                                                          head_dim, s_.smoothed_channels));
      }
      for (auto& k : keys)
        for (std::size_t h = 0; h < kv_heads; ++h) formats::subtract_offsets(state.offsets[h], k.data() + h * head_dim);
    }
    state.k.insert(state.k.end(), keys.begin(), keys.end());
    const std::size_t context = state.k.size();

    // One head's column of the cache, as the array reads it.
    const auto stored = [&](const std::vector<Fp16>& row, std::size_t h) {
      std::vector<Fp16> part(row.begin() + static_cast<std::ptrdiff_t>(h * head_dim),
                             row.begin() + static_cast<std::ptrdiff_t>((h + 1) * head_dim));
      return s_.kv == KvFormat::kInt8 ? through_int8(part) : part;
    };
    const bool bfp_cache = s_.kv != KvFormat::kFp16 && s_.kv != KvFormat::kInt8;
    const bool convert = bfp_cache || s_.activations == formats::ActivationFormat::bfp8;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const std::size_t count = position + t + 1;
      std::vector<Fp16> attended;
      for (std::size_t h = 0; h < heads; ++h) {
        const std::size_t kv = h / (heads / kv_heads);
        const std::vector<Fp16> q(queries[t].begin() + static_cast<std::ptrdiff_t>(h * head_dim),
                                  queries[t].begin() + static_cast<std::ptrdiff_t>((h + 1) * head_dim));
        std::vector<Fp16> p(count);
        for (std::size_t j = 0; j < count; ++j) {
          const std::vector<Fp16> key = stored(state.k[j], kv);
          const BfpFormat format = key_bits(j, context) == 8 ? kBfp8 : kBfp4;
          p[j] = multiply(q, key, convert ? through_bfp(key, format) : widened_double(key));
        }
        vector::softmax(p.data(), count, vector::attention_scale(head_dim), p.data());
        for (std::size_t c = 0; c < head_dim; ++c) {
          std::vector<Fp16> column;
          for (std::size_t j = 0; j < context; ++j) column.push_back(stored(state.v[j], kv)[c]);
          std::vector<double> values;
          for (std::size_t g = 0; g * 32 < context; ++g) {
            const std::vector<Fp16> part(column.begin() + static_cast<std::ptrdiff_t>(g * 32),
                                         column.begin() + static_cast<std::ptrdiff_t>(std::min(context, g * 32 + 32)));
            const std::vector<double> read =
                convert ? through_bfp(part, value_bits(g, context) == 8 ? kBfp8 : kBfp4) : widened_double(part);
            values.insert(values.end(), read.begin(), read.end());
          }
          values.resize(count);
          column.resize(count);
          attended.push_back(multiply(p, column, values));
        }
      }
      const std::vector<Fp16> o = naive_linear(w.matrices[ModelTensor::o], attended, s_.activations);
      vector::residual_add(x[t].data(), o.data(), hidden, x[t].data());
      std::vector<Fp16> normed(hidden);
      vector::rms_norm(x[t].data(), widened(w.gains[ModelTensor::ffn_norm]).data(), hidden,
                       static_cast<float>(s.rms_norm_eps), normed.data());
      std::vector<Fp16> gate = naive_linear(w.matrices[ModelTensor::gate], normed, s_.activations);
      const std::vector<Fp16> up = naive_linear(w.matrices[ModelTensor::up], normed, s_.activations);
      vector::silu_mul(gate.data(), up.data(), gate.size(), gate.data());
      const std::vector<Fp16> down = naive_linear(w.matrices[ModelTensor::down], gate, s_.activations);
      vector::residual_add(x[t].data(), down.data(), hidden, x[t].data());
    }
  }

  static std::vector<double> widened_double(const std::vector<Fp16>& x) {
    std::vector<double> out;
    for (const Fp16 v : x) out.push_back(static_cast<double>(formats::to_float(v)));
    return out;
  }

  /// a . b on the array in use; b as real numbers (all of them FP16 values).
  Fp16 multiply(const std::vector<Fp16>& a, const std::vector<Fp16>&, const std::vector<double>& b) const {
    if (s_.activations == formats::ActivationFormat::bfp8) return dot_bfp(through_bfp(a, kBfp8), b);
    float sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += formats::to_float(a[i]) * static_cast<float>(b[i]);
    return formats::to_fp16(sum);
  }

  std::shared_ptr<const GoldenModelWeights> w_;
  GoldenSettings s_;
  std::vector<Layer> layers_;
};

std::vector<int> random_tokens(std::uint64_t seed, std::size_t n) {
  formats::SplitMix64 random(seed);
  std::vector<int> tokens;
  for (std::size_t i = 0; i < n; ++i) tokens.push_back(static_cast<int>(random.next() % 90));
  return tokens;
}

/// Every stored byte of a BFP cache against conversion from scratch of the history.
void require_cache(const GoldenLlama& golden, const NaiveLlama& naive) {
  const ModelShape& s = golden.weights().shape;
  const auto head_dim = static_cast<std::size_t>(s.head_dim);
  for (std::size_t i = 0; i < golden.weights().layers.size(); ++i) {
    const GoldenKvCache& cache = golden.layer(i).cache();
    const NaiveLlama::Layer& state = naive.state(i);
    const std::size_t context = state.k.size();
    REQUIRE(cache.tokens() == context);
    std::size_t live = 0;
    for (std::size_t h = 0; h < static_cast<std::size_t>(s.num_key_value_heads); ++h) {
      for (std::size_t t = 0; t < context; ++t)
        for (std::size_t g = 0; g < cache.key_groups(); ++g) {
          const BfpFormat format = naive.key_bits(t, context) == 8 ? kBfp8 : kBfp4;
          std::vector<std::uint8_t> expected(format.group_bytes());
          formats::encode_row(format, state.k[t].data() + h * head_dim + g * 32,
                              std::min<std::size_t>(32, head_dim - g * 32), expected.data());
          const GoldenKvCache::Stored is = cache.key_group(h, t, g);
          REQUIRE(std::vector<std::uint8_t>(is.data, is.data + is.bytes) == expected);
          live += is.bytes;
        }
      for (std::size_t c = 0; c < head_dim; ++c)
        for (std::size_t g = 0; g < cache.value_groups(); ++g) {
          const BfpFormat format = naive.value_bits(g, context) == 8 ? kBfp8 : kBfp4;
          std::vector<Fp16> column;
          for (std::size_t t = g * 32; t < std::min(context, g * 32 + 32); ++t)
            column.push_back(state.v[t][h * head_dim + c]);
          std::vector<std::uint8_t> expected(format.group_bytes());
          formats::encode_row(format, column.data(), column.size(), expected.data());
          const GoldenKvCache::Stored is = cache.value_group(h, c, g);
          REQUIRE(std::vector<std::uint8_t>(is.data, is.data + is.bytes) == expected);
          live += is.bytes;
        }
    }
    REQUIRE(cache.live_bytes() == live);
  }
}

bool equal_bits(const std::vector<Fp16>& a, const std::vector<Fp16>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 2) == 0;
}

struct Case {
  formats::WeightFormat format;
  KvFormat kv;
  formats::ActivationFormat activations = formats::ActivationFormat::bfp8;
  bool smoothing = false;
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;
};

TEST_CASE("golden Llama equals the naive composition: every logit and every byte of the cache") {
  const auto c = GENERATE(
      Case{formats::weight_format("kmeans4"), KvFormat::kBfp4Windows},
      Case{formats::weight_format("kmeans1"), KvFormat::kBfp4Windows, formats::ActivationFormat::bfp8, true},
      Case{formats::weight_format("kmeans2"), KvFormat::kBfp4, formats::ActivationFormat::bfp8, true},
      Case{formats::weight_format("kmeans3"), KvFormat::kBfp8},
      Case{formats::weight_format("kmeans8"), KvFormat::kInt8},
      Case{formats::weight_format("kmeans4"), KvFormat::kBfp4, formats::ActivationFormat::bfp8, false,
           formats::CodebookKind::kInt5},
      Case{formats::weight_format("int4"), KvFormat::kBfp4Windows},
      Case{formats::weight_format("int4z"), KvFormat::kBfp8, formats::ActivationFormat::bfp8, true},
      Case{formats::weight_format("int8"), KvFormat::kFp16}, Case{formats::weight_format("int8z"), KvFormat::kFp16},
      Case{formats::weight_format("nf4"), KvFormat::kBfp4Windows},
      Case{formats::weight_format("ternary"), KvFormat::kBfp4Windows},
      Case{formats::weight_format("fp16"), KvFormat::kBfp4Windows},
      Case{formats::weight_format("fp16"), KvFormat::kFp16, formats::ActivationFormat::fp16},
      Case{formats::weight_format("kmeans4"), KvFormat::kBfp4Windows, formats::ActivationFormat::fp16, true},
      Case{formats::weight_format("kmeans2"), KvFormat::kInt8, formats::ActivationFormat::fp16, false,
           formats::CodebookKind::kBf16});
  const std::uint64_t seed =
      40 + static_cast<std::uint64_t>(formats::code_bits(c.format)) * 5 + static_cast<std::uint64_t>(c.kv);
  INFO(name(c.format) << ", KV " << name(c.kv) << ", smoothing " << c.smoothing << ", FP16 array "
                      << (c.activations == formats::ActivationFormat::fp16) << ", seed " << seed);
  GoldenSettings settings;
  settings.activations = c.activations;
  settings.kv = c.kv;
  settings.online_smoothing = c.smoothing;
  settings.n_initial = 5;
  settings.n_local = 9;
  settings.smoothed_channels = 2;
  const auto weights = random_model(c.format, c.codebook, seed);
  GoldenLlama golden(weights, settings);
  NaiveLlama naive(weights, settings);
  const std::vector<int> prompt = random_tokens(seed, 37), later = random_tokens(seed + 1, 32);
  const bool bfp_cache = c.kv != KvFormat::kFp16 && c.kv != KvFormat::kInt8;

  std::vector<Fp16> logits(prompt.size() * 90);
  golden.step(prompt.data(), prompt.size(), logits.data());
  REQUIRE(equal_bits(logits, naive.step(prompt)));
  if (bfp_cache) require_cache(golden, naive);
  // Decode past the next group of 32, then a step of several tokens across the boundary of another.
  logits.resize(90);
  for (std::size_t i = 0; i < 28; ++i) {
    golden.step(&later[i], 1, logits.data());
    REQUIRE(equal_bits(logits, naive.step({later[i]})));
    if (bfp_cache && (i < 2 || i >= 25)) require_cache(golden, naive);
  }
  logits.resize(4 * 90);
  golden.step(later.data() + 28, 4, logits.data());
  REQUIRE(equal_bits(logits, naive.step({later.begin() + 28, later.end()})));
  if (bfp_cache) require_cache(golden, naive);

  // Only the last token's logits; and a second run after a reset.
  golden.reset();
  std::vector<Fp16> last(90), all(prompt.size() * 90);
  golden.step(prompt.data(), prompt.size(), last.data(), true);
  golden.reset();
  golden.step(prompt.data(), prompt.size(), all.data());
  REQUIRE(std::memcmp(last.data(), all.data() + (prompt.size() - 1) * 90, 180) == 0);
}

TEST_CASE("heads wider than a group and a context beyond the windows") {
  GoldenSettings settings;  // 32 initial, 64 local
  settings.online_smoothing = true;
  const auto weights =
      random_model(formats::weight_format("kmeans4"), formats::CodebookKind::kInt8, 9, 80, 100, 2, 1, 40);
  GoldenLlama golden(weights, settings);
  NaiveLlama naive(weights, settings);
  const std::vector<int> prompt = random_tokens(4, 150);
  std::vector<Fp16> logits(prompt.size() * 90);
  golden.step(prompt.data(), prompt.size(), logits.data());
  REQUIRE(equal_bits(logits, naive.step(prompt)));
  require_cache(golden, naive);
  logits.resize(90);
  for (const int t : random_tokens(5, 12)) {
    golden.step(&t, 1, logits.data());
    REQUIRE(equal_bits(logits, naive.step({t})));
  }
  require_cache(golden, naive);
}

TEST_CASE("on a plain FP16 array one step of many tokens equals many steps of one") {
  GoldenSettings settings;
  settings.activations = formats::ActivationFormat::fp16;
  settings.kv = GENERATE(KvFormat::kFp16, KvFormat::kInt8);
  const auto weights = random_model(formats::weight_format("fp16"), formats::CodebookKind::kInt8, 12);
  GoldenLlama together(weights, settings), single(weights, settings);
  const std::vector<int> tokens = random_tokens(6, 40);
  std::vector<Fp16> all(tokens.size() * 90), one(90);
  together.step(tokens.data(), tokens.size(), all.data());
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    single.step(&tokens[t], 1, one.data());
    REQUIRE(std::memcmp(one.data(), all.data() + t * 90, 180) == 0);
  }
}

TEST_CASE("taps show every operation of a step, in order and with the sizes of its shape") {
  const auto weights = random_model(formats::weight_format("kmeans2"), formats::CodebookKind::kInt8, 15);
  GoldenSettings settings;
  settings.online_smoothing = true;
  GoldenLlama golden(weights, settings);
  using Point = std::pair<std::string, TapStage>;
  std::vector<Point> order;
  std::map<Point, std::size_t> bytes;
  golden.set_tap([&](const TapRecord& r) {
    const Point point{std::string(r.operation), r.stage};
    if (r.layer <= 0 && r.head <= 0) order.push_back(point);
    if (r.layer == 1) bytes[point] += r.bytes;
  });
  const std::vector<int> tokens = {3, 1, 4};
  std::vector<Fp16> logits(3 * 90);
  golden.step(tokens.data(), 3, logits.data());
  using S = TapStage;
  std::vector<Point> expected = {{"embedding", S::result},
                                 {"attention_norm", S::result},
                                 {"attention_norm", S::operand},
                                 {"q", S::result},
                                 {"k", S::result},
                                 {"v", S::result},
                                 {"q", S::rotated},
                                 {"k", S::rotated},
                                 {"k", S::smoothed},
                                 {"q", S::operand}};
  for (int t = 0; t < 3; ++t)
    for (const S stage : {S::scores, S::probabilities, S::probabilities_operand})
      expected.emplace_back("attention", stage);
  for (const Point& point :
       {Point{"attention", S::result}, Point{"attention", S::operand}, Point{"o", S::result}, Point{"o", S::added},
        Point{"ffn_norm", S::result}, Point{"ffn_norm", S::operand}, Point{"gate", S::result}, Point{"up", S::result},
        Point{"gate_up", S::result}, Point{"gate_up", S::operand}, Point{"down", S::result}, Point{"down", S::added},
        Point{"final_norm", S::result}, Point{"final_norm", S::operand}, Point{"lm_head", S::result}})
    expected.push_back(point);
  REQUIRE(order == expected);
  REQUIRE(bytes[{"q", S::result}] == 3 * 48 * 2);
  REQUIRE(bytes[{"k", S::result}] == 3 * 16 * 2);
  REQUIRE(bytes[{"q", S::operand}] == 3 * 6 * 37);
  REQUIRE(bytes[{"attention", S::scores}] == (1 + 2 + 3) * 6 * 2);
  REQUIRE(bytes[{"gate_up", S::operand}] == 3 * 6 * 37);
  REQUIRE(bytes[{"gate", S::result}] == 3 * 172 * 2);
  REQUIRE(bytes[{"down", S::added}] == 3 * 48 * 2);
}

TEST_CASE("bad weights and tokens are refused") {
  auto weights = random_model(formats::weight_format("fp16"), formats::CodebookKind::kInt8, 2);
  GoldenLlama golden(weights, {});
  std::vector<Fp16> logits(90);
  for (const int token : {-1, 90, 1 << 30}) REQUIRE_THROWS_AS(golden.step(&token, 1, logits.data()), std::out_of_range);
  REQUIRE(golden.position() == 0);
  weights->layers[1].matrices[ModelTensor::down] = weights->layers[0].matrices[ModelTensor::up];
  REQUIRE_THROWS_AS(GoldenLlama(weights, {}), std::invalid_argument);
  REQUIRE_THROWS_AS(formats::weight_format("kmeans5"), std::invalid_argument);
  REQUIRE_THROWS_AS(kv_format("bfp6"), std::invalid_argument);
  const float w[32] = {1.0F};
  REQUIRE_THROWS_AS(
      formats::LinearWeights::encode(formats::weight_format("int4"), w, 1, 32, formats::CodebookKind::kInt8, 1, 48),
      std::invalid_argument);
  formats::LinearWeights reference =
      formats::LinearWeights::encode(formats::weight_format("kmeans2"), w, 1, 32, formats::CodebookKind::kBf16);
  REQUIRE_THROWS_AS(reference.prepare(formats::ActivationFormat::bfp8), std::invalid_argument);
  for (const formats::WeightFormat f : formats::weight_formats()) REQUIRE(formats::weight_format(f->name) == f);
}

TEST_CASE("stored bytes of each weight format") {
  std::vector<float> w(64 * 256);
  formats::GaussianSource random(3);
  for (float& v : w) v = static_cast<float>(random.next());
  const auto bits = [&](formats::WeightFormat f) {
    const formats::LinearWeights linear = formats::LinearWeights::encode(f, w.data(), 64, 256);
    return linear.bits_per_weight() - 32.0 * static_cast<double>(linear.codebook().centroids.size()) / (64 * 256);
  };
  REQUIRE(bits(formats::weight_format("fp16")) == 16.0);
  REQUIRE(bits(formats::weight_format("int8")) == 8.125);
  REQUIRE(bits(formats::weight_format("int4")) == 4.125);
  REQUIRE(bits(formats::weight_format("int4z")) == 4.15625);
  REQUIRE(bits(formats::weight_format("int8z")) == 8.1875);
  REQUIRE(bits(formats::weight_format("kmeans1")) == Approx(1.25));
  REQUIRE(bits(formats::weight_format("kmeans2")) == Approx(2.25));
  REQUIRE(bits(formats::weight_format("kmeans3")) == Approx(3.25));
  REQUIRE(bits(formats::weight_format("kmeans4")) == Approx(4.25));
  REQUIRE(bits(formats::weight_format("kmeans8")) == Approx(8.25));
}

}  // namespace
}  // namespace harmonia::accelerator
