// The counts of a machine as it stands, read from its blocks.
//
// Models: the totals at one moment (totals.h), with time per operation class from what PE array and vector unit report.
// Does not model: anything; reading takes no simulated time and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

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
    ClassTotals more;
    more.elapsed_ps = static_cast<double>(tile.end_ps - std::min(tile.end_ps, pe_end_ps_));
    more.compute_cycles = static_cast<double>(tile.busy);
    more.tiles = 1;
    pe_end_ps_ = std::max(pe_end_ps_, tile.end_ps);
    add(t, more);
    const std::size_t part = a.sequencer.part_of(tile.operation);
    if (parts_.size() <= part) parts_.resize(part + 1);
    add(parts_[part][static_cast<std::size_t>(c)], more);
  }
  void vector(const accelerator::Accelerator& a, const bus::Work& work) {
    of(a.sequencer.class_of(work.operation)).vector_ps += static_cast<double>(work.busy_ps);
  }
  /// A kernel of a machine that stands for a GPU has ended: what the array did not work of its time, constants and passes
  /// over activations, counts for it.
  void kernel(accelerator::OperationClass c, std::size_t part, std::uint64_t now_ps) {
    ClassTotals more;
    more.elapsed_ps = static_cast<double>(now_ps - std::min(now_ps, pe_end_ps_));
    pe_end_ps_ = std::max(pe_end_ps_, now_ps);
    add(of(c), more);
    if (parts_.size() <= part) parts_.resize(part + 1);
    add(parts_[part][static_cast<std::size_t>(c)], more);
  }
  /// Between two steps the array's time line starts anew: what lies between belongs to no step.
  void step_begins(std::uint64_t now_ps) {
    pe_end_ps_ = std::max(pe_end_ps_, now_ps);
    class_ = accelerator::OperationClass::elementwise;
    parts_.clear();
  }
  void step_ends(std::uint64_t now_ps) {
    of(accelerator::OperationClass::elementwise).elapsed_ps +=
        static_cast<double>(now_ps - std::min(now_ps, pe_end_ps_));
    pe_end_ps_ = std::max(pe_end_ps_, now_ps);
  }
  using Times = std::array<ClassTotals, accelerator::operation_class_count>;
  const Times& all() const { return times_; }
  /// Tiles of each part of the step under way or done last, in the order of the sequencer's markers: a tile counts for
  /// the part that it is of, whichever marker it ends before.
  const std::vector<Times>& parts() const { return parts_; }
  /// What a tile adds.
  static void add(ClassTotals& t, const ClassTotals& more) {
    t.elapsed_ps += more.elapsed_ps;
    t.compute_cycles += more.compute_cycles;
    t.tiles += more.tiles;
  }

 private:
  ClassTotals& of(accelerator::OperationClass c) { return times_[static_cast<std::size_t>(c)]; }
  Times times_{};
  std::vector<Times> parts_;
  std::uint64_t pe_end_ps_ = 0;
  accelerator::OperationClass class_ =
      accelerator::OperationClass::elementwise;  // of the last tile; none of the array's
};

/// The counts now. What the formulas expect is of the steps that are complete.
Totals totals_of(accelerator::Accelerator& machine, const ClassTimes& times);

}  // namespace harmonia::testbench
