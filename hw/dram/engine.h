// One DRAM channel, command by command, in integer clock cycles: banks, timing rules, refresh, scheduler, queues.
//
// Models: every command of the bus with the JEDEC-style timing rules of its standard (tables in standards/), FR-FCFS
// with a fairness cap, write batching, open / closed / adaptive pages, refresh with postpone and pull-in, power-down,
// ranks and pseudo channels, the command buses. Event-driven: time without a command costs nothing. Does not model:
// data (see the memory block's storage), ECC, training, self refresh.
//
// How a shell drives it (no SystemC here):
//   - Offers come at non-decreasing cycles. push(request, now) first issues every command that falls before the request
//     can matter, then queues it. Ask can_accept(op) first: that is the back-pressure. It may turn true only through
//     advance().
//   - A completion is known as soon as the last column command is issued, CL + burst before its time. completions()
//     therefore holds entries whose done cycle may lie in the future; deliver each at its done cycle.
//   - next_wake() is a cycle by which the shell must call advance() again in order to be neither late with a completion
//     nor late with an acceptance: no completion that is still unknown can have a done cycle before it. kNever: asleep
//     until the next push (refreshes of an idle channel are caught up with later).
//   - finish(now) brings refreshes, background energy and statistics up to `now`.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/statistics.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

/// A read or write of any length >= 1 byte at any alignment; the engine splits it into bursts (column accesses).
/// Addresses at or above the channel's capacity wrap; the owner of the address map checks ranges.
struct Request {
  std::uint64_t address = 0;  // bytes within the channel
  std::uint32_t length = 0;   // bytes
  Op op = Op::kRead;
  std::uint64_t tag = 0;  // handed back in the completion
};

struct Completion {
  std::uint64_t tag;
  Cycle done;  // end of the last data beat plus backend_cycles: (cycle of the last CAS) + latency + burst
  Cycle offered;
  Op op;
};

class ChannelController;

class Engine {
 public:
  /// The configuration must have been completed by Config::finish().
  explicit Engine(const Config& config);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  const Config& config() const;

  /// May a request of this kind be pushed now? True while fewer than queue_entries bursts of the kind wait and no
  /// earlier request is still being taken in piece by piece.
  bool can_accept(Op op) const;
  /// Offers a request at cycle `now` (not before any earlier call's). Needs can_accept(op), else std::logic_error.
  void push(const Request& request, Cycle now);
  /// Issues every command that no request offered at `now` or later can influence.
  void advance(Cycle now);

  /// Completions found so far in order of discovery (not sorted by done). The caller reads and clears.
  std::vector<Completion>& completions();
  /// See above. Strictly greater than the last `now`, or kNever when nothing waits. A shell that has nothing to offer
  /// at present need not be woken for room in the queues.
  Cycle next_wake(bool for_room = true) const;
  /// Requests accepted and not yet in completions().
  std::size_t in_flight() const;

  /// Runs until nothing waits; returns the last done cycle so far.
  Cycle drain();
  /// Catches up with refreshes and closes the books at `now`; may be called repeatedly. Statistics are then exact.
  void finish(Cycle now);
  const Statistics& statistics() const;
  /// Energy of the commands so far, and background up to `now`, without closing the books: commands that are due and
  /// not issued yet come later.
  Energy energy(Cycle now) const;

  /// Adds an observer of all commands (not owned; must outlive the engine or be removed). Costs nothing when there is
  /// none.
  void add_observer(CommandObserver* observer);
  void remove_observer(CommandObserver* observer);

 private:
  std::unique_ptr<ChannelController> controller_;
};

}  // namespace harmonia::dram
