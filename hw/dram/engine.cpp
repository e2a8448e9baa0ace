#include "harmonia/dram/engine.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "harmonia/dram/energy.h"
#include "harmonia/dram/standard.h"

namespace harmonia::dram {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

constexpr int index(Cmd c) { return static_cast<int>(c); }
constexpr int index(Op op) { return static_cast<int>(op); }
constexpr Cmd column_command(int op) { return op == 0 ? Cmd::kRd : Cmd::kWr; }

int lowest_bit(std::uint64_t mask) { return __builtin_ctzll(mask); }
int highest_bit(std::uint64_t mask) { return 63 - __builtin_clzll(mask); }

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

const Decision kNoDecision;

}  // namespace

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
  bool closed_form_ = true;

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
  bool find_bounds();
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
  const StandardTable& table_;
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

Engine::Impl::Impl(const Config& config)
    : config_(config),
      table_(standard_table(config.standard)),
      units_(config.units()),
      lanes_(config.pseudo_channels),
      groups_(units_ * config.bankgroups),
      banks_(units_ * config.banks_per_unit()),
      banks_per_unit_(config.banks_per_unit()),
      unit_shift_(__builtin_ctz(static_cast<unsigned>(config.banks_per_unit()))),
      capacity_(config.queue_entries * config.pseudo_channels),
      burst_(config.burst_cycles()) {
  burst_shift_ = 0;
  while ((1 << burst_shift_) < config_.burst_bytes()) ++burst_shift_;

  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  bank_time_.assign(size(kCmdCount * banks_), 0);
  group_time_.assign(size(kCmdCount * groups_), 0);
  unit_time_.assign(size(kCmdCount * units_), 0);
  for (const TimingRule& r : table_.rules) {
    // Before commands that are never sent there is nothing to keep.
    const bool per_bank = r.next == Cmd::kRefPb, power_down = r.next == Cmd::kPdEnter || r.next == Cmd::kPdExit;
    if ((per_bank && config_.refresh != RefreshPolicy::kPerBank) ||
        (r.next == Cmd::kRef && config_.refresh != RefreshPolicy::kAllBank) ||
        (power_down && config_.power_down_idle_cycles == 0))
      continue;
    int d = evaluate(r.distance, config_);
    // Out of power-down every command may begin XP later, however long it is.
    if (table_.from_last_edge && r.previous != Cmd::kPdExit)
      d += table_.command_cycles[size(index(r.previous))] - table_.command_cycles[size(index(r.next))];
    const auto p = size(index(r.previous));
    if (r.window > 1) {
      if (r.level != Level::kUnit) throw std::logic_error("a timing window must be of the unit level");
      window_rules_[p].push_back({r.next, d, r.window, std::vector<Cycle>(size(units_ * r.window), -kNever),
                                  std::vector<std::uint32_t>(size(units_), 0)});
      continue;
    }
    if (d <= 0) continue;
    const auto next = size(index(r.next));
    switch (r.level) {
      case Level::kBank:
        rules_[p][kOfBank].push_back({&bank_time_[next * size(banks_)], d});
        break;
      case Level::kBankGroup:
        rules_[p][kOfGroup].push_back({&group_time_[next * size(groups_)], d});
        break;
      case Level::kUnit:
        rules_[p][kOfUnit].push_back({&unit_time_[next * size(units_)], d});
        break;
      case Level::kOtherUnit:
        if (config_.ranks > 1) other_rules_[p].push_back({r.next, d});
        break;
    }
  }
  for (int op = 0; op < 2; ++op) {
    const int edge = table_.from_last_edge ? table_.command_cycles[size(index(column_command(op)))] - 1 : 0;
    latency_[op] = edge + burst_ + (op == 0 ? config_[Param::CL] + config_[Param::DQSCK] : config_[Param::CWL]);
  }
  group_of_.resize(size(banks_));
  for (int b = 0; b < banks_; ++b) group_of_[size(b)] = static_cast<std::uint16_t>(b / config_.banks_per_group);

  const Mapping& m = config_.mapping;
  column_ = Field(m.column, burst_shift_);
  bank_in_group_ = Field(m.bank, burst_shift_);
  bankgroup_ = Field(m.bankgroup, burst_shift_);
  row_ = Field(m.row, burst_shift_);
  rank_ = Field(m.rank, burst_shift_);
  pseudo_ = Field(m.pseudo_channel, burst_shift_);
  address_mask_ = config_.capacity_bytes() / static_cast<std::uint64_t>(config_.burst_bytes()) - 1;
  not_column_ = address_mask_ & ~column_.mask();
  block_mask_ = 0;
  while ((block_mask_ & column_.mask()) != column_.mask()) block_mask_ = (block_mask_ << 1) | 1;
  interleaved_ = block_mask_ & ~column_.mask();
  std::vector<int> bits;
  for (int b = 0; b < 48; ++b)
    if ((interleaved_ >> b) & 1) bits.push_back(b);
  interleaved_field_ = Field(bits, 0);
  if (interleaved_ != 0) round_of_block_ = (std::uint64_t{2} << highest_bit(interleaved_)) - 1;
  if (interleaved_ != 0 && bits.size() <= 6)
    for (std::uint64_t pattern = 0; pattern < std::uint64_t{1} << bits.size(); ++pattern) {
      const std::uint64_t burst = interleaved_field_.deposit(pattern);
      interleaved_places_.push_back({burst, place(burst)});
    }
  // Columns of one piece ascend by the same step each time; of two pieces, every time the lower one has gone round.
  round_ = column_.pieces() <= 1 ? 1 : column_.pieces() == 2 ? 1 << column_.width_of_first() : 0;

  if (column_.mask() == 0) round_ = 0;  // a burst to the row
  if (round_ > 0) {
    const auto low = static_cast<std::uint64_t>(round_ - 1);
    round_mask_ = column_.deposit(low);
    age_in_round_ = round_ > 1 ? static_cast<std::int64_t>(column_.deposit(1)) : 0;
    age_of_round_ = static_cast<std::int64_t>(column_.deposit(static_cast<std::uint64_t>(round_)));
    round_shift_ = __builtin_ctz(static_cast<unsigned>(round_));
    age_of_round_shift_ = __builtin_ctzll(static_cast<unsigned long long>(age_of_round_));
  }

  requests_.reserve(256);
  runs_.reserve(1024);
  for (int op = 0; op < 2; ++op) {
    queue_[op].resize(size(banks_));
    lane_waiting_[op].assign(size(lanes_), 0);
    lane_blocked_[op].assign(size(lanes_), 0);
  }
  best_.resize(size(units_));
  row_of_unit_.resize(size(units_));
  for (int unit = 0; unit < units_; ++unit) touch_unit(unit);
  for (int op = 0; op < 2; ++op) {
    const Cmd cmd = column_command(op);
    same_column_[op][1] = table_.command_cycles[size(index(cmd))];
    for (const TimingRule& r : table_.rules)
      if (r.previous == cmd && r.next == cmd && (r.level == Level::kBankGroup || r.level == Level::kUnit)) {
        Cycle& d = same_column_[op][r.level == Level::kUnit ? 1 : 0];
        d = std::max<Cycle>(d, evaluate(r.distance, config_));
      }
    for (const OtherRule& r : other_rules_[index(cmd)])
      if (r.next == cmd) other_column_[op] = std::max<Cycle>(other_column_[op], r.distance);
  }
  plain_rows_ = config_.page_policy == PagePolicy::kOpen && config_.power_down_idle_cycles == 0;
  refreshes_when_idle_ = config_.refresh_pull_in > 0 || config_.refresh_postpone > 0;
  blocked_in_bank_.assign(size(banks_), 0);
  masks_.resize(size(units_));
  open_row_.assign(size(banks_), -1);
  closed_by_conflict_.assign(size(banks_), 0);
  committed_.assign(size(banks_), kNone);
  last_use_.assign(size(banks_), 0);
  lane_.resize(size(lanes_));
  write_order_.resize(size(lanes_));
  wck_until_.assign(size(units_), 0);
  second_bank_.assign(size(units_), -1);
  second_from_.assign(size(units_), 0);
  refresh_.resize(size(units_));
  if (config_.refresh != RefreshPolicy::kNone)
    for (Refresh& r : refresh_)
      r.due = config_.refresh == RefreshPolicy::kAllBank ? config_[Param::REFI] : config_[Param::REFIpb];
  down_.assign(size(units_), 0);
  idle_since_.assign(size(units_), 0);
  activity_.resize(size(units_));
  precharges_.assign(size(units_), 0);
  unit_commands_.resize(size(units_));
  for (int unit = 0; unit < units_; ++unit) set_busy(unit);
}

// ---------------------------------------------------------------------------------------------------------- queues

void Engine::Impl::push(const Request& request, Cycle now) {
  if (!can_accept(request.op)) throw std::logic_error("dram::Engine::push without can_accept");
  if (request.length == 0) throw std::logic_error("dram::Engine::push of an empty request");
  const std::uint64_t low = request.address >> burst_shift_;
  const std::uint64_t bursts = ((request.address + request.length - 1) >> burst_shift_) - low + 1;
  const bool wait = may_wait_outside(request.op, bursts, now);
  if (!wait) {
    advance(now);
  } else if (active_ == 0) {
    wake_known_ = true;
    wake_ = kNever;
  }
  std::uint32_t id;
  if (free_requests_.empty()) {
    id = static_cast<std::uint32_t>(requests_.size());
    requests_.emplace_back();
  } else {
    id = free_requests_.back();
    free_requests_.pop_back();
  }
  requests_[id] = {request.tag, now, static_cast<std::uint32_t>(bursts), request.length, request.op};
  ++active_;
  if (now < stats_.first_offer) stats_.first_offer = now;
  arrivals_.push_back({low, bursts, next_age_ - static_cast<std::int64_t>(low), id, request.op, now});
  next_age_ += static_cast<std::int64_t>(bursts);
  arriving_[index(request.op)] += static_cast<int>(bursts);
  last_push_ = now;
  room_known_ = false;
  if (wait)
    wake_ = std::min(wake_, now + config_.frontend_cycles + least_time(static_cast<Cycle>(bursts)));
  else
    take_in_arrival();
}

/// Whether the request can be left outside without anybody noticing: it is taken in as a whole, it only joins others of
/// its kind, and nothing has to be known before the next wake.
bool Engine::Impl::may_wait_outside(Op op, std::uint64_t bursts, Cycle now) const {
  const int other = 1 - index(op);
  return closed_form_ && (active_ == 0 || (wake_known_ && now < wake_)) && waiting_[other] + arriving_[other] == 0 &&
         bursts <= static_cast<std::uint64_t>(capacity_);
}

void Engine::Impl::take_in_arrival() {
  staged_ = arrivals_.front();
  arrivals_.pop_front();
  if (lanes_ > 1 || index(staged_.op) != stream_.op) land();
  arriving_[index(staged_.op)] -= static_cast<int>(staged_.left);
  floor_ = std::max(floor_, last_before(staged_.offered) + 1);
  decided_ = wake_known_ = false;
  if (staged_.op == Op::kWrite || refreshes_when_idle_) event_known_ = false;
  take_in_staged();
  for (int lane = 0; lane < lanes_; ++lane) update_mode(lane, floor_);
}

void Engine::Impl::take_in_staged() {
  const int op = index(staged_.op);
  while (staged_.left > 0 && waiting_[op] < capacity_) {
    const std::uint64_t n = std::min<std::uint64_t>(staged_.left, static_cast<std::uint64_t>(capacity_));
    // Addresses wrap at the capacity; the age does not.
    const std::uint64_t low = staged_.low & address_mask_;
    const std::uint64_t first_part = std::min(n, address_mask_ - low + 1);
    const std::int64_t bias = staged_.age_bias + static_cast<std::int64_t>(staged_.low - low);
    split(low, low + first_part - 1, bias, staged_.request, staged_.op, staged_.offered);
    staged_.low += first_part;
    staged_.left -= first_part;
  }
}

