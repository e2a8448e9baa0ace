#include "harmonia/testbench/system/totals.h"

#include <algorithm>

namespace harmonia::testbench {
namespace {

template <std::size_t N>
void add_to(std::array<double, N>& a, const std::array<double, N>& b, double factor) {
  for (std::size_t i = 0; i < N; ++i) a[i] += factor * b[i];
}

template <typename T>
using Counts = std::vector<double T::*>;

// Every count of the three structs that is a plain number.
const Counts<Totals> kOfRun = {&Totals::time_ps,         &Totals::events,        &Totals::macs,
                               &Totals::slots,           &Totals::weights,       &Totals::converted,
                               &Totals::vector_elements, &Totals::buffer_bytes,  &Totals::operand_bytes,
                               &Totals::expected_macs,   &Totals::expected_slots};
const Counts<ClassTotals> kOfClass = {&ClassTotals::elapsed_ps, &ClassTotals::compute_cycles, &ClassTotals::vector_ps,
                                      &ClassTotals::tiles,      &ClassTotals::bytes,          &ClassTotals::macs,
                                      &ClassTotals::weights};
const Counts<ChannelTotals> kOfChannel = {
    &ChannelTotals::bytes_written,  &ChannelTotals::requests,   &ChannelTotals::responses,
    &ChannelTotals::row_hits,       &ChannelTotals::row_misses, &ChannelTotals::row_conflicts,
    &ChannelTotals::refresh_cycles, &ChannelTotals::queued,     &ChannelTotals::cycles};

template <typename T>
void add_to(T& a, const T& b, double factor, const Counts<T>& counts) {
  for (const auto count : counts) a.*count += factor * b.*count;
}

}  // namespace

Totals& Totals::add(const Totals& o, double f) {
  if (channels.size() < o.channels.size()) channels.resize(o.channels.size());
  if (units.size() < o.units.size()) units.resize(o.units.size());
  add_to(*this, o, f, kOfRun);
  add_to(expected_bytes, o.expected_bytes, f);
  for (std::size_t i = 0; i < classes.size(); ++i) add_to(classes[i], o.classes[i], f, kOfClass);
  for (std::size_t i = 0; i < o.channels.size(); ++i) {
    ChannelTotals& a = channels[i];
    const ChannelTotals& b = o.channels[i];
    add_to(a, b, f, kOfChannel);
    add_to(a.request_bytes, b.request_bytes, f);
    add_to(a.pin_bytes, b.pin_bytes, f);
    add_to(a.commands, b.commands, f);
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
