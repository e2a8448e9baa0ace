// Bandwidth from 64 GB/s to 8 TB/s: does what a machine reads follow its channels, and what does the result name when it
// does not? Each row is one machine at one number of channels; "of the channels" is against what the first row's channels
// give, refresh and row changes included. A row that falls below 95 % with `memory` as its bound is marked.
#include "tests/support/bandwidth.h"

#include <cstdio>
#include <string>
#include <systemc>
#include <vector>

// libsystemc's own main() refers to it; ours is the one that runs.
extern "C" int sc_main(int, char*[]) { return 1; }

int main() {
  sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_DO_NOTHING);
  const struct {
    const char* name;
    std::vector<std::string> overrides;
  } kMachines[] = {
      {"wide buffer, 16 KiB transactions", {}},
      {"wide buffer, 4 KiB transactions", {"accelerator.dma.transaction_bytes=4096"}},
      {"the same at a clock of 1 GHz", {"accelerator.dma.transaction_bytes=4096", "accelerator.clock_mhz=1000"}},
      {"4 KiB, one request at a time",
       {"accelerator.dma.transaction_bytes=4096", "accelerator.interconnect.queue_requests=1"}},
      {"128 transactions under way", {"accelerator.dma.outstanding=128"}},
      {"buffer port of 1 TB/s", {"accelerator.weight_buffer.bank_bytes_per_cycle=32"}}};
  int unexplained = 0;
  std::printf("%-36s %12s %12s %9s %8s  %s\n", "", "peak GB/s", "read GB/s", "of peak", "of the", "bound");
  std::printf("%-36s %12s %12s %9s %8s\n", "", "", "", "", "channels");
  for (const auto& machine : kMachines) {
    double efficiency = 0;
    for (int channels = 5; channels <= 640; channels *= 2) {
      const harmonia::test::Streamed s = harmonia::test::stream_weights(channels, machine.overrides);
      const double of_peak = s.achieved / s.peak;
      if (efficiency == 0) efficiency = of_peak;
      const bool silent = of_peak < 0.95 * efficiency && s.bound == "memory";
      unexplained += silent ? 1 : 0;
      std::printf("%-36s %12.0f %12.1f %7.1f %% %6.1f %%  %s%s\n", machine.name, s.peak * 1e-9, s.achieved * 1e-9,
                  100 * of_peak, 100 * of_peak / efficiency, s.bound.c_str(), silent ? "  UNEXPLAINED" : "");
      std::fflush(stdout);
    }
  }
  return unexplained == 0 ? 0 : 1;
}
