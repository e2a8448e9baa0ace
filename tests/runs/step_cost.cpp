// The cost model of sampled replay: exact where the machine is linear, never negative, and honest where it is not.
#include "harmonia/testbench/runs/step_cost.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "harmonia/testbench/runs/estimated_error.h"
#include "harmonia/testbench/runs/nonnegative_fit.h"
#include "harmonia/testbench/runs/step_kinds.h"
#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using testbench::FeatureWeights;
using testbench::StepCost;
using testbench::StepFeatures;

// Seconds of a whole step, of a row, of lm_head, of an output.
const FeatureWeights weights = {80e-3, 1e-3, 10e-3, 0.1e-3};

/// What memory and array need at least.
double bound(const StepFeatures& s) {
  return std::max(weights.step, weights.row * s.rows) + (s.outputs > 0 ? weights.head : 0) + s.decoding + s.prompts;
}
/// A machine that takes a fifth longer than the sum of everything.
double linear(const StepFeatures& s) {
  return 1.2 * (weights.step + weights.row * s.rows + (s.outputs > 0 ? weights.head : 0) + weights.output * s.outputs +
                s.decoding + s.prompts);
}
/// A machine whose memory and array overlap, so that whichever takes longer counts.
double overlapping(const StepFeatures& s) { return 1.1 * bound(s); }

/// On an array where each token takes a row.
StepFeatures on_rows(StepFeatures s) {
  s.array_rows = s.rows;
  s.array_outputs = s.outputs;
  return s;
}

struct Machine {
  explicit Machine(double (*f)(const StepFeatures&)) : seconds(f) {}
  double (*seconds)(const StepFeatures&);
  StepCost cost{weights};
  std::vector<double> points;

  void simulate(const StepFeatures& features) {
    const StepFeatures s = on_rows(features);
    points.push_back(seconds(s));
    REQUIRE(cost.add(s) == points.size() - 1);
  }
  StepCost::Prediction predict(const StepFeatures& features) const { return cost.predict(on_rows(features)); }
  double of(const StepCost::Prediction& p) const {
    double sum = 0;
    for (const auto& [point, weight] : p.mix) {
      REQUIRE(weight > 0);
      sum += weight * points.at(point);
    }
    return sum;
  }
};

/// Steps as replays have them: decoding alone, prompts of any length and number, and both.
StepFeatures draw(std::mt19937& random) {
  const auto up_to = [&](std::uint64_t n) { return static_cast<double>(random() % n + 1); };
  StepFeatures s;
  const bool prompts = random() % 2 == 0, decoding = !prompts || random() % 2 == 0;
  if (decoding) {
    s.rows = s.outputs = up_to(16);
    s.decoding = s.rows * up_to(4000) * 1e-6;
  }
  if (prompts) {
    const double tokens = random() % 3 == 0 ? 512 : up_to(512), after = up_to(3000);
    s.rows += tokens;
    s.prompts = tokens * (after + tokens / 2) * 2e-8;
    s.outputs += static_cast<double>(random() % 4);
  }
  s.on_chip = s.rows <= 128;
  return s;
}

}  // namespace

TEST_CASE("step cost: a machine that is linear in a step's features is met as nearly as the features are") {
  Machine m{linear};
  std::mt19937 random(20261128);
  for (int i = 0; i < 100; ++i) m.simulate(draw(random));
  int represented = 0;
  for (int i = 0; i < 1000; ++i) {
    const StepFeatures s = draw(random);
    const StepCost::Prediction p = m.predict(s);
    INFO("step " << i << ": " << s.rows << " rows, " << s.outputs << " outputs, dissimilar by " << p.dissimilarity);
    // Attention's features count for a quarter, since its time goes with its demand.
    REQUIRE(std::abs(m.of(p) / linear(s) - 1) <= 4 * p.dissimilarity + 1e-6);
    represented += p.dissimilarity < 0.05 ? 1 : 0;
  }
  INFO(represented << " of 1000 steps are like others");
  REQUIRE(represented > 900);
}