void Engine::Impl::split(std::uint64_t low, std::uint64_t high, std::int64_t age_bias, std::uint32_t request, Op op,
                         Cycle offered) {
  while (low <= high) {
    const std::uint64_t end = std::min(high, low | block_mask_);
    if (interleaved_ == 0 || ((low ^ end) & ~((interleaved_ & (~interleaved_ + 1)) - 1)) == 0) {
      add_run(place(low), low, end, static_cast<std::uint32_t>(end - low + 1), age_bias, request, op, offered);
    } else if (!interleaved_places_.empty() && ((low | (end + 1)) & round_of_block_) == 0) {
      // Whole rounds of the interleaved bits below: as much for each pattern.
      const Place base = place(low);
      const auto count = static_cast<std::uint32_t>((end - low + 1) / interleaved_places_.size());
      for (const auto& pattern : interleaved_places_)
        add_run({base.bank ^ pattern.second.bank, base.row ^ pattern.second.row}, low | pattern.first,
                (end & ~interleaved_) | pattern.first, count, age_bias, request, op, offered);
    } else {
      // Within a block the interleaved bits (bank group and the like below the top column bit) tell the rows apart.
      // Each pattern that occurs is one run; it begins where the pattern is first met.
      const std::uint64_t group = (interleaved_ & (~interleaved_ + 1)) - 1;  // bits below the lowest interleaved one
      // A pattern below the one of `end` may reach a higher column than it: by the column bits below interleaved ones.
      const std::uint64_t below = (std::uint64_t{1} << highest_bit(interleaved_)) - 1;
      const std::uint64_t last_column = column_.extract(end | below);
      std::uint64_t seen = 0;
      const int patterns = 1 << __builtin_popcountll(interleaved_);
      int found = 0;
      for (std::uint64_t a = low; a <= end && found < patterns; a = (a | group) + 1) {
        const std::uint64_t pattern = interleaved_field_.extract(a);
        if (patterns <= 64) {
          if ((seen >> pattern) & 1) continue;
          seen |= std::uint64_t{1} << pattern;
        } else if (a - low > interleaved_ && ((a ^ low) & interleaved_) == 0) {
          break;
        }
        ++found;
        const std::uint64_t fixed = (a & ~block_mask_) | (a & interleaved_);
        std::uint64_t column = last_column;
        while ((column_.deposit(column) | fixed) > end) --column;
        const std::uint64_t first_column = column_.extract(a);
        add_run(place(a), a, column_.deposit(column) | fixed, static_cast<std::uint32_t>(column - first_column + 1),
                age_bias, request, op, offered);
      }
    }
    low = end + 1;
  }
}

bool Engine::Impl::must_wait(const Run& run) const {
  const std::int64_t age = run.age();
  for (std::uint32_t i = queue_[1 - run.op][run.bank].head; i != kNone; i = runs_[i].next) {
    const Run& other = runs_[i];
    if (other.row == run.row && other.burst <= run.last && run.burst <= other.last && other.age() < age) return true;
  }
  if (blocked_in_bank_[run.bank] != 0)
    for (std::uint32_t i = queue_[run.op][run.bank].head; i != kNone; i = runs_[i].next) {
      const Run& other = runs_[i];
      if (other.blocked && other.row == run.row && other.burst <= run.last && run.burst <= other.last &&
          other.age() < age)
        return true;
    }
  return false;
}

/// Where a burst is. Bit by bit linear over exclusive or, so that places of parts of the address can be combined.
Engine::Impl::Place Engine::Impl::place(std::uint64_t burst) const {
  const auto unit = static_cast<std::uint32_t>(rank_.extract(burst)) * static_cast<std::uint32_t>(lanes_) +
                    static_cast<std::uint32_t>(pseudo_.extract(burst));
  auto local =
      static_cast<std::uint32_t>(bankgroup_.extract(burst)) * static_cast<std::uint32_t>(config_.banks_per_group) +
      static_cast<std::uint32_t>(bank_in_group_.extract(burst));
  for (const auto& flip : config_.mapping.bank_xor)
    local ^= static_cast<std::uint32_t>((burst >> (flip.second - burst_shift_)) & 1) << flip.first;
  return {unit * static_cast<std::uint32_t>(banks_per_unit_) + local, static_cast<std::uint32_t>(row_.extract(burst))};
}

void Engine::Impl::add_run(const Place& place, std::uint64_t first, std::uint64_t last, std::uint32_t count,
                           std::int64_t age_bias, std::uint32_t request, Op op_name, Cycle offered) {
  std::uint32_t id = free_run_;
  if (id == kNone) {
    id = static_cast<std::uint32_t>(runs_.size());
    runs_.emplace_back();
  } else {
    free_run_ = runs_[id].next;
  }
  const int op = index(op_name);
  const int bank = static_cast<int>(place.bank), unit = unit_of(bank);

  Run& run = runs_[id];
  run.burst = first;
  run.last = last;
  run.age_bias = age_bias;
  run.offered = offered;
  run.request = request;
  run.count = count;
  run.row = static_cast<std::int32_t>(place.row);
  run.bank = static_cast<std::uint16_t>(bank);
  run.op = static_cast<std::uint8_t>(op);
  run.next = kNone;
  BankQueue& queue = queue_[op][static_cast<std::size_t>(bank)];
  run.previous = queue.tail;
  run.blocked = (queue_[1 - op][bank].head != kNone || blocked_in_bank_[bank] != 0) && must_wait(run);
  if (run.previous == kNone)
    queue.head = id;
  else
    runs_[run.previous].next = id;
  queue.tail = id;

  waiting_[op] += static_cast<int>(count);
  if (waiting_[op] > stats_.queue_peak[op]) stats_.queue_peak[op] = waiting_[op];
  const auto lane = static_cast<std::size_t>(lane_of(unit));
  lane_waiting_[op][lane] += static_cast<int>(count);
  if (op == 1) {
    WriteOrder& order = write_order_[lane];
    run.order = order.base + order.runs.size();
    order.runs.push_back(id);
    lane_[lane].last_write = offered;
  }
  if (run.blocked) {
    ++blocked_in_bank_[bank];
    lane_blocked_[op][lane] += static_cast<int>(count);
    forget();
    return;
  }
  const bool leads = queue.candidate == kNone, leads_hits = queue.hit == kNone && run.row == open_row_[bank];
  if (!leads && !leads_hits) return;
  if (leads) queue.candidate = id;
  if (leads_hits) queue.hit = id;
  set_masks(op, bank);
  consider_arrival(run, id);
}

/// Whether what was decided stands beside a run that has just come, the youngest of all.
void Engine::Impl::consider_arrival(const Run& run, std::uint32_t id) {
  if (!column_known_ && !row_known_) return;
  const int op = run.op, bank = run.bank, unit = unit_of(bank);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  if (lane.mode != op || lane.column_mode != op || !plain_rows_ || config_.scheduler == SchedulerPolicy::kFcfs) {
    forget();
    return;
  }
  const auto earliest = [&](Cmd cmd) {
    return std::max({floor_, bank_time(cmd, bank), group_time(cmd, group_of_[static_cast<std::size_t>(bank)]),
                     unit_time(cmd, unit)});
  };
  const auto stands = [&](const Decision& d, Cycle t) { return t > d.t || (t == d.t && unit == d.unit && t < kNever); };
  if (queue_[op][bank].hit == id) {
    if (!stands(column_decision_, std::max(column_bus_, earliest(column_command(op))))) column_known_ = false;
    if (queue_[op][bank].candidate != id) row_known_ = false;  // the bank was going to be closed
  } else if (queue_[op][bank].candidate == id) {
    if (!stands(*row_decision_, std::max(row_bus_, earliest(open_row_[bank] < 0 ? Cmd::kAct : Cmd::kPre))))
      row_known_ = false;
  }
}

void Engine::Impl::set_masks(int op, int bank) {
  BankQueue& q = queue_[op][static_cast<std::size_t>(bank)];
  Masks& m = masks_[static_cast<std::size_t>(unit_of(bank))];
  const std::uint64_t bit = bank_bit(bank);
  touch(bank);
  m.older_conflict[op] &= ~bit;
  q.capped_from = kNever;
  if (q.hit == kNone) {
    m.hit[op] &= ~bit;
  } else {
    m.hit[op] |= bit;
    q.hit_age = runs_[q.hit].age();
    if (q.hit != q.candidate) {
      m.older_conflict[op] |= bit;
      if (config_.scheduler == SchedulerPolicy::kFcfs)
        q.capped_from = 0;
      else if (config_.fairness_cap_cycles > 0)
        q.capped_from = runs_[q.candidate].offered + config_.fairness_cap_cycles;
    }
  }
  const std::uint64_t before = m.pending[op];
  if (q.candidate == kNone) {
    m.pending[op] &= ~bit;
  } else {
    m.pending[op] |= bit;
    q.candidate_age = runs_[q.candidate].age();
  }
  if ((m.pending[op] == 0) != (before == 0)) set_busy(unit_of(bank));
}

void Engine::Impl::find_hit(int op, int bank, std::uint32_t from) {
  const std::int32_t row = open_row_[bank];
  std::uint32_t i = row < 0 ? kNone : from;
  while (i != kNone && (runs_[i].row != row || runs_[i].blocked)) i = runs_[i].next;
  queue_[op][bank].hit = i;
}

void Engine::Impl::rescan_bank(int op, int bank) {
  std::uint32_t i = queue_[op][bank].head;
  while (i != kNone && runs_[i].blocked) i = runs_[i].next;
  queue_[op][bank].candidate = i;
  find_hit(op, bank, i);
  set_masks(op, bank);
}

void Engine::Impl::remove_run(std::uint32_t id) {
  Run& run = runs_[id];
  const int op = run.op, bank = run.bank;
  const std::uint32_t next = run.next;
  if (run.previous == kNone)
    queue_[op][bank].head = next;
  else
    runs_[run.previous].next = next;
  if (next == kNone)
    queue_[op][bank].tail = run.previous;
  else
    runs_[next].previous = run.previous;
  if (op == 1) {
    WriteOrder& order = write_order_[static_cast<std::size_t>(lane_of(unit_of(bank)))];
    order.runs[static_cast<std::size_t>(run.order - order.base)] = kNone;
    while (order.head < order.runs.size() && order.runs[order.head] == kNone) ++order.head;
    if (order.head == order.runs.size() || (order.head >= 256 && 2 * order.head >= order.runs.size())) {
      order.runs.erase(order.runs.begin(), order.runs.begin() + static_cast<std::ptrdiff_t>(order.head));
      order.base += order.head;
      order.head = 0;
    }
  }
  if (blocked_in_bank_[bank] == 0) {
    if (queue_[op][bank].candidate == id) queue_[op][bank].candidate = next;
    if (queue_[op][bank].hit == id) find_hit(op, bank, next);
    set_masks(op, bank);
  } else {
    forget();
    const auto lane = static_cast<std::size_t>(lane_of(unit_of(bank)));
    for (int o = 0; o < 2; ++o)
      for (std::uint32_t i = queue_[o][bank].head; i != kNone; i = runs_[i].next)
        if (runs_[i].blocked && !must_wait(runs_[i])) {
          runs_[i].blocked = false;
          --blocked_in_bank_[bank];
          lane_blocked_[o][lane] -= static_cast<int>(runs_[i].count);
        }
    rescan_bank(0, bank);
    rescan_bank(1, bank);
  }
  run.next = free_run_;
  free_run_ = id;
}

