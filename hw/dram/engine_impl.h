// Inside of the channel engine: its state, shared by engine.cpp (queues, timing, decisions) and engine_stream.cpp
// (streams of row hits in closed form). Nobody else includes it; what it models is said in engine.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace engine_parts {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

constexpr int index(Cmd c) { return static_cast<int>(c); }
constexpr int index(Op op) { return static_cast<int>(op); }
constexpr Cmd column_command(int op) { return op == 0 ? Cmd::kRd : Cmd::kWr; }

inline int lowest_bit(std::uint64_t mask) { return __builtin_ctzll(mask); }
inline int highest_bit(std::uint64_t mask) { return 63 - __builtin_clzll(mask); }

/// An address field gathered from bit runs of the burst address.
class Field {
 public:
  explicit Field(const std::vector<int>& bits = {}, int burst_shift = 0) {
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const int bit = bits[i] - burst_shift;
      mask_ |= std::uint64_t{1} << bit;
      if (!parts_.empty() && parts_.back().shift + parts_.back().width == bit) {
        ++parts_.back().width;
      } else {
        parts_.push_back({bit, 1, static_cast<int>(i)});
      }
    }
  }
  std::uint64_t extract(std::uint64_t a) const {
    std::uint64_t v = 0;
    for (const Part& p : parts_) v |= ((a >> p.shift) & ((std::uint64_t{1} << p.width) - 1)) << p.position;
    return v;
  }
  std::uint64_t deposit(std::uint64_t v) const {
    std::uint64_t a = 0;
    for (const Part& p : parts_) a |= ((v >> p.position) & ((std::uint64_t{1} << p.width) - 1)) << p.shift;
    return a;
  }
  std::uint64_t mask() const { return mask_; }
  std::size_t pieces() const { return parts_.size(); }
  int width_of_first() const { return parts_.front().width; }

 private:
  struct Part {
    int shift, width, position;
  };
  std::vector<Part> parts_;
  std::uint64_t mask_ = 0;
};

/// A queue that keeps its memory.
template <class T>
class Ring {
 public:
  bool empty() const { return head_ == items_.size(); }
  const T& front() const { return items_[head_]; }
  void push_back(const T& item) { items_.push_back(item); }
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

/// Bursts of one request in one row of one bank, in address order. They wait as one node.
struct Run {
  std::uint64_t burst = 0;  // burst address of the next column access
  std::uint64_t last = 0;   // and of the last one
  std::int64_t age_bias = 0;
  Cycle offered = 0;
  std::uint32_t request = 0;
  std::uint32_t count = 0;
  std::uint32_t next = kNone, previous = kNone;
  std::uint64_t order = 0;  // of a write: its place among the writes of its lane
  std::int32_t row = 0;
  std::uint16_t bank = 0;  // flat over all units
  std::uint8_t op = 0;
  bool blocked = false;  // an older access of the other kind to the same bursts must go first