TEST_CASE("step cost: no sum is negative or below the bound, whatever the trace") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    Machine m{overlapping};
    std::mt19937 random(seed);
    for (int i = 0; i < 40; ++i) m.simulate(draw(random));
    for (int i = 0; i < 200; ++i) {
      const StepFeatures s = draw(random);
      const StepCost::Prediction p = m.predict(s);
      INFO("seed " << seed << ", step " << i << ": " << s.rows << " rows, dissimilar by " << p.dissimilarity);
      REQUIRE(m.of(p) >= bound(s) * (1 - 4 * p.dissimilarity));
    }
  }
}

TEST_CASE("step cost: several short prompts are not less than one long prompt of as many tokens") {
  const auto prompts_of = [](double prompts) {
    StepFeatures s;
    s.rows = 512;
    s.outputs = prompts;
    s.prompts = 512 * (512 / prompts / 2) * 2e-8;
    s.on_chip = false;
    return s;
  };
  Machine m{overlapping};
  m.simulate(prompts_of(1));
  for (const double prompts : {2, 4, 8})
    REQUIRE(m.of(m.predict(prompts_of(prompts))) == Approx(overlapping(prompts_of(prompts))).epsilon(0.02));
}

TEST_CASE("step cost: how dissimilar a step is to what was simulated") {
  StepCost cost(weights);
  StepFeatures s;
  s.rows = s.outputs = 16;
  s.decoding = 20e-3;
  s = on_rows(s);
  REQUIRE(cost.predict(s).mix.empty());
  REQUIRE(cost.predict(s).dissimilarity == 1);
  cost.add(s);
  const StepCost::Prediction same = cost.predict(s);
  REQUIRE(same.mix.size() == 1);
  REQUIRE(same.mix[0].second == Approx(1));
  REQUIRE(same.dissimilarity == Approx(0).margin(1e-6));
  REQUIRE(cost.same(s) == 0);
  // More of the same attention: its demand says how much more.
  StepFeatures more = s;
  more.decoding = 40e-3;
  const StepCost::Prediction beyond = cost.predict(more);
  REQUIRE(cost.same(more) == StepCost::kNone);
  REQUIRE(beyond.dissimilarity > 0.02);
  REQUIRE(beyond.demand.attention * beyond.mix[0].second == Approx(2));
  StepFeatures elsewhere = s;
  elsewhere.on_chip = false;
  REQUIRE(cost.predict(elsewhere).dissimilarity >= 1);
  StepFeatures far = s;
  far.rows = far.array_rows = 500;
  REQUIRE(cost.predict(far).dissimilarity > 0.1);
  // A step between two points is not dissimilar.
  cost.add(more);
  StepFeatures between = s;
  between.decoding = 25e-3;
  const StepCost::Prediction p = cost.predict(between);
  REQUIRE(p.mix.size() == 2);
  REQUIRE(p.mix[0].second == Approx(0.75).epsilon(0.03));
  REQUIRE(p.dissimilarity < 0.01);
  REQUIRE(cost.predict(between, {true, false}).mix.size() == 1);  // as if it were not there
}

TEST_CASE("step cost: rows of the array that idle are said beside the sum") {
  StepCost cost(weights);
  StepFeatures whole;
  whole.rows = whole.array_rows = 64;
  whole.outputs = whole.array_outputs = 16;
  cost.add(whole);
  StepFeatures half = whole;
  half.rows = 32;
  const StepCost::Prediction p = cost.predict(half);
  REQUIRE(p.demand.rows_per_token == Approx(2));
  REQUIRE(p.demand.rows_per_output == Approx(1));
}

