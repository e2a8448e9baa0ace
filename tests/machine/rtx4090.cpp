// The rtx4090 machine beside one token of Llama-3.1-8B in 16 bits at context 2048 on the card: 16.99 ms, the sum of the
// measured layers (workloads/published/hardware.json). Nothing is fitted to that time.
#include <string>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;

TEST_CASE("rtx4090: a 16-bit token takes the measured 16.99 ms within 5 %, and no less than its bytes at peak") {
  const testbench::LoadedScenario scenario =
      testbench::load_scenario("rtx4090-decode", {}, testbench::Library(HARMONIA_SOURCE "/workloads"));
  const testbench::RunResult result = testbench::run_scenario(scenario);
  REQUIRE_NOTHROW(testbench::require_checks(result));
  CHECK(result.simulated_seconds * 1e3 == Approx(16.99).epsilon(0.05));
  CHECK(result.bandwidth.peak_bytes_per_s == Approx(1008e9));
  double bytes = 0;
  for (const std::uint64_t b : result.bandwidth.bytes_by_class) bytes += static_cast<double>(b);
  CHECK(bytes == Approx(15.28e9).epsilon(0.005));
}
