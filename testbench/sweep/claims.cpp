#include "harmonia/testbench/sweep/claims.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace harmonia::testbench {
namespace {

/// Unfinished points of others that a worker without a point of its own looks at before it waits.
constexpr std::size_t kLookedAfter = 16;

constexpr const char* kStates[] = {"held", "free", "done"};

}  // namespace

std::string name_of(const Claim& claim) {
  return std::string(kStates[static_cast<std::size_t>(claim.state)]) + '.' + std::to_string(claim.attempt) + '.' +
         claim.worker;
}

std::optional<Claim> claim_of(const std::string& name) {
  for (std::size_t s = 0; s < std::size(kStates); ++s) {
    const std::string start = std::string(kStates[s]) + '.';
    if (name.compare(0, start.size(), start) != 0) continue;
    Claim claim;
    claim.state = static_cast<Claim::State>(s);
    const char *begin = name.data() + start.size(), *end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(begin, end, claim.attempt);
    if (error != std::errc() || rest == end || *rest != '.' || rest + 1 == end) return std::nullopt;
    claim.worker.assign(rest + 1, end);
    return claim;
  }
  return std::nullopt;
}

Claimer::Claimer(ClaimFolder& folder, std::size_t points, ClaimOptions options)
    : folder_(folder), points_(points), options_(std::move(options)) {
  for (std::size_t p = options_.shard; p < points_; p += options_.shards) unclaimed_.push_back(p);
  std::reverse(unclaimed_.begin(), unclaimed_.end());
  options_.again.resize(points_, false);
}

std::size_t Claimer::start() const { return options_.shard * points_ / options_.shards; }

Claimer::Next Claimer::next(double now_s) {
  if (!all_claimed_) return look_for_unclaimed();
  if (unfinished_.empty()) {
    // The first few from this worker's own place: together the workers look after all, and none of them after thousands.
    published_ = folder_.published();
    for (std::size_t i = 0; i < points_ && unfinished_.size() < kLookedAfter; ++i) {
      const std::size_t p = (start() + i) % points_;
      if ((!published_[p] || options_.again[p]) && held_.count(p) == 0) unfinished_.push_back(p);
    }
    return {unfinished_.empty() && held_.empty() ? Kind::kEnd : Kind::kWait};
  }
  const std::size_t point = unfinished_.back();
  unfinished_.pop_back();
  return look_after(point, now_s);
}

Claimer::Next Claimer::look_for_unclaimed() {
  if (claimed_.empty()) {
    claimed_ = folder_.claimed();
    return {Kind::kAgain};
  }
  while (!unclaimed_.empty()) {
    const std::size_t point = unclaimed_.back();
    unclaimed_.pop_back();
    if (claimed_[point]) continue;
    claimed_[point] = true;
    const Claim mine{Claim::State::kHeld, 1, options_.worker};
    if (!folder_.take(point, mine)) return {Kind::kAgain};
    held_[point] = mine;
    return {Kind::kRun, point};
  }
  // Points of other shards, from a place of this one's own, so that helpers do not all try the same.
  claimed_ = folder_.claimed();
  for (std::size_t i = points_; i-- > 0;) {
    const std::size_t point = (start() + i) % points_;
    if (!claimed_[point]) unclaimed_.push_back(point);
  }
  all_claimed_ = unclaimed_.empty();
  return {Kind::kAgain};
}

Claimer::Next Claimer::look_after(std::size_t point, double now_s) {
  const std::optional<Claim> claim = folder_.claim(point);
  if (!claim) return {Kind::kAgain};
  switch (claim->state) {
    case Claim::State::kFree:
      return take_over(point, *claim, claim->attempt);
    case Claim::State::kHeld:
      if (!is_dead(claim->worker, now_s)) return {Kind::kAgain};
      return take_over(point, *claim, claim->attempt + 1);
    case Claim::State::kDone:
      if (options_.again[point]) {
        options_.again[point] = false;
        if (claim->attempt < options_.attempts) return take_over(point, *claim, claim->attempt + 1);
      }
      // Its worker may have died before it could.
      if (!folder_.publish(point, *claim)) return take_over(point, *claim, claim->attempt + 1);
      return {Kind::kAgain};
  }
  return {Kind::kAgain};
}

Claimer::Next Claimer::take_over(std::size_t point, const Claim& from, unsigned attempt) {
  const Claim mine{Claim::State::kHeld, attempt, options_.worker};
  if (!folder_.change(point, from, mine)) return {Kind::kAgain};
  options_.again[point] = false;
  held_[point] = mine;
  return {attempt > options_.attempts ? Kind::kGiveUp : Kind::kRun, point};
}

bool Claimer::is_dead(const std::string& worker, double now_s) {
  if (folder_.has_ended(worker)) return true;
  const std::uint64_t heartbeat = folder_.heartbeat(worker);
  const auto [seen, is_new] = seen_.emplace(worker, Seen{heartbeat, now_s});
  if (!is_new && seen->second.heartbeat != heartbeat) seen->second = {heartbeat, now_s};
  return now_s - seen->second.since_s >= options_.lease_s;
}

bool Claimer::finish(std::size_t point) {
  const Claim mine = held_.at(point);
  Claim done = mine;
  done.state = Claim::State::kDone;
  held_.erase(point);
  if (!folder_.change(point, mine, done)) return false;
  done_[point] = done;
  return true;
}

void Claimer::publish(std::size_t point) {
  folder_.publish(point, done_.at(point));
  done_.erase(point);
}

void Claimer::give_back(std::size_t point) {
  const Claim mine = held_.at(point);
  Claim free = mine;
  free.state = Claim::State::kFree;
  held_.erase(point);
  folder_.change(point, mine, free);
}

}  // namespace harmonia::testbench
