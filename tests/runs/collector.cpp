// The collector: sums, latencies and figures of steps whose cost is known.
#include "harmonia/testbench/runs/collector.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace harmonia;
using testbench::BandwidthBins;
using testbench::Collector;
using testbench::StepOutcome;

namespace {

/// Nothing set.
const testbench::Scenario& plain() {
  static const testbench::Scenario scenario;
  return scenario;
}

StepOutcome step(double seconds, double bytes, double error = 0) {
  StepOutcome o;
  o.totals.time_ps = seconds * 1e12;
  o.totals.slots = bytes / 10;
  o.totals.macs = 32 * o.totals.slots;
  o.totals.expected_bytes[0] = bytes;
  o.totals.channels.resize(2);
  o.totals.channels[0].pin_bytes[0] = o.totals.channels[1].pin_bytes[0] = bytes / 2;
  o.spread.time_ps = error * o.totals.time_ps;
  return o;
}

testbench::RunResult report(Collector& c) {
  testbench::RunResult r;
  testbench::Scenario s;
  s.fidelity.mode = testbench::FidelityMode::sampled;
  c.report(s, false, std::vector<testbench::ChannelFacts>(2, {1e9, 1, 0, {}}), r);
  return r;
}

/// Negative when none is stated.
double error_of(const testbench::RunResult& r, const std::string& figure) {
  for (const testbench::EstimatedError& e : r.fidelity.estimated_errors)
    if (e.figure == figure) return e.error;
  return -1;
}

double series_bytes(const Collector& c) {
  double sum = 0;
  for (const testbench::BandwidthSample& s : c.series().samples()) sum += static_cast<double>(s.bytes[0]);
  return sum;
}

}  // namespace

TEST_CASE("collector: steps follow each other; time, bytes, tokens and errors are of all of them") {
  Collector c(BandwidthBins(1, 1e12));
  c.add(step(1, 1000, 0.02));
  c.count_step(128, 0);
  c.add(step(2, 600, 0.01));
  c.count_step(0, 4);
  REQUIRE(c.seconds() == Approx(3));
  const testbench::RunResult r = report(c);
  REQUIRE(r.simulated_seconds == Approx(3));
  REQUIRE(r.steps == 2);
  REQUIRE(r.fidelity.steps_total == 2);
  REQUIRE(r.prompt_tokens == 128);
  REQUIRE(r.output_tokens == 4);
  REQUIRE(r.output_tokens_per_s == Approx(4.0 / 3));
  REQUIRE(error_of(r, "simulated_seconds") == Approx((0.02 * 1 + 0.01 * 2) / 3));
  REQUIRE(r.bandwidth.bytes_by_class[0] == 1600);
  REQUIRE(r.bandwidth.pin_bytes_by_class[0] == 1600);
  REQUIRE(r.bandwidth.achieved_bytes_per_s == Approx(1600.0 / 3));
  REQUIRE(r.channels.size() == 2);
  REQUIRE(r.channels[1].bytes_read == 800);
  REQUIRE(r.channels[1].utilisation == Approx(800.0 / 3 / 1e9));
  REQUIRE(r.energy.total_j > 0);
  REQUIRE(r.energy.per_token_j == Approx(r.energy.total_j / 4));  // output tokens
}

TEST_CASE("collector: the bandwidth series holds each step's bytes where the step was") {
  Collector c(BandwidthBins(1, 1e12));
  c.add(step(1, 1000));
  c.add(step(1, 400));
  c.add(step(0.5, 100), 5, 5.5);  // on a time line of the workload's own
  const auto samples = c.series().samples();
  REQUIRE(series_bytes(c) == 1500);
  for (const testbench::BandwidthSample& s : samples) {
    INFO(s.start_s);
    const double wanted = s.start_s == 0 ? 500 : s.start_s == 1 ? 200 : s.start_s == 5 ? 50 : 0;
    REQUIRE(static_cast<double>(s.bytes[0]) == wanted);
  }
}

