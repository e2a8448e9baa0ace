#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {

/// All Wakeups of a simulation, behind one event of the kernel.
class Calendar {
 public:
  static Calendar& of_this_simulation() {
    static Calendar* calendar = nullptr;
    static const sc_core::sc_simcontext* context = nullptr;
    if (context != sc_core::sc_get_curr_simcontext()) {
      context = sc_core::sc_get_curr_simcontext();
      calendar = new Calendar;  // as the context, until the program ends
    }
    return *calendar;
  }

  std::uint64_t next_number() { return numbers_++; }

  void next_delta(Wakeup& wakeup) {
    next_delta_.push_back({Wakeup::kNextDelta, wakeup.number_, wakeup.asked_, &wakeup});
    if (!running_ && next_delta_.size() == 1) event_.notify(sc_core::SC_ZERO_TIME);
  }

  void at(std::uint64_t when, const sc_core::sc_time& now, Wakeup& wakeup) {
    const bool first = later_.empty() || when < later_.front().when;
    later_.push_back({when, wakeup.number_, wakeup.asked_, &wakeup});
    std::push_heap(later_.begin(), later_.end(), Later{});
    if (first && !running_ && next_delta_.empty()) event_.notify(sc_core::sc_time::from_value(when - now.value()));
  }

  void remove(const Wakeup& wakeup) {
    const auto is_it = [&](const Entry& entry) { return entry.wakeup == &wakeup; };
    for (Entry& entry : due_)
      if (is_it(entry)) entry.wakeup = nullptr;
    next_delta_.erase(std::remove_if(next_delta_.begin(), next_delta_.end(), is_it), next_delta_.end());
    const auto end = std::remove_if(later_.begin(), later_.end(), is_it);
    if (end == later_.end()) return;
    later_.erase(end, later_.end());
    std::make_heap(later_.begin(), later_.end(), Later{});
  }

 private:
  struct Entry {
    std::uint64_t when, number, asked;
    Wakeup* wakeup;
    bool is_void() const { return wakeup->due_ != when || wakeup->asked_ != asked; }
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return b.when < a.when || (a.when == b.when && b.number < a.number);
    }
  };

  Calendar() : event_(sc_core::sc_gen_unique_name("calendar_event")) {
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&event_);
    sc_core::sc_spawn([this] { run(); }, sc_core::sc_gen_unique_name("calendar"), &options);
  }

  Entry take_first() {
    std::pop_heap(later_.begin(), later_.end(), Later{});
    const Entry first = later_.back();
    later_.pop_back();
    return first;
  }

  void run() {
    const std::uint64_t now = sc_core::sc_time_stamp().value();
    running_ = true;
    due_.swap(next_delta_);
    due_.erase(std::remove_if(due_.begin(), due_.end(), [](const Entry& e) { return e.is_void(); }), due_.end());
    while (!later_.empty() && later_.front().when <= now)
      if (const Entry first = take_first(); !first.is_void()) due_.push_back(first);
    if (due_.size() > 1)
      std::sort(due_.begin(), due_.end(), [](const Entry& a, const Entry& b) { return a.number < b.number; });
    for (const Entry& entry : due_) entry.wakeup->due_ = Wakeup::kNever;
    for (const Entry& entry : due_)
      if (entry.wakeup != nullptr) entry.wakeup->action_();
    due_.clear();
    running_ = false;
    while (!later_.empty() && later_.front().is_void()) take_first();
    if (!next_delta_.empty())
      event_.notify(sc_core::SC_ZERO_TIME);
    else if (!later_.empty())
      event_.notify(sc_core::sc_time::from_value(later_.front().when - now));
  }

  sc_core::sc_event event_;
  std::vector<Entry> later_;  // a heap
  std::vector<Entry> next_delta_, due_;
  std::uint64_t numbers_ = 0;
  bool running_ = false;
};

Wakeup::Wakeup(std::function<void()> action)
    : action_(std::move(action)), calendar_(Calendar::of_this_simulation()), number_(calendar_.next_number()) {}

Wakeup::~Wakeup() { calendar_.remove(*this); }

void Wakeup::at(const sc_core::sc_time& when) {
  const sc_core::sc_time& now = sc_core::sc_time_stamp();
  if (when <= now) {
    next_delta();
    return;
  }
  if (due_ == kNextDelta || due_ <= when.value()) return;
  due_ = when.value();
  ++asked_;
  calendar_.at(due_, now, *this);
}

void Wakeup::next_delta() {
  if (due_ == kNextDelta) return;
  due_ = kNextDelta;
  ++asked_;
  calendar_.next_delta(*this);
}

}  // namespace harmonia::bus