  /// Smaller is older. Orders bursts, not requests.
  std::int64_t age() const { return age_bias + static_cast<std::int64_t>(burst); }
};

/// Runs of one kind that wait for a bank, in order of arrival.
struct BankQueue {
  std::uint32_t head = kNone, tail = kNone;
  std::uint32_t candidate = kNone, hit = kNone;  // the oldest that may go, and the oldest of those in the open row
  std::int64_t candidate_age = 0, hit_age = 0;
  Cycle capped_from = kNever;  // from here on hits let an older conflict go first
};

/// Banks of a unit, by kind of access: for which one waits; with hits, and of them those with an older conflict; that
/// were opened for an access that has not been made. All open ones, and those of them without an access so far.
struct Masks {
  std::uint64_t pending[2] = {}, hit[2] = {}, older_conflict[2] = {}, committed[2] = {};
  std::uint64_t open = 0, fresh = 0;
};

/// The first of the commands of one kind that could go next in a unit, kept from decision to decision: the bank that is
/// ready first or, of those that are ready, waits for the oldest access. It stays the first until the time reaches
/// `next_ready`, its own bank is held up, or one of the touched banks comes before it: times of banks never fall.
struct Best {
  Cycle ready = kNever;       // of the bank
  Cycle next_ready = kNever;  // no other bank becomes ready, that was not when this one was found, before this
  std::int64_t age = 0;
  int bank = -1;  // flat
  std::uint64_t touched = ~std::uint64_t{0};
};
enum Kind { kColumns, kOpening, kClosing, kKinds };

struct Pending {
  std::uint64_t tag = 0;
  Cycle offered = 0;
  std::uint32_t bursts = 0;  // that have not been issued
  std::uint32_t length = 0;
  Op op = Op::kRead;
};

/// A rule of a command: the earliest times of the next one that it may raise, by bank, group or unit.
struct CompiledRule {
  Cycle* times;
  int distance;
};
enum RuleLevel { kOfBank, kOfGroup, kOfUnit, kRuleLevels };
struct OtherRule {
  Cmd next;
  int distance;
};
struct WindowRule {
  Cmd next;
  int distance;
  int window;
  std::vector<Cycle> ring;        // units x window
  std::vector<std::uint32_t> at;  // by unit
};

enum class What : std::uint8_t {
  kNothing,
  kRefreshDue,
  kModeSwitch,
  kColumn,
  kActivate,
  kActivate2,
  kPrecharge,
  kPrechargeAll,
  kRefresh,
  kPowerDown,
  kPowerUp
};

struct Decision {
  Cycle t = kNever;
  What what = What::kNothing;
  int unit = 0;
  int bank = 0;           // flat
  bool conflict = false;  // a precharge on behalf of a waiting request
};

inline const Decision kNoDecision;

}  // namespace engine_parts

using namespace engine_parts;  // for the two files that include this

// Hidden: the library is position-independent, and functions that others could replace would not be inlined.
class __attribute__((visibility("hidden"))) Engine::Impl {
 public:
  explicit Impl(const Config& config);

  const Config& config() const { return config_; }
  bool can_accept(Op op) {
    if (staged_.left > 0) return false;
    if (waiting_[index(op)] + arriving_[index(op)] < capacity_) return true;
    if (!arrivals_.empty()) advance(last_push_);
    return waiting_[index(op)] < capacity_;
  }
  void push(const Request& request, Cycle now);
  void advance(Cycle now) {
    const Cycle limit = last_before(now);
    if (limit > done_until_ || !arrivals_.empty()) run_until(std::max(limit, done_until_));
  }
  std::vector<Completion>& completions() { return completions_; }
  Cycle next_wake(bool for_room);
  void find_wake();
  /// From the first of the column commands of so many bursts to the end of the last one's data, at least.
  Cycle least_time(Cycle bursts) const {
    return (bursts - 1) * std::max(1, burst_ / lanes_) + std::min(latency_[0], latency_[1]) + config_.backend_cycles;
  }
  std::size_t in_flight() const { return active_; }
  Cycle drain();
  void finish(Cycle now);
  const Statistics& statistics() const { return stats_; }

  std::vector<CommandObserver*> observers_;
  const bool closed_form_;

 private:
  // --- queues
  void split(std::uint64_t low, std::uint64_t high, std::int64_t age_bias, std::uint32_t request, Op op, Cycle offered);
  struct Place {
    std::uint32_t bank, row;  // flat over all units
  };
  Place place(std::uint64_t burst) const;
  void add_run(const Place& place, std::uint64_t first, std::uint64_t last, std::uint32_t count, std::int64_t age_bias,
               std::uint32_t request, Op op, Cycle offered);
  void take_in_staged();
  void take_in_arrival();
  void take_in();
  bool may_wait_outside(Op op, std::uint64_t bursts, Cycle now) const;
  /// The last cycle whose commands a request that is offered at `now` cannot influence.
  Cycle last_before(Cycle now) const { return now + config_.frontend_cycles - 1; }
  Cycle first_arrival() const { return arrivals_.empty() ? kNever : last_before(arrivals_.front().offered); }
  bool must_wait(const Run& run) const;
  void rescan_bank(int op, int bank);
  void find_hit(int op, int bank, std::uint32_t from);
  void set_masks(int op, int bank);
  void remove_run(std::uint32_t id);

