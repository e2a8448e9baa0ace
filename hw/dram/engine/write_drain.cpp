#include "harmonia/hw/dram/engine/write_drain.h"

#include <algorithm>

namespace harmonia::dram {

WriteDrain::WriteDrain(const Config& config, const Organisation& organisation, const RequestQueues& queues,
                       const BankStates& banks, Statistics& statistics)
    : organisation_(organisation),
      queues_(queues),
      banks_(banks),
      statistics_(statistics),
      high_(config.write_high_watermark),
      low_(config.write_low_watermark),
      most_writes_(config.queue_entries),
      max_wait_(config.write_max_wait_cycles),
      idle_(config.write_idle_cycles) {}

Cycle WriteDrain::due(int pseudo_channel) const {
  const Cycle oldest = queues_.oldest_write(pseudo_channel);
  if (oldest == kNever) return kNever;
  Cycle due = kNever;
  if (max_wait_ > 0) due = oldest + max_wait_;
  if (idle_ > 0) due = std::min(due, queues_.newest_write(pseudo_channel) + idle_);
  return due;
}

int WriteDrain::wanted_op(const Direction& d, int pc, Cycle t) const {
  const int all_writes = queues_.waiting(1, pc), writes = all_writes - queues_.blocked(1, pc);
  if (writes == 0) return 0;
  const int reads = queues_.waiting(0, pc) - queues_.blocked(0, pc);
  if (reads == 0) return 1;
  const bool stays = d.row_op == 1 && all_writes > low_ && d.served < most_writes_;
  const bool begins = d.row_op == 0 && all_writes >= high_ && d.served >= high_ - low_;
  if (stays || begins) return 1;
  // Writes that cannot wait: for their age, or because a read waits for one of them.
  return queues_.blocked(0, pc) > 0 || due(pc) <= t ? 1 : 0;
}

bool WriteDrain::look(int pc, Cycle t) {
  Direction& d = directions_[pc];
  bool changed = false;
  if (const int op = wanted_op(d, pc, t); op != d.row_op) {
    d.row_op = op;
    d.served = 0;
    if (op == 1) ++statistics_.write_batches;
    changed = true;
  }
  if (d.column_op != d.row_op) {
    std::uint64_t still_to_use = 0;
    for (int unit = pc; unit < organisation_.units; unit += organisation_.pseudo_channels)
      still_to_use |= banks_.opened_for(unit, d.column_op);
    if (still_to_use == 0) {
      d.column_op = d.row_op;
      changed = true;
    }
  }
  return changed;
}

void WriteDrain::columns_issued(int pseudo_channel, int op, int count) {
  Direction& d = directions_[pseudo_channel];
  if (d.last_op != op) {
    if (d.last_op >= 0) ++statistics_.turnarounds;
    d.last_op = op;
  }
  if (op == d.row_op) d.served += count;
}

}  // namespace harmonia::dram
