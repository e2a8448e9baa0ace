// Everything countable about a machine at one moment, as numbers that add, subtract and scale.
//
// Models: one vector of counts, so that the difference of two moments is what happened between them, and so that the
//   same sum extrapolates time, bytes, shares and energy of a sampled run alike.
// Does not model: distributions (latencies of reads), which do not add; how a machine is read (machine_totals.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/dram/types.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/tlm/activity.h"

namespace harmonia::testbench {

struct ChannelTotals {
  std::array<double, kTrafficClasses> request_bytes{}, pin_bytes{};
  std::array<double, dram::kCmdCount> commands{};
  double bytes_written = 0;  // of finished requests
  double energy_pj = 0;      // of commands and background, by the channel's currents
  double requests = 0, responses = 0, row_hits = 0, row_misses = 0, row_conflicts = 0, refresh_cycles = 0, queued = 0,
         cycles = 0;
};

struct UnitTotals {
  double busy = 0;  // cycles of the accelerator's clock
  std::array<double, bus::wait_count> waiting{};
};

struct ClassTotals {
  double elapsed_ps = 0, compute_cycles = 0, vector_ps = 0, tiles = 0;
  double turns = 0;                         // how often the array came to this class from another one
  double bytes = 0, macs = 0, weights = 0;  // by the formulas; weights by their expansions
  double weight_buffer_bytes = 0, kv_buffer_bytes = 0;
  double bound_ps = 0;  // what memory or array need at least, step by step; where that is counted
};

/// accelerator::ExpertWork, which adds and scales.
struct ExpertTotals {
  double experts = 0, rows = 0;
  std::array<double, kTrafficClasses> bytes{};
  double macs = 0, slots = 0, weights = 0, buffer_bytes = 0, operand_bytes = 0, results = 0, converted = 0;

  ExpertTotals& add(const ExpertTotals& other, double factor);
  double weight_bytes() const {
    return bytes[static_cast<std::size_t>(TrafficClass::weights)] +
           bytes[static_cast<std::size_t>(TrafficClass::scales)];
  }
};

struct Totals {
  double time_ps = 0, events = 0;
  double macs = 0, slots = 0, weights = 0, converted = 0, vector_elements = 0, buffer_bytes = 0, operand_bytes = 0;
  double smoothed = 0;  // values of keys that lost their offsets
  std::array<double, kTrafficClasses> expected_bytes{};
  double expected_macs = 0, expected_slots = 0;
  double mixtures = 0;           // mixture layers,
  ExpertTotals experts, placed;  // what their experts take; of all devices, where experts are placed on them,
  double most_experts = 0;       // and what the device reads that reads the most, summed over the layers
  double all_reduces = 0, reduced_values = 0, expected_reduced_values = 0;  // between devices
  double sends = 0, sent_values = 0, sent_bytes = 0, sent_wire_bytes = 0;   // from stage to stage, by one device
  std::array<ClassTotals, accelerator::operation_class_count> classes{};
  std::vector<ChannelTotals> channels;
  std::vector<UnitTotals> units;

  Totals& operator+=(const Totals& other) { return add(other, 1); }
  /// Adds `factor` times another moment's counts. An empty one takes the other's shape.
  Totals& add(const Totals& other, double factor);
  /// Puts what the formulas say in place of what is counted by them here.
  void expect(const accelerator::Expected& expected);
  double seconds() const { return time_ps * 1e-12; }
  double bytes_of(std::size_t traffic) const;
  double pin_bytes() const;
  /// The sum over the classes, which is the time of the steps.
  double elapsed_ps() const;
  /// Scales the classes' times so that they add up to the time: between two marks of a step they need not, since a tile
  /// may lie across a mark.
  void share_out_time();
  /// The smallest of all counts. Apart from row hits, which a row that is opened twice for one burst takes below 0.
  double least_count() const;
};
/// Names of the units, in the order of Totals::units.
std::vector<std::string> unit_names();
Totals operator-(const Totals& later, const Totals& earlier);

}  // namespace harmonia::testbench
