// Modes that must agree: functional and timing-only, loosely and approximately timed, large and small transactions.
#include "tests/machine/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

void require_same_time(const Scenario& s, const std::shared_ptr<GoldenModelWeights>& weights,
                       const std::vector<Step>& steps) {
  const auto functional = in_child([&] { return timing_of(s, steps, weights); });
  const auto timing_only = in_child([&] { return timing_of(s, steps); });
  REQUIRE(functional.size() == 2 * steps.size() + bus::traffic_class_count);
  REQUIRE(functional == timing_only);
}

}  // namespace

TEST_CASE("modes: functional and timing-only runs take the same time, step by step, and move the same bytes") {
  const auto weights = random_model({}, WeightFormat::kKmeans4, CodebookKind::kInt8, 1);
  require_same_time(functional_scenario(*weights), weights, schedule(2, 70, 10));
}
TEST_CASE("modes: the same for 1-bit weights, hidden 200, three channels and small transactions") {
  const auto weights = random_model({200, 2, 6, 2, 40, 300, 70}, WeightFormat::kKmeans1, CodebookKind::kInt8, 2);
  Scenario s = functional_scenario(*weights);
  s.accelerator.dram.channels = 3;
  s.accelerator.dma.transaction_bytes = 256;
  require_same_time(s, weights, schedule(1, 40, 6, 16));
}
TEST_CASE("modes: the same for an FP16 cache and FP16 weights") {
  const auto weights = random_model({}, WeightFormat::kFp16, CodebookKind::kInt8, 3);
  Scenario s = functional_scenario(*weights);
  s.kv.format = "fp16";
  require_same_time(s, weights, schedule(1, 33, 4));
}
