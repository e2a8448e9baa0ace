// The l40s machine beside measured matrix-vector kernels: 8192 x 8192, batch 1, one NVIDIA L40S (1-Bit Wonder paper).
// At 4, 2 and 1 bit the decode rates are derived from these very times; at 16 bits nothing is: peak bandwidth and DRAM
// timing only.
#include <string>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;

namespace {

double kernel_us(const std::string& weights) {
  const testbench::LoadedScenario scenario =
      testbench::load_scenario("gemv-l40s", {"weights=" + weights}, testbench::Library(HARMONIA_SOURCE "/workloads"));
  const testbench::RunResult result = testbench::run_scenario(scenario);
  REQUIRE_NOTHROW(testbench::require_checks(result));
  return result.simulated_seconds * 1e6;
}

}  // namespace

TEST_CASE("l40s: a 16-bit matrix-vector product takes the measured 175.6 us within 8 %") {
  CHECK(kernel_us("fp16") == Approx(175.6).epsilon(0.08));
}
TEST_CASE("l40s: at 4.25 bits it takes the measured 49.5 us within 5 %") {
  CHECK(kernel_us("kmeans4") == Approx(49.5).epsilon(0.05));
}
TEST_CASE("l40s: at 2.25 bits it takes the measured 36.5 us within 5 %") {
  CHECK(kernel_us("kmeans2") == Approx(36.5).epsilon(0.05));
}
TEST_CASE("l40s: at 1.25 bits it takes the measured 24.0 us within 5 %") {
  CHECK(kernel_us("kmeans1") == Approx(24.0).epsilon(0.05));
}