  // --- decisions
  void run_until(Cycle limit);
  const Decision& next_decision() {
    if (!decided_) {
      decision_ = &decide();
      decided_ = true;
    }
    return *decision_;
  }
  const Decision& decide();
  void decide_event();
  void forget() { decided_ = column_known_ = row_known_ = event_known_ = false; }
  void keep_column_beside(Cycle from);
  void keep_row_beside(int bank, bool conflict_before);
  void consider_arrival(const Run& run, std::uint32_t id);
  void decide_column(int unit, Decision& best);
  void decide_row(int unit, Decision& best);
  const Decision& first_of(const Decision& column) const;
  /// Earliest cycle of the best candidate (kNever: none), not before `floor`. `ready` gives the first cycle that the
  /// bank allows.
  template <class Ready>
  Cycle find_best(Kind kind, int unit, std::uint64_t members, Cycle floor, const BankQueue* queue,
                  std::int64_t BankQueue::*age, const Ready& ready);
  void touch(int bank) {
    const std::uint64_t bit = bank_bit(bank);
    const int unit = unit_of(bank);
    stale_rows_ |= std::uint64_t{1} << unit;
    for (Best& best : best_[static_cast<std::size_t>(unit)]) best.touched |= bit;
  }
  void touch_unit(int unit) {
    stale_rows_ |= std::uint64_t{1} << unit;
    for (Best& best : best_[static_cast<std::size_t>(unit)]) best.touched = ~std::uint64_t{0};
  }
  void perform(const Decision& d);
  void follow_activate(const Decision& d, Cycle limit);
  void issue_column(const Decision& d);
  void send_cas(int op, int unit, int bank, Cycle t);
  void complete(std::uint32_t request, Cycle t);

  // --- streaming
  struct Hit;
  struct Pattern;
  bool worth_streaming(int bank) const {
    const Run& run = runs_[queue_[lane_[static_cast<std::size_t>(lane_of(unit_of(bank)))].column_mode][bank].hit];
    return closed_form_ && (run.count >= kLongRun || (run.next != kNone && runs_[run.next].row == run.row));
  }
  bool stream(const Decision& first, Cycle limit);
  void serve(Cycle limit);
  void find_gap();
  void find_end();
  void gather_hits();
  void load_run(Hit& h);
  void move_back(int place);
  void choose_hit();
  void count_hit(Hit& h);
  void settle_hit(Hit& h);
  void count_accesses();
  void settle();
  void land() {
    if (stream_.live) settle();
  }
  void end_run(int place);
  bool interlude(Cycle& limit);
  void set_horizon(Cycle limit);
  bool perform_beside(const Decision& d, Cycle limit);
  bool join_arrival();
  void refresh_stream();
  void record_access(const Hit& h, Cycle t) const {
    record(stream_.cmd, t, stream_.unit, h.bank, open_row_[static_cast<std::size_t>(h.bank)],
           static_cast<std::int32_t>(column_.extract(h.burst)));
  }
  void access(Hit& h, Cycle t) {
    if (!observers_.empty()) record_access(h, t);
    --h.left;
    h.unsettled = true;
    h.last = t;
    const std::uint64_t columns = column_.mask();
    h.burst = (((h.burst | ~columns) + 1) & columns) | (h.burst & ~columns);
  }
  int place_of(std::uint8_t bank) const {
    int place = 0;
    while (stream_.order[static_cast<std::size_t>(place)] != bank) ++place;
    return place;
  }
  bool follow();
  void leave_pattern();
  bool matches(const Pattern& p) const;
  std::int64_t youngest_of(const Pattern& p) const;
  void learn();
  bool follow_periods();
  void follow_steps();
  void went_on();
  int begin_attempts();
  void begin_period();
  std::int64_t repetitions() const;
  void repeat(std::int64_t periods);

  void update_mode(int lane, Cycle t);
  Cycle write_due(int lane) const;
  void uncommit(int bank);

