// The cost model of sampled replay: exact where the machine is linear, never negative, and honest where it is not.
#include "harmonia/testbench/runs/step_cost.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using testbench::FeatureWeights;
using testbench::SamplingError;
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

struct Machine {
  explicit Machine(double (*f)(const StepFeatures&)) : seconds(f) {}
  double (*seconds)(const StepFeatures&);
  StepCost cost{weights};
  std::vector<double> points;
  std::size_t interpolated = 0;

  double of(const StepFeatures& s) {
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
  REQUIRE(cost.interpolate(s).empty());
  cost.add(s);
  const StepCost::Mix same = cost.interpolate(s);
  REQUIRE(same.size() == 1);
  REQUIRE(same[0].second == Approx(1));
  StepFeatures more = s;
  more.decoding = 40e-3;
  REQUIRE(cost.interpolate(more).empty());
  StepFeatures elsewhere = s;
  elsewhere.on_chip = false;
  REQUIRE(cost.interpolate(elsewhere).empty());
  StepFeatures far = s;
  far.rows = 500;
  REQUIRE(cost.interpolate(far).empty());
  // Between two points there is no need to.
  cost.add(more);
  StepFeatures between = s;
  between.decoding = 25e-3;
  const StepCost::Mix mix = cost.interpolate(between);
  REQUIRE(mix.size() == 2);
  REQUIRE(mix[0].second == Approx(0.75).epsilon(0.03));
}

TEST_CASE("step cost: an error above the target asks for nearer points") {
  StepCost cost(weights);
  const double before = cost.radius();
  cost.measured_error(0.04);
  REQUIRE(cost.radius() == before);
  cost.measured_error(0.06);
  REQUIRE(cost.radius() == before / 2);
  for (int i = 0; i < 100; ++i) cost.measured_error(1);
  REQUIRE(cost.radius() > 0);
}

TEST_CASE("sampling error: the worst step's time, and what the classes are off by together") {
  SamplingError e;
  REQUIRE(e.estimate() == 0);
  e.add({1.02, 0.5, 0.001}, {1.0, 0.5, 0.002});
  REQUIRE(e.last() == Approx(0.02));
  REQUIRE(e.estimate() == Approx(0.02));  // the last quantity is too small to count
  e.add({1.0, 0.4, 0}, {1.0, 0.5, 0});
  REQUIRE(e.last() == Approx(0));
  REQUIRE(e.estimate() == Approx(0.1));  // of the second quantity 0.1 of 1.0 together
  REQUIRE(e.count() == 2);
}

}  // namespace harmonia::test
