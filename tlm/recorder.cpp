#include "harmonia/tlm/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace harmonia::bus {

std::uint64_t picoseconds(const sc_core::sc_time& time) {
  static const double unit_ps = sc_core::sc_get_time_resolution().to_seconds() * 1e12;
  if (unit_ps > 0.999 && unit_ps < 1.001) return time.value();
  return static_cast<std::uint64_t>(static_cast<double>(time.value()) * unit_ps);
}

TimelineRecorder::TimelineRecorder(const std::string& path, std::uint64_t ps_per_tick)
    : writer_(path, ps_per_tick), units_(writer_.add_group("units")), counters_(writer_.add_group("counters")) {}

PftraceWriter::Track TimelineRecorder::track_of(const char* name, bool is_counter) {
  auto& by_pointer = by_pointer_[is_counter ? 1 : 0];
  const auto known = by_pointer.find(name);
  if (known != by_pointer.end()) return known->second;
  const auto [entry, is_new] = by_name_.try_emplace({name, is_counter}, 0);
  if (is_new) entry->second = is_counter ? writer_.add_counter(name, "", counters_) : writer_.add_track(name, units_);
  by_pointer.emplace(name, entry->second);
  return entry->second;
}

void TimelineRecorder::write(const ActivityRecord& record) {
  writer_.slice(track_of(record.unit, false), record.activity, picoseconds(record.begin), picoseconds(record.end),
                record.operation);
}

void TimelineRecorder::write(const CounterRecord& record) {
  writer_.counter(track_of(record.counter, true), picoseconds(record.when), record.value);
}

void TimelineRecorder::write(const BandwidthSeries& series) {
  const std::uint64_t bin_ps = picoseconds(series.bin());
  const double bin_ns = static_cast<double>(bin_ps) / 1000;  // bytes per ns are GB/s
  for (unsigned channel = 0; channel < series.channels(); ++channel) {
    const std::vector<BandwidthSeries::Bin>& bins = series.series(channel);
    for (std::size_t c = 0; c < traffic_class_count; ++c) {
      if (series.total(channel, static_cast<TrafficClass>(c)) == 0) continue;
      const PftraceWriter::Track track = writer_.add_counter(
          fmt::format("channel {} {}", channel, name_of(static_cast<TrafficClass>(c))), "GB/s", counters_);
      for (std::size_t i = 0; i < bins.size(); ++i) {
        if (i > 0 && bins[i].bytes[c] == bins[i - 1].bytes[c]) continue;
        writer_.counter(track, i * bin_ps, static_cast<double>(bins[i].bytes[c]) / bin_ns);
      }
      writer_.counter(track, bins.size() * bin_ps, 0);
    }
  }
}

void write_bandwidth_csv(std::ostream& out, const BandwidthSeries& series) {
  out << "begin_ns,end_ns,channel";
  for (std::size_t c = 0; c < traffic_class_count; ++c) out << ',' << name_of(static_cast<TrafficClass>(c)) << "_bytes";
  out << ",total_bytes,total_GBps\n";
  const double bin_ns = static_cast<double>(picoseconds(series.bin())) / 1000;
  std::size_t bins = 0;
  for (unsigned channel = 0; channel < series.channels(); ++channel)
    bins = std::max(bins, series.series(channel).size());
  static const BandwidthSeries::Bin empty;
  for (std::size_t i = 0; i < bins; ++i) {
    for (unsigned channel = 0; channel < series.channels(); ++channel) {
      const auto& of_channel = series.series(channel);
      const BandwidthSeries::Bin& bin = i < of_channel.size() ? of_channel[i] : empty;
      std::uint64_t total = 0;
      out << static_cast<double>(i) * bin_ns << ',' << static_cast<double>(i + 1) * bin_ns << ',' << channel;
      for (const std::uint64_t bytes : bin.bytes) {
        out << ',' << bytes;
        total += bytes;
      }
      out << ',' << total << ',' << static_cast<double>(total) / bin_ns << '\n';
    }
  }
}

VcdWriter::VcdWriter() : body_(std::tmpfile()) {
  if (!body_) throw std::runtime_error(std::string("cannot make a temporary file: ") + std::strerror(errno));
}

