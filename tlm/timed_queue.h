// Acting later: one process for all that act at a known time, in an order that does not depend on the simulation kernel.
//
// Models: nothing of the hardware. A module that must act at a known future time puts an entry here instead of owning
// an event per entry or waking every clock cycle. What is due at one time runs in the order in which the modules were
// made: SystemC takes events of one time from a heap in whichever order they lie there, which depends on all else that
// waits, and arbiters that serve who comes first would follow it. Does not model: cancellation of single entries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <systemc>
#include <utility>
#include <vector>

namespace harmonia::bus {

class Calendar;

/// Runs `action` when asked to. Made during elaboration, usually as a member of a module.
class Wakeup {
 public:
  explicit Wakeup(std::function<void()> action);
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup();

  /// Runs the action at absolute time `when` (next delta cycle when that is now or past), unless it runs earlier
  /// anyway. Of those that are due in one delta cycle the one made first runs first.
  void at(const sc_core::sc_time& when);
  void next_delta();
  /// Forgets what was asked for.
  void cancel() { due_ = kNever; }

 private:
  friend class Calendar;
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max(), kNextDelta = kNever - 1;

  std::function<void()> action_;
  Calendar& calendar_;
  std::uint64_t number_;        // in the order of construction
  std::uint64_t due_ = kNever;  // a time, kNextDelta or kNever
  std::uint64_t asked_ = 0;     // how often: what the calendar holds of an earlier time is void
};

/// Entries of type T come out, through the callback, at their time; entries of the same time in the order they went in.
template <typename T>
class TimedQueue {
 public:
  using Callback = std::function<void(T&)>;

  explicit TimedQueue(Callback callback) : callback_(std::move(callback)), wakeup_([this] { release_due(); }) {}

  /// `when` is absolute; the past counts as now, and now means the next delta cycle.
  void push(T value, const sc_core::sc_time& when) {
    const bool first = heap_.empty() || when < heap_.front().when;
    heap_.push_back({when, sequence_++, std::move(value)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
    if (first && !releasing_) wakeup_.at(when);
  }
  std::size_t size() const { return heap_.size(); }
  bool empty() const { return heap_.empty(); }
  /// Time of the earliest entry; the queue must not be empty.
  const sc_core::sc_time& next_time() const { return heap_.front().when; }

 private:
  struct Entry {
    sc_core::sc_time when;
    std::uint64_t sequence;
    T value;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return b.when < a.when || (a.when == b.when && b.sequence < a.sequence);
    }
  };

  void release_due() {
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    const std::uint64_t end = sequence_;  // entries pushed from here on wait for their own delta cycle
    releasing_ = true;
    while (!heap_.empty() && heap_.front().when <= now && heap_.front().sequence < end) {
      std::pop_heap(heap_.begin(), heap_.end(), Later{});
      T value = std::move(heap_.back().value);
      heap_.pop_back();
      callback_(value);
    }
    releasing_ = false;
    if (!heap_.empty()) wakeup_.at(heap_.front().when);
  }

  Callback callback_;
  std::vector<Entry> heap_;
  std::uint64_t sequence_ = 0;
  bool releasing_ = false;
  Wakeup wakeup_;
};

}  // namespace harmonia::bus
