#include "harmonia/testbench/system/totals.h"

#include <algorithm>

namespace harmonia::testbench {
namespace {

template <std::size_t N>
void add_to(std::array<double, N>& a, const std::array<double, N>& b, double factor) {
  for (std::size_t i = 0; i < N; ++i) a[i] += factor * b[i];
}

}  // namespace

Totals& Totals::add(const Totals& o, double f) {
  if (channels.size() < o.channels.size()) channels.resize(o.channels.size());
  if (units.size() < o.units.size()) units.resize(o.units.size());
  time_ps += f * o.time_ps;
  events += f * o.events;
  macs += f * o.macs;
  slots += f * o.slots;
  weights += f * o.weights;
  converted += f * o.converted;
  vector_elements += f * o.vector_elements;
  buffer_bytes += f * o.buffer_bytes;
  operand_bytes += f * o.operand_bytes;
  add_to(expected_bytes, o.expected_bytes, f);
  expected_macs += f * o.expected_macs;
  expected_slots += f * o.expected_slots;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    ClassTotals& a = classes[i];
    const ClassTotals& b = o.classes[i];
    a.elapsed_ps += f * b.elapsed_ps;
    a.compute_cycles += f * b.compute_cycles;
    a.vector_ps += f * b.vector_ps;
    a.tiles += f * b.tiles;
    a.bytes += f * b.bytes;
    a.macs += f * b.macs;
    a.weights += f * b.weights;
  }
  for (std::size_t i = 0; i < o.channels.size(); ++i) {
    ChannelTotals& a = channels[i];
    const ChannelTotals& b = o.channels[i];
    add_to(a.request_bytes, b.request_bytes, f);
    add_to(a.pin_bytes, b.pin_bytes, f);
    add_to(a.commands, b.commands, f);
    a.bytes_written += f * b.bytes_written;
    a.requests += f * b.requests;
    a.responses += f * b.responses;
    a.row_hits += f * b.row_hits;
    a.row_misses += f * b.row_misses;
    a.row_conflicts += f * b.row_conflicts;
    a.refresh_cycles += f * b.refresh_cycles;
    a.queued += f * b.queued;
    a.cycles += f * b.cycles;
  }
  for (std::size_t i = 0; i < o.units.size(); ++i) {
    units[i].busy += f * o.units[i].busy;
    add_to(units[i].waiting, o.units[i].waiting, f);
  }
  return *this;
}

Totals operator-(const Totals& later, const Totals& earlier) {
  Totals difference = later;
  return difference.add(earlier, -1);
}

double Totals::bytes_of(std::size_t traffic) const {
  double sum = 0;
  for (const ChannelTotals& c : channels) sum += c.request_bytes[traffic];
  return sum;
}

double Totals::pin_bytes() const {
  double sum = 0;
  for (const ChannelTotals& c : channels)
    for (const double bytes : c.pin_bytes) sum += bytes;
  return sum;
}

std::vector<std::string> unit_names() {
  return {"pe_array", "decoder", "vector_unit", "converter", "smoother", "operand_buffer"};
}

Totals totals_of(accelerator::Accelerator& a, const ClassTimes& times) {
  Totals t;
  t.time_ps = static_cast<double>(sc_core::sc_time_stamp().value());
  t.events = static_cast<double>(sc_core::sc_delta_count());
  t.macs = static_cast<double>(a.pe_array.macs());
  t.slots = static_cast<double>(a.pe_array.slots());
  t.weights = static_cast<double>(a.decoder.weights_decoded());
  t.converted = static_cast<double>(a.converter.elements());
  t.vector_elements = static_cast<double>(a.vector_unit.elements());
  t.buffer_bytes = static_cast<double>(a.weight_buffer.statistics().bytes + a.kv_buffer.statistics().bytes);
  t.operand_bytes = static_cast<double>(a.operand_buffer.bytes_read());
  t.classes = times.all();
  const accelerator::Expected& e = a.sequencer.expected();
  for (std::size_t i = 0; i < kTrafficClasses; ++i) t.expected_bytes[i] = static_cast<double>(e.bytes[i]);
  t.expected_macs = static_cast<double>(e.macs);
  t.expected_slots = static_cast<double>(e.pe_slots);
  for (std::size_t i = 0; i < t.classes.size(); ++i) {
    t.classes[i].bytes = static_cast<double>(e.of_class[i].bytes);
    t.classes[i].macs = static_cast<double>(e.of_class[i].macs);
    t.classes[i].weights = static_cast<double>(e.of_class[i].weights);
  }
  for (const auto& channel : a.channels) {
    const dram::ChannelCounts& counts = channel->counts();
    // The engine's books as they are: closing them here would move its clock in the middle of a step.
    const dram::Statistics& s = channel->engine().statistics();
    ChannelTotals c;
    for (std::size_t i = 0; i < kTrafficClasses; ++i) {
      c.request_bytes[i] = static_cast<double>(counts.request_bytes[i]);
      c.pin_bytes[i] = static_cast<double>(counts.pin_bytes[i]);
    }
    c.bytes_written = static_cast<double>(s.bytes[1]);
    for (std::size_t i = 0; i < c.commands.size(); ++i) c.commands[i] = static_cast<double>(s.commands[i]);
    c.requests = static_cast<double>(counts.requests);
    c.responses = static_cast<double>(counts.responses);
    const double bursts = static_cast<double>(s.bursts[0] + s.bursts[1]);
    c.row_hits = bursts - static_cast<double>(s.commands[static_cast<std::size_t>(dram::Cmd::kAct)]);
    c.row_misses = static_cast<double>(s.row_misses);
    c.row_conflicts = static_cast<double>(s.row_conflicts);
    c.refresh_cycles = static_cast<double>(s.refresh_cycles);
    c.queued = s.queue_integral[0] + s.queue_integral[1];
    c.cycles = t.time_ps / channel->config().tCK_ps;
    t.channels.push_back(c);
  }
  for (const bus::Activity* activity :
       {&a.pe_array.activity(), &a.decoder.activity(), &a.vector_unit.activity(), &a.converter.activity(),
        &a.smoother.activity(), &a.operand_buffer.activity()}) {
    UnitTotals u;
    u.busy = static_cast<double>(activity->busy);
    for (std::size_t i = 0; i < bus::wait_count; ++i) u.waiting[i] = static_cast<double>(activity->waiting[i]);
    t.units.push_back(u);
  }
  return t;
}

}  // namespace harmonia::testbench
