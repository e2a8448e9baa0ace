// Acting later: one event and one method process, however many things wait.
//
// Models: nothing of the hardware. A module that must act at a known future time puts an entry here instead of owning
// an event per entry or waking every clock cycle. Does not model: cancellation of single entries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <systemc>
#include <utility>
#include <vector>

namespace harmonia::bus {

/// A method process that runs `action` when asked to. Made during elaboration, usually as a member of a module.
class Wakeup {
 public:
  Wakeup(const char* name, std::function<void()> action);
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  /// Runs the action at absolute time `when` (next delta cycle when that is now or past), unless it runs earlier
  /// anyway.
  void at(const sc_core::sc_time& when) {
    const sc_core::sc_time& now = sc_core::sc_time_stamp();
    if (when <= now)
      event_.notify(sc_core::SC_ZERO_TIME);
    else
      event_.notify(when - now);
  }
  void next_delta() { event_.notify(sc_core::SC_ZERO_TIME); }

 private:
  std::function<void()> action_;
  sc_core::sc_event event_;
};

/// Entries of type T come out, through the callback, at their time; entries of the same time in the order they went in.
template <typename T>
class TimedQueue {
 public:
  using Callback = std::function<void(T&)>;

  TimedQueue(const char* name, Callback callback)
      : callback_(std::move(callback)), wakeup_(name, [this] { release_due(); }) {}

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
