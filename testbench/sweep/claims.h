// Which worker runs which point of a sweep that several share, when all that they have in common is a folder.
//
// Models: one claim for each point, which changes hands by atomic renames alone, so that each change has exactly one
//   winner; workers that die (their heartbeat stands still) and whose points others take up; points that end their
//   workers again and again; results that are published once, by whoever holds the claim at that moment.
// Does not model: the folder itself (shared_folder.h, or a simulation of one), what a point is, how it is run. No clocks
//   of different computers are compared: a worker is dead when its heartbeat has not changed for `lease` seconds of the
//   observer's own clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace harmonia::testbench {

/// The claim on a point: at most one exists, and its name is its state.
struct Claim {
  enum class State {
    kHeld,  // its worker runs the point
    kFree,  // given back unfinished
    kDone   // its worker has finished the point and publishes, or has published, the result
  };
  State state = State::kHeld;
  unsigned attempt = 1;  // how often the point has been begun
  std::string worker;    // letters, digits and '-'

  bool operator==(const Claim& o) const { return state == o.state && attempt == o.attempt && worker == o.worker; }
  bool operator!=(const Claim& o) const { return !(*this == o); }
};

/// "held.1.WORKER" and back; nothing for a name of another kind.
std::string name_of(const Claim& claim);
std::optional<Claim> claim_of(const std::string& name);

/// What a shared folder has to offer. Each call is one step that happens as a whole or not at all, whatever other
/// computers do at the same time.
class ClaimFolder {
 public:
  virtual ~ClaimFolder() = default;
  /// The first claim on a point, for `claim.worker`. False when there is one already.
  virtual bool take(std::size_t point, const Claim& claim) = 0;
  /// Changes a claim. False when it is not `from` (any more): of several that try, one succeeds.
  virtual bool change(std::size_t point, const Claim& from, const Claim& to) = 0;
  /// The claim on a point; nothing when there is none, or when it changes at this moment.
  virtual std::optional<Claim> claim(std::size_t point) = 0;
  /// Of every point: whether anybody has a claim, and whether a result is published.
  virtual std::vector<bool> claimed() = 0;
  virtual std::vector<bool> published() = 0;
  /// Puts the result of `by`, which is done, where everyone finds it. Doing so again changes nothing. False when there is
  /// no such result, which a file system that lost it explains.
  virtual bool publish(std::size_t point, const Claim& by) = 0;
  /// A sign of life of a worker, different each time it has given one; 0 when it never has.
  virtual std::uint64_t heartbeat(const std::string& worker) = 0;
  /// Whether a worker has certainly ended, without waiting for its lease.
  virtual bool has_ended(const std::string&) { return false; }
};

struct ClaimOptions {
  std::string worker;     // of its own: no other process has ever had this name
  std::size_t shard = 0;  // begins with the points shard, shard + shards, ...
  std::size_t shards = 1;
  double lease_s = 120;
  unsigned attempts = 3;    // a point whose worker died this often is given up
  std::vector<bool> again;  // published points that are to be tried once more; empty: none
};

/// One worker's part. It is asked for the next thing to do until there is nothing left.
class Claimer {
 public:
  enum class Kind {
    kRun,     // `point` is this worker's: run it, then finish() or give_back()
    kGiveUp,  // `point` is this worker's, and its workers died `attempts` times: publish that it failed
    kWait,    // nothing to claim now; ask again a moment later
    kAgain,   // one step has been taken without a result; ask again
    kEnd      // every point is published
  };
  struct Next {
    Kind kind;
    std::size_t point = 0;
  };

  Claimer(ClaimFolder& folder, std::size_t points, ClaimOptions options);

  /// At most one step on the folder. `now_s`: this worker's own clock, which never goes back.
  Next next(double now_s);
  /// The claim that this worker holds on a point.
  Claim held(std::size_t point) const { return held_.at(point); }
  /// Makes the claim on a point done. False when another worker has taken the point over: its result counts then. True:
  /// publish() is due.
  bool finish(std::size_t point);
  void publish(std::size_t point);
  /// Gives a point back unfinished.
  void give_back(std::size_t point);
  const std::map<std::size_t, Claim>& all_held() const { return held_; }

 private:
  struct Seen {
    std::uint64_t heartbeat;
    double since_s;
  };
  std::size_t start() const;
  Next look_for_unclaimed();
  Next look_after(std::size_t point, double now_s);
  Next take_over(std::size_t point, const Claim& from, unsigned attempt);
  bool is_dead(const std::string& worker, double now_s);

  ClaimFolder& folder_;
  std::size_t points_;
  ClaimOptions options_;
  std::map<std::size_t, Claim> held_;
  std::vector<bool> claimed_, published_;
  std::vector<std::size_t> unclaimed_, unfinished_;  // what is still to be looked at
  bool all_claimed_ = false;
  std::map<std::string, Seen> seen_;
  std::map<std::size_t, Claim> done_;  // to publish
};

}  // namespace harmonia::testbench
