// Host time, kernel events and memory of a decode step through the whole machine, beside the targets that the project
// set itself. `bench_machine [WORD...]` runs the rows whose name holds a word.
//
// Every row is a process of its own, since SystemC elaborates once in each: CPU time from reading the scenario to the
// result, best of three (of the long ones, one). The last lines hold a sampled step against the full one.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/library.h"
#include "tests/support/child.h"

namespace {

using namespace harmonia;

struct Row {
  const char* name;
  const char* scenario;
  std::vector<std::string> overrides;
  int runs;
  double target_s;  // CPU; 0: none
};

const std::vector<Row> kRows = {
    // The smallest model on the default machine: what is left is the start.
    {"start-up", "default", {"model=stories260k", "workload.context=16", "workload.tokens=1"}, 3, 0.1},
    {"8B step, full, AT", "default", {"workload.tokens=1"}, 3, 0.5},
    {"8B step, full, LT", "default", {"workload.tokens=1", "fidelity.timing=lt"}, 3, 0},
    {"8B step, sampled", "default", {"workload.tokens=1", "fidelity=sampled"}, 3, 0},
    {"8B step, full, 256 B interleave",
     "default",
     {"workload.tokens=1", "accelerator.interconnect.interleave_bytes=256", "accelerator.dma.outstanding=16"},
     1,
     0},
    {"8B 1-bit step, full, AT", "decode-1bit", {"workload.tokens=1"}, 3, 0},
    {"405B step, sampled",
     "default",
     {"model=llama-3.1-405b", "accelerator=harmonia-server", "workload.tokens=1", "fidelity=sampled"},
     3,
     2},
    {"Mixtral step, sampled",
     "default",
     {"model=mixtral-8x7b", "accelerator=harmonia-server", "workload.context=1024", "workload.tokens=1",
      "fidelity=sampled"},
     3,
     1},
    {"Mixtral step, full",
     "default",
     {"model=mixtral-8x7b", "accelerator=harmonia-server", "workload.context=1024", "workload.tokens=1"},
     1,
     10},
    {"Azure conversation, 1000 requests, sampled", "serve-azure", {"workload.limit=1000"}, 1, 60},
};

struct Cost {
  double cpu_s = 0, simulated_s = 0, error = 0, megabytes = 0;
  std::uint64_t events = 0, steps = 0;
};

std::uint64_t bits(double value) { return static_cast<std::uint64_t>(value * 1e12); }

Cost measure(const Row& row, const testbench::Library& library) {
  const auto v = test::in_child([&] {
    const testbench::RunResult r =
        testbench::run_scenario(testbench::load_scenario(row.scenario, row.overrides, library));
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    return std::vector<std::uint64_t>{bits(cpu),
                                      bits(r.simulated_seconds),
                                      bits(r.fidelity.error_estimate),
                                      static_cast<std::uint64_t>(used.ru_maxrss),
                                      r.simulation_events,
                                      r.steps};
  });
  return {static_cast<double>(v[0]) * 1e-12,
          static_cast<double>(v[1]) * 1e-12,
          static_cast<double>(v[2]) * 1e-12,
          static_cast<double>(v[3]) / 1024,
          v[4],
          v[5]};
}

bool wanted(const Row& row, int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string(row.name).find(argv[i]) != std::string::npos) return true;
  return argc == 1;
}

}  // namespace

// libsystemc's own main() refers to it; ours is the one that runs.
extern "C" int sc_main(int, char*[]) { return 1; }

int main(int argc, char** argv) {
  // "Simulation stopped by user" is how every run ends.
  sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_DO_NOTHING);
  const char* data = std::getenv("HARMONIA_DATA");
  const testbench::Library library({}, data != nullptr ? data : "");
  std::printf("%-44s %9s %9s %8s %12s %12s %9s %9s\n", "", "CPU s", "target", "ratio", "simulated", "events/step",
              "M events", "MiB");
  std::map<std::string, Cost> costs;
  for (const Row& row : kRows) {
    if (!wanted(row, argc, argv)) continue;
    if (std::string(row.scenario) == "serve-azure" && data == nullptr) {
      std::printf("%-44s HARMONIA_DATA is not set: no trace\n", row.name);
      continue;
    }
    Cost best;
    for (int i = 0; i < row.runs; ++i) {
      const Cost c = measure(row, library);
      if (i == 0 || c.cpu_s < best.cpu_s) best = c;
    }
    costs[row.name] = best;
    char target[16] = "-", ratio[16] = "-";
    if (row.target_s > 0) {
      std::snprintf(target, sizeof target, "%.2f", row.target_s);
      std::snprintf(ratio, sizeof ratio, "%.2f", best.cpu_s / row.target_s);
    }
    std::printf("%-44s %9.3f %9s %8s %10.4g s %12.4g %9.3f %9.0f\n", row.name, best.cpu_s, target, ratio,
                best.simulated_s, static_cast<double>(best.events) / static_cast<double>(best.steps),
                static_cast<double>(best.events) * 1e-6, best.megabytes);
    std::fflush(stdout);
  }
  const auto full = costs.find("8B step, full, AT");
  const auto against = [&](const char* name) {
    const auto other = costs.find(name);
    if (full == costs.end() || other == costs.end()) return;
    std::printf("%s against full, AT: %+.2f %% of the time (target 0.5 sampled, 2 LT)", name,
                100 * (other->second.simulated_s / full->second.simulated_s - 1));
    if (other->second.error > 0) std::printf(", which gives its own error as %.2f %%", 100 * other->second.error);
    std::printf("\n");
  };
  against("8B step, sampled");
  against("8B step, full, LT");
  return 0;
}
