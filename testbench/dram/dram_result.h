// The result of `harmonia dram`: one bare channel under one traffic, as numbers, as JSON, as a page of text.
//
// Units: keys of the JSON carry them (_s, _j, _w, _bytes); shares are fractions of 1; GB is 10^9 bytes. The schema is
// in docs/dram-command.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/dram/document.h"
#include "harmonia/testbench/dram/traffic.h"
#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {

struct DramResult {
  dram::ReadConfig channel;
  std::string config_name;  // as given: a preset or a file

  std::string traffic;       // seq, ..., decode4k, or "trace"
  std::string trace_file;    // of a trace
  std::string trace_format;  // of a trace
  std::uint64_t wrapped = 0;
  std::uint64_t inside_burst = 0;  // addresses that did not begin a burst
  int in_flight = 0;
  double gap_cycles = 0;
  std::uint32_t request_bytes = 0;
  std::uint64_t window_bytes = 0;  // of generated traffic

  TrafficResult run;
  bool complete = true;
  double wall_seconds = 0;
  std::string version;
};

/// The most that this channel could deliver for as many activates and bursts, as a share of the peak:
///   (1 - refreshes x RFC / cycles) x min(1, bus time / activate time)
/// with the refreshes that a run of so many cycles has at least, activate time = max(RRD_S, FAW / 4) cycles for each
/// activate but the last four, spread over ranks and pseudo channels, and bus time = burst_cycles for each burst, spread
/// over pseudo channels. The first factor counts for all-bank refresh of one rank only: other banks or ranks keep the bus
/// busy otherwise.
struct Ceiling {
  double refresh_share = 0;  // where it counts
  double activate_spacing_cycles = 0;
  double activate_cycles = 0, bus_cycles = 0;  // of the whole run
  double share = 1;
};
Ceiling ceiling_of(const dram::Config& c, std::uint64_t activates, std::uint64_t bursts, double cycles);

/// What must hold of every run: no class of energy is negative, no time is below bytes / peak.
std::vector<CheckResult> checks_of(const DramResult& r);
/// Throws config::RunError that names the first check that failed.
void require_checks(const DramResult& r);

std::string to_json(const DramResult& r);
std::string summary(const DramResult& r);

}  // namespace harmonia::testbench
