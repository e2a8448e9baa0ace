// Requests per CPU-second of one bare DRAM channel, beside the measured speed of other simulators on the same traffic
// and the targets: rand at least 2 M/s, seq at least 5 M/s of 64 bytes, streams of 4 KiB requests at least 100 M column
// accesses (bursts) per second, memory flat in the number of requests.
//
// HARMONIA_DATA names the folder of the peers' figures (reference/dram/peer_speed.csv); without it those columns stay
// empty. Times are CPU time of this process, best of five runs taken in turn. Through the socket: bench_dram_module.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/testbench/dram/traffic.h"

namespace {

using namespace harmonia;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Load {
  const char* name;     // as in the peers' figures
  const char* traffic;  // of the generator
  std::uint32_t length;
  std::uint64_t requests;
  double share;   // of the peak offered; 0: as fast as 64 requests in flight allow
  double target;  // M requests per second; of 4 KiB requests M bursts per second; 0: none
};

constexpr Load kLoads[] = {{"seq k=64", "seq", 64, 400000, 0, 5},
                           {"rand k=64", "rand", 64, 200000, 0, 2},
                           {"mix k=64", "mix", 64, 200000, 0, 0},
                           {"rand 5% load", "rand", 64, 200000, 0.05, 0},
                           {"4 KiB stream", "seq", 4096, 30000, 0, 100}};

struct Measured {
  double seconds = 1e300;
  std::uint64_t requests = 0, bursts = 0;
};

void measure(const dram::Config& c, const Load& load, Measured& best) {
  dram::Engine engine(c);
  const auto source = testbench::make_traffic(load.traffic, load.requests, load.length);
  const double bytes_per_cycle = static_cast<double>(c.burst_bytes()) / c.burst_cycles();
  const double gap = load.share > 0 ? load.length / bytes_per_cycle / load.share : 0;
  const double start = cpu_seconds();
  const auto r = testbench::run_traffic(engine, *source, {64, gap, false});
  const double seconds = cpu_seconds() - start;
  if (seconds < best.seconds) best = {seconds, r.requests, r.statistics.bursts[0] + r.statistics.bursts[1]};
}

/// Requests per CPU-second of the fastest peer by configuration and load ("ddr4_3200 seq k=64").
std::map<std::string, std::pair<double, std::string>> peers() {
  std::map<std::string, std::pair<double, std::string>> fastest;
  const char* data = std::getenv("HARMONIA_DATA");
  if (data == nullptr) {
    std::printf("HARMONIA_DATA is not set: no figures of other simulators\n");
    return fastest;
  }
  std::ifstream in(std::string(data) + "/reference/dram/peer_speed.csv");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream text(line);
    std::string workload, requests, simulator, seconds, rate;
    for (std::string* field : {&workload, &requests, &simulator, &seconds, &rate}) std::getline(text, *field, ',');
    // "ddr4_3200.bgi rand 5% load (gap 80)": mapping and gap do not matter here.
    const std::size_t dot = workload.find('.'), blank = workload.find(' '), gap = workload.find(" (");
    if (dot == std::string::npos || blank == std::string::npos || rate.empty()) continue;
    auto& best =
        fastest[workload.substr(0, dot) + workload.substr(blank, gap == std::string::npos ? gap : gap - blank)];
    if (std::stod(rate) > best.first) best = {std::stod(rate), simulator};
  }
  return fastest;
}

long peak_memory_KiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main() {
  const auto fastest = peers();
  const std::pair<const char*, const char*> configs[] = {{"DDR4-3200", "ddr4_3200"},
                                                         {"HBM2-2000", "hbm2_2000"},
                                                         {"LPDDR5-6400", "lpddr5_6400"},
                                                         {"HBM3-6400", "hbm3_6400"}};
  std::map<std::pair<std::string, std::string>, Measured> results;
  for (int run = 0; run < 5; ++run)
    for (const auto& config : configs)
      for (const Load& load : kLoads)
        measure(dram::find_preset(config.first), load, results[{config.first, load.name}]);

  std::printf("%-12s %-13s %10s %10s %8s %8s  %-24s %8s\n", "preset", "load", "k req/s", "M bursts/s", "target",
              "/target", "fastest peer, k req/s", "/peer");
  for (const auto& config : configs)
    for (const Load& load : kLoads) {
      const Measured& m = results[{config.first, load.name}];
      const double requests = static_cast<double>(m.requests) / m.seconds;
      const double bursts = static_cast<double>(m.bursts) / m.seconds;
      std::printf("%-12s %-13s %10.0f %10.2f", config.first, load.name, 1e-3 * requests, 1e-6 * bursts);
      if (load.target > 0)
        std::printf(" %6.0f M %8.2f", load.target, 1e-6 * (load.length > 64 ? bursts : requests) / load.target);
      else
        std::printf(" %8s %8s", "-", "-");
      const auto peer = fastest.find(std::string(config.second) + " " + load.name);
      if (peer != fastest.end())
        std::printf("  %-14s %9.0f %8.1f", peer->second.second.c_str(), 1e-3 * peer->second.first,
                    requests / peer->second.first);
      std::printf("\n");
    }

  const dram::Config& c = dram::find_preset("DDR4-3200");
  long before = 0;
  for (std::uint64_t n : {100000u, 1000000u}) {
    dram::Engine engine(c);
    const auto source = testbench::make_traffic("mix", n);
    testbench::run_traffic(engine, *source, {64, 0, false});
    std::printf("peak memory after %llu mixed requests: %ld KiB", static_cast<unsigned long long>(n),
                peak_memory_KiB());
    if (before > 0) std::printf(" (%+ld KiB)", peak_memory_KiB() - before);
    std::printf("\n");
    before = peak_memory_KiB();
  }
  return 0;
}
