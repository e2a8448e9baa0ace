// Claims on points: the algorithm on a simulated shared folder, with latencies, deaths and pauses.
#include "harmonia/testbench/sweep/claims.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using namespace harmonia::testbench;
using State = Claim::State;

/// A folder in memory: each call is one step, and counts what must happen once.
class MemoryFolder : public ClaimFolder {
 public:
  explicit MemoryFolder(std::size_t points)
      : claims(points), done(points, 0), out(points, false), taken_(points, false) {}
  bool take(std::size_t p, const Claim& c) override {
    if (claims[p]) return false;
    claims[p] = c;
    taken_[p] = true;
    return true;
  }
  bool change(std::size_t p, const Claim& from, const Claim& to) override {
    if (claims[p] != from) return false;
    claims[p] = to;
    done[p] += to.state == State::kDone ? 1 : 0;
    return true;
  }
  std::optional<Claim> claim(std::size_t p) override { return claims[p]; }
  std::vector<bool> claimed() override { return taken_; }
  std::vector<bool> published() override { return out; }
  bool publish(std::size_t p, const Claim&) override {
    out[p] = true;
    return true;
  }
  std::uint64_t heartbeat(const std::string& worker) override {
    return static_cast<std::uint64_t>(1 + std::min(now, stops[std::stoul(worker)]));
  }

  std::vector<std::optional<Claim>> claims;
  std::vector<int> done;
  std::vector<bool> out;
  double now = 0;
  std::vector<double> stops;  // of each worker: when its heart stands still

 private:
  std::vector<bool> taken_;
};

constexpr double kNever = std::numeric_limits<double>::infinity();

struct Chances {
  std::size_t points, workers;
  double death_every_s;  // mean life of a worker; a dead one is replaced
  double pause;          // chance that a step takes longer than the lease
};

/// Many workers, one event after the other.
class Simulation {
 public:
  Simulation(const Chances& chances, unsigned seed) : folder(chances.points), chances_(chances), random_(seed) {
    for (std::size_t w = 0; w < chances.workers; ++w) start(w, 0);
  }

  void run() {
    while (!events_.empty()) {
      const auto [time, worker] = events_.top();
      events_.pop();
      folder.now = time;
      ++steps;
      step(worker);
    }
  }

  MemoryFolder folder;
  std::size_t steps = 0, deaths = 0, doubled = 0, lost = 0, given_up = 0;

 private:
  struct Worker {
    std::unique_ptr<Claimer> claimer;
    std::size_t shard;
    double dies;
    std::optional<std::size_t> runs, publishes;
    bool paused = false;
  };
  double exponential(double mean) { return std::exponential_distribution<>(1 / mean)(random_); }

  void start(std::size_t shard, double time) {
    const std::size_t id = workers_.size();
    const double dies = chances_.death_every_s > 0 && shard != 0 ? time + exponential(chances_.death_every_s) : kNever;
    folder.stops.push_back(dies);
    ClaimOptions options;
    options.worker = std::to_string(id);
    options.shard = shard;
    options.shards = chances_.workers;
    options.attempts = 1000;
    workers_.push_back({std::make_unique<Claimer>(folder, chances_.points, options), shard, dies, {}, {}, false});
    events_.emplace(time + exponential(1), id);
  }

  void step(std::size_t id) {
    Worker& w = workers_[id];
    const double now = folder.now;
    if (now >= w.dies) {
      ++deaths;
      if (w.runs) --running_[*w.runs];
      start(w.shard, now + 30);
      return;
    }
    if (w.paused) {  // its heart beats again
      w.paused = false;
      folder.stops[id] = w.dies;
    }
    double next = 0;
    if (w.publishes) {
      w.claimer->publish(*w.publishes);
      w.publishes.reset();
    } else if (w.runs) {
      --running_[*w.runs];
      if (w.claimer->finish(*w.runs)) {
        w.publishes = w.runs;
      } else {
        ++lost;
      }
      w.runs.reset();
    } else {
      const Claimer::Next n = w.claimer->next(now);
      if (n.kind == Claimer::Kind::kEnd) return;
      if (n.kind == Claimer::Kind::kWait) next = 20;
      given_up += n.kind == Claimer::Kind::kGiveUp ? 1 : 0;
      if (n.kind == Claimer::Kind::kRun) {
        doubled += running_[n.point]++ > 0 ? 1 : 0;
        w.runs = n.point;
        next = exponential(20);
      }
    }
    next += exponential(0.02);
    if (std::bernoulli_distribution(chances_.pause)(random_)) {
      w.paused = true;
      folder.stops[id] = std::min(now, w.dies);
      next += 400;
    }
    events_.emplace(std::min(now + next, std::max(now, w.dies)), id);
  }

