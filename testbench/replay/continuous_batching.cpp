#include "harmonia/testbench/replay/continuous_batching.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::testbench {

ContinuousBatching::ContinuousBatching(std::vector<Request> requests, const BatchLimits& limits) : limits_(limits) {
  if (limits.sequences == 0) throw std::invalid_argument("at least one sequence must be able to run");
  requests_.reserve(requests.size());
  for (const Request& r : requests) {
    requests_.emplace_back();
    requests_.back().request = r;
    requests_.back().refused = room(r) > limits.kv_tokens;
  }
  for (std::uint64_t slot = limits.sequences; slot-- > 0;) free_slots_.push_back(slot);
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
                       static_cast<std::uint64_t>(candidate.request.output_tokens)});
    free_slots_.pop_back();
    reserved_ += room(candidate.request);
    ++next_;
  }
}

const std::vector<ContinuousBatching::Part>& ContinuousBatching::begin_step(double now) {
  admit(now);
  step_.clear();
  std::uint64_t budget = limits_.chunk_tokens == 0 ? ~std::uint64_t{0} : limits_.chunk_tokens;
  for (const Active& a : active_) {
    if (a.cached >= a.prompt) {
      step_.push_back({a.request, a.slot, a.cached, 1, false, true});
    } else if (budget > 0) {
      const std::uint64_t tokens = std::min(budget, a.prompt - a.cached);
      // Whole prompts are taken one a step, so that a step's length has a bound that is a prompt's.
      budget = limits_.chunk_tokens == 0 ? 0 : budget - tokens;
      step_.push_back({a.request, a.slot, a.cached, tokens, true, a.cached + tokens == a.prompt});
    }
  }
  return step_;
}

void ContinuousBatching::end_step(double end) {
  std::size_t at = 0;
  for (const Part& part : step_) {
    while (active_[at].request != part.request) ++at;
    active_[at].cached += part.tokens;
    if (!part.token_out) continue;
    RequestProgress& r = requests_[part.request];
    if (r.generated++ == 0) r.first_token_s = end;
    r.last_token_s = end;
  }
  const auto done = [this](const Active& a) {
    if (requests_[a.request].generated < a.output) return false;
    free_slots_.push_back(a.slot);
    reserved_ -= room(requests_[a.request].request);
    ++completed_;
    return true;
  };
  active_.erase(std::remove_if(active_.begin(), active_.end(), done), active_.end());
  step_.clear();
}

}  // namespace harmonia::testbench
