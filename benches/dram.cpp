// Requests per CPU-second of one bare DRAM channel, beside the measured speed of other simulators on the same traffic
// and the targets: rand at least 2 M/s, seq at least 5 M/s of 64 bytes, streams of 4 KiB requests at least 100 M column
// accesses (bursts) per second, memory flat in the number of requests. Then one channel of a machine that decodes:
// weights and scales read in turn, in pieces as an interleave of 256 bytes over 5 channels makes them, or whole
// transactions.
//
// --markdown prints the table for the documentation instead.
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
#include <memory>
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
  int in_flight = 64;
};

constexpr Load kLoads[] = {{"seq k=64", "seq", 64, 400000, 0, 5},
                           {"rand k=64", "rand", 64, 200000, 0, 2},
                           {"mix k=64", "mix", 64, 200000, 0, 0},
                           {"rand 5% load", "rand", 64, 200000, 0.05, 0},
                           {"4 KiB stream", "seq", 4096, 30000, 0, 100}};

constexpr Load kMachineLoads[] = {{"768 B pieces", "decoding", 768, 60000, 0, 0, 8},
                                  {"4 KiB", "decoding", 4096, 20000, 0, 0, 8}};

struct Measured {
  double seconds = 1e300;
  std::uint64_t requests = 0, bursts = 0;
};

/// What a channel sees of a decoding machine: transactions of 4 KiB, 16 of the weights and one of the scales in turn,
/// dealt out over 5 channels in blocks of 256 bytes or as a whole.
class Decoding : public testbench::TrafficSource {
 public:
  Decoding(std::uint64_t requests, std::uint32_t length) : left_(requests), whole_(length == 4096) {}
  bool next(testbench::TrafficRequest& r) override {
    if (left_ == 0) return false;
    --left_;
    std::uint64_t& at = left_ % 17 == 0 ? scales_ : weights_;
    r = {at, whole_ ? 4096u : left_ % 5 == 0 ? 1024u : 768u, dram::Op::kRead, 0};
    at += r.length;
    return true;
  }

 private:
  std::uint64_t left_, weights_ = 0, scales_ = std::uint64_t{1} << 30;
  bool whole_;
};

void measure(const dram::Config& c, const Load& load, Measured& best) {
  dram::Engine engine(c);
  const std::unique_ptr<testbench::TrafficSource> source =
      std::string(load.traffic) == "decoding" ? std::make_unique<Decoding>(load.requests, load.length)
                                              : testbench::make_traffic(load.traffic, load.requests, load.length);
  const double bytes_per_cycle = static_cast<double>(c.burst_bytes()) / c.burst_cycles();
  const double gap = load.share > 0 ? load.length / bytes_per_cycle / load.share : 0;
  const double start = cpu_seconds();
  const auto r = testbench::run_traffic(engine, *source, {load.in_flight, gap, false});
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

/// A channel of the default accelerator.
dram::Config machine_channel() {
  dram::Config c = dram::find_preset("LPDDR5-6400");
  dram::set_key(c, "ranks", "4");
  dram::set_key(c, "mapping", "cbg");
  c.finish();
  return c;
}

void print_row(bool markdown, const std::string& preset, const Load& load, const Measured& m,
               const std::pair<double, std::string>* peer) {
  const double requests = static_cast<double>(m.requests) / m.seconds;
  const double bursts = static_cast<double>(m.bursts) / m.seconds;
  const bool streams = load.length > 64;
  char target[64] = "-", fastest[96] = "-";
  if (load.target > 0)
    std::snprintf(target, sizeof target, markdown ? "%.0f M (%.2f)" : "%6.0f M %8.2f", load.target,
                  1e-6 * (streams ? bursts : requests) / load.target);
  if (peer != nullptr)
    std::snprintf(fastest, sizeof fastest, markdown ? "%s %.0f (%.1f)" : "%-14s %9.0f %8.1f", peer->second.c_str(),
                  1e-3 * peer->first, requests / peer->first);
  std::printf(markdown ? "| %s | %s | %.0f | %.1f | %s | %s |\n" : "%-14s %-13s %10.0f %10.2f %17s  %s\n",
              preset.c_str(), load.name, 1e-3 * requests, 1e-6 * bursts, target, fastest);
}

}  // namespace

int main(int argc, char** argv) {
  const bool markdown = argc > 1 && std::string(argv[1]) == "--markdown";
  const auto fastest = peers();
  const std::pair<const char*, const char*> configs[] = {{"DDR4-3200", "ddr4_3200"},
                                                         {"HBM2-2000", "hbm2_2000"},
                                                         {"LPDDR5-6400", "lpddr5_6400"},
                                                         {"HBM3-6400", "hbm3_6400"}};
  std::map<std::pair<std::string, std::string>, Measured> results;
  const dram::Config machine = machine_channel();
  for (int run = 0; run < 5; ++run) {
    for (const auto& config : configs)
      for (const Load& load : kLoads)
        measure(dram::find_preset(config.first), load, results[{config.first, load.name}]);
    for (const Load& load : kMachineLoads) measure(machine, load, results[{"machine", load.name}]);
  }

  if (markdown)
    std::printf(
        "| preset | load | k requests/s | M bursts/s | target (reached) | fastest peer, k requests/s (ours to it) |\n"
        "|---|---|---|---|---|---|\n");
  else
    std::printf("%-14s %-13s %10s %10s %8s %8s  %-24s %8s\n", "preset", "load", "k req/s", "M bursts/s", "target",
                "/target", "fastest peer, k req/s", "/peer");
  for (const auto& config : configs)
    for (const Load& load : kLoads) {
      const auto peer = fastest.find(std::string(config.second) + " " + load.name);
      print_row(markdown, config.first, load, results[{config.first, load.name}],
                peer == fastest.end() ? nullptr : &peer->second);
    }
  for (const Load& load : kMachineLoads)
    print_row(markdown, "LPDDR5, decode", load, results[{"machine", load.name}], nullptr);
  if (markdown) return 0;

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
