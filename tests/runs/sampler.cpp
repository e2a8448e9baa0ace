// The sampler: which steps and layers are simulated, and that what follows from them is exact where it should be.
#include "harmonia/testbench/runs/sampler.h"

#include "tests/support/catch.h"

using namespace harmonia;
using testbench::LayerSample;
using testbench::StepOutcome;
using testbench::StepSeries;
using testbench::Totals;

namespace {

/// A step that takes 1000 ps and 3 a token of context.
StepOutcome step(std::uint64_t context) {
  StepOutcome o;
  o.totals.time_ps = 1000 + 3 * static_cast<double>(context);
  o.totals.macs = 7 * static_cast<double>(context);
  o.totals.channels.resize(1);
  o.totals.channels[0].pin_bytes[2] = 5 * static_cast<double>(context);
  o.error = 0.01 * static_cast<double>(context);
  return o;
}

testbench::FidelityConfig sampled(int layers = 3, int steps = 3) {
  testbench::FidelityConfig f;
  f.mode = testbench::FidelityMode::sampled;
  f.sample_layers = layers;
  f.sample_steps = steps;
  return f;
}

accelerator::ModelShape shape(int layers, int vocabulary) {
  accelerator::ModelShape s;
  s.num_hidden_layers = layers;
  s.vocab_size = vocabulary;
  return s;
}

/// What a machine counts until a moment: time, and decoded weights and bytes in proportion.
Totals moment(double time_ps) {
  Totals t;
  t.time_ps = time_ps;
  t.weights = 2 * time_ps;
  t.channels.resize(2);
  t.channels[0].request_bytes[1] = 3 * time_ps;
  t.channels[1].request_bytes[1] = t.channels[1].pin_bytes[1] = time_ps;
  t.channels[0].pin_bytes[1] = 4 * time_ps;
  return t;
}

}  // namespace

TEST_CASE("sampler: a full run simulates every step, a sampled one the first, the last and some between") {
  const auto simulated = [](const StepSeries& series) {
    std::vector<std::uint64_t> steps;
    for (std::uint64_t i = 0; i < series.simulated(); ++i) steps.push_back(series.simulated_step(i));
    return steps;
  };
  using Steps = std::vector<std::uint64_t>;
  testbench::FidelityConfig full;
  REQUIRE(simulated(testbench::sampled_series(full, 5)) == Steps{0, 1, 2, 3, 4});
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 3), 11)) == Steps{0, 5, 10});
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 3), 3)) == Steps{0, 1, 2});
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 4), 100)) == Steps{0, 33, 66, 99});
  // One point says nothing of a slope.
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 1), 9)) == Steps{0, 8});
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 1), 0)).empty());
  REQUIRE_THROWS_AS(StepSeries(5, 1), std::invalid_argument);
}

TEST_CASE("sampler: every step of a series is taken once, in order, and is exact where counts are linear") {
  for (const std::uint64_t steps : {1, 2, 3, 4, 10, 57})
    for (const std::uint64_t most : {2, 3, 7}) {
      std::uint64_t calls = 0, next = 0;
      StepSeries(steps, most)
          .run(
              [&](std::uint64_t i) {
                ++calls;
                return step(i);
              },
              [&](std::uint64_t i, const StepOutcome& o) {
                REQUIRE(i == next++);
                REQUIRE(o.totals.time_ps == Approx(step(i).totals.time_ps));
                REQUIRE(o.totals.macs == Approx(step(i).totals.macs));
                REQUIRE(o.totals.channels.at(0).pin_bytes[2] == Approx(step(i).totals.channels[0].pin_bytes[2]));
                REQUIRE(o.error >= 0.01 * static_cast<double>(i));  // of the simulated step behind it
              });
      REQUIRE(next == steps);
      REQUIRE(calls == std::min(steps, most));
    }
}

TEST_CASE("sampler: layers are left out of sampled runs only, and never of a single product") {
  REQUIRE_FALSE(LayerSample({}, shape(32, 1000), false).partial());
  REQUIRE(LayerSample({}, shape(32, 1000), false).layers() == 32);
  REQUIRE(LayerSample(sampled(3), shape(32, 1000), false).partial());
  REQUIRE(LayerSample(sampled(3), shape(32, 1000), false).layers() == 3);
  REQUIRE(LayerSample(sampled(3), shape(32, 1000), false).head_columns() == LayerSample::kHeadColumns);
  REQUIRE_FALSE(LayerSample(sampled(3), shape(2, 1000), false).partial());
  REQUIRE_FALSE(LayerSample(sampled(3), shape(32, 1000), true).partial());
  REQUIRE(LayerSample(sampled(3), shape(32, 1000), true).head_columns() == 0);
}

TEST_CASE("sampler: a step of like layers is met exactly, its first layer and the ends of lm_head counted once") {
  // Embedding 50; the first layer 130, the others 100; pieces of lm_head 45, 40 and 47.
  const int layers = 20, pieces = 10;
  const LayerSample sample(sampled(4), shape(layers, pieces * static_cast<int>(LayerSample::kHeadColumns)), false);
  std::vector<Totals> marks;
  double now = 0;
  for (const double d : {50, 130, 100, 100, 100, 45, 40, 47}) marks.push_back(moment(now += d));
  accelerator::Expected expected;
  expected.macs = 123;
  expected.pe_slots = 456;
  expected.bytes[1] = 789;
  expected.of_class[2].bytes = 12;
  const StepOutcome o = sample.whole_step(moment(now), marks, expected);
  const double whole = 50 + 130 + 19 * 100 + 45 + 8 * 40 + 47;
  REQUIRE(o.totals.time_ps == Approx(whole));
  REQUIRE(o.totals.weights == Approx(2 * whole));
  REQUIRE(o.error == Approx(0).margin(1e-12));
  // What formulas know is theirs.
  REQUIRE(o.totals.expected_macs == 123);
  REQUIRE(o.totals.expected_slots == 456);
  REQUIRE(o.totals.expected_bytes[1] == 789);
  REQUIRE(o.totals.macs == 123);
  REQUIRE(o.totals.slots == 456);
  REQUIRE(o.totals.bytes_of(1) == Approx(789));
  REQUIRE(o.totals.pin_bytes() == Approx(789 * 5.0 / 4));
  REQUIRE(o.totals.classes[2].bytes == 12);
}

TEST_CASE("sampler: the error is what the simulated layers differ by, as a share of the step") {
  // Layers of 90, 100 and 110 after the first; 12 of 16 are left out. lm_head is simulated whole.
  const LayerSample sample(sampled(4), shape(16, 1000), false);
  std::vector<Totals> marks;
  double now = 0;
  for (const double d : {0, 100, 90, 100, 110, 30}) marks.push_back(moment(now += d));
  const StepOutcome o = sample.whole_step(moment(now), marks, {});
  const double whole = now + 12 * 100;
  REQUIRE(o.totals.time_ps == Approx(whole));
  REQUIRE(o.error == Approx((110 - 90) / 100.0 * (12 * 100 / whole)));
}
