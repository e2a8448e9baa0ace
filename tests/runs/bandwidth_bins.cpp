// Bins of the bandwidth series: nothing is lost, and no bin holds more than its channel's peak.
#include "harmonia/testbench/runs/bandwidth_bins.h"

#include "tests/support/catch.h"

using harmonia::testbench::BandwidthBins;

TEST_CASE("bandwidth bins: what is answered at once was moved before, no faster than the peak") {
  BandwidthBins bins(1, false, 10);
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
  BandwidthBins bins(1, false, 100);
  BandwidthBins::Bytes bytes{};
  bytes[1] = 30;
  bins.add(0, 0.5, 3.5, bytes);
  const auto samples = bins.samples();
  REQUIRE(samples.size() == 4);
  REQUIRE(samples[0].bytes[1] == 5);
  REQUIRE(samples[1].bytes[1] == 10);
  REQUIRE(samples[3].bytes[1] == 5);
}