// ---------------------------------------------------------------------------------------------------------- timing

void Engine::Impl::record(Cmd cmd, Cycle t, int unit, int bank, std::int32_t row, std::int32_t column) const {
  Command c{t, cmd, static_cast<std::int16_t>(unit), -1, -1, row, column};
  if (bank >= 0) {
    const int local = in_unit(bank);
    c.bankgroup = static_cast<std::int16_t>(local / config_.banks_per_group);
    c.bank_in_group = static_cast<std::int16_t>(local % config_.banks_per_group);
  }
  for (CommandObserver* o : observers_) o->on_command(c);
}

void Engine::Impl::apply_unit(Cmd cmd, int unit, Cycle t) {
  const int p = index(cmd);
  apply_level(cmd, kOfUnit, unit, t);
  for (WindowRule& w : window_rules_[p]) {
    std::uint32_t& at = w.at[static_cast<std::size_t>(unit)];
    Cycle* ring = &w.ring[static_cast<std::size_t>(unit * w.window)];
    ring[at] = t;
    at = at + 1 == static_cast<std::uint32_t>(w.window) ? 0 : at + 1;
    Cycle& slot = unit_time_[static_cast<std::size_t>(index(w.next) * units_ + unit)];
    slot = std::max(slot, ring[at] + w.distance);
  }
  if (!other_rules_[p].empty())
    for (int u = lane_of(unit); u < units_; u += lanes_)
      if (u != unit)
        for (const OtherRule& r : other_rules_[p]) {
          Cycle& slot = unit_time_[static_cast<std::size_t>(index(r.next) * units_ + u)];
          slot = std::max(slot, t + r.distance);
        }
}

void Engine::Impl::apply(Cmd cmd, int unit, int bank, Cycle t) {
  if (bank >= 0) {  // a command to all banks has rules of the unit only
    apply_level(cmd, kOfBank, bank, t);
    apply_level(cmd, kOfGroup, group_of_[static_cast<std::size_t>(bank)], t);
  }
  apply_unit(cmd, unit, t);
}

// ------------------------------------------------------------------------------------------------------- decisions

/// When the waiting writes must be served: the oldest has waited long enough, or no other came for a while and the
/// watermark is not going to be reached soon.
Cycle Engine::Impl::write_due(int lane) const {
  const auto l = static_cast<std::size_t>(lane);
  const WriteOrder& order = write_order_[l];
  if (order.head >= order.runs.size()) return kNever;
  Cycle due = kNever;
  if (config_.write_max_wait_cycles > 0) due = runs_[order.runs[order.head]].offered + config_.write_max_wait_cycles;
  if (config_.write_idle_cycles > 0) due = std::min(due, lane_[l].last_write + config_.write_idle_cycles);
  return due;
}

void Engine::Impl::update_mode(int lane, Cycle t) {
  const auto l = static_cast<std::size_t>(lane);
  Lane& s = lane_[l];
  if (lane_waiting_[1][l] == 0 && s.mode == 0 && s.column_mode == 0) return;
  const int reads = lane_waiting_[0][l] - lane_blocked_[0][l], writes = lane_waiting_[1][l] - lane_blocked_[1][l];
  const int batch = config_.write_high_watermark - config_.write_low_watermark;
  const bool pressing = writes > 0 && (write_due(lane) <= t || lane_blocked_[0][l] > 0);
  int mode = s.mode;
  if (mode == 0) {
    if (writes > 0 &&
        (reads == 0 || pressing || (lane_waiting_[1][l] >= config_.write_high_watermark && s.served >= batch)))
      mode = 1;
  } else if (writes == 0) {
    mode = 0;
  } else if (reads > 0 && !pressing &&
             (lane_waiting_[1][l] <= config_.write_low_watermark || s.served >= config_.queue_entries)) {
    mode = 0;
  }
  if (mode != s.mode) {
    s.mode = mode;
    s.served = 0;
    if (mode == 1) ++stats_.write_batches;
    forget();
    for (int unit = lane; unit < units_; unit += lanes_) touch_unit(unit);
  }
  if (s.column_mode != mode) {
    std::uint64_t committed = 0;
    for (int unit = lane; unit < units_; unit += lanes_)
      committed |= masks_[static_cast<std::size_t>(unit)].committed[s.column_mode];
    if (committed == 0) {
      s.column_mode = mode;
      forget();
      for (int unit = lane; unit < units_; unit += lanes_) touch_unit(unit);
    }
  }
}

void Engine::Impl::uncommit(int bank) {
  if (committed_[static_cast<std::size_t>(bank)] == kNone) return;
  committed_[static_cast<std::size_t>(bank)] = kNone;
  touch(bank);
  const std::uint64_t bit = bank_bit(bank);
  for (std::uint64_t& mask : masks_[static_cast<std::size_t>(unit_of(bank))].committed) mask &= ~bit;
}

template <class Ready>
Cycle Engine::Impl::find_best(Kind kind, int unit, std::uint64_t members, Cycle floor, const BankQueue* queue,
                              std::int64_t BankQueue::*age, const Ready& ready) {
  Best& best = best_[static_cast<std::size_t>(unit)][kind];
  if (members == 0) {
    best = {kNever, kNever, 0, -1, 0};
    return kNever;
  }
  const int first_bank = unit * banks_per_unit_;
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  Cycle t = kNever;
  if (best.touched != kAll && best.bank >= 0) {
    const Cycle own = ready(best.bank);
    t = std::max(own, floor);
    if (((best.touched >> (best.bank - first_bank)) & 1) != 0 || (own != best.ready && own > floor) ||
        t >= best.next_ready)
      best.touched = kAll;
  }
  if (best.touched == kAll) {
    best = {kNever, kNever, 0, -1, kAll};
    t = kNever;
  }
  // Which bank it is can hardly be foretold: no branches on it.
  Cycle best_ready = best.ready, next_ready = best.next_ready;
  std::int64_t best_age = best.age;
  int best_bank = best.bank;
  for (std::uint64_t m = members & best.touched; m != 0; m &= m - 1) {
    const int bank = first_bank + lowest_bit(m);
    const Cycle r = ready(bank), at = std::max(r, floor);
    const std::int64_t of_age = queue[bank].*age;
    const bool before = (static_cast<int>(at < t) | (static_cast<int>(at == t) & static_cast<int>(of_age < best_age) &
                                                     static_cast<int>(at < kNever))) != 0;
    const Cycle other = before ? best_ready : r;
    t = before ? at : t;
    best_ready = before ? r : best_ready;
    best_age = before ? of_age : best_age;
    best_bank = before ? bank : best_bank;
    next_ready = other > t ? std::min(next_ready, other) : next_ready;
  }
  best = {best_ready, next_ready, best_age, best_bank, 0};
  return t;
}

/// The column command of a unit that can go first, the oldest of those.
void Engine::Impl::decide_column(int unit, Decision& best) {
  const auto u = static_cast<std::size_t>(unit);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const int column_mode = lane.column_mode;
  if (masks_[u].hit[column_mode] == 0 || down_[u]) return;
  const Refresh& refresh = refresh_[u];
  const int first_bank = unit * banks_per_unit_;
  const Cmd column = column_command(column_mode);
  const std::uint64_t reserved = refresh.active ? refresh.banks : 0;
  // Banks that a refresh waits for take nothing new, but maybe the access that the row was opened for.
  std::uint64_t hits = masks_[u].hit[column_mode] & ~reserved;
  if (reserved != 0 && config_.refresh_urgency == RefreshUrgency::kAfterAccess)
    hits |= masks_[u].hit[column_mode] & masks_[u].fresh;
  if (column_mode != lane.mode) hits &= masks_[u].committed[column_mode];
  if (second_bank_[u] >= 0) hits &= ~(std::uint64_t{1} << in_unit(second_bank_[u]));
  if (config_.scheduler == SchedulerPolicy::kFcfs && column_mode == lane.mode) {
    // Only the oldest access may go, whichever that is now.
    int oldest = -1;
    for (std::uint64_t m = masks_[u].pending[column_mode]; m != 0; m &= m - 1) {
      const int bank = first_bank + lowest_bit(m);
      if (oldest < 0 || queue_[column_mode][bank].candidate_age < queue_[column_mode][oldest].candidate_age)
        oldest = bank;
    }
    hits &= oldest < 0 ? 0 : std::uint64_t{1} << (oldest - first_bank);
    touch_unit(unit);
  }

  // From its cap on, a conflict stops the hits of its bank, but not the access that the row was opened for: the
  // conflict waits for that one.
  const std::uint64_t committed = masks_[u].committed[0] | masks_[u].committed[1];
  const Cycle floor = std::max({floor_, column_bus_, unit_time(column, unit)});
  const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(column) * banks_)];
  const Cycle* const of_group = &group_time_[static_cast<std::size_t>(index(column) * groups_)];
  const BankQueue* const queue = queue_[column_mode].data();
  const Cycle t =
      find_best(kColumns, unit, hits, floor, queue_[column_mode].data(), &BankQueue::hit_age, [&](int bank) {
        const Cycle r = std::max(of_bank[bank], of_group[group_of_[static_cast<std::size_t>(bank)]]);
        const auto may = static_cast<std::uint64_t>(std::max(r, floor) < queue[bank].capped_from) |
                         ((committed >> (bank - first_bank)) & 1);
        return may != 0 ? r : kNever;
      });
  if (t < best.t) best = {t, What::kColumn, unit, best_[u][kColumns].bank, false};
}

/// The row command that comes first. That of a unit in which nothing has changed stands unless the bus is busy then.
void Engine::Impl::decide_rows() {
  const Cycle floor = std::max(floor_, row_bus_);
  row_decision_ = &kNoDecision;
  for (std::uint64_t m = busy_units_; m != 0; m &= m - 1) {
    const int unit = lowest_bit(m);
    Decision& d = row_of_unit_[static_cast<std::size_t>(unit)];
    if (d.t < floor || ((stale_rows_ >> unit) & 1) != 0 || !plain_rows_ || !closed_form_) {
      stale_rows_ &= ~(std::uint64_t{1} << unit);
      d.t = kNever;
      d.what = What::kNothing;
      decide_row(unit, d);
    }
    // Against its deadline, the oldest ACT1 is completed before anything else goes on the row pins.
    if (d.t < row_decision_->t ||
        (d.t == row_decision_->t && d.what == What::kActivate2 &&
         (row_decision_->what != What::kActivate2 ||
          second_from_[static_cast<std::size_t>(unit)] < second_from_[static_cast<std::size_t>(row_decision_->unit)])))
      row_decision_ = &d;
  }
  row_known_ = true;
}

