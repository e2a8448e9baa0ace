// The l40s machine beside measured kernels of one NVIDIA L40S: matrix-vector kernels of 8192 x 8192 (1-Bit Wonder paper),
// from which the decode rates at 4, 2 and 1 bit are derived, and kernels of many rows (aiconfigurator, Apache-2.0), to
// which shares of peaks were fitted, not how the times go with the rows.
#include <string>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;

namespace {

double kernel_us(const std::string& weights, int rows = 1, int size = 8192) {
  const std::string side = std::to_string(size);
  const testbench::LoadedScenario scenario =
      testbench::load_scenario("gemv-l40s",
                               {"weights=" + weights, "workload.batch=" + std::to_string(rows), "workload.rows=" + side,
                                "workload.cols=" + side},
                               testbench::Library(HARMONIA_SOURCE "/workloads"));
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

// Waves of tiles over the multiprocessors: from 128 to 160 rows a kernel of 4-bit weights takes 1.7 times as long, and
// then nothing more until 256.
TEST_CASE("l40s: a 4-bit kernel of 128 rows takes the measured 85.0 us within 12 %") {
  CHECK(kernel_us("int4", 128) == Approx(84.99).epsilon(0.12));
}
TEST_CASE("l40s: a 4-bit kernel of 160 rows takes the measured 147.5 us within 10 %") {
  CHECK(kernel_us("int4", 160) == Approx(147.52).epsilon(0.10));
}
TEST_CASE("l40s: a 4-bit kernel of 256 rows takes the measured 153.6 us within 10 %") {
  CHECK(kernel_us("int4", 256) == Approx(153.60).epsilon(0.10));
}
TEST_CASE("l40s: a 16-bit kernel of 64 rows takes the measured 215.0 us within 10 %") {
  CHECK(kernel_us("fp16", 64) == Approx(215.01).epsilon(0.10));
}
TEST_CASE("l40s: a 16-bit kernel of 1024 rows takes the measured 584.3 us within 10 %") {
  CHECK(kernel_us("fp16", 1024) == Approx(584.26).epsilon(0.10));
}
TEST_CASE("l40s: an 8-bit kernel of 4096 x 4096 for 4096 rows takes the measured 585.7 us within 10 %") {
  CHECK(kernel_us("int8", 4096, 4096) == Approx(585.73).epsilon(0.10));
}
TEST_CASE("l40s: a 4-bit look-up kernel of 256 rows expands its weights for each block of rows: 494 us within 10 %") {
  CHECK(kernel_us("kmeans4", 256) == Approx(494).epsilon(0.10));
}
