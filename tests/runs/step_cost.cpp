// The cost model of sampled replay: exact where the machine is linear, never negative, and honest where it is not.
#include "harmonia/testbench/runs/step_cost.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "harmonia/testbench/runs/estimated_error.h"
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
  std::size_t interpolated = 0;

  double of(const StepFeatures& features) {
    const StepFeatures s = on_rows(features);
    const StepCost::Mix mix = cost.interpolate(s);
    if (mix.empty()) {
      points.push_back(seconds(s));
      REQUIRE(cost.add(s) == points.size() - 1);
      return points.back();
    }
    ++interpolated;
    double sum = 0;
    for (const auto& [point, weight] : mix) {
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

TEST_CASE("step cost: a machine that is linear in a step's features is met within the tolerance, from few points") {
  Machine m{linear};
  std::mt19937 random(20261128);
  for (int i = 0; i < 3000; ++i) {
    const StepFeatures s = draw(random);
    INFO("step " << i << ": " << s.rows << " rows, " << s.outputs << " outputs");
    REQUIRE(m.of(s) == Approx(linear(s)).epsilon(1.5 * StepCost::kTolerance));
  }
  INFO(m.points.size() << " points for " << m.interpolated << " interpolated steps");
  REQUIRE(m.points.size() < 400);
}

TEST_CASE("step cost: no time is negative or below the bound, whatever the trace") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    Machine m{overlapping};
    std::mt19937 random(seed);
    for (int i = 0; i < 200; ++i) {
      const StepFeatures s = draw(random);
      INFO("seed " << seed << ", step " << i << ": " << s.rows << " rows, " << s.outputs << " outputs");
      REQUIRE(m.of(s) >= bound(s) * (1 - StepCost::kTolerance));
    }
  }
}

TEST_CASE("step cost: several short prompts are not less than one long prompt of as many tokens") {
  Machine m{overlapping};
  for (const double prompts : {1, 2, 4, 8}) {
    StepFeatures s;
    s.rows = 512;
    s.outputs = prompts;
    s.prompts = 512 * (512 / prompts / 2) * 2e-8;
    s.on_chip = false;
    REQUIRE(m.of(s) == Approx(overlapping(s)).epsilon(0.02));
  }
}

TEST_CASE("step cost: a step beyond what was simulated is simulated") {
  StepCost cost(weights);
  StepFeatures s;
  s.rows = s.outputs = 16;
  s.decoding = 20e-3;
  REQUIRE(cost.interpolate(on_rows(s)).empty());
  cost.add(on_rows(s));
  const StepCost::Mix same = cost.interpolate(on_rows(s));
  REQUIRE(same.size() == 1);
  REQUIRE(same[0].second == Approx(1));
  StepFeatures more = s;
  more.decoding = 40e-3;
  REQUIRE(cost.interpolate(on_rows(more)).empty());
  StepFeatures elsewhere = s;
  elsewhere.on_chip = false;
  REQUIRE(cost.interpolate(on_rows(elsewhere)).empty());
  StepFeatures far = s;
  far.rows = 500;
  REQUIRE(cost.interpolate(on_rows(far)).empty());
  // Between two points there is no need to.
  cost.add(on_rows(more));
  StepFeatures between = s;
  between.decoding = 25e-3;
  const StepCost::Mix mix = cost.interpolate(on_rows(between));
  REQUIRE(mix.size() == 2);
  REQUIRE(mix[0].second == Approx(0.75).epsilon(0.03));
}

TEST_CASE("step cost: around a step that is predicted badly only nearer points count") {
  StepCost cost(weights);
  StepFeatures s;
  s.rows = s.outputs = 8;
  s.decoding = 10e-3;
  const StepCost::Point a = cost.add(on_rows(s));
  s.decoding = 60e-3;
  cost.add(on_rows(s));
  s.decoding = 20e-3;
  REQUIRE(cost.interpolate(on_rows(s)).size() == 2);
  REQUIRE(cost.interpolate(on_rows(s), a).empty());  // as if it were not there
  for (int i = 0; i < 3; ++i) REQUIRE(cost.narrow(a));
  REQUIRE(cost.radius(a) == StepCost::kRadius / 8);
  REQUIRE(cost.interpolate(on_rows(s)).empty());
  REQUIRE(cost.interpolate_widely(on_rows(s)).size() == 2);
  REQUIRE(cost.closest(on_rows(s)).size() == 2);
  while (cost.narrow(a)) REQUIRE(cost.radius(a) >= StepCost::kLeastRadius);
  // The other side of the limit has no points: the nearest of this one stand in when it must be.
  s.on_chip = false;
  REQUIRE(cost.interpolate_widely(on_rows(s)).empty());
  REQUIRE_FALSE(cost.closest(on_rows(s)).empty());
}

TEST_CASE("held-out steps: what predictions are off by together, and which are off most") {
  testbench::HeldOut held;
  REQUIRE(held.error(0) == 0);
  held.add(7, {1.02, 3}, {1.0, 2});
  REQUIRE(held.error(0) == Approx(3 * 0.02));  // one says little
  held.add(8, {3.0, 0}, {3.0, 0});
  held.add(9, {3.5, 1}, {4.0, 1});
  held.add(10, {2.0, 1}, {2.0, 1});
  REQUIRE(held.error(0) == Approx((0.02 + 0.5) / 10.0 * 2));
  REQUIRE(held.error(1) == Approx(1.0 / 4 * (1 + 2 / std::sqrt(3))));  // three have something of it
  REQUIRE(held.residual(2, 0) == Approx(-0.125));
  REQUIRE(held.residual(1, 1) == 0);
  REQUIRE(held.worst(0) == std::vector<std::size_t>{9});  // the others are below half the target
  REQUIRE(held.worst(1) == std::vector<std::size_t>{7});
}

}  // namespace harmonia::test
