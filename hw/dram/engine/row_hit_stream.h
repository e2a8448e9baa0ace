// The fast path of the engine: runs of row hits in closed form. Optional; without it the engine gives the same commands
// at the same times (`engine: reference`).
//
// Models: column commands of one kind to the open rows of one unit while no other kind waits. The choice among them needs
// only when each bank, each bank group and the bus are free and whose access is the oldest: that is kept here, and the
// channel's state is brought up to date when something else may come between. Row commands and arrivals that leave it a
// stream happen beside it. Orders that repeat are taken whole periods at a time (ColumnPattern, or a period that has
// just been seen). Does not model: anything that the controller does not; what it cannot take it leaves to it.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "harmonia/hw/dram/engine/channel_state.h"
#include "harmonia/hw/dram/engine/column_patterns.h"
#include "harmonia/hw/dram/engine/command_scheduler.h"

namespace harmonia::dram {

class ChannelController;

class RowHitStream {
 public:
  RowHitStream(ChannelController& controller, ChannelState& state, CommandScheduler& scheduler);

  /// Issues column commands from `first` on as far as it can, not beyond `limit`. False when there is nothing to gain;
  /// nothing has been issued then.
  bool try_start(const Decision& first, Cycle limit);
  /// The engine was advanced to its limit in the middle of a stream. The channel's state lacks what the banks of the
  /// stream have done since the last write_back().
  bool paused() const { return paused_; }
  /// Goes on with a paused stream, not beyond `limit`.
  void resume(Cycle limit);
  /// Ends the stream: the channel's state is brought up to date.
  void write_back();
  /// A request of this kind is about to be queued.
  void before_arrival(int op);
  /// The requests' bursts left are brought up to date with a paused stream.
  void count_issued();

 private:
  /// A bank of the stream, and the run of bursts that it serves.
  struct Bank {
    Cycle ready;          // first column command by the bank's own rules
    Cycle last;           // column command
    std::uint64_t burst;  // the next access
    std::int64_t age_bias;
    std::uint32_t left;  // bursts of the run
    std::uint32_t run;
    int bank, group;
    bool unwritten = false;  // the channel's state does not know the last access
    // In the period that is being watched: accesses so far, and what it was at the beginning.
    int turns;
    Cycle start_ready;
    std::int64_t start_age;
    std::int64_t age() const { return age_bias + static_cast<std::int64_t>(burst); }
  };
  /// The accesses since a moment at which the order may have begun to repeat.
  struct Period {
    struct Step {
      int slot, turn;
      Cycle at;
    };
    Cycle start = 0, floor = 0;
    bool dense = false;  // every access came as soon as the last one let any access come
    int steps = 0;
    std::array<Step, kLongestPeriod> step{};
  };

  // --- the stream
  bool worth_starting(int bank) const;
  void issue_columns(Cycle limit);
  void issue_next();
  void access(Bank& b, Cycle t) {
    if (state_.observed()) state_.tell_of_column(cmd_, t, unit_, b.bank, b.burst);
    --b.left;
    b.unwritten = true;
    b.last = t;
    b.burst = state_.decoder.next_column(b.burst);
  }
  void find_max_gap();
  void find_last_cycle();
  void add_banks();
  void load_run(Bank& b);
  void choose_next();
  void sort_younger(int place);
  void sort_all();
  void end_run(int place);
  int place_of(std::uint8_t slot) const;
  Bank& at_place(int place) { return slots_[order_[static_cast<std::size_t>(place)]]; }
  const Bank& at_place(int place) const { return slots_[order_[static_cast<std::size_t>(place)]]; }
  Cycle in_group() const { return state_.timing.column_spacing_in_group(op_); }
  Cycle in_unit() const { return state_.timing.column_spacing_in_unit(op_); }
  /// The next column command may not be the next thing to happen.
  bool interrupted() const { return t_ > horizon_ || t_ - last_t_ >= max_gap_; }

  // --- what comes between
  bool handle_interruption(Cycle& limit);
  void set_horizon(Cycle limit);
  bool issue_row_command(const Decision& d, Cycle limit);
  bool queue_arrival();
  void after_change();

  // --- the channel's state
  void count_bank(Bank& b);
  void write_back_bank(Bank& b);
  void count_accesses();

  // --- repeating orders
  bool enter_pattern();
  bool matches(const ColumnPattern& p) const;
  std::int64_t youngest_of(const ColumnPattern& p) const;
  void learn_pattern();
  bool issue_pattern_periods();
  void issue_pattern_steps();
  void advance_in_pattern();
  void leave_pattern();
  bool in_pattern() const { return step_ >= 0; }
  int watch_attempts();
  void begin_period();
  void note_step();
  bool period_is_over() const;
  std::int64_t certain_repetitions() const;
  void repeat_period(std::int64_t periods);

  ChannelController& controller_;
  ChannelState& state_;
  CommandScheduler& scheduler_;
  const ColumnRound round_;

  int unit_ = 0, op_ = 0;
  Cmd cmd_ = Cmd::kRd;
  int n_ = 0;                              // banks of the stream
  std::array<Bank, 64> slots_;             // by bank of the unit
  std::array<std::uint8_t, 64> order_;     // those of the stream from the oldest to the youngest
  std::uint64_t banks_ = 0;                // the same as a set
  Cycle* of_group_ = nullptr;              // earliest column command by bank group
  Cycle t_ = 0;                            // of the next column command
  std::uint8_t next_ = 0;                  // whose it is
  int place_ = 0;                          // in the order, unless a pattern is followed
  Cycle last_t_ = 0;                       // of the last column command
  Cycle floor_ = 0;                        // the bus takes no column command before this
  Cycle max_gap_ = 0;                      // something else may come in a gap between columns that long
  Cycle last_cycle_ = 0;                   // the stream ends behind this
  Cycle horizon_ = 0;                      // nothing but columns happens up to this
  std::uint64_t conflicts_ = 0;            // banks where an older access wants another row
  bool paused_ = false, arrived_ = false;  // and something has been queued since
  bool unwritten_ = false;                 // the unit's times do not know the last access
  std::int64_t accesses_ = 0;              // that are not in the statistics
  std::int64_t waited_ = 0;  // sum of the times of all accesses less those of the offers, as far as those are counted

  // The pattern that is followed: the order of the banks is not kept meanwhile.
  int step_ = -1;  // -1: none
  const ColumnPattern* pattern_ = nullptr;
  std::array<Bank*, kMostMembers> member_{};
  std::int64_t periods_ = 0, whole_periods_ = 0;                   // that come, and those of them in which no run ends
  std::int64_t youngest_ = 0;                                      // age of the youngest access of all
  bool older_came_ = false;                                        // an older hit has come
  std::vector<std::unique_ptr<const ColumnPattern>> patterns_[2];  // by op, those used last first or nearly so
  int misses_ = 0;
  Period period_;
};

}  // namespace harmonia::dram
