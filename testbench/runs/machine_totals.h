// The counts of a machine as it stands, read from its blocks.
//
// Models: the totals at one moment (totals.h), with time per operation class from what PE array and vector unit report.
// Does not model: anything; reading takes no simulated time and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

/// Time per operation class, from what PE array and vector unit report.
class ClassTimes {
 public:
  void tile(const accelerator::Accelerator& a, const pe::TileRecord& tile) {
    const accelerator::OperationClass c = a.sequencer.class_of(tile.operation);
    ClassTotals& t = of(c);
    if (c != class_) ++t.turns;
    class_ = c;
    // The array's own time line, without gaps, gives each class its share of the run.
    t.elapsed_ps += static_cast<double>(tile.end_ps - std::min(tile.end_ps, pe_end_ps_));
    t.compute_cycles += static_cast<double>(tile.busy);
    pe_end_ps_ = std::max(pe_end_ps_, tile.end_ps);
    ++t.tiles;
  }
  void vector(const accelerator::Accelerator& a, const bus::Work& work) {
    of(a.sequencer.class_of(work.operation)).vector_ps += static_cast<double>(work.busy_ps);
  }
  /// Between two steps the array's time line starts anew: what lies between belongs to no step.
  void step_begins(std::uint64_t now_ps) {
    pe_end_ps_ = std::max(pe_end_ps_, now_ps);
    class_ = accelerator::OperationClass::elementwise;
  }
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
  accelerator::OperationClass class_ =
      accelerator::OperationClass::elementwise;  // of the last tile; none of the array's
};

/// The counts now. What the formulas expect is of the steps that are complete.
Totals totals_of(accelerator::Accelerator& machine, const ClassTimes& times);

}  // namespace harmonia::testbench