TEST_CASE("nonnegative fit: no change of a weight makes it better") {
  using Fit = testbench::NonnegativeFit<4>;
  std::mt19937 random(7);
  std::uniform_real_distribution<double> value(0, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Fit::Column> columns(1 + random() % 20);
    std::vector<double> prices;
    for (Fit::Column& c : columns) {
      double square = 0;
      for (double& v : c) {
        v = random() % 4 == 0 ? 0 : value(random);
        square += v * v;
      }
      for (double& v : c) v /= std::sqrt(std::max(square, 1e-6));
      prices.push_back(1e-3 * value(random));
    }
    const Fit::Column target = {value(random), value(random), value(random), value(random)};
    const Fit fit(columns, target, prices);
    Fit::Column missing = target;
    for (std::size_t i = 0; i < columns.size(); ++i)
      for (std::size_t k = 0; k < 4; ++k) missing[k] -= fit.x()[i] * columns[i][k];
    for (std::size_t i = 0; i < columns.size(); ++i) {
      double slope = -prices[i];
      for (std::size_t k = 0; k < 4; ++k) slope += columns[i][k] * missing[k];
      INFO("round " << round << ", weight " << i << " of " << columns.size() << " is " << fit.x()[i]);
      REQUIRE(fit.x()[i] >= 0);
      REQUIRE(slope <= 1e-6);
      if (fit.x()[i] > 0) REQUIRE(slope == Approx(0).margin(1e-6));
    }
  }
}

TEST_CASE("step kinds: like steps are one kind, of which the first and one from the midst are kept") {
  StepCost cost(weights);
  testbench::StepKinds kinds;
  const auto add = [&](double rows, std::uint64_t cached) {
    StepFeatures s;
    s.rows = s.array_rows = s.outputs = s.array_outputs = rows;
    s.decoding = 1e-6 * static_cast<double>(cached);
    kinds.add(s, cost.vector_of(s), {{{0, cached, 1, true}}, {}}, 0.5);
  };
  for (std::uint64_t i = 0; i < 7; ++i) add(16, 1000 + i);
  add(300, 1000);
  REQUIRE(kinds.steps() == 8);
  REQUIRE(kinds.seconds() == 4);
  REQUIRE(kinds.kinds().size() == 2);
  REQUIRE(kinds.kinds()[0].steps == 7);
  REQUIRE(kinds.kinds()[0].seconds == 3.5);
  REQUIRE(kinds.kinds()[0].first.work.sequences[0].cached == 1000);
  REQUIRE(kinds.kinds()[0].midst.work.sequences[0].cached == 1003);
}

TEST_CASE("held-out steps: what predictions are off by together, as often as each counts") {
  testbench::HeldOut held;
  REQUIRE(held.error(0) == 0);
  REQUIRE(held.chance(0) == 0);
  held.add(1, {1.02, 3}, {1.0, 2});
  REQUIRE(held.error(0) == Approx(3 * 0.02));  // one says little
  held.add(1, {3.0, 0}, {3.0, 0});
  held.add(1, {3.5, 1}, {4.0, 1});
  held.add(1, {2.0, 1}, {2.0, 1});
  REQUIRE(held.error(0) == Approx((0.02 + 0.5) / 10.0 * (1 + 2 * std::sqrt(1.0 + 9 + 16 + 4) / 10)));
  REQUIRE(held.error(1) == Approx(1.0 / 4 * (1 + 2 * std::sqrt(4.0 + 1 + 1) / 4)));
  REQUIRE(held.residual(2, 0) == Approx(-0.125));
  REQUIRE(held.residual(1, 1) == 0);
  REQUIRE(held.off(2, 0) == Approx(0.5));
  // Of what was simulated itself chance is left, that of several steps against each other.
  REQUIRE(held.chance(0) == Approx(std::sqrt(0.02 * 0.02 + 0.5 * 0.5) / 10));
  // Steps like which none is predicted do not count.
  testbench::HeldOut one;
  one.add(0, {9.0}, {1.0});
  one.add(10, {1.1}, {1.0});
  REQUIRE(one.error(0) == Approx(3 * 0.1));
}

}  // namespace harmonia::test
