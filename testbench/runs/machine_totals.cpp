#include "harmonia/testbench/runs/machine_totals.h"

#include <numeric>

namespace harmonia::testbench {

Totals totals_of(accelerator::Accelerator& a, const ClassTimes& times) {
  Totals t;
  t.time_ps = static_cast<double>(sc_core::sc_time_stamp().value());
  t.events = static_cast<double>(sc_core::sc_delta_count());
  t.macs = static_cast<double>(a.pe_array.macs());
  t.slots = static_cast<double>(a.pe_array.slots());
  t.weights = static_cast<double>(a.decoder.weights_decoded());
  t.converted = static_cast<double>(a.converter.elements());
  t.smoothed = static_cast<double>(a.smoother.smoothed());
  t.vector_elements = static_cast<double>(a.vector_unit.elements());
  t.buffer_bytes = static_cast<double>(a.weight_buffer.statistics().bytes + a.kv_buffer.statistics().bytes);
  t.operand_bytes = static_cast<double>(a.operand_buffer.bytes_read());
  const std::vector<std::uint64_t>& all_reduces = a.sequencer.all_reduces();
  t.all_reduces = static_cast<double>(all_reduces.size());
  t.reduced_values = static_cast<double>(std::accumulate(all_reduces.begin(), all_reduces.end(), std::uint64_t{0}));
  t.classes = times.all();
  t.expect(a.sequencer.expected());
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
    c.energy_pj = channel->engine().energy(static_cast<dram::Cycle>(t.time_ps / channel->config().tCK_ps)).total();
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
