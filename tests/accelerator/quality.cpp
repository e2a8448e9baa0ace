// What the machine's arithmetic costs in accuracy: one layer against the same layer in FP32 with unquantised weights.
#include <cmath>
#include <iostream>

#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

using Row = std::vector<double>;

Row product(const std::vector<float>& w, const Row& x) {
  Row y(w.size() / x.size());
  for (std::size_t r = 0; r < y.size(); ++r)
    for (std::size_t i = 0; i < x.size(); ++i) y[r] += static_cast<double>(w[r * x.size() + i]) * x[i];
  return y;
}
Row normed(const Row& x, const std::vector<Fp16>& gain) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * static_cast<double>(formats::to_float(gain[i]));
  return y;
}
void rotate(Row& x, std::size_t position, std::size_t d, bool adjacent) {
  for (std::size_t head = 0; head < x.size(); head += d)
    for (std::size_t i = 0; i < d / 2; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d));
      double& a = x[head + (adjacent ? 2 * i : i)];
      double& b = x[head + (adjacent ? 2 * i + 1 : i + d / 2)];
      const double rotated = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = rotated;
    }
}

/// Outputs of one layer for all tokens in order; w: q, k, v, o, gate, up, down.
std::vector<Row> layer(const GoldenModelWeights& m, const std::vector<std::vector<float>>& w,
                       const std::vector<int>& tokens) {
  const ModelShape& s = m.shape;
  const auto hidden = static_cast<std::size_t>(s.hidden_size), d = static_cast<std::size_t>(s.head_dim);
  const auto heads = static_cast<std::size_t>(s.num_attention_heads);
  const auto group = static_cast<std::size_t>(s.queries_per_kv_head());
  const bool adjacent = m.rope_pairing == formats::RopePairing::kAdjacent;
  std::vector<Row> keys, values, out;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    Row x(hidden);
    for (std::size_t i = 0; i < hidden; ++i)
      x[i] = static_cast<double>(formats::to_float(m.embedding[static_cast<std::size_t>(tokens[t]) * hidden + i]));
    const Row in = normed(x, m.layers[0].gains[accelerator::ModelTensor::attention_norm]);
    Row q = product(w[0], in), k = product(w[1], in), v = product(w[2], in);
    using T = accelerator::ModelTensor;
    const auto& vectors = m.layers[0].gains;
    if (s.qkv_bias)
      for (const auto& [row, bias] : {std::pair(&q, T::q_bias), std::pair(&k, T::k_bias), std::pair(&v, T::v_bias)})
        for (std::size_t i = 0; i < row->size(); ++i)
          (*row)[i] += static_cast<double>(formats::to_float(vectors[bias][i]));
    if (s.qk_norm)
      for (const auto& [row, gains] : {std::pair(&q, T::q_norm), std::pair(&k, T::k_norm)})
        for (std::size_t i = 0; i < row->size(); i += d) {
          const Row head =
              normed({row->begin() + static_cast<std::ptrdiff_t>(i), row->begin() + static_cast<std::ptrdiff_t>(i + d)},
                     vectors[gains]);
          std::copy(head.begin(), head.end(), row->begin() + static_cast<std::ptrdiff_t>(i));
        }
    rotate(q, t, d, adjacent);
    rotate(k, t, d, adjacent);
    keys.push_back(k);
    values.push_back(v);
    Row attended(heads * d);
    const auto window = static_cast<std::size_t>(s.sliding_window);
    const std::size_t first = window == 0 || t < window ? 0 : t + 1 - window;
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t kv = h / group * d;
      Row p(t + 1);
      double sum = 0;
      for (std::size_t j = first; j <= t; ++j) {
        for (std::size_t c = 0; c < d; ++c) p[j] += q[h * d + c] * keys[j][kv + c];
        p[j] = std::exp(p[j] / std::sqrt(static_cast<double>(d)));
        sum += p[j];
      }
      for (std::size_t j = first; j <= t; ++j)
        for (std::size_t c = 0; c < d; ++c) attended[h * d + c] += p[j] / sum * values[j][kv + c];
    }
    const Row o = product(w[3], attended);
    for (std::size_t i = 0; i < hidden; ++i) x[i] += o[i];
    const Row ffn = normed(x, m.layers[0].gains[accelerator::ModelTensor::ffn_norm]);
    Row gate = product(w[4], ffn);
    const Row up = product(w[5], ffn);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
    const Row down = product(w[6], gate);
    for (std::size_t i = 0; i < hidden; ++i) x[i] += down[i];
    out.push_back(x);
  }
  return out;
}

/// Signal-to-noise ratio in dB of what the machine gives out for 70 prefilled and 40 decoded tokens.
double sqnr_db(formats::WeightFormat format, const SmallShape& shape = {}) {
  std::vector<std::vector<float>> real;
  const auto weights = random_model(shape, format, CodebookKind::kInt8, 41, formats::weight_format("fp16"), &real);
  const Outcome o = run_beside_golden(functional_scenario(*weights), weights, schedule(1, 70, 40));
  std::vector<int> tokens;
  for (const auto& step : o.tokens) tokens.insert(tokens.end(), step.begin(), step.end());
  const std::vector<Row> reference = layer(*weights, real, tokens);
  double signal = 0, noise = 0;
  std::size_t t = 0;
  const auto hidden = static_cast<std::size_t>(weights->shape.hidden_size);
  for (const auto& output : o.outputs)
    for (std::size_t first = 0; first < output.size(); first += hidden, ++t)
      for (std::size_t i = 0; i < hidden; ++i) {
        const double error = static_cast<double>(formats::to_float(output[first + i])) - reference[t][i];
        signal += reference[t][i] * reference[t][i];
        noise += error * error;
      }
  const double db = 10 * std::log10(signal / noise);
  std::cout << "SQNR of one layer against FP32, " << harmonia::formats::name(format) << " weights: " << db << " dB\n";
  return db;
}

}  // namespace

// The embedding passes through the layer unquantised beside what the layer adds, so that the figures are above those of
// the weights alone. Bounds: more bits are better, and nothing is off by more than its format explains.
TEST_CASE("quality: FP16 weights against an FP32 layer") { REQUIRE(sqnr_db(formats::weight_format("fp16")) > 25); }
TEST_CASE("quality: 4-bit K-means weights against an FP32 layer") {
  REQUIRE(sqnr_db(formats::weight_format("kmeans4")) > 15);
}
TEST_CASE("quality: 2-bit K-means weights against an FP32 layer") {
  REQUIRE(sqnr_db(formats::weight_format("kmeans2")) > 6);
}
TEST_CASE("quality: 1-bit K-means weights against an FP32 layer") {
  REQUIRE(sqnr_db(formats::weight_format("kmeans1")) > 2);
}
TEST_CASE("quality: INT4 weights against an FP32 layer") { REQUIRE(sqnr_db(formats::weight_format("int4")) > 15); }
TEST_CASE("quality: a layer with a sliding window against an FP32 layer with one") {
  SmallShape shape;
  shape.window = 23;
  REQUIRE(sqnr_db(formats::weight_format("fp16"), shape) > 25);
}
TEST_CASE("quality: a layer with biases and norms of queries and keys against an FP32 layer with them") {
  SmallShape shape;
  shape.bias = shape.qk_norm = true;
  REQUIRE(sqnr_db(formats::weight_format("fp16"), shape) > 25);
}