TEST_CASE("collector: errors of steps and of layers add up, and the worst figure that matters is the run's") {
  Collector c(BandwidthBins(1, 1e12));
  StepOutcome o = step(2, 1000);
  o.totals.classes[0].elapsed_ps = 1.9e12;
  o.totals.classes[1].elapsed_ps = 0.01e12;  // below a hundredth of the time
  o.spread.time_ps = 0.02e12;
  o.spread.classes[0].elapsed_ps = 0.019e12;
  o.spread.classes[1].elapsed_ps = 0.02e12;
  c.add(o, 1, 3);
  c.set_seconds(9);  // the workload's own, with what lies between steps
  c.time_to_first_token(1);
  testbench::RunErrors errors;
  errors.figures = {0.04, 0, 0};
  errors.latencies = true;
  errors.first_token = 0.25;
  c.set_errors(errors);
  testbench::RunResult r = report(c);
  REQUIRE(r.simulated_seconds == 9);
  REQUIRE(error_of(r, "simulated_seconds") == Approx(0.04 + 0.01));
  REQUIRE(error_of(r, std::string("operations[") + testbench::operation_name({}, false) + "].simulated_s") ==
          Approx(0.01));
  REQUIRE(error_of(r, "latency.time_to_first_token_s") == Approx(0.25).epsilon(1e-3));
  REQUIRE(error_of(r, "latency.end_to_end_s") < 0);  // there is none
  REQUIRE(r.fidelity.error_estimate == Approx(0.25).epsilon(1e-3));
  REQUIRE(r.notices.size() == 1);
  REQUIRE_THAT(r.notices[0], ContainsSubstring("latency.time_to_first_token_s 25.0 %"));
  REQUIRE(c.worst_error(plain()).figure == testbench::kTimeFigure);
  // Nothing of the sort is said of a full run.
  testbench::RunResult full;
  c.report(plain(), false, std::vector<testbench::ChannelFacts>(2, {1e9, 1, 0, {}}), full);
  REQUIRE(full.fidelity.estimated_errors.empty());
  REQUIRE(full.fidelity.error_estimate == 0);
}

TEST_CASE("collector: a class is worth simulating more for where its error is something of the run's") {
  const testbench::Scenario& scenario = plain();
  Collector c(BandwidthBins(1, 1e12));
  StepOutcome o = step(1, 1000);
  o.totals.classes[1].elapsed_ps = 0.98e12;
  o.totals.classes[2].elapsed_ps = 0.02e12;
  c.add(o);
  const std::vector<double> figures = testbench::error_figures(c.totals(), scenario);
  const auto figure_of = [&](double seconds) {
    return static_cast<std::size_t>(std::find(figures.begin(), figures.end(), seconds) - figures.begin());
  };
  const std::size_t large = figure_of(0.98e12 * 1e-12), small = figure_of(0.02e12 * 1e-12);
  testbench::RunErrors errors;
  errors.figures.assign(figures.size(), 0);
  errors.figures[large] = 0.06;
  errors.figures[small] = 0.24;  // 0.48 % of the run
  errors.latencies = true;
  const auto worst = [&] {
    c.set_errors(errors);
    return c.worst_worth_simulating(errors, scenario);
  };
  REQUIRE(worst().figure == large);
  REQUIRE(worst().error == Approx(0.06).epsilon(1e-3));
  errors.figures[small] = 0.26;
  REQUIRE(worst().figure == small);
  errors.first_token = 0.3;
  c.time_to_first_token(1);
  REQUIRE(worst().figure == testbench::kTimeFigure);
  REQUIRE(worst().error == Approx(0.3).epsilon(1e-3));
  // What layers differ by is not mended by more steps.
  testbench::RunErrors little = errors;
  for (double& e : little.figures) e /= 10;
  little.first_token = 0.02;
  REQUIRE(c.worst_worth_simulating(little, scenario).error == 0);
}

TEST_CASE("collector: less simulated time leaves more to chance") {
  Collector c(BandwidthBins(1, 1e12));
  c.add(step(1, 1000));
  c.set_simulated(step(1e-3, 1).totals);
  const double much = c.errors(plain()).figures[testbench::kTimeFigure];
  c.set_simulated(step(1e-5, 1).totals);
  REQUIRE(much > 0);
  REQUIRE(c.errors(plain()).figures[testbench::kTimeFigure] == Approx(10 * much));
}

TEST_CASE("collector: the difference of two runs, of figures and of the percentiles of latencies") {
  Collector a(BandwidthBins(1, 1e12)), b(BandwidthBins(1, 1e12));
  a.add(step(1, 1000));
  b.add(step(1, 1100));
  for (const double s : {1.0, 2.0, 3.0}) {
    a.end_to_end(s);
    b.end_to_end(s == 3 ? 3.3 : s);
  }
  const testbench::RunErrors off = a.difference(b, plain());
  REQUIRE(off.figures[testbench::kTimeFigure] == Approx(0).margin(1e-12));
  REQUIRE(off.figures[1] == Approx(0.1));
  REQUIRE(off.end_to_end == Approx(0.1));
  REQUIRE(off.first_token == 0);
}

TEST_CASE("collector: latencies are distributions over sequences") {
  Collector c(BandwidthBins(1, 1e12));
  c.time_per_token(1, 3);
  c.time_per_token(5);
  c.time_to_first_token(7, 2);
  c.end_to_end(11);
  const testbench::RunResult r = report(c);
  REQUIRE(r.latency.time_per_output_token_s.count == 4);
  REQUIRE(r.latency.time_per_output_token_s.mean == Approx(2));
  REQUIRE(r.latency.time_per_output_token_s.max == 5);
  REQUIRE(r.latency.time_to_first_token_s.count == 2);
  REQUIRE(r.latency.time_to_first_token_s.mean == 7);
  REQUIRE(r.latency.end_to_end_s.mean == 11);
}