/// The row command of a unit that comes first.
void Engine::Impl::decide_row(int unit, Decision& best_row) {
  const auto u = static_cast<std::size_t>(unit);
  const Refresh& refresh = refresh_[u];
  const std::uint64_t work = work_mask(unit);
  const int first_bank = unit * banks_per_unit_;
  const Cycle row_floor = std::max(floor_, row_bus_);

  const auto offer = [&](Cycle t, What what, int bank, bool conflict) {
    if (t < best_row.t) best_row = {t, what, unit, bank, conflict};
  };
  if (down_[u]) {
    if (refresh.active || work != 0)
      offer(std::max(row_floor, unit_time(Cmd::kPdExit, unit)), What::kPowerUp, 0, false);
    return;
  }
  if (second_bank_[u] >= 0) {
    best_row = {std::max(row_floor, second_from_[u]), What::kActivate2, unit, second_bank_[u], false};
  }

  const std::uint64_t reserved = refresh.active ? refresh.banks : 0;
  if (refresh.active) {
    const std::uint64_t open = masks_[u].open & refresh.banks;
    if (open != 0) {
      const bool all = config_.refresh == RefreshPolicy::kAllBank;
      Cycle t = std::max(row_floor, unit_time(Cmd::kPre, unit));
      int bank = 0;
      if (all) {
        for (std::uint64_t m = open; m != 0; m &= m - 1)
          t = std::max(t, bank_time(Cmd::kPre, first_bank + lowest_bit(m)));
        offer(t, What::kPrechargeAll, 0, false);
      } else {
        Cycle earliest = kNever;
        for (std::uint64_t m = open; m != 0; m &= m - 1) {
          const int b = first_bank + lowest_bit(m);
          if (bank_time(Cmd::kPre, b) < earliest) earliest = bank_time(Cmd::kPre, b), bank = b;
        }
        offer(std::max(t, earliest), What::kPrecharge, bank, false);
      }
    } else {
      const Cmd cmd = config_.refresh == RefreshPolicy::kAllBank ? Cmd::kRef : Cmd::kRefPb;
      Cycle t = std::max(row_floor, unit_time(cmd, unit));
      if (cmd == Cmd::kRefPb)
        for (std::uint64_t m = refresh.banks; m != 0; m &= m - 1)
          t = std::max(t, bank_time(cmd, first_bank + lowest_bit(m)));
      offer(t, What::kRefresh, 0, false);
    }
  }

  // Row commands: for what is being served, then to close unused rows. A row that was opened for a request stays until
  // that request is served: closing it would throw an activate away.
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const int mode = lane.mode, column_mode = lane.column_mode;
  const std::uint64_t open = masks_[u].open;
  const std::uint64_t wanted = masks_[u].pending[mode] & ~reserved;
  Cycle best = kNever;
  What what = What::kNothing;
  int best_bank = 0;
  bool conflict = false;
  const Cycle activate_floor = std::max(row_floor, unit_time(Cmd::kAct, unit));
  if (second_bank_[u] < 0) {
    const Cycle floor = std::max(row_floor, unit_time(Cmd::kPre, unit));
    const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(Cmd::kPre) * banks_)];
    const BankQueue* const queue = queue_[mode].data();
    const std::uint64_t hit = masks_[u].hit[mode];
    // A row opened for the other kind keeps its bank only while that kind is still being served: it was opened when the
    // bus was about to turn to it. Should the bus turn back first, nothing would ever use or close it.
    const std::uint64_t kept = masks_[u].committed[mode] | masks_[u].committed[column_mode];
    const Cycle t = find_best(kClosing, unit, wanted & open & ~kept & (~hit | masks_[u].older_conflict[mode]), floor,
                              queue, &BankQueue::candidate_age, [&](int bank) {
                                const Cycle capped =
                                    ((hit >> (bank - first_bank)) & 1) != 0 ? queue[bank].capped_from : 0;
                                return std::max(of_bank[bank], capped);
                              });
    if (t < kNever) {
      best = t;
      what = What::kPrecharge;
      best_bank = best_[u][kClosing].bank;
      conflict = true;
    }
  }
  if (second_bank_[u] < 0 && activate_floor <= best) {
    const Cycle* const of_bank = &bank_time_[static_cast<std::size_t>(index(Cmd::kAct) * banks_)];
    const Cycle* const of_group = &group_time_[static_cast<std::size_t>(index(Cmd::kAct) * groups_)];
    const Cycle t = find_best(
        kOpening, unit, wanted & ~open, activate_floor, queue_[mode].data(), &BankQueue::candidate_age,
        [&](int bank) { return std::max(of_bank[bank], of_group[group_of_[static_cast<std::size_t>(bank)]]); });
    if (t < best || (t == best && t < kNever && best_[u][kOpening].age < best_[u][kClosing].age)) {
      best = t;
      what = What::kActivate;
      best_bank = best_[u][kOpening].bank;
      conflict = false;
    }
  }
  if (config_.page_policy != PagePolicy::kOpen) {
    const std::uint64_t unused = open & ~reserved & ~work;
    const Cycle floor = std::max(row_floor, unit_time(Cmd::kPre, unit));
    for (std::uint64_t m = unused; m != 0; m &= m - 1) {
      const int bank = first_bank + lowest_bit(m);
      Cycle t = std::max(floor, bank_time(Cmd::kPre, bank));
      if (config_.page_policy == PagePolicy::kAdaptive)
        t = std::max(t, last_use_[static_cast<std::size_t>(bank)] + config_.page_timeout_cycles);
      if (second_bank_[u] == bank || t >= best) continue;
      best = t;
      what = What::kPrecharge;
      best_bank = bank;
      conflict = false;
    }
  }
  offer(best, what, best_bank, conflict);
  if (config_.power_down_idle_cycles > 0 && work == 0 && !refresh.active && second_bank_[u] < 0) {
    Cycle t = std::max({row_floor, unit_time(Cmd::kPdEnter, unit), idle_since_[u] + config_.power_down_idle_cycles});
    offer(t, What::kPowerDown, 0, false);
  }
}

const Decision& Engine::Impl::decide() {
  if (!closed_form_) {
    forget();
    for (int unit = 0; unit < units_; ++unit) touch_unit(unit);
  }
  if (!column_known_) {
    land();
    column_decision_ = Decision{};
    for (std::uint64_t m = busy_units_; m != 0; m &= m - 1) decide_column(lowest_bit(m), column_decision_);
    column_known_ = true;
  }
  if (!row_known_) {
    decide_rows();
  }
  if (!event_known_) {
    decide_event();
    event_known_ = true;
  }
  return first_of(column_decision_);
}

void Engine::Impl::decide_event() {
  Decision event;
  for (int unit = 0; unit < units_; ++unit) {
    const auto u = static_cast<std::size_t>(unit);
    const Refresh& r = refresh_[u];
    if (r.active || r.due == kNever) continue;
    Cycle t = r.due;
    if (work_mask(unit) == 0 && config_.refresh == RefreshPolicy::kAllBank) {
      // Idle: pay back postponed refreshes at once, and pull the next ones in after a while.
      if (r.owed > 0)
        t = std::min(t, idle_since_[u]);
      else if (config_.refresh_pull_in > 0)
        t = std::min(t, std::max(idle_since_[u] + config_[Param::RFC],
                                 r.due - static_cast<Cycle>(config_.refresh_pull_in) * config_[Param::REFI]));
    }
    t = std::max(t, floor_);
    if (t < event.t) event = {t, What::kRefreshDue, unit, 0, false};
  }
  for (int lane = 0; lane < lanes_; ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    if (lane_[l].mode != 0 || lane_waiting_[1][l] == lane_blocked_[1][l]) continue;
    const Cycle due = write_due(lane);
    if (due == kNever) continue;
    const Cycle t = std::max(floor_, due);
    if (t < event.t) event = {t, What::kModeSwitch, lane, 0, false};
  }
  event_decision_ = event;
}

/// Of a column command and the row command and event that were found last: which comes first.
const Decision& Engine::Impl::first_of(const Decision& column) const {
  const Decision &row = *row_decision_, &event = event_decision_;
  if (event.t <= column.t && event.t <= row.t) return event;
  if (row.what == What::kNothing) return column;
  if (table_.split_command_bus) return column.t <= row.t ? column : row;
  // ACT2 must come in time.
  if (row.what == What::kActivate2 &&
      column.t >= second_from_[static_cast<std::size_t>(row.unit)] + config_[Param::AAD] - 2)
    return row;
  // One bus: what leaves it first goes first. Of equals, a one-cycle activate (FAW makes slots for activates the
  // scarcer good), else the column command (the data bus is).
  static constexpr Cmd kCommandOf[] = {Cmd::kAct, Cmd::kAct,    Cmd::kAct, Cmd::kRd,      Cmd::kAct,   Cmd::kAct2,
                                       Cmd::kPre, Cmd::kPreAll, Cmd::kRef, Cmd::kPdEnter, Cmd::kPdExit};
  const int row_length = table_.command_cycles[static_cast<std::size_t>(index(kCommandOf[static_cast<int>(row.what)]))];
  const Cycle column_end = column.t + table_.command_cycles[static_cast<std::size_t>(index(Cmd::kRd))],
              row_end = row.t + row_length;
  if (column_end != row_end) return column_end < row_end ? column : row;
  return row.what == What::kActivate && row_length == 1 && !table_.split_activate ? row : column;
}

void Engine::Impl::run_until(Cycle limit) {
  wake_known_ = false;
  limit_ = limit;
  while (true) {
    Cycle until = std::min(limit, first_arrival());
    if (stream_.live && !(decided_ && decision_->t > until)) {
      stream_.live = false;
      refresh_stream();
      if (interlude(until)) serve(until);
      continue;
    }
    const Decision& d = next_decision();
    if (d.t > until) {
      if (first_arrival() > limit) break;
      take_in_arrival();
      continue;
    }
    land();
    if (d.what == What::kColumn && worth_streaming(d.bank) && stream(d, until)) continue;
    const Cycle next_column = column_decision_.t;
    perform(d);
    if (d.what == What::kActivate && table_.split_activate)
      follow_activate({d.t + 1, What::kActivate2, d.unit, d.bank, false}, std::min(next_column - 1, until));
  }
  done_until_ = limit;
  if (floor_ <= limit) floor_ = limit + 1;
}

/// ACT2 right behind ACT1 unless something else could come first: what the next decision would find. Nothing but row
/// commands comes up to the limit.
void Engine::Impl::follow_activate(const Decision& d, Cycle limit) {
  if (d.t > std::min(limit, event_decision_.t - 1)) return;
  for (int unit = 0; unit < units_; ++unit)
    if (unit != d.unit && second_bank_[static_cast<std::size_t>(unit)] >= 0) return;
  perform(d);
}

