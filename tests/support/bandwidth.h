// A matrix-vector product that streams its weights from as many LPDDR5 channels of 12.8 GB/s as are asked for, on a machine
// whose array and decoder are never what it waits for: what the way from the channels to the array lets through.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "tests/support/child.h"

namespace harmonia::test {

struct Streamed {
  double peak = 0, achieved = 0;  // bytes per second
  std::string bound;
};

/// Every run takes 41 us at the peak. Simulated in a process of its own, since SystemC elaborates once in each.
inline Streamed stream_weights(int channels, std::vector<std::string> overrides) {
  const std::string widest[] = {
      "accelerator=harmonia-server",
      "weights=fp16",
      "workload.rows=" + std::to_string(128 * channels),
      "workload.cols=2048",
      "accelerator.clock_mhz=2000",
      "accelerator.pe={kind: fp16, cols: 1024}",
      "accelerator.decoder.weights_per_cycle=1000000",
      "accelerator.weight_buffer={capacity_bytes: 8 MiB, banks: 32, bank_bytes_per_cycle: 4096}",
      "accelerator.dma={transaction_bytes: 16 KiB, outstanding: 4096}",
      "accelerator.dram={preset: LPDDR5-6400, channels: " + std::to_string(channels) + "}"};
  overrides.insert(overrides.begin(), std::begin(widest), std::end(widest));
  constexpr std::size_t kWords = 4;
  const std::vector<std::uint64_t> said = in_child([&] {
    const testbench::RunResult r =
        testbench::run_scenario(testbench::load_scenario("gemv-l40s", overrides, testbench::Library{}));
    std::vector<std::uint64_t> words(2 + kWords);
    words[0] = static_cast<std::uint64_t>(r.bandwidth.peak_bytes_per_s);
    words[1] = static_cast<std::uint64_t>(r.bandwidth.achieved_bytes_per_s);
    std::memcpy(&words[2], r.bound.c_str(), std::min(r.bound.size(), kWords * sizeof words[0] - 1));
    return words;
  });
  return {static_cast<double>(said[0]), static_cast<double>(said[1]), reinterpret_cast<const char*>(&said[2])};
}

}  // namespace harmonia::test
