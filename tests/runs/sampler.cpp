// The sampler: which steps and layers are simulated, and that what follows from them is exact where it should be.
#include "harmonia/testbench/runs/sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

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
  o.spread.time_ps = 0.01 * static_cast<double>(context);
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

double off_in_time(const StepSeries::Predicted& p) { return std::abs(p.predicted.time_ps / p.simulated.time_ps - 1); }

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
  // Two points say nothing of how straight the line between them is.
  REQUIRE(simulated(testbench::sampled_series(sampled(3, 1), 9)) == Steps{0, 4, 8});
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
                REQUIRE(o.spread.time_ps == Approx(0.01 * static_cast<double>(i)));
              },
              off_in_time);
      REQUIRE(next == steps);
      REQUIRE(calls == std::min(steps, most));
    }
}

TEST_CASE("sampler: where a series is no line more steps are simulated, and what the others predict is said") {
  // The cost grows by half at step 50.
  const auto jump = [](std::uint64_t i) {
    StepOutcome o = step(i);
    if (i >= 50) o.totals.time_ps *= 1.5;
    return o;
  };
  std::vector<std::uint64_t> simulated;
  double sum = 0, whole = 0;
  const StepSeries::Held held = StepSeries(101, 5).run(
      [&](std::uint64_t i) {
        simulated.push_back(i);
        return jump(i);
      },
      [&](std::uint64_t i, const StepOutcome& o) {
        sum += o.totals.time_ps;
        whole += jump(i).totals.time_ps;
      },
      off_in_time);
  REQUIRE(simulated.size() > 5);
  REQUIRE(simulated.size() <= 21);
  REQUIRE(std::any_of(simulated.begin() + 5, simulated.end(), [](std::uint64_t i) { return i > 44 && i < 56; }));
  REQUIRE(held.steps.size() == simulated.size() - 2);
  REQUIRE(held.share == Approx(1 - static_cast<double>(simulated.size()) / 101));
  REQUIRE(sum == Approx(whole).epsilon(0.02));
  // A line is left at the steps that it has.
  const auto line = StepSeries(101, 5).run(
      step, [](std::uint64_t, const StepOutcome&) {}, off_in_time);
  REQUIRE(line.steps.size() == 3);
  REQUIRE(off_in_time(line.steps[1]) == Approx(0).margin(1e-12));
}

TEST_CASE("sampler: an interrupted series has the steps up to the last one simulated") {
  std::uint64_t taken = 0, calls = 0;
  REQUIRE_THROWS_AS(StepSeries(101, 5).run(
                        [&](std::uint64_t i) {
                          if (++calls == 4) throw testbench::Interrupted{};
                          return step(i);
                        },
                        [&](std::uint64_t i, const StepOutcome&) { REQUIRE(i == taken++); }, off_in_time),
                    testbench::Interrupted);
  REQUIRE(taken == 51);
}

TEST_CASE("sampler: what the formulas know of a predicted step is theirs, and its times go with its bounds") {
  const testbench::PeakRates peak = {1e9, 1e12};
  Totals t;
  t.time_ps = 10e6;
  t.channels.resize(1);
  t.channels[0].request_bytes[0] = 1000;
  t.channels[0].pin_bytes[0] = 1200;
  t.channels[0].requests = 10;
  t.classes[1].elapsed_ps = 6e6;  // bound by its bytes
  t.classes[1].bytes = 1000;
  t.classes[1].macs = 1000;
  t.classes[5].elapsed_ps = 4e6;  // by its operations
  t.classes[5].macs = 3e6;
  accelerator::Expected e;
  e.bytes[0] = 1100;
  e.macs = 3001000;
  e.pe_slots = 100000;
  e.of_class[1].bytes = 1100;
  e.of_class[1].macs = 1000;
  e.of_class[5].macs = 6000000;
  e.of_class[6].bytes = 500;  // that the prediction has nothing of
  Totals formulas;
  formulas.expect(e);
  testbench::follow_formulas(t, formulas, peak);
  REQUIRE(t.bytes_of(0) == Approx(1100));
  REQUIRE(t.pin_bytes() == Approx(1320));
  REQUIRE(t.channels[0].requests == Approx(11));
  REQUIRE(t.classes[1].elapsed_ps == Approx(6.6e6));
  REQUIRE(t.classes[5].elapsed_ps == Approx(8e6));    // a third above its bound, as before
  REQUIRE(t.classes[6].elapsed_ps == Approx(500e3));  // its bound
  REQUIRE(t.time_ps == Approx(6.6e6 + 8e6 + 500e3));
  REQUIRE(t.macs == 3001000);
  REQUIRE(t.expected_slots == 100000);
}