void Engine::Impl::perform(const Decision& d) {
  decided_ = false;
  switch (d.what) {
    case What::kColumn:
    case What::kActivate:
    case What::kActivate2:
    case What::kPrecharge:
      break;  // part of what was decided may stand
    default:
      forget();
      if (d.what != What::kModeSwitch) touch_unit(d.unit);
  }
  if (d.t > floor_) floor_ = d.t;
  const auto u = static_cast<std::size_t>(d.unit);
  const Cycle t = d.t;
  const auto count = [&](Cmd c) {
    ++stats_.commands[static_cast<std::size_t>(index(c))];
    ++unit_commands_[u][static_cast<std::size_t>(index(c))];
  };
  switch (d.what) {
    case What::kNothing:
      return;
    case What::kModeSwitch:
      update_mode(d.unit, t);
      return;
    case What::kRefreshDue: {
      Refresh& r = refresh_[u];
      const bool all = config_.refresh == RefreshPolicy::kAllBank;
      if (t >= r.due) {
        const Cycle interval = config_[all ? Param::REFI : Param::REFIpb];
        if (all && r.owed < config_.refresh_postpone && work_mask(d.unit) != 0) {
          ++r.owed;
          r.due += interval;
          return;
        }
        r.due += interval;
      } else if (r.owed > 0) {
        --r.owed;
      } else {
        r.due += config_[Param::REFI];
      }
      r.active = true;
      set_busy(d.unit);
      touch_unit(d.unit);
      if (all) {
        r.banks = banks_per_unit_ == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << banks_per_unit_) - 1;
      } else if (config_.standard == Standard::kDdr5) {
        r.banks = 0;
        for (int g = 0; g < config_.bankgroups; ++g)
          r.banks |= std::uint64_t{1} << (g * config_.banks_per_group + r.slot);
        r.slot = (r.slot + 1) % config_.banks_per_group;
      } else {
        r.banks = std::uint64_t{1} << r.slot;
        r.slot = (r.slot + 1) % banks_per_unit_;
      }
      return;
    }
    case What::kColumn:
      issue_column(d);
      return;
    case What::kActivate: {
      const std::uint64_t bit = bank_bit(d.bank);
      const int mode = lane_[static_cast<std::size_t>(lane_of(d.unit))].mode;
      const std::uint32_t for_run =
          queue_[mode][d.bank].candidate != kNone ? queue_[mode][d.bank].candidate : queue_[1 - mode][d.bank].candidate;
      const Run& run = runs_[for_run];
      open_row_[d.bank] = run.row;
      masks_[u].open |= bit;
      masks_[u].fresh |= bit;
      last_use_[static_cast<std::size_t>(d.bank)] = t;
      count(Cmd::kAct);
      ++(closed_by_conflict_[d.bank] ? stats_.row_conflicts : stats_.row_misses);
      closed_by_conflict_[d.bank] = 0;
      committed_[static_cast<std::size_t>(d.bank)] = for_run;
      masks_[u].committed[run.op] |= bit;
      if (!observers_.empty())
        record(Cmd::kAct, t, d.unit, d.bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
      apply(Cmd::kAct, d.unit, d.bank, t);
      occupy(Cmd::kAct, t);
      activity_[u].activate(t);
      if (table_.split_activate) {
        second_bank_[u] = d.bank;
        set_busy(d.unit);
        second_from_[u] = t + 1;
      }
      touch(d.bank);
      for (int op = 0; op < 2; ++op) {
        if (queue_[op][d.bank].candidate == kNone) continue;
        find_hit(op, d.bank, queue_[op][d.bank].candidate);
        set_masks(op, d.bank);
      }
      if (table_.split_activate) {
        // No column command to this bank before ACT2: hold it back by its time.
        for (Cmd c : {Cmd::kRd, Cmd::kWr}) bank_time(c, d.bank) = std::max(bank_time(c, d.bank), t + 2);
      }
      keep_column_beside(std::min(bank_time(Cmd::kRd, d.bank), bank_time(Cmd::kWr, d.bank)));
      return;
    }
    case What::kActivate2:
      count(Cmd::kAct2);
      if (!observers_.empty()) record(Cmd::kAct2, t, d.unit, d.bank, open_row_[d.bank], 0);
      occupy(Cmd::kAct2, t);
      for (Cmd c : {Cmd::kRd, Cmd::kWr}) bank_time(c, d.bank) = std::max(bank_time(c, d.bank), t + 1);
      second_bank_[u] = -1;
      set_busy(d.unit);
      touch(d.bank);
      keep_column_beside(std::min(bank_time(Cmd::kRd, d.bank), bank_time(Cmd::kWr, d.bank)));
      return;
    case What::kPrecharge: {
      const std::uint64_t bit = bank_bit(d.bank);
      const bool hits = ((masks_[u].hit[0] | masks_[u].hit[1]) & bit) != 0;
      count(Cmd::kPre);
      if (!observers_.empty()) record(Cmd::kPre, t, d.unit, d.bank, open_row_[d.bank], 0);
      apply(Cmd::kPre, d.unit, d.bank, t);
      occupy(Cmd::kPre, t);
      activity_[u].precharge(t);
      ++precharges_[u];
      open_row_[d.bank] = -1;
      masks_[u].open &= ~bit;
      masks_[u].fresh &= ~bit;
      uncommit(d.bank);
      closed_by_conflict_[d.bank] = d.conflict ? 1 : 0;
      touch(d.bank);
      for (int op = 0; op < 2; ++op) {
        if (queue_[op][d.bank].hit == kNone) continue;
        queue_[op][d.bank].hit = kNone;
        set_masks(op, d.bank);
      }
      keep_column_beside(hits ? 0 : kNever);
      // A refresh may have closed the last row that the old kind of column command was still owed.
      update_mode(lane_of(d.unit), t);
      return;
    }
    case What::kPrechargeAll: {
      count(Cmd::kPreAll);
      if (!observers_.empty()) record(Cmd::kPreAll, t, d.unit, -1, -1, -1);
      apply(Cmd::kPreAll, d.unit, -1, t);
      occupy(Cmd::kPreAll, t);
      activity_[u].precharge_all(t);
      for (std::uint64_t m = masks_[u].open; m != 0; m &= m - 1) {
        const int bank = d.unit * banks_per_unit_ + lowest_bit(m);
        open_row_[bank] = -1;
        closed_by_conflict_[bank] = 0;
        uncommit(bank);
        ++precharges_[u];
        for (int op = 0; op < 2; ++op) queue_[op][bank].hit = kNone;
      }
      for (int op = 0; op < 2; ++op) masks_[u].hit[op] = masks_[u].older_conflict[op] = 0;
      masks_[u].open = masks_[u].fresh = 0;
      touch_unit(d.unit);
      update_mode(lane_of(d.unit), t);
      return;
    }
    case What::kRefresh: {
      Refresh& r = refresh_[u];
      if (config_.refresh == RefreshPolicy::kAllBank) {
        count(Cmd::kRef);
        if (!observers_.empty()) record(Cmd::kRef, t, d.unit, -1, -1, -1);
        apply(Cmd::kRef, d.unit, -1, t);
        occupy(Cmd::kRef, t);
        activity_[u].refresh(t, config_[Param::RFC], banks_per_unit_);
        stats_.refresh_cycles += config_[Param::RFC];
      } else {
        count(Cmd::kRefPb);
        int banks = 0;
        const int first = d.unit * banks_per_unit_;
        for (std::uint64_t m = r.banks; m != 0; m &= m - 1, ++banks) {
          const int bank = first + lowest_bit(m);
          if (banks == 0 && !observers_.empty()) record(Cmd::kRefPb, t, d.unit, bank, -1, -1);
          apply(Cmd::kRefPb, d.unit, bank, t);
        }
        occupy(Cmd::kRefPb, t);
        activity_[u].refresh_banks(config_[Param::RFCpb], banks);
        stats_.refresh_cycles += static_cast<Cycle>(config_[Param::RFCpb]) * banks / banks_per_unit_;
      }
      r.active = false;
      set_busy(d.unit);
      touch_unit(d.unit);
      idle_since_[u] = std::max(idle_since_[u], t);
      return;
    }
    case What::kPowerDown:
      count(Cmd::kPdEnter);
      if (!observers_.empty()) record(Cmd::kPdEnter, t, d.unit, -1, -1, -1);
      apply(Cmd::kPdEnter, d.unit, -1, t);
      occupy(Cmd::kPdEnter, t);
      activity_[u].power_down(t);
      down_[u] = 1;
      return;
    case What::kPowerUp:
      count(Cmd::kPdExit);
      if (!observers_.empty()) record(Cmd::kPdExit, t, d.unit, -1, -1, -1);
      apply(Cmd::kPdExit, d.unit, -1, t);
      occupy(Cmd::kPdExit, t);
      activity_[u].power_up(t);
      down_[u] = 0;
      idle_since_[u] = std::max(idle_since_[u], t);
      return;
  }
}