  Chances chances_;
  std::mt19937 random_;
  std::vector<Worker> workers_;
  std::map<std::size_t, int> running_;
  using Event = std::pair<double, std::size_t>;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

void require_each_once(const Simulation& s) {
  REQUIRE(std::all_of(s.folder.out.begin(), s.folder.out.end(), [](bool there) { return there; }));
  REQUIRE(std::all_of(s.folder.done.begin(), s.folder.done.end(), [](int n) { return n == 1; }));
  REQUIRE(s.given_up == 0);
}

TEST_CASE("10,000 points over 1,000 workers that die at random: none lost, none run by two at a time") {
  for (const unsigned seed : {1U, 2U}) {
    Simulation s({10000, 1000, 150, 0}, seed);
    s.run();
    INFO("seed " << seed << ", " << s.steps << " events, " << s.deaths << " deaths");
    REQUIRE(s.steps > 100000);
    REQUIRE(s.deaths > 500);
    require_each_once(s);
    REQUIRE(s.doubled == 0);
    REQUIRE(s.lost == 0);
  }
}

TEST_CASE("workers that pause for longer than the lease lose their points, and each point still counts once") {
  Simulation s({2000, 100, 600, 0.03}, 3);
  s.run();
  INFO(s.steps << " events, " << s.lost << " results not taken");
  REQUIRE(s.lost > 0);  // else nothing was shown
  require_each_once(s);
}

TEST_CASE("workers that live share the points without taking any over") {
  Simulation s({3000, 50, 0, 0}, 4);
  s.run();
  require_each_once(s);
  for (const auto& claim : s.folder.claims) REQUIRE(claim->attempt == 1);
}

TEST_CASE("a point that ends its workers is given up after so many attempts, and can be tried again") {
  MemoryFolder folder(1);
  folder.stops = {0, 0, 0, 0, 0};  // none of them has a heart that beats
  const auto next_of = [&](std::size_t id, std::vector<bool> again = {}) {
    ClaimOptions options;
    options.worker = std::to_string(id);
    options.attempts = 2;
    options.again = std::move(again);
    auto claimer = std::make_unique<Claimer>(folder, 1, options);
    Claimer::Next n{Claimer::Kind::kAgain};
    for (double t = 0;
         t < 1000 && n.kind != Claimer::Kind::kRun && n.kind != Claimer::Kind::kGiveUp && n.kind != Claimer::Kind::kEnd;
         t += 10)
      n = claimer->next(t);
    return std::make_pair(n.kind, std::move(claimer));
  };
  REQUIRE(next_of(0).first == Claimer::Kind::kRun);
  REQUIRE(next_of(1).first == Claimer::Kind::kRun);
  auto [kind, last] = next_of(2);
  REQUIRE(kind == Claimer::Kind::kGiveUp);
  REQUIRE(last->finish(0));
  last->publish(0);
  REQUIRE(next_of(3).first == Claimer::Kind::kEnd);
  REQUIRE(next_of(4, {true}).first == Claimer::Kind::kEnd);  // tried too often already
  folder.claims[0]->attempt = 1;
  REQUIRE(next_of(4, {true}).first == Claimer::Kind::kRun);
}

TEST_CASE("a point that is given back is taken up at once, and does not count as an attempt") {
  MemoryFolder folder(1);
  folder.stops = {1e9, 1e9};
  ClaimOptions options;
  options.worker = "0";
  Claimer first(folder, 1, options);
  options.worker = "1";
  Claimer second(folder, 1, options);
  const auto run = [](Claimer& c) {
    for (int i = 0; i < 10; ++i)
      if (c.next(0).kind == Claimer::Kind::kRun) return true;
    return false;
  };
  REQUIRE(run(first));
  REQUIRE_FALSE(run(second));
  first.give_back(0);
  REQUIRE(run(second));
  REQUIRE(second.held(0) == Claim{State::kHeld, 1, "1"});
}

TEST_CASE("the name of a claim is read back, and nothing else is one") {
  for (const Claim& c : {Claim{State::kHeld, 1, "host-1"}, Claim{State::kFree, 12, "a"}, Claim{State::kDone, 3, "b-2"}})
    REQUIRE(claim_of(name_of(c)) == c);
  for (const char* other : {"", "held", "held.", "held.1", "held.1.", "held.x.w", "lost.1.w", "held..w"})
    REQUIRE_FALSE(claim_of(other).has_value());
}

}  // namespace
}  // namespace harmonia::test
