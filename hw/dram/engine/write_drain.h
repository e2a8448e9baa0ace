// Whether reads or writes are served: writes wait and go in batches.
//
// Models: the direction of each pseudo channel (a data bus), which turns to writes at the high watermark, when no read
// waits, when a write has waited long enough or no other has come for a while, and back at the low watermark. Rows are
// opened for the new direction at once; column commands follow when the rows that were opened before are used.
// Does not model: the bubble of the data bus at a turn; that is a timing rule.
#pragma once

#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/bank_states.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/engine/request_queues.h"
#include "harmonia/hw/dram/statistics.h"

namespace harmonia::dram {

class WriteDrain {
 public:
  WriteDrain(const Config& config, const Organisation& organisation, const RequestQueues& queues,
             const BankStates& banks, Statistics& statistics);

  /// 0 while reads are served, 1 while writes are: of rows and of column commands.
  int row_op(int pseudo_channel) const { return of(pseudo_channel).row_op; }
  int column_op(int pseudo_channel) const { return of(pseudo_channel).column_op; }
  /// Cycle at which waiting writes must be served although reads wait: the oldest has waited long enough, or no other
  /// came for a while and the watermark is not going to be reached soon.
  Cycle due(int pseudo_channel) const;
  /// Looks at the queues at cycle t. True when the direction of rows or of column commands has changed.
  bool update(int pseudo_channel, Cycle t) {
    const Direction& d = of(pseudo_channel);
    return (queues_.waiting(1, pseudo_channel) != 0 || d.row_op != 0 || d.column_op != 0) && look(pseudo_channel, t);
  }
  /// So many column commands have been issued.
  void columns_issued(int pseudo_channel, int op, int count);

 private:
  struct Direction {
    int row_op = 0, column_op = 0;
    int served = 0;    // bursts since the direction was taken
    int last_op = -1;  // of the data bus
  };
  const Direction& of(int i) const { return directions_[i]; }
  bool look(int pseudo_channel, Cycle t);
  int wanted_op(const Direction& d, int pseudo_channel, Cycle t) const;

  const Organisation organisation_;
  const RequestQueues& queues_;
  const BankStates& banks_;
  Statistics& statistics_;
  int high_, low_, most_writes_;
  Cycle max_wait_, idle_;
  PerUnit<Direction> directions_;
};

}  // namespace harmonia::dram