void Engine::Impl::issue_column(const Decision& d) {
  const auto u = static_cast<std::size_t>(d.unit);
  const int lane = lane_of(d.unit);
  Lane& s = lane_[static_cast<std::size_t>(lane)];
  const int op = s.column_mode;
  const std::uint32_t id = queue_[op][d.bank].hit;
  Run& run = runs_[id];
  const Cmd cmd = column_command(op);
  const bool conflict = (masks_[u].older_conflict[op] & bank_bit(d.bank)) != 0;
  Cycle t = d.t;
  if (table_.wck_sync) {
    if (t >= wck_until_[u]) {
      send_cas(op, d.unit, d.bank, t);
      ++t;
    }
    wck_until_[u] = t + latency_[op] + config_[Param::WCKPST];
  }
  ++stats_.commands[static_cast<std::size_t>(index(cmd))];
  ++unit_commands_[u][static_cast<std::size_t>(index(cmd))];
  if (!observers_.empty())
    record(cmd, t, d.unit, d.bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
  apply(cmd, d.unit, d.bank, t);
  occupy(cmd, t);
  last_use_[static_cast<std::size_t>(d.bank)] = t;
  masks_[u].fresh &= ~bank_bit(d.bank);
  idle_since_[u] = t;
  if (s.last_op != op) {
    if (s.last_op >= 0) ++stats_.turnarounds;
    s.last_op = op;
  }
  if (op == s.mode) ++s.served;
  stats_.queue_integral[op] += static_cast<double>(t - run.offered);
  ++stats_.bursts[op];
  --waiting_[op];
  --lane_waiting_[op][static_cast<std::size_t>(lane)];

  if (--requests_[run.request].bursts == 0) complete(run.request, t);
  if (--run.count == 0) {
    if (committed_[static_cast<std::size_t>(d.bank)] == id) uncommit(d.bank);
    remove_run(id);
  } else {
    run.burst = (((run.burst | ~column_.mask()) + 1) & column_.mask()) | (run.burst & ~column_.mask());
    queue_[op][d.bank].hit_age = run.age();
    if (queue_[op][d.bank].candidate == id) queue_[op][d.bank].candidate_age = run.age();
    touch(d.bank);
  }
  column_known_ = false;
  if (op == 1 || refreshes_when_idle_) event_known_ = false;
  keep_row_beside(d.bank, conflict);
  if (staged_.left > 0) {
    forget();
    take_in_staged();
  }
  update_mode(lane, t);
}

/// After a row command that lets no column come before `from`, but those that could before.
void Engine::Impl::keep_column_beside(Cycle from) {
  row_known_ = false;
  if (column_decision_.t < column_bus_ || column_decision_.t >= from || config_.scheduler == SchedulerPolicy::kFcfs)
    column_known_ = false;
}

/// After a column command in this bank: others' row commands stand unless the bus is not free for them now or one for
/// this bank could come first.
void Engine::Impl::keep_row_beside(int bank, bool conflict_before) {
  const int unit = unit_of(bank);
  const auto u = static_cast<std::size_t>(unit);
  const Lane& lane = lane_[static_cast<std::size_t>(lane_of(unit))];
  const std::uint64_t bit = bank_bit(bank);
  if (!plain_rows_ || refresh_[u].active || lane.mode != lane.column_mode || row_decision_->t < row_bus_ ||
      conflict_before || (masks_[u].older_conflict[lane.mode] & bit) != 0 ||
      ((masks_[u].pending[lane.mode] & ~masks_[u].hit[lane.mode] & bit) != 0 &&
       bank_time(Cmd::kPre, bank) <= row_decision_->t))
    row_known_ = false;
}

/// WCK is out of step: CAS goes in the cycle before the column command.
void Engine::Impl::send_cas(int op, int unit, int bank, Cycle t) {
  const auto cas = static_cast<std::size_t>(index(op == 0 ? Cmd::kCasRd : Cmd::kCasWr));
  ++stats_.commands[cas];
  ++unit_commands_[static_cast<std::size_t>(unit)][cas];
  if (observers_.empty()) return;
  const Run& run = runs_[queue_[op][bank].hit];
  record(static_cast<Cmd>(cas), t, unit, bank, run.row, static_cast<std::int32_t>(column_.extract(run.burst)));
}

/// The last burst of a request is on the bus at t.
void Engine::Impl::complete(std::uint32_t id, Cycle t) {
  const Pending& request = requests_[id];
  const int op = index(request.op);
  const Cycle done = t + latency_[op] + config_.backend_cycles;
  completions_.push_back({request.tag, done, request.offered, request.op});
  stats_.latency[op].add(done - request.offered);
  ++stats_.requests[op];
  stats_.bytes[op] += request.length;
  if (done > stats_.last_done) stats_.last_done = done;
  free_requests_.push_back(id);
  --active_;
}

// ------------------------------------------------------------------------------------------------------- streaming

/// Accesses of the open rows of one unit from `first` on, of one kind while no other kind waits. The choice among them
/// needs only when each bank, each group and the bus are free and whose turn it is: that is kept apart here, and the
/// rest is brought up to date when something else may come between. Row commands and arrivals that leave it a stream
/// are done on the way. False when there is nothing to gain; nothing has been issued then.
bool Engine::Impl::stream(const Decision& first, Cycle limit) {
  Stream& s = stream_;
  const int unit = first.unit, lane = lane_of(unit);
  const auto u = static_cast<std::size_t>(unit), l = static_cast<std::size_t>(lane);
  const int op = lane_[l].column_mode;
  if (lane_[l].mode != op || lane_waiting_[1 - op][l] != 0 || refresh_[u].active ||
      config_.scheduler == SchedulerPolicy::kFcfs)
    return false;
  const Cmd cmd = column_command(op);
  const int length = table_.command_cycles[static_cast<std::size_t>(index(cmd))];
  s.unit = unit;
  s.op = op;
  s.cmd = cmd;
  s.last_t = -kNever;
  s.t = first.t;
  if (!find_bounds()) return false;
  const Cycle before_row = table_.split_command_bus ? row_decision_->t : row_decision_->t - length;
  s.horizon = std::min({limit, s.hard, event_decision_.t - 1, before_row});
  const bool cas = table_.wck_sync && first.t >= wck_until_[u];
  if (s.horizon < first.t + (cas ? 1 : 0) ||
      (s.horizon < first.t + config_[Param::CCD_S] && runs_[queue_[op][first.bank].hit].count < kLongRun))
    return false;

  s.n = 0;
  s.step = -1;
  s.banks = 0;
  s.accesses = s.waited = 0;
  s.of_group = &group_time_[static_cast<std::size_t>(index(cmd) * groups_)];
  s.floor = std::max({floor_, column_bus_, unit_time(cmd, unit)});
  gather_hits();
  s.next = static_cast<std::uint8_t>(in_unit(first.bank));
  s.place = place_of(s.next);
  if (cas) {
    send_cas(op, unit, first.bank, first.t);
    ++s.t;
  }
  serve(limit);
  return true;
}

/// Column after column, until something else comes that ends the stream, or the limit.
void Engine::Impl::serve(Cycle limit) {
  Stream& s = stream_;
  int attempts = 0;
  bool anew = true;  // look for a pattern or a period
  while (true) {
    if (s.step < 0 && (anew || s.place == 0)) {
      if (!follow() && anew) attempts = begin_attempts();
      anew = false;
    }
    if (s.step >= 0) {
      if (s.step > 0 || !follow_periods()) follow_steps();
      anew = true;
    } else {
      Hit& h = s.hits[s.next];
      access(h, s.t);
      ++s.accesses;
      s.waited += s.t;
      s.last_t = s.t;
      Cycle& group = s.of_group[h.group];
      group = std::max(group, s.t + same_column_[s.op][0]);
      s.floor = std::max(s.floor, s.t + same_column_[s.op][1]);
      if (attempts > 0) {
        Period& p = period_;
        p.step[p.steps].hit = s.next;
        p.step[p.steps].turn = h.turns++;
        p.step[p.steps].at = s.t - p.start;
        ++p.steps;
      }
      if (h.left == 0) {
        end_run(s.place);
        anew = true;
      } else {
        move_back(s.place);
      }
      choose_hit();
    }
    if (s.t > s.horizon || s.t - s.last_t >= s.stay) {
      if (!interlude(limit)) return;
      anew = true;
    }
    if (attempts == 0 || anew) continue;
    Period& p = period_;
    if (s.next == p.step[0].hit && s.hits[s.next].turns == round_) {
      const std::int64_t periods = repetitions();
      if (periods > 0) {
        repeat(periods);
        attempts = 0;
        if (s.t > s.horizon || s.t - s.last_t >= s.stay) {
          if (!interlude(limit)) return;
          anew = true;
        }
      } else if (--attempts > 0) {
        begin_period();
      }
    } else if (p.steps == kLongestPeriod) {
      attempts = 0;
    } else {
      p.dense = p.dense && s.t == s.floor;
    }
  }
}

/// The gap that ends the stream, and the time up to which nothing but row commands, events and arrivals can.
/// False when others interfere.
bool Engine::Impl::find_bounds() {
  Stream& s = stream_;
  const auto u = static_cast<std::size_t>(s.unit);
  const int lane = lane_of(s.unit), op = s.op;
  s.stay = table_.wck_sync ? latency_[op] + config_[Param::WCKPST] : kNever;
  for (std::uint64_t m = busy_units_ & ~(std::uint64_t{1} << s.unit); m != 0; m &= m - 1) {
    const int other = lowest_bit(m);
    const auto o = static_cast<std::size_t>(other);
    if (refresh_[o].active) return false;
    if (work_mask(other) == 0) continue;
    // Another rank's columns come behind every column of this one by the time that the bus takes to change hands: as
    // long as each is nearer to the last one, none can come between.
    if (lane_of(other) != lane || other_column_[op] == 0) return false;
    if (masks_[o].hit[op] != 0) s.stay = std::min(s.stay, other_column_[op]);
  }
  s.hard = kNever;
  // The next piece of a long request is taken in when the queue has room for it: that is decided step by step.
  if (staged_.left > 0) s.hard = s.t + std::max(0, waiting_[op] - capacity_) * same_column_[op][1] - 1;
  s.conflicts = masks_[u].older_conflict[op];
  if (s.conflicts != 0) row_known_ = false;  // banks that will be closed under the stream
  for (std::uint64_t m = s.conflicts; m != 0; m &= m - 1)
    s.hard = std::min(s.hard, queue_[op][s.unit * banks_per_unit_ + lowest_bit(m)].capped_from - 1);
  return true;
}

/// Takes up the banks with hits that are not in the stream.
void Engine::Impl::gather_hits() {
  Stream& s = stream_;
  const auto u = static_cast<std::size_t>(s.unit);
  std::uint64_t fresh = masks_[u].hit[s.op] & ~s.banks;
  if (second_bank_[u] >= 0) fresh &= ~bank_bit(second_bank_[u]);
  s.banks |= fresh;
  for (; fresh != 0; fresh &= fresh - 1) {
    const int slot = lowest_bit(fresh);
    Hit& h = s.hits[slot];
    h.bank = s.unit * banks_per_unit_ + slot;
    h.group = group_of_[static_cast<std::size_t>(h.bank)];
    h.ready = bank_time(s.cmd, h.bank);
    h.unsettled = false;
    h.last = -kNever;
    load_run(h);
    s.disturbed = s.disturbed || h.age() < s.youngest;
    int at = s.n++;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > h.age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = static_cast<std::uint8_t>(slot);
  }
}

void Engine::Impl::load_run(Hit& h) {
  h.run = queue_[stream_.op][h.bank].hit;
  const Run& run = runs_[h.run];
  h.burst = run.burst;
  h.age_bias = run.age_bias;
  h.left = run.count;
}

/// The access at this place of the order has become younger.
void Engine::Impl::move_back(int place) {
  Stream& s = stream_;
  const std::uint8_t slot = s.order[place];
  const std::int64_t age = s.hits[slot].age();
  for (; place + 1 < s.n && s.hits[s.order[place + 1]].age() < age; ++place) s.order[place] = s.order[place + 1];
  s.order[place] = slot;
}

void Engine::Impl::choose_hit() {
  Stream& s = stream_;
  s.t = kNever;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    const Cycle ready = std::max(h.ready, s.of_group[h.group]);
    if (ready <= s.floor) {  // nobody younger can be before it
      s.t = s.floor;
      s.place = k;
      s.next = s.order[k];
      return;
    }
    if (ready < s.t) {
      s.t = ready;
      s.place = k;
      s.next = s.order[k];
    }
  }
}

/// Takes what a bank of the stream has served off its run.
void Engine::Impl::count_hit(Hit& h) {
  Run& run = runs_[h.run];
  const std::uint32_t served = run.count - h.left;
  if (served == 0) return;
  run.count = h.left;
  run.burst = h.burst;
  requests_[run.request].bursts -= served;
  stream_.waited -= served * run.offered;
}

/// Tells the bank of what has been done to it.
void Engine::Impl::settle_hit(Hit& h) {
  if (!h.unsettled) return;
  h.unsettled = false;
  count_hit(h);
  const Stream& s = stream_;
  const auto b = static_cast<std::size_t>(h.bank);
  queue_[s.op][b].hit_age = h.age();
  if (queue_[s.op][b].candidate == h.run) queue_[s.op][b].candidate_age = h.age();
  apply_level(s.cmd, kOfBank, h.bank, h.last);
  apply_level(s.cmd, kOfGroup, h.group, h.last);
  last_use_[b] = h.last;
  masks_[static_cast<std::size_t>(s.unit)].fresh &= ~bank_bit(h.bank);
  touch(h.bank);
}

/// What row commands and arrivals beside the stream need to know of it: how full the queue is and when the bus is free.
/// The rows of banks with hits are left alone, apart from those that a conflict may close.
void Engine::Impl::count_accesses() {
  Stream& s = stream_;
  if (s.accesses == 0) return;
  const auto u = static_cast<std::size_t>(s.unit), l = static_cast<std::size_t>(lane_of(s.unit));
  const int op = s.op;
  floor_ = s.last_t;
  occupy(s.cmd, s.last_t);
  const auto count = static_cast<std::uint64_t>(s.accesses);
  stats_.commands[static_cast<std::size_t>(index(s.cmd))] += count;
  unit_commands_[u][static_cast<std::size_t>(index(s.cmd))] += count;
  stats_.bursts[op] += count;
  Lane& lane = lane_[l];
  if (lane.last_op != op) {
    if (lane.last_op >= 0) ++stats_.turnarounds;
    lane.last_op = op;
  }
  lane.served += static_cast<int>(s.accesses);
  waiting_[op] -= static_cast<int>(s.accesses);
  lane_waiting_[op][l] -= static_cast<int>(s.accesses);
  s.accesses = 0;
  s.unsettled = true;
  if (s.conflicts != 0)
    for (int k = 0; k < s.n; ++k) settle_hit(s.hits[s.order[k]]);
}

/// Ends the stream: everything is brought up to date with it.
void Engine::Impl::settle() {
  Stream& s = stream_;
  s.live = false;
  s.step = -1;
  count_accesses();
  if (!s.unsettled) return;
  s.unsettled = false;
  for (int k = 0; k < s.n; ++k) settle_hit(s.hits[s.order[k]]);
  stats_.queue_integral[s.op] += static_cast<double>(s.waited);
  s.waited = 0;
  const auto u = static_cast<std::size_t>(s.unit);
  apply_unit(s.cmd, s.unit, s.last_t);
  idle_since_[u] = s.last_t;
  if (table_.wck_sync) wck_until_[u] = s.last_t + latency_[s.op] + config_[Param::WCKPST];
}

