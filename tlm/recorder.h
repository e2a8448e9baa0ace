// Recorders: what blocks publish, written to files. File formats are known here and in pftrace.h only.
//
// Models: nothing. Timeline (Perfetto), bandwidth series (CSV), block activity (VCD, IEEE 1364-2005 section 18).
// Does not model: statistics (those are made by the readers of the records).
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <ostream>
#include <queue>
#include <string>
#include <string_view>
#include <systemc>
#include <unordered_map>
#include <utility>
#include <vector>

#include "harmonia/tlm/analysis.h"
#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/pftrace.h"

namespace harmonia::bus {

/// Picoseconds of a SystemC time, whatever the kernel's resolution.
std::uint64_t picoseconds(const sc_core::sc_time& time);

/// One track per unit with its activities as slices, one counter track per counter name.
class TimelineRecorder : public tlm::tlm_analysis_if<ActivityRecord>, public tlm::tlm_analysis_if<CounterRecord> {
 public:
  explicit TimelineRecorder(const std::string& path, std::uint64_t ps_per_tick = 1000);
  void write(const ActivityRecord& record) override;
  void write(const CounterRecord& record) override;
  /// Adds a GB/s (1e9 bytes) counter per channel and per traffic class that has any traffic.
  void write(const BandwidthSeries& series);
  /// Throws std::runtime_error when the file could not be written completely.
  void close() { writer_.close(); }

 private:
  PftraceWriter::Track track_of(const char* name, bool is_counter);

  PftraceWriter writer_;
  PftraceWriter::Track units_;
  PftraceWriter::Track counters_;
  // Names are mostly literals, so that the pointer decides; units first, counters second.
  std::unordered_map<const char*, PftraceWriter::Track> by_pointer_[2];
  std::map<std::pair<std::string, bool>, PftraceWriter::Track> by_name_;
};

/// Header `begin_ns,end_ns,channel,<class>_bytes...,total_bytes,total_GBps` and one row per bin and channel, bins
/// without traffic included; GBps is 1e9 bytes a second.
void write_bandwidth_csv(std::ostream& out, const BandwidthSeries& series);

/// Value change dump with signals of declared width. Signals may be declared at any time before finish(); changes must
/// come in order of time. The body is kept in an unnamed temporary file until then.
class VcdWriter {
 public:
  using Signal = std::size_t;

  /// Throws std::runtime_error when no temporary file can be made.
  VcdWriter();
  ~VcdWriter();
  VcdWriter(const VcdWriter&) = delete;
  VcdWriter& operator=(const VcdWriter&) = delete;

  /// width 1 to 64 bits; starts as 0.
  Signal declare(std::string_view scope, std::string_view name, unsigned width_bits);
  /// when_ps must not be before the last change, or std::logic_error. An unchanged value writes nothing.
  void change(Signal signal, std::uint64_t when_ps, std::uint64_t value);
  /// Writes the complete file (timescale 1 ps); throws std::runtime_error when that fails.
  void finish(const std::string& path);

 private:
  struct Declared {
    std::string scope;
    std::string name;
    unsigned width;
    std::uint64_t value;
  };
  static std::string code(Signal signal);
  void append_value(std::string& text, Signal signal, std::uint64_t value) const;

  std::FILE* body_;
  std::vector<Declared> signals_;
  std::uint64_t now_ps_ = 0;
  bool any_ = false;
  std::string line_;
};

/// Activities as one-bit signals, a scope per unit. Records may come out of order within `window` changes; a change
/// that comes later than that is moved to the time already written, and counted.
class ActivityVcd : public tlm::tlm_analysis_if<ActivityRecord> {
 public:
  explicit ActivityVcd(std::size_t window = 1 << 16) : window_(window) {}
  void write(const ActivityRecord& record) override;
  void finish(const std::string& path);
  std::uint64_t late_changes() const { return late_; }

 private:
  struct Change {
    std::uint64_t when_ps;
    std::uint64_t sequence;
    VcdWriter::Signal signal;
    int step;  // +1: one more activity of this kind, -1: one less
  };
  struct Later {
    bool operator()(const Change& a, const Change& b) const {
      return b.when_ps < a.when_ps || (a.when_ps == b.when_ps && b.sequence < a.sequence);
    }
  };
  void release();

  VcdWriter writer_;
  std::size_t window_;
  std::map<std::pair<std::string, std::string>, VcdWriter::Signal> signals_;
  std::vector<int> depth_;
  std::priority_queue<Change, std::vector<Change>, Later> pending_;
  std::uint64_t sequence_ = 0;
  std::uint64_t written_ps_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace harmonia::bus
