// The rtx4090 machine beside one token of Llama-3.1-8B in 16 bits at context 2048 on the card: 16.99 ms, the sum of the
// measured layers (workloads/published/hardware.json). Constants of attention and norms are fitted to one time of each
// (workloads/accelerators/rtx4090.yaml), nothing to the sum.
#include <map>
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

  // Each part by itself, so that none makes up for another.
  std::map<std::string, double> us;
  for (const testbench::OperationResult& o : result.operations) us[o.name] = o.simulated_s * 1e6;
  CHECK(us["qkv"] == Approx(32 * 54.898).epsilon(0.10));
  CHECK(us["attention_scores"] + us["attention_values"] == Approx(32 * 20.1687).epsilon(0.15));
  CHECK(us["output"] == Approx(32 * 38.1313).epsilon(0.10));
  CHECK(us["gate_up"] == Approx(32 * 247.292).epsilon(0.10));
  CHECK(us["down"] == Approx(32 * 126.766).epsilon(0.10));
  CHECK(us["lm_head"] == Approx(1096.93).epsilon(0.10));
  CHECK(us["elementwise"] == Approx(32 * (2.592 + 2.17567 + 2 * 1.85083)).epsilon(0.10));
}
