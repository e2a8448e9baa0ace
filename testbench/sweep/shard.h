// One of several workers on the same sweep, on as many computers as share a folder; putting their points together;
// looking at how far they are.
//
// Models: workers that claim points (claims.h) in DIR.partial and run each in a process of its own; `merge`, whose CSV is
//   that of one computer, byte for byte; `status`. Workers may start and end in any order, be killed, and be started again.
// Does not model: who starts the workers (engine.h).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "harmonia/testbench/sweep/sweep.h"

namespace harmonia::testbench {

/// `I/N`, counted from 1.
struct Shard {
  std::size_t index = 0, count = 1;
};
/// Throws config::InputError ("--shard ...") when it is not I/N with 1 <= I <= N.
Shard parse_shard(const std::string& text);

struct ShardOptions {
  Shard shard;
  double lease_s = 120;   // silence after which a worker of another computer counts as dead
  unsigned attempts = 3;  // a point whose workers ended this often before it did has failed
};

struct ShardOutcome {
  std::string name, worker;
  std::size_t points = 0, ran = 0, failed = 0, taken_over = 0, lost = 0;
  bool complete = false;  // every point is published
  bool merged = false;    // there was nothing to do any more: the sweep has been put together
};

/// Works until every point of the sweep is published, or an interrupt comes. Throws config::InputError when the folder is
/// of another sweep or of none, config::RunError when it cannot be written.
ShardOutcome run_shard(const std::string& file, const std::vector<std::string>& overrides, const SweepOptions& options,
                       const ShardOptions& shard);

/// Makes or joins the folder that shards work in, before any of them starts. True when it was made. Throws as run_shard().
bool begin_shards(const std::string& file, const std::vector<std::string>& overrides, const SweepOptions& options);
/// Removes a folder that begin_shards() has made and nobody has worked in.
void discard_shards(const std::filesystem::path& target);

/// Makes DIR of DIR.partial. Throws config::RunError when points are missing, and says how many; config::InputError when
/// there is no sweep.
SweepOutcome merge_sweep(const std::string& folder);

struct SweepStatus {
  std::string name;
  std::size_t points = 0, succeeded = 0, failed = 0, running = 0, given_back = 0, abandoned = 0, waiting = 0;
  struct Worker {
    std::string name;
    double silent_s = 0;
    std::size_t points = 0;  // that it holds
    bool ended = false;
  };
  std::vector<Worker> workers;
  bool merged = false;
};

/// Looks and changes nothing. Throws config::InputError when there is no sweep.
SweepStatus sweep_status(const std::string& folder);
std::string text(const SweepStatus& status);

/// Before a sweep without shards goes on with what shards have begun: refuses (config::InputError) while one of them is
/// alive, else puts their finished points in place and takes their claims away.
void settle_shards(const std::filesystem::path& target, std::size_t points, bool resume);

}  // namespace harmonia::testbench