  void apply(Cmd cmd, int unit, int bank, Cycle t);
  void apply_unit(Cmd cmd, int unit, Cycle t);
  void apply_level(Cmd cmd, RuleLevel level, int i, Cycle t) {
    for (const CompiledRule& r : rules_[index(cmd)][level]) {
      Cycle& slot = r.times[i];
      if (slot < t + r.distance) slot = t + r.distance;
    }
  }
  void record(Cmd cmd, Cycle t, int unit, int bank, std::int32_t row, std::int32_t column) const;
  void occupy(Cmd cmd, Cycle t) {
    Cycle& bus = column_pins(cmd) ? column_bus_ : row_bus_;
    bus = t + table_.command_cycles[static_cast<std::size_t>(index(cmd))];
    if (!table_.split_command_bus) row_bus_ = column_bus_ = bus;
  }
  static bool column_pins(Cmd c) { return c == Cmd::kRd || c == Cmd::kWr || c == Cmd::kCasRd || c == Cmd::kCasWr; }

  Cycle& bank_time(Cmd c, int bank) { return bank_time_[static_cast<std::size_t>(index(c) * banks_ + bank)]; }
  Cycle bank_time(Cmd c, int bank) const { return bank_time_[static_cast<std::size_t>(index(c) * banks_ + bank)]; }
  Cycle group_time(Cmd c, int group) const { return group_time_[static_cast<std::size_t>(index(c) * groups_ + group)]; }
  Cycle unit_time(Cmd c, int unit) const { return unit_time_[static_cast<std::size_t>(index(c) * units_ + unit)]; }

  int lane_of(int unit) const { return unit & (lanes_ - 1); }
  // Organisations are powers of two.
  int unit_of(int bank) const { return bank >> unit_shift_; }
  int in_unit(int bank) const { return bank & (banks_per_unit_ - 1); }
  std::uint64_t bank_bit(int bank) const { return std::uint64_t{1} << in_unit(bank); }
  void set_busy(int unit) {
    const auto u = static_cast<std::size_t>(unit);
    const std::uint64_t bit = std::uint64_t{1} << unit;
    const bool busy = !plain_rows_ || work_mask(unit) != 0 || refresh_[u].active || second_bank_[u] >= 0;
    busy_units_ = busy ? busy_units_ | bit : busy_units_ & ~bit;
  }
  void decide_rows();
  std::uint64_t work_mask(int unit) const {
    const auto u = static_cast<std::size_t>(unit);
    return masks_[u].pending[0] | masks_[u].pending[1];
  }
  Cycle data_latency(int op) const { return latency_[op]; }

  Config config_;
  const Standard& table_;
  int units_, lanes_, groups_, banks_, banks_per_unit_, unit_shift_;
  int capacity_;
  int burst_shift_, burst_;
  Cycle latency_[2];  // first edge of RD / WR to the end of its data

  // Timing: earliest next command by level, and the compiled rules.
  std::vector<Cycle> bank_time_, group_time_, unit_time_;
  std::vector<CompiledRule> rules_[kCmdCount][kRuleLevels];
  std::vector<OtherRule> other_rules_[kCmdCount];
  std::vector<WindowRule> window_rules_[kCmdCount];
  std::vector<std::uint16_t> group_of_;  // by flat bank

  // Mapping.
  Field column_, bank_in_group_, bankgroup_, row_, rank_, pseudo_;
  std::uint64_t address_mask_ = 0, not_column_ = 0, interleaved_ = 0, block_mask_ = 0;
  Field interleaved_field_;
  std::vector<std::pair<std::uint64_t, Place>> interleaved_places_;  // each pattern of the interleaved bits
  std::uint64_t round_of_block_ = 0;                                 // those and all bits below

