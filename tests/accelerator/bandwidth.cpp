// What a machine reads follows its channels, or the result names what holds it back.
#include "tests/support/bandwidth.h"

#include "tests/support/catch.h"

using namespace harmonia::test;

TEST_CASE("bandwidth: from 64 GB/s to 8 TB/s a wide machine reads what its channels give") {
  const Streamed least = stream_weights(5, {});
  REQUIRE(least.peak == 64e9);
  REQUIRE(least.bound == "memory");
  for (const int channels : {80, 640}) {
    const Streamed s = stream_weights(channels, {});
    CAPTURE(channels);
    CHECK(s.bound == "memory");
    CHECK(s.achieved / s.peak > 0.95 * least.achieved / least.peak);
  }
}

// At 1 GHz an engine asks for one transaction of 4 KiB a cycle: 4.1 of the 8.2 TB/s.
TEST_CASE("bandwidth: transactions that are too small are named as the interconnect, and asked for one a cycle") {
  const Streamed s = stream_weights(640, {"accelerator.dma.transaction_bytes=4096", "accelerator.clock_mhz=1000"});
  CHECK(s.bound == "interconnect");
  CHECK(s.achieved > 0.95 * 4.096e12);
  CHECK(s.achieved <= 4.096e12);
}

// A channel of LPDDR5-6400 takes a request in 1.25 ns at the earliest: 4 KiB in that time are 3.3 TB/s.
TEST_CASE("bandwidth: one request at a time is named as the interconnect") {
  const Streamed s = stream_weights(640, {"accelerator.dma.transaction_bytes=4096", "accelerator.clock_mhz=1000",
                                          "accelerator.interconnect.queue_requests=1"});
  CHECK(s.bound == "interconnect");
  CHECK(s.achieved < 3.3e12);
}

TEST_CASE("bandwidth: transactions under way that do not cover the latency are named as the interconnect") {
  const Streamed s = stream_weights(160, {"accelerator.dma.outstanding=16"});
  CHECK(s.achieved < 0.9 * s.peak);
  CHECK(s.bound == "interconnect");
}

// Half of 32 banks of 32 bytes at 2 GHz.
TEST_CASE("bandwidth: a port of the weight buffer that is narrower than the memory is named as the buffer") {
  const Streamed s = stream_weights(160, {"accelerator.weight_buffer.bank_bytes_per_cycle=32"});
  CHECK(s.bound == "buffer");
  CHECK(s.achieved > 0.95 * 1.024e12);
  CHECK(s.achieved <= 1.024e12);
}
