#include "harmonia/testbench/runs/instruments.h"

#include <algorithm>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"

namespace harmonia::testbench {
namespace {

std::uint64_t now() { return sc_core::sc_time_stamp().value(); }

std::array<const bus::Activity*, 6> activities(const accelerator::Accelerator& a) {
  return {&a.pe_array.activity(),  &a.decoder.activity(),  &a.vector_unit.activity(),
          &a.converter.activity(), &a.smoother.activity(), &a.operand_buffer.activity()};
}

bus::ActivityRecord record(const char* unit, accelerator::OperationClass c, std::uint64_t begin_ps,
                           std::uint64_t end_ps, std::uint32_t operation) {
  return {unit, accelerator::name_of(c), sc_core::sc_time::from_value(begin_ps), sc_core::sc_time::from_value(end_ps),
          operation};
}

}  // namespace

Instruments::Instruments(accelerator::Accelerator& machine, const InstrumentOptions& options)
    : machine_(machine),
      options_(options),
      bins_(BandwidthBins::asked(
          options.bandwidth_interval_s,
          accelerator::peak_bandwidth(machine.config()) / static_cast<double>(machine.channels.size()),
          machine.channels.size())),
      seen_(machine.channels.size()) {
  machine.pe_array.observer = [this](const pe::TileRecord& t) { tile(t); };
  machine.vector_unit.observer = [this](const bus::Work& w) {
    times_.vector(machine_, w);
    work(vector_unit, w);
  };
  machine.sequencer.on_kernel = [this](accelerator::OperationClass c, std::size_t part) {
    times_.kernel(c, part, now());
  };
  if (!options_.timeline_file.empty()) {
    timeline_ = std::make_unique<bus::PftraceWriter>(options_.timeline_file);
    const auto units = timeline_->add_group("units"), counters = timeline_->add_group("counters");
    phase_track_ = timeline_->add_track("step", units);
    for (const std::string& unit : unit_names()) unit_tracks_.push_back(timeline_->add_track(unit, units));
    for (const std::string& unit : unit_names())
      busy_tracks_.push_back(timeline_->add_counter(unit + " busy", "%", units));
    for (std::size_t i = 0; i < machine.channels.size(); ++i) {
      const std::string channel = "channel " + std::to_string(i);
      bandwidth_tracks_.push_back(timeline_->add_counter(channel + " bandwidth", "GB/s", counters));
      queue_tracks_.push_back(timeline_->add_counter(channel + " requests in flight", "requests", counters));
    }
  }
  if (!options_.waves_file.empty()) waves_ = std::make_unique<bus::ActivityVcd>();
  if (timeline_ || waves_) {
    machine.decoder.observer = [this](const bus::Work& w) { work(decoder, w); };
    machine.converter.observer = [this](const bus::Work& w) { work(converter, w); };
    machine.smoother.observer = [this](const bus::Work& w) { work(smoother, w); };
    machine.operand_buffer.observer = [this](const bus::Work& w) { work(operand_buffer, w); };
  }
}

Instruments::~Instruments() {
  machine_.sequencer.on_kernel = nullptr;
  machine_.pe_array.observer = nullptr;
  machine_.vector_unit.observer = nullptr;
  machine_.decoder.observer = nullptr;
  machine_.converter.observer = nullptr;
  machine_.smoother.observer = nullptr;
  machine_.operand_buffer.observer = nullptr;
}

void Instruments::step_begins() {
  times_.step_begins(now());
  if (recording_) recording_->step_begins(now());
}

void Instruments::step_ends() {
  times_.step_ends(now());
  if (recording_) recording_->step_ends(now(), machine_.sequencer);
  sample(now());
}

void Instruments::phase(const std::string& name, std::uint64_t begin_ps, std::uint64_t end_ps) {
  if (timeline_ && slices_++ < options_.most_slices) timeline_->slice(phase_track_, name, begin_ps, end_ps);
}

void Instruments::work(Unit unit, const bus::Work& w) {
  const accelerator::OperationClass c = machine_.sequencer.class_of(w.operation);
  if (timeline_ && slices_++ < options_.most_slices)
    timeline_->slice(unit_tracks_[unit], accelerator::name_of(c), w.begin_ps, w.end_ps, w.operation);
  if (waves_) waves_->write(record(names_[unit].c_str(), c, w.begin_ps, w.end_ps, w.operation));
}

void Instruments::tile(const pe::TileRecord& t) {
  times_.tile(machine_, t);
  work(pe_array, {t.operation, t.begin_ps, t.end_ps, 0});
  // A tenth of a bin keeps the series exact and costs nothing beside the tiles.
  if (static_cast<double>(now() - sampled_ps_) * 1e-12 >= bins_.bin_s() / 10) sample(now());
  if (interrupted() && !stopped_) {
    stopped_ = true;
    sc_core::sc_pause();
  }
}

void Instruments::sample(std::uint64_t now_ps) {
  if (now_ps <= sampled_ps_) return;
  const double begin = static_cast<double>(sampled_ps_) * 1e-12, end = static_cast<double>(now_ps) * 1e-12;
  for (std::size_t i = 0; i < machine_.channels.size(); ++i) {
    const dram::ChannelCounts& counts = machine_.channels[i]->counts();
    BandwidthBins::Bytes bytes{};
    double sum = 0;
    for (std::size_t c = 0; c < kTrafficClasses; ++c) {
      bytes[c] = static_cast<double>(counts.answered_pin_bytes[c] - seen_[i][c]);
      seen_[i][c] = counts.answered_pin_bytes[c];
      sum += bytes[c];
    }
    bins_.add(i, begin, end, bytes);
    if (timeline_ && slices_ < options_.most_slices) {
      timeline_->counter(bandwidth_tracks_[i], sampled_ps_, sum / (end - begin) * 1e-9);
      timeline_->counter(queue_tracks_[i], now_ps, static_cast<double>(machine_.channels[i]->in_flight()));
    }
  }
  if (timeline_ && slices_ < options_.most_slices) {
    const double cycles = (end - begin) * machine_.config().clock_mhz * 1e6;
    const auto units = activities(machine_);
    for (std::size_t u = 0; u < units.size(); ++u) {
      const double busy = static_cast<double>(units[u]->busy - unit_busy_[u]);
      unit_busy_[u] = units[u]->busy;
      timeline_->counter(busy_tracks_[u], sampled_ps_, std::min(100.0, 100 * busy / cycles));
    }
  }
  sampled_ps_ = now_ps;
}

std::string Instruments::finish() {
  std::string note;
  try {
    if (timeline_) timeline_->close();
    if (waves_) waves_->finish(options_.waves_file);
  } catch (const std::runtime_error& e) {
    throw config::RunError(e.what());
  }
  if (timeline_ && slices_ > options_.most_slices)
    note = "the time line holds the first " + std::to_string(options_.most_slices) + " of " + std::to_string(slices_) +
           " slices";
  return note;
}

}  // namespace harmonia::testbench
