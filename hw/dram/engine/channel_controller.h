// The controller of one channel: takes requests, and issues one command after the other at the cycle that the scheduler
// decides. This is the reference model of the engine.
//
// Models: acceptance of requests piece by piece, what each command does to banks, timing, queues, refresh and counts,
// and completions. The fast path (RowHitStream), when there is one, issues runs of column commands by itself and calls
// back for everything else.
#pragma once

#include <memory>
#include <vector>

#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/dram/engine/channel_state.h"
#include "harmonia/hw/dram/engine/command_scheduler.h"

namespace harmonia::dram {

class RowHitStream;

class ChannelController {
 public:
  explicit ChannelController(const Config& config);
  ~ChannelController();

  // --- the interface of Engine
  const Config& config() const { return state_.config; }
  bool can_accept(Op op) {
    if (partial_.left > 0) return false;
    if (state_.queues.waiting(index(op)) + deferred_bursts_[index(op)] < state_.queues.capacity()) return true;
    if (!deferred_.empty()) advance(last_push_);
    return state_.queues.waiting(index(op)) < state_.queues.capacity();
  }
  void push(const Request& request, Cycle now);
  void advance(Cycle now) {
    const Cycle limit = last_before(now);
    if (limit > done_until_ || !deferred_.empty()) run_until(std::max(limit, done_until_));
  }
  std::vector<Completion>& completions() { return completions_; }
  Cycle next_wake(bool for_room);
  std::size_t in_flight() const { return state_.queues.requests.count(); }
  Cycle drain();
  void finish(Cycle now);
  Energy energy(Cycle now) const;
  const Statistics& statistics() const { return state_.statistics; }
  std::vector<CommandObserver*>& observers() { return state_.observers; }

  // --- for the fast path
  /// Issues a command, or lets an event happen.
  void perform(const Decision& d);
  /// ACT2 right behind ACT1 unless something else could come first: what the next decision would find. Nothing but row
  /// commands comes up to the limit.
  void follow_with_second_activate(const Decision& d, Cycle limit);
  /// The last burst of the request is on the bus at t.
  void complete(std::uint32_t request, Cycle t);
  /// Sends CAS in the cycle before a column command for which WCK is out of step.
  void send_cas(int op, int unit, int bank, Cycle t);
  void update_direction(int pseudo_channel, Cycle t);
  void queue_next_deferred();
  /// The first cycle whose commands the oldest deferred request can influence, less one; kNever when there is none.
  Cycle first_deferred() const { return deferred_.empty() ? kNever : last_before(deferred_.front().offered); }
  Op op_of_next_deferred() const { return deferred_.front().op; }
  /// Part of a long request is still outside the queues.
  bool has_partial() const { return partial_.left > 0; }
  /// Every decision up to here is to be made.
  Cycle limit() const { return limit_; }
  void set_next(const Decision& d) { next_ = &d; }
  bool next_is_known() const { return next_ != nullptr; }
  const Decision& next() const { return *next_; }
  void forget_next() { next_ = nullptr; }
  void invalidate() {
    scheduler_.invalidate();
    next_ = nullptr;
  }

 private:
  /// A request on its way into the queues.
  struct Incoming {
    std::uint64_t low = 0, left = 0;  // next burst, and bursts that are still outside
    std::int64_t age_bias = 0;
    std::uint32_t request = 0;
    Op op = Op::kRead;
    Cycle offered = 0;
  };
  /// A first-in first-out queue that keeps its memory.
  template <class T>
  class Fifo {
   public:
    bool empty() const { return head_ == items_.size(); }
    const T& front() const { return items_[head_]; }
    T& push_back() { return items_.emplace_back(); }
    void pop_front() {
      if (++head_ == items_.size()) {
        items_.clear();
        head_ = 0;
      }
    }

   private:
    std::vector<T> items_;
    std::size_t head_ = 0;
  };

  static void set(Incoming& incoming, std::uint64_t low, std::uint64_t bursts, std::int64_t age_bias,
                  std::uint32_t request, Op op, Cycle now) {
    incoming.low = low;
    incoming.left = bursts;
    incoming.age_bias = age_bias;
    incoming.request = request;
    incoming.op = op;
    incoming.offered = now;
  }
  bool may_defer(Op op, std::uint64_t bursts, Cycle now) const;
  void start_queueing();
  void queue_partial();
  void queue_bursts(std::uint64_t low, std::uint64_t high, std::int64_t age_bias);

  void run_until(Cycle limit);
  const Decision& next_decision();
  void bring_up_to_date();
  void issue(Cmd c, int unit, int bank, Cycle t, std::int32_t row, std::int32_t column);
  void issue_to_unit(Cmd c, const Decision& d) { issue(c, d.unit, -1, d.t, -1, -1); }
  void issue_column(const Decision& d);
  void activate(const Decision& d);
  void second_activate(const Decision& d);
  void precharge(const Decision& d);
  void precharge_all(const Decision& d);
  void refresh(const Decision& d);
  void after_opening(int bank);

  /// The last cycle whose commands a request that is offered at `now` cannot influence.
  Cycle last_before(Cycle now) const { return now + state_.config.frontend_cycles - 1; }
  /// From the first of the column commands of so many bursts to the end of the last one's data, at least.
  Cycle least_time(Cycle bursts) const;
  Cycle least_spacing() const { return std::max(1, burst_cycles_ / state_.organisation.pseudo_channels); }
  void find_wake();

  ChannelState state_;
  CommandScheduler scheduler_;
  std::unique_ptr<RowHitStream> fast_path_;  // none: the reference engine
  const int burst_cycles_;

  Incoming partial_;
  /// Accepted requests that the engine has not been advanced to. Nothing that the shell can see depends on them before
  /// the next wake, and advancing once is cheaper than advancing to each.
  Fifo<Incoming> deferred_;
  int deferred_bursts_[2] = {0, 0};
  Cycle last_push_ = 0;
  std::int64_t next_age_ = 0;

  const Decision* next_ = nullptr;  // what comes next, once it is known
  Cycle done_until_ = -1;           // all decisions up to here are made
  Cycle limit_ = 0;
  bool wake_known_ = false, room_known_ = false;
  Cycle wake_ = 0;  // for completions: as was found when the engine was last advanced, or earlier by what came since
  Cycle room_ = 0;  // for room in the queues
  std::vector<Completion> completions_;
};

}  // namespace harmonia::dram
