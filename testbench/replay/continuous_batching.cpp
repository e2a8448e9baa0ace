#include "harmonia/testbench/replay/continuous_batching.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::testbench {

ContinuousBatching::ContinuousBatching(const std::vector<Request>& requests, const BatchLimits& limits)
    : limits_(limits), steps_(limits.groups) {
  if (limits.groups == 0) throw std::invalid_argument("at least one group of sequences is needed");
  if (limits.sequences == 0) throw std::invalid_argument("at least one sequence must be able to run");
  requests_.reserve(requests.size());
  for (const Request& r : requests) {
    requests_.emplace_back();
    requests_.back().request = r;
    requests_.back().refused = room(r) > std::min(limits.kv_tokens, limits.request_tokens);
  }
  for (std::uint64_t slot = limits.sequences; slot-- > 0;) free_slots_.push_back(slot);
}

/// Time goes on to `now`, while requests arrive.
void ContinuousBatching::pass(double now) {
  now = std::max(now, now_);
  const double passed = now - now_;
  running_s_ += passed * static_cast<double>(active_.size());
  waiting_s_ += passed * static_cast<double>(waiting_);
  reserved_s_ += passed * static_cast<double>(reserved_);
  if (active_.empty()) statistics_.idle_s += passed;
  for (; arrived_ < requests_.size() && requests_[arrived_].request.arrival_s <= now; ++arrived_) {
    if (requests_[arrived_].refused) continue;
    ++waiting_;
    waiting_s_ += now - requests_[arrived_].request.arrival_s;
  }
  now_ = now;
}

BatchingStatistics ContinuousBatching::statistics() const {
  BatchingStatistics s = statistics_;
  s.seconds = now_;
  if (now_ > 0) {
    s.running_mean = running_s_ / now_;
    s.waiting_mean = waiting_s_ / now_;
    s.kv_tokens_mean = reserved_s_ / now_;
  }
  return s;
}

std::uint64_t ContinuousBatching::smallest_group() const {
  std::vector<std::size_t> sizes(limits_.groups);
  for (const Active& a : active_) ++sizes[a.group];
  return static_cast<std::uint64_t>(std::min_element(sizes.begin(), sizes.end()) - sizes.begin());
}

void ContinuousBatching::admit(double now) {
  while (next_ < requests_.size() && requests_[next_].request.arrival_s <= now) {
    const RequestProgress& candidate = requests_[next_];
    if (candidate.refused) {
      ++refused_;
      ++next_;
      continue;
    }
    // First come, first served: one that does not fit now holds up those behind it.
    if (free_slots_.empty() || reserved_ + room(candidate.request) > limits_.kv_tokens) return;
    active_.push_back({next_, free_slots_.back(), 0, static_cast<std::uint64_t>(candidate.request.prompt_tokens),
                       static_cast<std::uint64_t>(candidate.request.output_tokens), smallest_group()});
    free_slots_.pop_back();
    reserved_ += room(candidate.request);
    requests_[next_].admitted_s = now_;
    --waiting_;
    ++next_;
  }
}

const std::vector<ContinuousBatching::Part>& ContinuousBatching::begin_step(double now, std::uint64_t group) {
  pass(now);
  admit(now);
  statistics_.running_max = std::max<std::uint64_t>(statistics_.running_max, active_.size());
  statistics_.waiting_max = std::max(statistics_.waiting_max, waiting_);
  statistics_.kv_tokens_max = std::max(statistics_.kv_tokens_max, reserved_);
  std::vector<Part>& step = steps_[group];
  step.clear();
  std::uint64_t budget = limits_.chunk_tokens == 0 ? ~std::uint64_t{0} : limits_.chunk_tokens;
  for (const Active& a : active_) {
    if (a.group != group) continue;
    if (a.cached >= a.prompt) {
      step.push_back({a.request, a.slot, a.cached, 1, false, true});
    } else if (budget > 0) {
      const std::uint64_t tokens = std::min(budget, a.prompt - a.cached);
      // Whole prompts are taken one a step, so that a step's length has a bound that is a prompt's.
      budget = limits_.chunk_tokens == 0 ? 0 : budget - tokens;
      step.push_back({a.request, a.slot, a.cached, tokens, true, a.cached + tokens == a.prompt});
    }
  }
  return step;
}

void ContinuousBatching::end_step(double end, std::uint64_t group) {
  pass(end);
  std::size_t at = 0;
  for (const Part& part : steps_[group]) {
    while (active_[at].request != part.request) ++at;
    active_[at].cached += part.tokens;
    if (!part.token_out) continue;
    RequestProgress& r = requests_[part.request];
    if (r.generated++ == 0) r.first_token_s = end;
    r.last_token_s = end;
  }
  const auto done = [this, group](const Active& a) {
    if (a.group != group || requests_[a.request].generated < a.output) return false;
    free_slots_.push_back(a.slot);
    reserved_ -= room(requests_[a.request].request);
    ++completed_;
    return true;
  };
  active_.erase(std::remove_if(active_.begin(), active_.end(), done), active_.end());
  steps_[group].clear();
}

}  // namespace harmonia::testbench
