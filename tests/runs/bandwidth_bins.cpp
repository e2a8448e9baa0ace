// Bins of the bandwidth series: nothing is lost, and no bin holds more than its channel's peak.
#include "harmonia/testbench/runs/bandwidth_bins.h"

#include <cmath>

#include "tests/support/catch.h"

using harmonia::testbench::BandwidthBins;

TEST_CASE("bandwidth bins: what is answered at once was moved before, no faster than the peak") {
  BandwidthBins bins(1, 10);
  BandwidthBins::Bytes bytes{};
  bytes[0] = 20;
  bins.add(0, 2, 2.5, bytes);  // half a bin has room for 5, the one in front for 10, the first gets what is left
  const auto samples = bins.samples();
  REQUIRE(samples.size() == 3);
  REQUIRE(samples[0].bytes[0] == 5);
  REQUIRE(samples[1].bytes[0] == 10);
  REQUIRE(samples[2].bytes[0] == 5);
}
TEST_CASE("bandwidth bins: below the peak bytes spread over the stretch they are reported for") {
  BandwidthBins bins(1, 100);
  BandwidthBins::Bytes bytes{};
  bytes[1] = 30;
  bins.add(0, 0.5, 3.5, bytes);
  const auto samples = bins.samples();
  REQUIRE(samples.size() == 4);
  REQUIRE(samples[0].bytes[1] == 5);
  REQUIRE(samples[1].bytes[1] == 10);
  REQUIRE(samples[3].bytes[1] == 5);
}
TEST_CASE("bandwidth bins: a bin far too short for the run becomes as long as the number of bins allows") {
  BandwidthBins bins = BandwidthBins::asked(1e-12, 1e9, 4);
  BandwidthBins::Bytes bytes{};
  bytes[0] = 1000;
  for (int i = 0; i < 100; ++i) bins.add(3, i * 0.01, (i + 1) * 0.01, bytes);
  const auto samples = bins.samples();
  REQUIRE(samples.size() <= BandwidthBins::kMost);
  REQUIRE(samples.size() > BandwidthBins::kMost / 4);
  REQUIRE(bins.bin_s() == Approx(1e-12 * std::exp2(std::ceil(std::log2(1 / (1e-12 * BandwidthBins::kMost / 4))))));
  std::uint64_t sum = 0;
  for (const auto& sample : samples) sum += sample.bytes[0];
  REQUIRE(sum == 100 * 1000);
}