  // Requests and runs.
  std::vector<Pending> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::vector<Run> runs_;
  std::uint32_t free_run_ = kNone;
  struct Staged {
    std::uint64_t low = 0, left = 0;  // bursts still outside the queue
    std::int64_t age_bias = 0;
    std::uint32_t request = 0;
    Op op = Op::kRead;
    Cycle offered = 0;
  };
  Staged staged_;
  /// Accepted requests that the engine has not been advanced to. Nothing that the shell can see depends on it before
  /// the next wake, and advancing once is cheaper than advancing to each.
  Ring<Staged> arrivals_;
  int arriving_[2] = {0, 0};  // their bursts
  Cycle last_push_ = 0;
  std::size_t active_ = 0;
  std::int64_t next_age_ = 0;
  int waiting_[2] = {0, 0};           // bursts in the queues
  std::vector<int> lane_waiting_[2];  // by pseudo channel
  std::vector<int> lane_blocked_[2];  // of them blocked
  std::vector<BankQueue> queue_[2];
  std::vector<std::array<Best, kKinds>> best_;  // by unit
  std::vector<std::uint16_t> blocked_in_bank_;
  std::vector<Masks> masks_;
  std::vector<std::int32_t> open_row_;  // by bank, -1 closed
  std::vector<std::uint8_t> closed_by_conflict_;
  std::vector<std::uint32_t> committed_;  // by bank: run that the row was opened for and that is not finished
  std::vector<Cycle> last_use_;           // by bank, for the adaptive page policy
  // Writes of a lane in order of arrival, for the bound on their wait. Served ones leave gaps until they lead.
  struct WriteOrder {
    std::vector<std::uint32_t> runs;
    std::size_t head = 0;    // first that waits
    std::uint64_t base = 0;  // Run::order of runs[0]
  };
  std::vector<WriteOrder> write_order_;

  // Scheduling state.
  struct Lane {
    int mode = 0;          // op that rows are opened for
    int column_mode = 0;   // op of the column commands; follows when the rows opened before the change are used
    int served = 0;        // bursts of the mode since it began
    int last_op = -1;      // of the data bus
    Cycle last_write = 0;  // offer of the newest write
  };
  std::vector<Lane> lane_;
  Cycle row_bus_ = 0, column_bus_ = 0;
  std::vector<Cycle> wck_until_;    // by unit
  std::vector<int> second_bank_;    // by unit: bank that waits for ACT2, or -1
  std::vector<Cycle> second_from_;  // earliest ACT2
  struct Refresh {
    Cycle due = kNever;
    int owed = 0;             // postponed
    bool active = false;      // closing banks for a refresh
    std::uint64_t banks = 0;  // local banks it needs (all or some)
    int slot = 0;             // next bank of per-bank refresh
    bool opportune = false;   // catches up or pulls in: does not move the due time / moves it
  };
  std::vector<Refresh> refresh_;
  std::vector<std::uint8_t> down_;  // in power-down
  std::vector<Cycle> idle_since_;   // last command or arrival of the unit
  Cycle floor_ = 0;                 // no decision before this
  Cycle done_until_ = -1;           // all decisions up to here are made
  Cycle limit_ = 0;                 // and are to be made
  bool decided_ = false;
  // What comes next, once it is known: of the three below. Not copied about.
  const Decision* decision_ = nullptr;
  bool wake_known_ = false;
  bool room_known_ = false;
  Cycle wake_ = 0;  // for completions: as was found when the engine was last advanced, or earlier by what came since
  Cycle room_ = 0;  // for room in the queues
  // The first column command, row command and event; and whether they are still the first.
  Decision column_decision_, event_decision_;
  const Decision* row_decision_ = &kNoDecision;
  std::vector<Decision> row_of_unit_;             // the first row command of each
  std::uint64_t stale_rows_ = ~std::uint64_t{0};  // units of which it may be another
  bool column_known_ = false, row_known_ = false, event_known_ = false;
  std::uint64_t busy_units_ = 0;  // with anything to decide
  bool plain_rows_ = false;       // only waiting accesses and refreshes open and close rows
  bool refreshes_when_idle_ = false;
  int round_ = 0;  // column accesses after which the burst address has moved by a constant; 0: by none

