// What listens to a machine while it runs: time per operation class, bytes over time, time line, waves, interrupts.
//
// Models: nothing; it takes no simulated time and schedules nothing. Samples are taken when the PE array ends a tile,
//   so that a bin of the bandwidth series is exact to a tile.
// Does not model: single transactions (recording.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/runs/bandwidth_bins.h"
#include "harmonia/testbench/runs/machine_totals.h"
#include "harmonia/testbench/runs/recording.h"
#include "harmonia/tlm/pftrace.h"
#include "harmonia/tlm/recorder.h"

namespace harmonia::testbench {

struct InstrumentOptions {
  std::string timeline_file, waves_file;  // empty: not written
  double bandwidth_interval_s = 0;        // 0: grows with the run
  std::uint64_t most_slices = 2000000;    // of the time line; what comes after is left out
};

class Instruments {
 public:
  /// The machine must outlive the instruments. Throws config::RunError when a file cannot be made.
  Instruments(accelerator::Accelerator& machine, const InstrumentOptions& options);
  ~Instruments();

  /// Tells it of steps too; null: none. It must outlive the last step.
  void record_steps(Recording* recording) { recording_ = recording; }
  void step_begins();
  void step_ends();
  /// A named stretch of a step on the time line's first track.
  void phase(const std::string& name, std::uint64_t begin_ps, std::uint64_t end_ps);
  const ClassTimes& times() const { return times_; }
  BandwidthBins& bins() { return bins_; }
  /// Whether an interrupt came and the simulation was paused for it.
  bool stopped() const { return stopped_; }
  /// Completes the files. Returns what was left out, or nothing.
  std::string finish();

 private:
  enum Unit : std::size_t { pe_array, decoder, vector_unit, converter, smoother, operand_buffer };  // of unit_names()
  void tile(const pe::TileRecord& tile);
  void work(Unit unit, const bus::Work& work);
  void sample(std::uint64_t now_ps);

  accelerator::Accelerator& machine_;
  InstrumentOptions options_;
  Recording* recording_ = nullptr;
  ClassTimes times_;
  BandwidthBins bins_;
  bool stopped_ = false;
  std::uint64_t sampled_ps_ = 0, slices_ = 0;
  std::vector<std::array<std::uint64_t, kTrafficClasses>> seen_;
  std::array<std::uint64_t, 6> unit_busy_{};

  std::unique_ptr<bus::PftraceWriter> timeline_;
  const std::vector<std::string> names_ = unit_names();
  bus::PftraceWriter::Track phase_track_ = 0;
  std::vector<bus::PftraceWriter::Track> unit_tracks_, busy_tracks_, bandwidth_tracks_, queue_tracks_;
  std::unique_ptr<bus::ActivityVcd> waves_;
};

}  // namespace harmonia::testbench