VcdWriter::~VcdWriter() { std::fclose(body_); }

std::string VcdWriter::code(Signal signal) {
  std::string text;  // printable characters ! to ~ as digits
  do {
    text.push_back(static_cast<char>('!' + signal % 94));
    signal /= 94;
  } while (signal != 0);
  return text;
}

VcdWriter::Signal VcdWriter::declare(std::string_view scope, std::string_view name, unsigned width_bits) {
  if (width_bits < 1 || width_bits > 64) throw std::logic_error("a VCD signal has 1 to 64 bits");
  const auto identifier = [](std::string_view text) {
    std::string clean(text);
    for (char& c : clean)
      if (c <= ' ' || c > '~') c = '_';
    return clean;
  };
  signals_.push_back({identifier(scope), identifier(name), width_bits, 0});
  return signals_.size() - 1;
}

void VcdWriter::append_value(std::string& text, Signal signal, std::uint64_t value) const {
  const unsigned width = signals_[signal].width;
  if (width == 1) {
    text.push_back(value & 1 ? '1' : '0');
  } else {
    text.push_back('b');
    for (unsigned bit = width; bit-- > 0;) text.push_back(value >> bit & 1 ? '1' : '0');
    text.push_back(' ');
  }
  text.append(code(signal));
  text.push_back('\n');
}

void VcdWriter::change(Signal signal, std::uint64_t when_ps, std::uint64_t value) {
  if (any_ && when_ps < now_ps_) throw std::logic_error("VCD changes out of order");
  Declared& declared = signals_.at(signal);
  if (declared.value == value) return;
  declared.value = value;
  line_.clear();
  if (!any_ || when_ps != now_ps_) line_.append("#").append(std::to_string(when_ps)).append("\n");
  any_ = true;
  now_ps_ = when_ps;
  append_value(line_, signal, value);
  std::fwrite(line_.data(), 1, line_.size(), body_);
}

void VcdWriter::finish(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  std::string header = "$timescale 1 ps $end\n";
  std::map<std::string, std::vector<Signal>> scopes;
  for (Signal signal = 0; signal < signals_.size(); ++signal) scopes[signals_[signal].scope].push_back(signal);
  for (const auto& [scope, members] : scopes) {
    header += "$scope module " + scope + " $end\n";
    for (const Signal signal : members)
      header += fmt::format("$var wire {} {} {} $end\n", signals_[signal].width, code(signal), signals_[signal].name);
    header += "$upscope $end\n";
  }
  header += "$enddefinitions $end\n$dumpvars\n";
  for (Signal signal = 0; signal < signals_.size(); ++signal) append_value(header, signal, 0);
  header += "$end\n";
  bool ok = std::fwrite(header.data(), 1, header.size(), file) == header.size();
  std::rewind(body_);
  char block[16384];
  for (std::size_t read; (read = std::fread(block, 1, sizeof block, body_)) != 0;)
    ok = std::fwrite(block, 1, read, file) == read && ok;
  ok = std::ferror(body_) == 0 && ok;
  ok = std::fclose(file) == 0 && ok;
  if (!ok) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

void ActivityVcd::write(const ActivityRecord& record) {
  const auto [entry, is_new] = signals_.try_emplace({record.unit, record.activity}, 0);
  if (is_new) {
    entry->second = writer_.declare(record.unit, record.activity, 1);
    depth_.push_back(0);
  }
  pending_.push({picoseconds(record.begin), sequence_++, entry->second, +1});
  pending_.push({picoseconds(record.end), sequence_++, entry->second, -1});
  while (pending_.size() > window_) release();
}

void ActivityVcd::release() {
  const Change change = pending_.top();
  pending_.pop();
  if (change.when_ps < written_ps_) ++late_;
  written_ps_ = std::max(written_ps_, change.when_ps);
  int& depth = depth_[change.signal];
  depth += change.step;
  writer_.change(change.signal, written_ps_, depth > 0 ? 1 : 0);
}

void ActivityVcd::finish(const std::string& path) {
  while (!pending_.empty()) release();
  writer_.finish(path);
}

}  // namespace harmonia::bus
