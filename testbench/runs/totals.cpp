#include "harmonia/testbench/runs/totals.h"

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
const Counts<Totals> kOfRun = {&Totals::time_ps,
                               &Totals::events,
                               &Totals::macs,
                               &Totals::slots,
                               &Totals::weights,
                               &Totals::converted,
                               &Totals::vector_elements,
                               &Totals::buffer_bytes,
                               &Totals::operand_bytes,
                               &Totals::smoothed,
                               &Totals::expected_macs,
                               &Totals::expected_slots,
                               &Totals::mixtures,
                               &Totals::most_experts,
                               &Totals::all_reduces,
                               &Totals::reduced_values,
                               &Totals::expected_reduced_values,
                               &Totals::sends,
                               &Totals::sent_values,
                               &Totals::sent_bytes,
                               &Totals::sent_wire_bytes};
const Counts<ExpertTotals> kOfExperts = {
    &ExpertTotals::experts,       &ExpertTotals::rows,    &ExpertTotals::macs,
    &ExpertTotals::slots,         &ExpertTotals::weights, &ExpertTotals::buffer_bytes,
    &ExpertTotals::operand_bytes, &ExpertTotals::results, &ExpertTotals::converted};
const Counts<ClassTotals> kOfClass = {&ClassTotals::elapsed_ps,
                                      &ClassTotals::compute_cycles,
                                      &ClassTotals::vector_ps,
                                      &ClassTotals::tiles,
                                      &ClassTotals::turns,
                                      &ClassTotals::bytes,
                                      &ClassTotals::macs,
                                      &ClassTotals::weights,
                                      &ClassTotals::weight_buffer_bytes,
                                      &ClassTotals::kv_buffer_bytes,
                                      &ClassTotals::bound_ps};
const Counts<ChannelTotals> kOfChannel = {&ChannelTotals::energy_pj,     &ChannelTotals::bytes_written,
                                          &ChannelTotals::requests,      &ChannelTotals::responses,
                                          &ChannelTotals::row_hits,      &ChannelTotals::row_misses,
                                          &ChannelTotals::row_conflicts, &ChannelTotals::refresh_cycles,
                                          &ChannelTotals::queued,        &ChannelTotals::cycles};

template <typename T>
void add_to(T& a, const T& b, double factor, const Counts<T>& counts) {
  for (const auto count : counts) a.*count += factor * b.*count;
}

ExpertTotals totals_of(const accelerator::ExpertWork& w) {
  ExpertTotals t;
  t.experts = static_cast<double>(w.experts);
  t.rows = static_cast<double>(w.rows);
  for (std::size_t i = 0; i < kTrafficClasses; ++i) t.bytes[i] = static_cast<double>(w.bytes[i]);
  t.macs = static_cast<double>(w.macs);
  t.slots = static_cast<double>(w.pe_slots);
  t.weights = static_cast<double>(w.weights);
  t.buffer_bytes = static_cast<double>(w.buffer_bytes);
  t.operand_bytes = static_cast<double>(w.operand_bytes);
  t.results = static_cast<double>(w.results);
  t.converted = static_cast<double>(w.converted);
  return t;
}

}  // namespace

ExpertTotals& ExpertTotals::add(const ExpertTotals& o, double f) {
  add_to(*this, o, f, kOfExperts);
  add_to(bytes, o.bytes, f);
  return *this;
}

Totals& Totals::add(const Totals& o, double f) {
  if (channels.size() < o.channels.size()) channels.resize(o.channels.size());
  if (units.size() < o.units.size()) units.resize(o.units.size());
  add_to(*this, o, f, kOfRun);
  add_to(expected_bytes, o.expected_bytes, f);
  experts.add(o.experts, f);
  placed.add(o.placed, f);
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

void Totals::expect(const accelerator::Expected& e) {
  for (std::size_t i = 0; i < kTrafficClasses; ++i) expected_bytes[i] = static_cast<double>(e.bytes[i]);
  expected_macs = static_cast<double>(e.macs);
  expected_slots = static_cast<double>(e.pe_slots);
  mixtures = static_cast<double>(e.mixtures);
  experts = totals_of(e.experts);
  placed = totals_of(e.placed);
  most_experts = static_cast<double>(e.most_experts);
  expected_reduced_values = static_cast<double>(e.reduced_values);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    classes[i].bytes = static_cast<double>(e.of_class[i].bytes);
    classes[i].macs = static_cast<double>(e.of_class[i].macs);
    classes[i].weights = static_cast<double>(e.of_class[i].weights);
    classes[i].weight_buffer_bytes = static_cast<double>(e.of_class[i].weight_buffer_bytes);
    classes[i].kv_buffer_bytes = static_cast<double>(e.of_class[i].kv_buffer_bytes);
  }
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

double Totals::elapsed_ps() const {
  double sum = 0;
  for (const ClassTotals& c : classes) sum += c.elapsed_ps;
  return sum;
}

void Totals::share_out_time() {
  const double sum = elapsed_ps();
  if (sum <= 0) return;
  for (ClassTotals& c : classes) c.elapsed_ps *= time_ps / sum;
}

double Totals::least_count() const {
  double least = 0;
  const auto members = [&least](const auto& part, const auto& counts) {
    for (const auto count : counts) least = std::min(least, part.*count);
  };
  const auto arrays = [&least](const auto& counts) {
    for (const double count : counts) least = std::min(least, count);
  };
  members(*this, kOfRun);
  arrays(expected_bytes);
  for (const ExpertTotals* of_devices : {&experts, &placed}) {
    members(*of_devices, kOfExperts);
    arrays(of_devices->bytes);
  }
  for (const ClassTotals& c : classes) members(c, kOfClass);
  for (ChannelTotals c : channels) {
    c.row_hits = std::max(0.0, c.row_hits);
    members(c, kOfChannel);
    arrays(c.request_bytes);
    arrays(c.pin_bytes);
    arrays(c.commands);
  }
  for (const UnitTotals& u : units) {
    least = std::min(least, u.busy);
    arrays(u.waiting);
  }
  return least;
}

std::vector<std::string> unit_names() {
  return {"pe_array", "decoder", "vector_unit", "converter", "smoother", "operand_buffer"};
}

}  // namespace harmonia::testbench