/// The last access of a run. Its bank goes on with the next one of the row, or rests.
void Engine::Impl::end_run(int place) {
  Stream& s = stream_;
  const auto u = static_cast<std::size_t>(s.unit);
  Hit& h = s.hits[s.order[place]];
  settle_hit(h);
  const std::uint32_t request = runs_[h.run].request;
  if (requests_[request].bursts == 0) complete(request, h.last);
  if (committed_[static_cast<std::size_t>(h.bank)] == h.run) uncommit(h.bank);
  remove_run(h.run);
  if (queue_[s.op][h.bank].hit != kNone) {
    load_run(h);
    s.disturbed = s.disturbed || h.age() < s.youngest;
    move_back(place);
  } else {
    const std::uint64_t bit = bank_bit(h.bank);
    s.banks &= ~bit;
    if ((masks_[u].pending[s.op] & bit) != 0 || !plain_rows_) row_known_ = false;
    --s.n;
    for (int k = place; k < s.n; ++k) s.order[k] = s.order[k + 1];
  }
  if (masks_[u].older_conflict[s.op] != s.conflicts) row_known_ = false;
  if (!row_known_) s.horizon = -kNever;
}

/// The next column may not be the next thing to happen. Does what comes before it, if the stream can go on behind that.
/// False when it cannot; decision_ is what comes next, if that is known.
bool Engine::Impl::interlude(Cycle& limit) {
  Stream& s = stream_;
  count_accesses();
  decided_ = column_known_ = false;
  while (true) {
    if (s.n == 0 || !event_known_ || !find_bounds() || s.t - s.last_t >= s.stay || s.t > s.hard) {
      settle();
      forget();
      if (s.n == 0) update_mode(lane_of(s.unit), s.last_t);
      return false;
    }
    if (!row_known_) {
      decide_rows();
    }
    column_decision_ = {s.t, What::kColumn, s.unit, s.hits[s.next].bank, false};
    const Decision& d = first_of(column_decision_);
    if (d.t <= limit && d.what == What::kColumn) {
      const int length = table_.command_cycles[static_cast<std::size_t>(index(s.cmd))];
      const Cycle before_row = table_.split_command_bus ? row_decision_->t : row_decision_->t - length;
      s.horizon = std::min({limit, s.hard, event_decision_.t - 1, before_row});
      if (s.t > before_row) row_known_ = false;  // it comes later for the column
      return true;
    }
    if (d.t <= limit && perform_beside(d, limit)) continue;
    if (d.t > limit && first_arrival() <= limit_ && join_arrival()) {
      limit = std::min(limit_, first_arrival());
      continue;
    }
    if (d.t > limit)
      s.live = true;
    else
      settle();
    column_known_ = true;
    decision_ = &d;
    decided_ = true;
    return false;
  }
}

/// A row command between two columns of the stream.
bool Engine::Impl::perform_beside(const Decision& d, Cycle limit) {
  Stream& s = stream_;
  if (lanes_ > 1 || (s.step < 0 && s.hits[s.next].left < kLongRun)) return false;
  if (d.what == What::kPrecharge) {
    if (d.unit == s.unit && (s.banks & bank_bit(d.bank)) != 0) return false;
  } else if (d.what != What::kActivate && d.what != What::kActivate2) {
    return false;
  }
  perform(d);
  if (d.what == What::kActivate && table_.split_activate) {
    Cycle at = d.t + 1;
    if (s.step >= 0 && s.t == at && config_[Param::AAD] > 2 && at < std::min({limit, s.hard, event_decision_.t - 1})) {
      // A column of the pattern comes first.
      s.horizon = at++;
      follow_steps();
      count_accesses();
    }
    if (s.n > 0 && s.t > at) follow_activate({at, What::kActivate2, d.unit, d.bank, false}, limit);
  }
  refresh_stream();
  return true;
}

/// The request that arrives next, when it joins the stream.
bool Engine::Impl::join_arrival() {
  Stream& s = stream_;
  if (lanes_ > 1 || index(arrivals_.front().op) != s.op) return false;
  take_in_arrival();
  refresh_stream();
  return true;
}

void Engine::Impl::refresh_stream() {
  Stream& s = stream_;
  decided_ = column_known_ = false;
  s.floor = std::max({s.floor, floor_, column_bus_, unit_time(s.cmd, s.unit)});
  gather_hits();
  if (s.step < 0)
    choose_hit();
  else if (s.floor != s.t || s.disturbed)
    leave_pattern();
}

/// Begins to follow a pattern, if one is known: whole periods at once, the next one step by step. False when none is.
bool Engine::Impl::follow() {
  Stream& s = stream_;
  if (s.place != 0 || s.t != s.floor || round_ == 0) return false;
  const Hit& first = s.hits[s.next];
  if ((first.burst & round_mask_) != 0 || first.left < static_cast<std::uint32_t>(round_)) return false;
  auto& known = patterns_[s.op];
  for (std::size_t i = 0; i < known.size(); ++i) {
    const Pattern& p = *known[i];
    if (!matches(p)) continue;
    std::uint32_t fewest = ~std::uint32_t{0};
    for (int k = 0; k < p.members; ++k) {
      Hit& h = s.hits[s.order[k]];
      s.member[static_cast<std::size_t>(k)] = &h;
      fewest = std::min(fewest, h.left);
    }
    s.periods = fewest >> round_shift_;
    s.youngest = youngest_of(p);
    if (s.n > p.members) {  // the others are younger up to the end
      const std::int64_t apart = s.hits[s.order[p.members]].age() - s.youngest;
      const std::int64_t until_younger = (apart + age_of_round_ - 1) >> age_of_round_shift_;
      if (until_younger < std::min<std::int64_t>(s.periods, 2)) continue;
      s.periods = std::min(s.periods, until_younger);
    }
    if (i > 0) std::swap(known[i], known[i - 1]);
    s.free_periods = std::min<std::int64_t>(s.periods, (fewest - 1) >> round_shift_);
    s.youngest += (s.periods - 1) * age_of_round_;
    s.pattern = &p;
    s.disturbed = false;
    s.step = 0;
    s.next = static_cast<std::uint8_t>(in_unit(s.member[p.step[0]]->bank));
    return true;
  }
  if (++misses_ % 64 == 0) learn();
  return false;
}

/// Whole periods at once: those in which no run ends, up to the horizon. False when there is none.
bool Engine::Impl::follow_periods() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  const Cycle to_unit = same_column_[s.op][1], last = p.length - to_unit;
  if (s.free_periods == 0 || s.horizon < s.t + last) return false;
  const std::int64_t periods = std::min<std::int64_t>(s.free_periods, (s.horizon - s.t - last) / p.length + 1);
  if (!observers_.empty())
    for (std::int64_t j = 0; j < periods; ++j) {
      std::array<int, 8> turns{};
      for (int i = 0; i < p.steps; ++i) {
        const std::size_t k = p.step[static_cast<std::size_t>(i)];
        const Hit& h = *s.member[k];
        const auto column = column_.extract(h.burst) + static_cast<std::uint64_t>(j * round_ + turns[k]++);
        record(s.cmd, s.t + j * p.length + i * to_unit, s.unit, h.bank, open_row_[static_cast<std::size_t>(h.bank)],
               static_cast<std::int32_t>(column));
      }
    }
  const auto each = static_cast<std::uint32_t>(periods * round_);
  for (int k = 0; k < p.members; ++k) {
    Hit& h = *s.member[static_cast<std::size_t>(k)];
    h.left -= each;
    h.unsettled = true;
    h.burst = (h.burst & ~column_.mask()) | column_.deposit(column_.extract(h.burst) + each);
  }
  const Cycle start = s.t + (periods - 1) * p.length;
  for (int i = 0; i < p.steps; ++i) s.member[p.step[static_cast<std::size_t>(i)]]->last = start + i * to_unit;
  s.waited += periods * (p.steps * s.t + p.sum_at) + p.steps * p.length * (periods * (periods - 1) / 2);
  s.accesses += periods * p.steps;
  s.periods -= periods;
  s.free_periods -= periods;
  s.last_t = start + last;
  went_on();
  return true;
}

/// Step by step up to the horizon, the end of a run or of the period.
void Engine::Impl::follow_steps() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  const Cycle to_unit = same_column_[s.op][1];
  const int begin = s.step;
  Cycle t = s.t;
  int i = begin;
  Hit* h = nullptr;
  const bool watched = !observers_.empty();
  const std::uint64_t columns = column_.mask();
  do {
    h = s.member[p.step[static_cast<std::size_t>(i)]];
    ++i;
    if (watched) record_access(*h, t);
    h->last = t;
    h->unsettled = true;
    h->burst = (((h->burst | ~columns) + 1) & columns) | (h->burst & ~columns);
    t += to_unit;
  } while (--h->left > 0 && i < p.steps && t <= s.horizon);
  const int n = i - begin;
  s.last_t = t - to_unit;
  s.accesses += n;
  s.waited += n * s.t + n * (n - 1) / 2 * to_unit;
  s.step = i;
  if (i == p.steps) {
    --s.periods;
    if (s.free_periods > 0) --s.free_periods;
  }
  if (h->left == 0) end_run(place_of(static_cast<std::uint8_t>(in_unit(h->bank))));
  went_on();
}

/// Along the pattern: the next access, or the end of it.
void Engine::Impl::went_on() {
  Stream& s = stream_;
  const Pattern& p = *s.pattern;
  s.t = s.floor = s.last_t + same_column_[s.op][1];
  if (s.step == p.steps) s.step = 0;
  if ((s.step == 0 && s.periods == 0) || s.disturbed)
    leave_pattern();
  else
    s.next = static_cast<std::uint8_t>(in_unit(s.member[p.step[static_cast<std::size_t>(s.step)]]->bank));
}

void Engine::Impl::leave_pattern() {
  Stream& s = stream_;
  s.step = -1;
  for (int k = 0; k < s.pattern->members; ++k) {
    const Hit& h = *s.member[static_cast<std::size_t>(k)];
    Cycle& group = s.of_group[h.group];
    group = std::max(group, h.last + same_column_[s.op][0]);
  }
  for (int k = 1; k < s.n; ++k) {
    const std::uint8_t bank = s.order[k];
    int at = k;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > s.hits[bank].age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = bank;
  }
  choose_hit();
}

bool Engine::Impl::matches(const Pattern& p) const {
  const Stream& s = stream_;
  if (s.n < p.members) return false;
  for (int k = 0; k < p.members; ++k) {
    const Hit& h = s.hits[s.order[k]];
    const Pattern::Member& m = p.member[static_cast<std::size_t>(k)];
    if ((h.burst & round_mask_) != 0 || h.left < static_cast<std::uint32_t>(round_) ||
        std::max(h.ready, s.of_group[h.group]) > s.t + m.first)
      return false;
    int group = k;
    for (int j = k; j-- > 0;) {
      const Hit& older = s.hits[s.order[j]];
      const std::int64_t apart = h.age() - older.age();
      if (apart < m.least[static_cast<std::size_t>(j)] || apart > m.most[static_cast<std::size_t>(j)]) return false;
      if (older.group == h.group) group = j;
    }
    if (group != m.group) return false;
  }
  return true;
}

/// Age of the youngest access of a period from here on.
std::int64_t Engine::Impl::youngest_of(const Pattern& p) const {
  std::int64_t youngest = 0;
  for (int k = 0; k < p.members; ++k) {
    const std::int64_t age = stream_.hits[stream_.order[k]].age() + p.member[static_cast<std::size_t>(k)].advance;
    youngest = k == 0 ? age : std::max(youngest, age);
  }
  return youngest;
}