TEST_CASE("sampler: a predicted step is no faster than all its bytes and all its operations allow") {
  const testbench::PeakRates peak = {1e9, 1e12};
  accelerator::Expected e;
  e.pe_slots = 1000000;  // 32 us at peak
  e.bytes[0] = 1000;     // 1 us
  const auto time_of = [&](double predicted_ps) {
    Totals t, formulas;
    t.time_ps = predicted_ps;
    t.classes[0].elapsed_ps = 0.75 * predicted_ps;
    t.classes[1].elapsed_ps = 0.25 * predicted_ps;
    formulas.expect(e);
    testbench::follow_formulas(t, formulas, peak);
    REQUIRE(t.elapsed_ps() == Approx(t.time_ps));
    REQUIRE(t.classes[0].elapsed_ps == Approx(0.75 * t.time_ps));
    return t.time_ps;
  };
  REQUIRE(time_of(31e6) == Approx(32e6));
  REQUIRE(time_of(33e6) == Approx(33e6));
  e.bytes[0] = 40000;
  REQUIRE(time_of(33e6) == Approx(40e6));
}

TEST_CASE("sampler: where a predicted class has another demand, its time and the array's cycles go with it") {
  using accelerator::OperationClass;
  const testbench::PeakRates peak = {1e12, 1e15, 1000, 0};  // cycles of 1 ns
  constexpr auto qkv = static_cast<std::size_t>(OperationClass::qkv);
  constexpr auto scores = static_cast<std::size_t>(OperationClass::attention_scores);
  Totals t;
  t.time_ps = 3e6;
  t.units.resize(6);
  t.units[0].busy = 2000;
  t.units[0].waiting[1] = 1000;
  t.classes[qkv].elapsed_ps = 2e6;
  t.classes[qkv].compute_cycles = 1500;
  t.classes[qkv].macs = 100;
  t.classes[scores].elapsed_ps = 1e6;
  t.classes[scores].compute_cycles = 500;
  t.classes[scores].macs = 100;
  accelerator::Expected e;
  e.of_class[qkv].macs = 120;
  e.of_class[scores].macs = 700;  // not what its time follows: masked scores, rows that idle
  Totals formulas;
  formulas.expect(e);
  testbench::DemandRatios demand;
  demand.rows_per_token = 1.5;
  demand.attention = 3;
  testbench::follow_formulas(t, formulas, peak, demand);
  REQUIRE(t.classes[qkv].elapsed_ps == Approx(2e6 * 1.2 * 1.5));
  REQUIRE(t.classes[scores].elapsed_ps == Approx(3e6));
  REQUIRE(t.time_ps == Approx(6.6e6));
  REQUIRE(t.units[0].busy == Approx(2000 * (1500 * 1.8 + 500 * 3) / 2000));
  REQUIRE(t.units[0].busy + t.units[0].waiting[1] == Approx(6600));
}

TEST_CASE("sampler: what a class is below its bound by work fetched ahead is so much, not a share") {
  const testbench::PeakRates peak = {1e9, 1e12};
  constexpr auto head = static_cast<std::size_t>(accelerator::OperationClass::lm_head);
  accelerator::Expected e;
  e.of_class[head].bytes = 10000;  // 10 us
  e.of_class[head].macs = 1;
  Totals formulas, t;
  formulas.expect(e);
  t.time_ps = t.classes[head].elapsed_ps = 1e6;  // 1 us, of a bound of 2
  t.classes[head].bytes = 2000;
  t.classes[head].macs = 1;
  testbench::follow_formulas(t, formulas, peak);
  REQUIRE(t.classes[head].elapsed_ps == Approx(9e6));
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
  REQUIRE(o.spread.time_ps == Approx((47 - 40) * (pieces - 3)));  // layers are alike, pieces are not
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

TEST_CASE("sampler: the spread is what the simulated layers differ by, carried to those left out") {
  // Layers of 90, 100 and 110 after the first; 12 of 16 are left out. lm_head is simulated whole.
  const LayerSample sample(sampled(4), shape(16, 1000), false);
  std::vector<Totals> marks;
  double now = 0;
  for (const double d : {0, 100, 90, 100, 110, 30}) marks.push_back(moment(now += d));
  const StepOutcome o = sample.whole_step(moment(now), marks, {});
  const double whole = now + 12 * 100;
  REQUIRE(o.totals.time_ps == Approx(whole));
  REQUIRE(o.spread.time_ps == Approx((110 - 90) * 12));
}

TEST_CASE("sampler: lm_head after left-out layers may be off by a tile of it in every step") {
  const auto head = static_cast<std::size_t>(accelerator::OperationClass::lm_head);
  Totals simulated = moment(400);
  simulated.classes[head].elapsed_ps = 30;
  simulated.classes[head].tiles = 6;
  const std::vector<Totals> marks = {moment(0), moment(100), moment(200), moment(300), moment(400)};
  REQUIRE(LayerSample(sampled(3), shape(16, 1000), false)
              .whole_step(simulated, marks, {})
              .spread.classes[head]
              .elapsed_ps == Approx(5));
  // Of a step that is simulated whole nothing is unknown.
  REQUIRE(LayerSample({}, shape(4, 1000), false).whole_step(simulated, marks, {}).spread.classes[head].elapsed_ps == 0);
}
