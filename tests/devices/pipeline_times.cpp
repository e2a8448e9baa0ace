// When stages of a pipeline work and wait, by times that are given.
#include "harmonia/testbench/runs/pipeline_steps.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::testbench;

namespace {

/// Equal stages and micro-batches.
PipelineTimes equal(std::size_t stages, std::size_t batches, double busy, double hop) {
  return {stages, batches, std::vector<double>(stages * batches, busy), std::vector<double>(batches, hop)};
}

}  // namespace

TEST_CASE("pipeline: with one micro-batch a token passes all stages in turn") {
  const PassTime p = steady_pass(equal(4, 1, 100, 7));
  CHECK(p.ps == Approx(4 * 100 + 3 * 7));
  // The mean stage works for 100; three of the four wait for a transfer of their own.
  CHECK(p.link_ps == Approx(3 * 7 / 4.0));
  CHECK(p.link_ps + p.bubble_ps == Approx(p.ps - 100));
}

TEST_CASE("pipeline: with as many micro-batches as stages, and links that cost nothing, no stage waits") {
  const PassTime p = steady_pass(equal(4, 4, 100, 0));
  CHECK(p.ps == Approx(4 * 100));
  CHECK(p.bubble_ps == Approx(0).margin(1e-9));
}

TEST_CASE("pipeline: a step takes the longer of a micro-batch's way through all stages and of a stage's work") {
  for (const std::size_t batches : {1, 2, 3, 5, 8}) {
    const PassTime p = steady_pass(equal(3, batches, 100, 20));
    CHECK(p.ps == Approx(std::max(3 * 100 + 2 * 20.0, 100.0 * static_cast<double>(batches))));
  }
}

TEST_CASE("pipeline: the slowest stage decides when there are enough micro-batches") {
  PipelineTimes t = equal(3, 6, 100, 10);
  for (std::size_t m = 0; m < 6; ++m) t.busy_ps[2 * 6 + m] = 150;
  const PassTime p = steady_pass(t);
  CHECK(p.ps == Approx(6 * 150));
  CHECK(p.bubble_ps + p.link_ps == Approx(6 * 150 - 6 * (100 + 100 + 150) / 3.0));
}

TEST_CASE("pipeline: chunks of a prefill fill the stages once and empty them once") {
  PipelineFlow flow(4);
  double sum = 0;
  for (int chunk = 0; chunk < 10; ++chunk) sum += flow.pass(equal(4, 1, 100, 0), false).ps;
  CHECK(sum == Approx((10 + 4 - 1) * 100));
  CHECK(flow.end_ps() == Approx(sum));
}

TEST_CASE("pipeline: micro-batches that are given one by one wait for what is before them, and stages for them") {
  PipelineFlow flow(2);
  PassTime waits;
  const PipelineTimes t = equal(2, 1, 100, 10);
  CHECK(flow.enter(t, 0, 50, waits) == Approx(50 + 100 + 10 + 100));
  CHECK(flow.first_free_ps() == Approx(150));
  // The first stage is free, and the second one when the first micro-batch has left.
  CHECK(flow.enter(t, 0, 150, waits) == Approx(260 + 100));
  CHECK(flow.enter(t, 0, 1000, waits) == Approx(1000 + 210));
  CHECK(flow.end_ps() == Approx(1210));
  CHECK(waits.ps == Approx(1210));
  // The first stage waits 50 and 750. The second one 160, then (its input comes as it is free) nothing, and 750 again; 10 of these each
  // time for the link.
  CHECK(waits.link_ps == Approx((10 + 10) / 2.0));
  CHECK(waits.bubble_ps == Approx((50 + 750 + 150 + 740) / 2.0));
}

TEST_CASE("pipeline: a hop that takes longer than a stage decides, and holds the stage before up") {
  PipelineFlow flow(2);
  for (int chunk = 0; chunk < 50; ++chunk) flow.pass(equal(2, 1, 10, 40), false);
  const double before = flow.end_ps();
  CHECK(flow.pass(equal(2, 1, 10, 40), false).ps == Approx(40));
  CHECK(flow.end_ps() == Approx(before + 40));
}

TEST_CASE("pipeline: sequences are dealt to micro-batches as evenly as may be, with their tokens") {
  accelerator::StepWork work;
  for (std::uint64_t i = 0; i < 5; ++i) work.sequences.push_back({i, 10 + i, i == 0 ? 2u : 1u, true});
  work.token_ids = {7, 8, 9, 10, 11, 12};
  const std::vector<accelerator::StepWork> parts = micro_batches(work, 3);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].sequences.size() == 2);
  CHECK(parts[1].sequences.size() == 2);
  CHECK(parts[2].sequences.size() == 1);
  CHECK(parts[0].token_ids == std::vector<std::uint32_t>{7, 8, 9});
  CHECK(parts[2].token_ids == std::vector<std::uint32_t>{12});
  CHECK(parts[2].sequences[0].slot == 4);
  CHECK(micro_batches(work, 9).size() == 5);
}