/// Looks for the pattern of the oldest hits: plays the choices among the first one, two, ... as if all were ready.
void Engine::Impl::learn() {
  const Stream& s = stream_;
  const Cycle to_group = same_column_[s.op][0], to_unit = same_column_[s.op][1];
  for (int members = 1; members <= std::min(s.n, 8) && members * round_ <= kLongestPeriod; ++members) {
    Pattern p;
    p.members = members;
    const auto n = static_cast<std::size_t>(members);
    std::array<std::int64_t, 8> age{};
    for (std::size_t k = 0; k < n; ++k) {
      const Hit& h = s.hits[s.order[k]];
      if ((h.burst & round_mask_) != 0) return;
      age[k] = h.age();
      Pattern::Member& m = p.member[k];
      for (m.group = 0; s.hits[s.order[static_cast<std::size_t>(m.group)]].group != h.group;) ++m.group;
      m.least.fill(-kNever);
      m.most.fill(kNever);
    }
    std::array<Cycle, 8> group_free{};
    std::array<int, 8> turns{};
    std::array<std::int64_t, 8> advance{};
    const auto ready = [&](std::size_t k, Cycle t) {
      return group_free[static_cast<std::size_t>(p.member[k].group)] <= t;
    };
    Cycle t = 0;
    bool closed = true;
    for (; p.steps < members * round_; ++p.steps, t += to_unit) {
      std::size_t c = n;
      for (std::size_t k = 0; k < n; ++k)
        if (ready(k, t) && (c == n || age[k] + advance[k] < age[c] + advance[c])) c = k;
      closed = c < n && turns[c] < round_;
      if (!closed) break;
      for (std::size_t k = 0; k < n; ++k) {
        if (k == c || !ready(k, t)) continue;
        Pattern::Member& later = p.member[std::max(k, c)];
        if (c < k)
          later.least[c] = std::max(later.least[c], advance[c] - advance[k] + 1);
        else
          later.most[k] = std::min(later.most[k], advance[k] - advance[c] - 1);
      }
      if (turns[c] == 0) p.member[c].first = t;
      p.member[c].advance = advance[c];
      ++turns[c];
      advance[c] = turns[c] / round_ * age_of_round_ + turns[c] % round_ * age_in_round_;
      p.sum_at += t;
      group_free[static_cast<std::size_t>(p.member[c].group)] = t + to_group;
      p.step[static_cast<std::size_t>(p.steps)] = static_cast<std::uint32_t>(c);
    }
    if (!closed) continue;
    p.length = t;
    std::int64_t youngest = age[0];
    for (std::size_t k = 0; k < n; ++k) {
      // It leads back to where it began if everybody is ready in time for the next.
      const auto first_of_group = static_cast<std::size_t>(p.member[k].group);
      closed = closed && group_free[first_of_group] - p.length <= p.member[first_of_group].first;
      youngest = std::max(youngest, age[k] + p.member[k].advance);
    }
    // Nor is it worth anything when others must come in between soon.
    if (!closed || (members < s.n && s.hits[s.order[n]].age() <= youngest + age_of_round_)) continue;
    auto& known = patterns_[s.op];
    if (known.size() >= 8) known.pop_back();
    known.insert(known.begin(), std::make_unique<const Pattern>(p));
    return;
  }
}

/// The choices from here on may turn out to be periodic, if there is room for it. Returns how often to try.
int Engine::Impl::begin_attempts() {
  const Stream& s = stream_;
  if (round_ == 0 || s.n == 0 || s.horizon - s.t < 16 * same_column_[s.op][1] ||
      s.hits[s.next].left <= static_cast<std::uint32_t>(round_) + 1)
    return 0;
  begin_period();
  return 3;
}

void Engine::Impl::begin_period() {
  Stream& s = stream_;
  period_.steps = 0;
  period_.start = s.t;
  period_.floor = s.floor;
  period_.dense = s.t == s.floor;
  for (int k = 0; k < s.n; ++k) {
    Hit& h = s.hits[s.order[k]];
    h.start_ready = std::max({h.ready, s.of_group[h.group], s.floor}) - s.t;
    h.start_age = h.age();
    h.turns = 0;
  }
}

/// How often the period that has just been seen is certain to come again.
std::int64_t Engine::Impl::repetitions() const {
  const Period& p = period_;
  const Stream& s = stream_;
  const Cycle length = s.t - p.start;
  if (s.floor - p.floor != length) return 0;
  std::uint32_t fewest = ~std::uint32_t{0};
  std::int64_t youngest = 0, moved = 0;
  bool any = false, same_steps = true;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    if (h.turns == 0) continue;
    // All have had as many turns, are as far from their next access as at first, and have grown older by as much.
    if (h.turns != round_ || std::max({h.ready, s.of_group[h.group], s.floor}) - s.t != h.start_ready) return 0;
    const std::int64_t step = h.age() - h.start_age;
    same_steps = same_steps && (!any || step == moved);
    moved = step;
    fewest = std::min(fewest, h.left - 1);
    youngest = any ? std::max(youngest, h.age()) : h.age();
    any = true;
  }
  if (!any || !same_steps || fewest == 0) return 0;
  // Whoever was not served must not come to be: not ready yet or, where every access comes as soon as any can, younger
  // than all that are served up to the end.
  std::int64_t periods = fewest / static_cast<std::uint32_t>(round_);
  youngest += moved * periods;
  Cycle horizon = s.horizon;
  for (int k = 0; k < s.n; ++k) {
    const Hit& h = s.hits[s.order[k]];
    if (h.turns == 0 && (!p.dense || h.age() <= youngest)) horizon = std::min(horizon, h.ready - 1);
  }
  const Cycle last = p.step[p.steps - 1].at;
  return horizon < s.t + last ? 0 : std::min(periods, (horizon - s.t - last) / length + 1);
}

void Engine::Impl::repeat(std::int64_t periods) {
  const Period& p = period_;
  Stream& s = stream_;
  const Cycle length = s.t - p.start, moved = periods * length;
  if (!observers_.empty())
    for (std::int64_t k = 1; k <= periods; ++k)
      for (int i = 0; i < p.steps; ++i) {
        const Hit& again = s.hits[static_cast<std::size_t>(p.step[i].hit)];
        const auto column =
            column_.extract(again.burst) + static_cast<std::uint64_t>((k - 1) * round_ + p.step[i].turn);
        record(s.cmd, p.start + p.step[i].at + k * length, s.unit, again.bank,
               open_row_[static_cast<std::size_t>(again.bank)], static_cast<std::int32_t>(column));
      }
  for (int i = 0; i < p.steps; ++i)
    s.waited += periods * (p.start + p.step[i].at) + length * (periods * (periods + 1) / 2);
  for (int k = 0; k < s.n; ++k) {
    Hit& again = s.hits[s.order[k]];
    if (again.turns == 0) continue;
    const auto each = static_cast<std::uint32_t>(periods * round_);
    again.left -= each;
    again.last += moved;
    again.burst = (again.burst & ~column_.mask()) | column_.deposit(column_.extract(again.burst) + each);
    Cycle& free = s.of_group[again.group];
    free = std::max(free, again.last + same_column_[s.op][0]);
  }
  // Those that were not served are now older than some that were, if they were not before.
  for (int k = 1; k < s.n; ++k) {
    const std::uint8_t slot = s.order[k];
    int at = k;
    for (; at > 0 && s.hits[s.order[at - 1]].age() > s.hits[slot].age(); --at) s.order[at] = s.order[at - 1];
    s.order[at] = slot;
  }
  s.accesses += periods * p.steps;
  s.floor += moved;
  s.last_t += moved;
  choose_hit();
}

// ------------------------------------------------------------------------------------------------------- interface

Cycle Engine::Impl::next_wake(bool for_room) {
  if (active_ == 0) return kNever;
  if (!wake_known_ || (for_room && !room_known_)) {
    if (!arrivals_.empty()) advance(last_push_);
    find_wake();
    wake_known_ = room_known_ = true;
  }
  // Not before the cycle after the last `now`.
  return std::max(
      {for_room ? std::min(wake_, room_) : wake_, done_until_ - config_.frontend_cycles + 2, last_push_ + 1});
}

void Engine::Impl::find_wake() {
  wake_ = room_ = kNever;
  const Decision& d = next_decision();
  if (d.t >= kNever) return;
  const Cycle spacing = std::max(1, burst_ / lanes_);
  // A full queue has room again when what is beyond its capacity has passed the bus. None has before the request that
  // is being taken in piece by piece is in as a whole; each piece but the last is as long as the queue.
  Cycle taken_in = 0;
  if (staged_.left > 0)
    taken_in = waiting_[index(staged_.op)] - capacity_ +
               static_cast<Cycle>((staged_.left - 1) / static_cast<std::uint64_t>(capacity_)) * capacity_;
  for (int op = 0; op < 2; ++op) {
    Cycle before = waiting_[op] - capacity_;
    if (staged_.left > 0 && index(staged_.op) == op) before += static_cast<Cycle>(staged_.left);
    if (before >= 0 || staged_.left > 0)
      room_ = std::min(room_, d.t + std::max(before, taken_in) * spacing + 1 - config_.frontend_cycles);
  }
  // The request with the fewest bursts left cannot end before those have passed the bus.
  Cycle bursts = 1;
  if (requests_.size() <= 32) {
    if (stream_.live)
      for (int k = 0; k < stream_.n; ++k) count_hit(stream_.hits[stream_.order[k]]);
    bursts = kNever;
    for (const Pending& r : requests_)
      if (r.bursts > 0) bursts = std::min<Cycle>(bursts, r.bursts);
  }
  wake_ = d.t + least_time(bursts);
}

Cycle Engine::Impl::drain() {
  while (active_ > 0) {
    const Cycle t = std::min(next_decision().t, first_arrival());
    if (t >= kNever) throw std::logic_error("dram::Engine: requests wait and no command can ever be issued");
    run_until(t);
  }
  return stats_.last_done;
}

void Engine::Impl::finish(Cycle now) {
  advance(now);
  land();
  stats_.busy_until = now;
  stats_.energy = Energy{};
  const std::uint64_t activates = stats_.commands[static_cast<std::size_t>(index(Cmd::kAct))];
  const std::uint64_t bursts = stats_.bursts[0] + stats_.bursts[1];
  stats_.row_hits = bursts > activates ? bursts - activates : 0;
  for (int unit = 0; unit < units_; ++unit) {
    const auto u = static_cast<std::size_t>(unit);
    const Energy e = energy_of(config_, unit_commands_[u], precharges_[u], activity_[u].at(now, down_[u] != 0));
    stats_.energy.activate += e.activate;
    stats_.energy.precharge += e.precharge;
    stats_.energy.read += e.read;
    stats_.energy.write += e.write;
    stats_.energy.refresh += e.refresh;
    stats_.energy.background_active += e.background_active;
    stats_.energy.background_precharged += e.background_precharged;
    stats_.energy.background_power_down += e.background_power_down;
  }
}

Engine::Engine(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
const Config& Engine::config() const { return impl_->config(); }
bool Engine::can_accept(Op op) const { return impl_->can_accept(op); }
void Engine::push(const Request& request, Cycle now) { impl_->push(request, now); }
void Engine::advance(Cycle now) { impl_->advance(now); }
std::vector<Completion>& Engine::completions() { return impl_->completions(); }
Cycle Engine::next_wake(bool for_room) const { return impl_->next_wake(for_room); }
std::size_t Engine::in_flight() const { return impl_->in_flight(); }
Cycle Engine::drain() { return impl_->drain(); }
void Engine::finish(Cycle now) { impl_->finish(now); }
const Statistics& Engine::statistics() const { return impl_->statistics(); }
void Engine::add_observer(CommandObserver* observer) { impl_->observers_.push_back(observer); }
void Engine::remove_observer(CommandObserver* observer) {
  auto& list = impl_->observers_;
  list.erase(std::remove(list.begin(), list.end(), observer), list.end());
}
void Engine::set_closed_form(bool on) { impl_->closed_form_ = on; }

}  // namespace harmonia::dram