  /// A bank of the stream.
  struct Hit {
    Cycle ready;          // of the bank
    Cycle last;           // access
    std::uint64_t burst;  // the next access
    std::int64_t age_bias;
    std::uint32_t left;  // of the run; its own count is brought up to date later
    std::uint32_t run;
    int bank, group;
    bool unsettled = false;  // the bank's times do not know the last access
    int turns;               // in the period
    Cycle start_ready;       // when the period began, counted from there
    std::int64_t start_age;
    std::int64_t age() const { return age_bias + static_cast<std::int64_t>(burst); }
  };
  struct Stream {
    int unit = 0, op = 0;
    Cmd cmd = Cmd::kRd;
    int n = 0;
    std::array<Hit, 64> hits;            // by bank of the unit
    std::array<std::uint8_t, 64> order;  // those with hits from the oldest to the youngest
    std::uint64_t banks = 0;             // of the hits
    Cycle* of_group = nullptr;           // earliest column by group
    Cycle t = 0;                         // of the next column
    std::uint8_t next = 0;               // whose it is
    int place = 0;                       // in the order, unless a pattern is followed
    // The pattern that is followed: the order is not kept meanwhile.
    int step = -1;  // -1: none
    const Pattern* pattern = nullptr;
    std::array<Hit*, 8> member{};
    std::int64_t periods = 0, free_periods = 0;  // that come, and those of them in which no run ends
    std::int64_t youngest = 0;                   // age of the youngest access of all
    bool disturbed = false;                      // by an older hit
    Cycle last_t = 0;                            // of the last one
    Cycle floor = 0;                             // the bus takes no column before this
    Cycle stay = 0;                              // something else may come in a gap that long
    Cycle hard = 0;                              // the stream ends behind this
    Cycle horizon = 0;                           // nothing but columns happens up to this
    std::uint64_t conflicts = 0;
    bool live = false;          // paused at the end of the time that the engine was to be advanced
    bool joined = false;        // and something has come since
    bool unsettled = false;     // the unit's times do not know the last access
    std::int64_t accesses = 0;  // that are not in the statistics
    std::int64_t waited = 0;  // sum of the times of all accesses less those of the offers, as far as those are counted
  };
  Stream stream_;
  static constexpr int kLongestPeriod = 64;
  static constexpr std::uint32_t kLongRun = 4;  // worth going on with behind a row command
  struct Period {
    Cycle start = 0, floor = 0;
    bool dense = false;  // every access came as soon as the last one let any access come
    int steps = 0;
    struct Step {
      int hit, turn;
      Cycle at;
    };
    std::array<Step, kLongestPeriod> step{};
  } period_;
  /// The choices of a period in which every access comes as soon as the bus takes it, among the oldest hits, each at
  /// the beginning of a round; as they come when all of them are ready. With those ready no later than they are needed
  /// the choices are the same: whoever is ready later than that was not chosen before.
  struct Pattern {
    struct Member {
      std::int64_t advance;                     // of its age up to the last access
      int group;                                // the first member of the same group
      Cycle first;                              // access, from the beginning
      std::array<std::int64_t, 8> least, most;  // how much younger than each member before it, for the choices to hold
    };
    int members = 0, steps = 0;
    Cycle length = 0, sum_at = 0;  // of the times of the steps
    std::array<Member, 8> member{};
    std::array<std::uint32_t, kLongestPeriod> step{};  // member; one each to_unit
  };
  std::vector<std::unique_ptr<const Pattern>> patterns_[2];  // by op, the one that was used last first or nearly so
  int misses_ = 0;
  std::uint64_t round_mask_ = 0;                      // column bits that are zero at the beginning of a round
  std::int64_t age_in_round_ = 0, age_of_round_ = 0;  // how much younger a bank's next access is
  int round_shift_ = 0, age_of_round_shift_ = 0;      // both are powers of two

  Cycle same_column_[2][2] = {};  // by op: RD to RD or WR to WR of the group, of the unit
  Cycle other_column_[2] = {};    // by op: of another rank

  std::vector<Completion> completions_;
  Statistics stats_;
  std::vector<ActivityMeter> activity_;
  std::vector<std::uint64_t> precharges_;  // by unit, closed banks
  std::vector<std::array<std::uint64_t, kCmdCount>> unit_commands_;
};

}  // namespace harmonia::dram
