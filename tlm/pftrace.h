// Writer of Perfetto traces: tracks with slices, and counters.
//
// Models: nothing. Encodes the protocol-buffer messages TracePacket, TrackDescriptor, TrackEvent and InternedData of
// the public Perfetto trace format (perfetto.dev, "Reference: trace packet proto") by hand; no protobuf library is
// needed. Does not model: flows, thread tracks, clock domains. Perfetto counts integer nanoseconds: with the default of
// 1000 ps a tick, times are rounded down to that; a smaller tick stretches the displayed time by 1000 / tick.
//
// Memory is bounded by one buffer and one entry per distinct slice name; everything else goes to the file as it comes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>

namespace harmonia::bus {

class PftraceWriter {
 public:
  using Track = std::uint64_t;

  /// Creates the file; throws std::runtime_error with the reason when that fails. ps_per_tick >= 1.
  explicit PftraceWriter(const std::string& path, std::uint64_t ps_per_tick = 1000);
  /// Closes and ignores errors; call close() to learn of them.
  ~PftraceWriter();
  PftraceWriter(const PftraceWriter&) = delete;
  PftraceWriter& operator=(const PftraceWriter&) = delete;

  /// A heading under which tracks are grouped; shown as a process.
  Track add_group(std::string_view name);
  Track add_track(std::string_view name, Track group);
  /// unit_name is shown beside the value, e.g. "GB/s".
  Track add_counter(std::string_view name, std::string_view unit_name, Track group);

  /// begin <= end; slices of one track must nest or follow each other. `detail` is shown as an argument unless 0.
  void slice(Track track, std::string_view name, std::uint64_t begin_ps, std::uint64_t end_ps,
             std::uint64_t detail = 0);
  void counter(Track track, std::uint64_t when_ps, double value);

  /// Everything is on disk, or std::runtime_error.
  void close();

 private:
  class Message;
  std::uint64_t ticks(std::uint64_t ps) const { return ps / ps_per_tick_; }
  std::uint64_t intern(std::string_view name, Message& packet);
  void write(const Message& packet);
  void flush();

  std::FILE* file_ = nullptr;
  std::string path_;
  std::uint64_t ps_per_tick_;
  std::string buffer_;
  std::unordered_map<std::string, std::uint64_t> names_;
  std::string key_;  // reused for look-ups
  std::uint64_t next_uuid_ = 1;
  std::int32_t next_pid_ = 1;
  bool failed_ = false;
};

}  // namespace harmonia::bus
