// Everything countable about a machine at one moment, as numbers that add, subtract and scale.
//
// Models: one vector of counts, so that the difference of two moments is what happened between them, and so that the
//   same sum extrapolates time, bytes, shares and energy of a sampled run alike.
// Does not model: distributions (latencies of reads), which do not add.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {

struct ChannelTotals {
  std::array<double, kTrafficClasses> request_bytes{}, pin_bytes{};
  std::array<double, dram::kCmdCount> commands{};
  double bytes_written = 0;  // of finished requests
  double requests = 0, responses = 0, row_hits = 0, row_misses = 0, row_conflicts = 0, refresh_cycles = 0, queued = 0,
         cycles = 0;
};

struct UnitTotals {
  double busy = 0;  // cycles of the accelerator's clock
  std::array<double, bus::wait_count> waiting{};
};

struct ClassTotals {
  double elapsed_ps = 0, compute_cycles = 0, vector_ps = 0, tiles = 0;
  double bytes = 0, macs = 0, weights = 0;  // by the formulas
};

struct Totals {
  double time_ps = 0, events = 0;
  double macs = 0, slots = 0, weights = 0, converted = 0, vector_elements = 0, buffer_bytes = 0, operand_bytes = 0;
  std::array<double, kTrafficClasses> expected_bytes{};
  double expected_macs = 0, expected_slots = 0;
  std::array<ClassTotals, accelerator::operation_class_count> classes{};
  std::vector<ChannelTotals> channels;
  std::vector<UnitTotals> units;

  Totals& operator+=(const Totals& other) { return add(other, 1); }
  /// Adds `factor` times another moment's counts. An empty one takes the other's shape.
  Totals& add(const Totals& other, double factor);
  double seconds() const { return time_ps * 1e-12; }
  double bytes_of(std::size_t traffic) const;
  double pin_bytes() const;
};
Totals operator-(const Totals& later, const Totals& earlier);

/// Time per operation class, from what PE array and vector unit report.
class ClassTimes {
 public:
  void tile(const accelerator::Accelerator& a, const pe::TileRecord& tile) {
    ClassTotals& t = of(a.sequencer.class_of(tile.operation));
    // The array's own time line, without gaps, gives each class its share of the run.
    t.elapsed_ps += static_cast<double>(tile.end_ps - std::min(tile.end_ps, pe_end_ps_));
    t.compute_cycles += static_cast<double>(tile.busy);
    pe_end_ps_ = std::max(pe_end_ps_, tile.end_ps);
    ++t.tiles;
  }
  void vector(const accelerator::Accelerator& a, const bus::Work& work) {
    of(a.sequencer.class_of(work.operation)).vector_ps += static_cast<double>(work.busy_ps);
  }
  /// Between two steps the array's time line starts anew: what lies between is nobody's.
  void step_begins(std::uint64_t now_ps) { pe_end_ps_ = std::max(pe_end_ps_, now_ps); }
  void step_ends(std::uint64_t now_ps) {
    of(accelerator::OperationClass::elementwise).elapsed_ps +=
        static_cast<double>(now_ps - std::min(now_ps, pe_end_ps_));
    pe_end_ps_ = std::max(pe_end_ps_, now_ps);
  }
  const std::array<ClassTotals, accelerator::operation_class_count>& all() const { return times_; }

 private:
  ClassTotals& of(accelerator::OperationClass c) { return times_[static_cast<std::size_t>(c)]; }
  std::array<ClassTotals, accelerator::operation_class_count> times_{};
  std::uint64_t pe_end_ps_ = 0;
};

/// Names of the units, in the order of Totals::units.
std::vector<std::string> unit_names();
/// The counts now. What the formulas expect is of the steps that are complete.
Totals totals_of(accelerator::Accelerator& machine, const ClassTimes& times);

}  // namespace harmonia::testbench
