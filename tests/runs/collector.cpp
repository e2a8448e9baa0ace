// The collector: sums, latencies and figures of steps whose cost is known.
#include "harmonia/testbench/runs/collector.h"

#include "tests/support/catch.h"

using namespace harmonia;
using testbench::BandwidthBins;
using testbench::Collector;
using testbench::StepOutcome;

namespace {

StepOutcome step(double seconds, double bytes, double error = 0) {
  StepOutcome o;
  o.totals.time_ps = seconds * 1e12;
  o.totals.slots = bytes / 10;
  o.totals.macs = 32 * o.totals.slots;
  o.totals.expected_bytes[0] = bytes;
  o.totals.channels.resize(2);
  o.totals.channels[0].pin_bytes[0] = o.totals.channels[1].pin_bytes[0] = bytes / 2;
  o.error = error;
  return o;
}

testbench::RunResult report(Collector& c) {
  testbench::RunResult r;
  c.report({}, false, std::vector<testbench::ChannelFacts>(2, {1e9, 1, 0, {}}), r);
  return r;
}

double series_bytes(const Collector& c) {
  double sum = 0;
  for (const testbench::BandwidthSample& s : c.series().samples()) sum += static_cast<double>(s.bytes[0]);
  return sum;
}

}  // namespace

TEST_CASE("collector: steps follow each other; time, bytes, tokens and the largest error are of all of them") {
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
  REQUIRE(r.fidelity.error_estimate == 0.02);
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

TEST_CASE("collector: points that steps are interpolated between count as often as they are used") {
  Collector c(BandwidthBins(1, 1e12));
  c.add_weighted(step(1, 1000).totals, 2.5);
  c.add_weighted(step(2, 600).totals, 0.5);
  c.set_seconds(9);  // the workload's own, with what lies between steps
  c.set_error(0.25);
  const testbench::RunResult r = report(c);
  REQUIRE(r.simulated_seconds == 9);
  REQUIRE(r.fidelity.error_estimate == 0.25);
  REQUIRE(r.bandwidth.bytes_by_class[0] == 2800);
  REQUIRE(c.totals().seconds() == Approx(3.5));
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
