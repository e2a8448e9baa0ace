// Mixtures of experts with values: bit for bit against the golden model, the router's arithmetic, which experts are read, and
// experts that see the rows they were sent.
#include <algorithm>
#include <cmath>
#include <set>

#include "harmonia/hw/program/routing.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;
using accelerator::Mixture;
using accelerator::RouterScores;

namespace {

Mixture mixture(int experts, int per_token, int width = 96) {
  Mixture m;
  m.experts = experts;
  m.experts_per_token = per_token;
  m.expert_width = width;
  return m;
}

SmallShape small(const Mixture& m, int layers = 1) {
  SmallShape shape;
  shape.layers = layers;
  shape.mixture = m;
  return shape;
}

Outcome seventy_and_forty(const SmallShape& shape, const char* format, std::size_t sequences = 1,
                          const char* kv = "bfp4+windows", accelerator::PeKind pe = accelerator::PeKind::harmonia) {
  const auto weights = random_model(shape, formats::weight_format(format), CodebookKind::kInt8, 81);
  Scenario s = functional_scenario(*weights);
  s.kv.format = kv;
  s.accelerator.pe.kind = pe;
  s.accelerator.activation_buffer.capacity_bytes = 1 << 20;
  Instruments instruments;
  return run_beside_golden(s, weights, schedule(sequences, 70, 40), &instruments);
}

std::vector<Fp16> scores(std::initializer_list<float> values) {
  std::vector<Fp16> out;
  for (const float v : values) out.push_back(formats::to_fp16(v));
  return out;
}

struct Routed {
  std::vector<std::uint32_t> experts;
  std::vector<float> weights;
};
Routed routed(const std::vector<Fp16>& scores, const vector::RouteRule& rule) {
  Routed r{std::vector<std::uint32_t>(rule.experts_per_token), std::vector<float>(rule.experts_per_token)};
  vector::route(scores.data(), scores.size(), rule, r.experts.data(), r.weights.data());
  return r;
}

}  // namespace

TEST_CASE("Mixture values: softmax over the chosen experts, K-means weights") {
  seventy_and_forty(small(mixture(8, 2)), "kmeans4");
}
TEST_CASE("Mixture values: softmax over all experts, a scale of the weights, two sequences") {
  Mixture m = mixture(6, 3);
  m.normalised = false;
  m.weight_scale = 1.5;
  seventy_and_forty(small(m, 2), "int4", 2);
}
TEST_CASE("Mixture values: sigmoid scores, a dense first layer, a shared expert") {
  Mixture m = mixture(5, 2, 160);
  m.scores = RouterScores::sigmoid;
  m.dense_layers = 1;
  m.shared_width = 128;
  seventy_and_forty(small(m, 3), "kmeans2");
}
TEST_CASE("Mixture values: a shared expert with its scale, every second layer, biases, norms of heads and a window") {
  Mixture m = mixture(7, 2);
  m.shared_width = 200;
  m.shared_gate = true;
  m.period = 2;
  SmallShape shape = small(m, 2);
  shape.bias = shape.qk_norm = true;
  shape.window = 30;
  seventy_and_forty(shape, "kmeans1");
}
TEST_CASE("Mixture values: a router of more experts than a unit has columns") {
  seventy_and_forty(small(mixture(200, 8, 32)), "kmeans4");
}
TEST_CASE("Mixture values: every expert takes every token") { seventy_and_forty(small(mixture(3, 3)), "fp16"); }
TEST_CASE("Mixture values: an FP16 array") {
  Mixture m = mixture(4, 1);
  m.shared_width = 64;
  m.shared_gate = true;
  seventy_and_forty(small(m), "kmeans4", 1, "fp16", accelerator::PeKind::fp16);
}

TEST_CASE("Mixture values: a batch reads each chosen expert once, and no other") {
  const auto weights_read = [](std::size_t sequences) {
    return in_child([sequences] {
      const auto weights =
          random_model(small(mixture(64, 1, 64)), formats::weight_format("int8"), CodebookKind::kInt8, 82);
      const Scenario s = functional_scenario(*weights);
      std::vector<Step> steps(1);
      for (std::size_t i = 0; i < sequences; ++i) steps[0].push_back({i, 1});
      const Outcome o = run_beside_golden(s, weights, steps);
      const accelerator::ExpertWork& read = o.expected.experts;
      return std::vector<std::uint64_t>{read.experts,
                                        read.bytes[static_cast<std::size_t>(bus::TrafficClass::weights)] +
                                            read.bytes[static_cast<std::size_t>(bus::TrafficClass::scales)]};
    });
  };
  const std::vector<std::uint64_t> one = weights_read(1), many = weights_read(20);
  CHECK(one.at(0) == 1);
  CHECK(many.at(0) > 1);
  CHECK(many.at(0) <= 20);
  // Three matrices of 64 x 256 bytes, and an FP16 scale for 128 columns or fewer of each row: two of gate and up, one of down.
  CHECK(one.at(1) == 3 * 64 * 256 + 2 * (2 * 64 * 2 + 256));
  CHECK(many.at(1) == many.at(0) * one.at(1));
}

TEST_CASE("Mixture values: the experts of a row are those of its highest scores, of equal ones the lower number") {
  const auto r = routed(scores({1, 3, -2, 3, 0.5}), {3, false, true, 1.0f});
  CHECK(r.experts == std::vector<std::uint32_t>{1, 3, 0});
  CHECK(r.weights[0] == r.weights[1]);
  CHECK(r.weights[0] + r.weights[1] + r.weights[2] == Approx(1.0));
  CHECK(r.weights[2] / r.weights[0] == Approx(std::exp(-2.0)));
  const std::vector<Fp16> bad = {formats::to_fp16(1.0f), formats::to_fp16(std::nanf("")), formats::to_fp16(2.0f)};
  CHECK(routed(bad, {2, true, false, 1.0f}).experts == std::vector<std::uint32_t>{2, 0});
}
TEST_CASE("Mixture values: weights of softmax over all experts, of sigmoids, and of those normalised") {
  const std::vector<Fp16> x = scores({0.5, -1, 2, 0});
  const double sum = std::exp(0.5) + std::exp(-1.0) + std::exp(2.0) + 1;
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const Routed all = routed(x, {2, false, false, 2.5f});
  CHECK(all.experts == std::vector<std::uint32_t>{2, 0});
  CHECK(all.weights[0] == Approx(2.5 * std::exp(2.0) / sum));
  CHECK(all.weights[1] == Approx(2.5 * std::exp(0.5) / sum));
  const Routed plain = routed(x, {2, true, false, 1.0f}), shared = routed(x, {2, true, true, 1.0f});
  CHECK(plain.weights[0] == Approx(sigmoid(2)));
  CHECK(plain.weights[1] == Approx(sigmoid(0.5)));
  CHECK(shared.weights[1] == Approx(sigmoid(0.5) / (sigmoid(2) + sigmoid(0.5))));
}
