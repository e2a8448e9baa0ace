#include "harmonia/testbench/sweep/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/sweep/points.h"
#include "harmonia/testbench/sweep/processes.h"
#include "harmonia/testbench/sweep/shared_folder.h"
#include "harmonia/testbench/sweep/sweep_folder.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::RunError;
using Json = SweepJson;

namespace {

constexpr std::size_t kLargestManifest = 512U << 20;

fs::path target_of(const std::string& folder) {
  fs::path target = fs::absolute(folder).lexically_normal();
  if (target.filename().empty()) target = target.parent_path();
  return target;
}

fs::path partial_of(const fs::path& target) { return target.string() + ".partial"; }

Json read_manifest(const fs::path& file) {
  try {
    return Json::parse(config::read_text_file(file.string(), kLargestManifest));
  } catch (const Json::exception& e) {
    throw InputError({file.string()}, std::string("is no sweep.json of harmonia: ") + e.what());
  }
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The sweep's folder has gone: another process has put the sweep together.
struct Gone {};

class Worker {
 public:
  Worker(const Sweep& sweep, const Library& library, const SweepOptions& options, const ShardOptions& shard,
         const fs::path& partial)
      : sweep_(sweep),
        library_(library),
        options_(options),
        lease_s_(shard.lease_s),
        name_(own_worker_name()),
        folder_(partial, sweep.points.size(), name_),
        claimer_(folder_, sweep.points.size(),
                 {name_, shard.shard.index, shard.shard.count, shard.lease_s, shard.attempts, again(partial)}) {
    outcome_.name = sweep.name;
    outcome_.worker = name_;
    outcome_.points = sweep.points.size();
  }

  ShardOutcome run() {
    try {
      run_tasks([this] { return next(); }, options_.jobs, work().string(),
                [this](std::size_t i, const TaskOutcome& o) { done(i, o); }, [this] { beat(); });
      give_all_back();
    } catch (const Gone&) {
      outcome_.merged = true;
    } catch (...) {
      if (fs::exists(folder_.paths().folder / "sweep.json")) {
        give_all_back();
        folder_.leave();
        throw;
      }
      outcome_.merged = true;
    }
    folder_.leave();
    return outcome_;
  }

 private:
  /// Failed points that --resume tries once more.
  std::vector<bool> again(const fs::path& partial) const {
    if (!options_.resume) return {};
    std::vector<bool> points(sweep_.points.size(), false);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto row = read_point(partial / "points" / (point_name(i) + ".json"), sweep_.points[i].hash);
      points[i] = row && !is_final(*row);
    }
    return points;
  }

  fs::path work() const { return folder_.paths().work(name_); }

  NextTask next() {
    if (ended_) return {};
    if (seconds() < wait_until_s_) return {NextTask::Kind::kLater};
    for (;;) {
      const Claimer::Next n = claimer_.next(seconds());
      switch (n.kind) {
        case Claimer::Kind::kRun:
          outcome_.taken_over += claimer_.held(n.point).attempt > 1 ? 1 : 0;
          wait_s_ = 0.01;
          if (sweep_.points[n.point].failure.empty())
            return {NextTask::Kind::kTask, n.point, task_of(sweep_, n.point, options_, work())};
          record(n.point, failed_point(sweep_.points[n.point], sweep_.points[n.point].failure, 2));
          break;
        case Claimer::Kind::kGiveUp:
          record(n.point, failed_point(sweep_.points[n.point],
                                       fmt::format("the workers that ran it ended {} times before it did",
                                                   claimer_.held(n.point).attempt - 1),
                                       -1));
          break;
        case Claimer::Kind::kWait:
          if (!fs::exists(folder_.paths().folder / "sweep.json")) throw Gone{};
          wait_s_ = std::min(2 * wait_s_, std::min(1.0, lease_s_ / 8));
          wait_until_s_ = seconds() + wait_s_;
          return {NextTask::Kind::kLater};
        case Claimer::Kind::kAgain:
          beat();
          if (interrupted()) return {NextTask::Kind::kLater};
          break;
        case Claimer::Kind::kEnd:
          ended_ = true;
          outcome_.complete = true;
          return {};
      }
    }
  }

  void done(std::size_t i, const TaskOutcome& o) {
    const fs::path result = work() / point_name(i);
    const SweepPoint& p = sweep_.points[i];
    if (!o.succeeded) folder_.keep_log(i, o.log);
    record(i, o.succeeded ? done_point(sweep_, p, result, library_) : failed_point(p, o.reason, o.status));
    std::error_code ignored;
    fs::remove_all(result, ignored);
  }

  void record(std::size_t i, const Json& row) {
    ++outcome_.ran;
    outcome_.failed += row.at("status") != "ok" ? 1 : 0;
    folder_.write_result(i, claimer_.held(i), row);
    if (claimer_.finish(i)) {
      claimer_.publish(i);
    } else {
      ++outcome_.lost;
    }
  }

  void beat() {
    const double now = seconds();
    if (now - beaten_s_ < std::min(15.0, lease_s_ / 8)) return;
    beaten_s_ = now;
    if (!folder_.beat()) throw Gone{};
  }

  void give_all_back() {
    while (!claimer_.all_held().empty()) claimer_.give_back(claimer_.all_held().begin()->first);
  }

  const Sweep& sweep_;
  const Library& library_;
  const SweepOptions& options_;
  double lease_s_;
  std::string name_;
  SharedFolder folder_;
  Claimer claimer_;
  ShardOutcome outcome_;
  double beaten_s_ = -1e9, wait_s_ = 0.01, wait_until_s_ = -1e9;
  bool ended_ = false;
};

/// Whether a worker may still publish: on this computer that is known, of another one its sign of life must be old.
bool may_live(SharedFolder& folder, const std::string& worker, double lease_s) {
  if (folder.has_ended(worker)) return false;
  const double silent = silence_s(folder.paths(), worker);
  return silent >= 0 && silent < lease_s;
}

constexpr double kDefaultLease = 120;

}  // namespace

Shard parse_shard(const std::string& text) {
  const config::Location where{"--shard " + config::printable(text), 0, 0};
  Shard s;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, s.index);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/') {
    const auto second = std::from_chars(first.ptr + 1, end, s.count);
    if (second.ec == std::errc() && second.ptr == end && s.index >= 1 && s.index <= s.count && s.count <= 100000)
      return {s.index - 1, s.count};
  }
  throw InputError(where, "expected I/N with 1 <= I <= N <= 100000, such as 3/8");
}

namespace {

/// The sweep, and the folder to work on it in; no folder when it is finished and put together.
struct Joined {
  Sweep sweep;
  std::optional<fs::path> partial;
  bool made = false;
};

Joined join(const std::string& file, const std::vector<std::string>& overrides, const SweepOptions& options,
            const Library& library) {
  const fs::path target = target_of(options.output);
  Joined j{read_sweep(file, overrides, library), std::nullopt};
  std::error_code ignored;
  const bool begun = fs::exists(partial_of(target) / "sweep.json", ignored);
  const bool finished = !begun && fs::exists(target / "sweep.json", ignored);
  const fs::path there = begun ? partial_of(target) : target;
  if ((!begun && !finished) || !adopt(j.sweep, read_manifest(there / "sweep.json"))) resolve(j.sweep, library);
  if (finished) {
    const std::string why = difference(target, manifest(j.sweep));
    if (why.empty()) return j;
    throw InputError({target.string()},
                     "is a finished sweep and not this one: " + why + "; expected its removal, or another -o");
  }
  { const OutputFolder vetted(target.string()); }  // refuses what is no result of ours, before any work
  j.partial = SweepFolder::join(target, manifest(j.sweep), options.resume);
  j.made = !begun;
  return j;
}

}  // namespace

ShardOutcome run_shard(const std::string& file, const std::vector<std::string>& overrides, const SweepOptions& options,
                       const ShardOptions& shard) {
  const Library library(options.workloads, options.data, options.allow_unknown);
  const InterruptGuard guard;
  const Joined joined = join(file, overrides, options, library);
  if (joined.partial) return Worker(joined.sweep, library, options, shard, *joined.partial).run();
  ShardOutcome outcome;
  outcome.name = joined.sweep.name;
  outcome.points = joined.sweep.points.size();
  outcome.complete = outcome.merged = true;
  return outcome;
}

bool begin_shards(const std::string& file, const std::vector<std::string>& overrides, const SweepOptions& options) {
  const Joined joined = join(file, overrides, options, Library(options.workloads, options.data, options.allow_unknown));
  if (!joined.partial)
    throw InputError({target_of(options.output).string()},
                     "is this sweep, finished; expected another -o, or its removal to run it again");
  return joined.made;
}

void discard_shards(const fs::path& target) { SweepFolder::discard(target); }

SweepOutcome merge_sweep(const std::string& named) {
  const fs::path target = target_of(named), partial = partial_of(target);
  std::error_code ignored;
  SweepOutcome outcome;
  outcome.folder = target.string();
  const bool begun = fs::exists(partial / "sweep.json", ignored);
  if (!begun && !fs::exists(target / "sweep.json", ignored))
    throw InputError({target.string()}, "holds no sweep, neither finished nor begun; expected the -o of a sweep");
  const fs::path folder = begun ? partial : target;
  const Json all = read_manifest(folder / "sweep.json");
  const Sweep s = sweep_of(all, folder / "sweep.json");
  outcome.points = s.points.size();
  std::vector<std::optional<Json>> rows(s.points.size());
  SharedFolder shared(folder, s.points.size());
  std::size_t missing = 0, held = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (begun) {
      const std::optional<Claim> claim = shared.claim(i);
      if (claim && claim->state == Claim::State::kDone) shared.publish(i, *claim);
      if (claim && claim->state == Claim::State::kHeld) ++held;
      if (claim && claim->state != Claim::State::kDone) {
        ++missing;
        continue;
      }
    }
    rows[i] = read_point(folder / "points" / (point_name(i) + ".json"), s.points[i].hash);
    missing += rows[i] ? 0 : 1;
  }
  if (missing > 0)
    throw RunError(
        fmt::format("{}: {} of {} points are missing, {} of them held by workers; `harmonia sweep status` "
                    "says by which, and any --shard of the same sweep goes on",
                    folder.string(), missing, s.points.size(), held));
  outcome.kept = rows.size();
  outcome.failed = failures(rows);
  outcome.complete = true;
  if (!begun) {
    SweepFolder::remove_remains(target);  // of a merge that was killed while it cleared up
    outcome.csv = config::read_text_file((target / "sweep.csv").string(), kLargestManifest);
    return outcome;
  }
  for (const auto& [input, hash] : s.inputs)
    if (fs::exists(input, ignored) && contents_hash(input) != hash)
      throw RunError(config::escaped(input) +
                     " was changed while the sweep ran; its results are not those of one input");
  std::vector<Json> records;
  for (auto& row : rows) records.push_back(std::move(*row));
  outcome.csv = csv_of(s, records);
  put_in_place(s, target, partial, all, outcome.csv);
  SweepFolder::discard(target);
  return outcome;
}

SweepStatus sweep_status(const std::string& named) {
  const fs::path target = target_of(named), partial = partial_of(target);
  std::error_code ignored;
  SweepStatus status;
  const bool begun = fs::exists(partial / "sweep.json", ignored);
  if (!begun && !fs::exists(target / "sweep.json", ignored))
    throw InputError({target.string()}, "holds no sweep, neither finished nor begun; expected the -o of a sweep");
  const fs::path folder = begun ? partial : target;
  const Sweep s = sweep_of(read_manifest(folder / "sweep.json"), folder / "sweep.json");
  status.name = s.name;
  status.merged = !begun;
  status.points = s.points.size();
  SharedFolder shared(folder, s.points.size());
  std::map<std::string, SweepStatus::Worker> workers;
  const auto worker = [&](const std::string& name) -> SweepStatus::Worker& {
    SweepStatus::Worker& w = workers[name];
    if (w.name.empty()) {
      w.name = name;
      w.silent_s = silence_s(shared.paths(), name);
      w.ended = !may_live(shared, name, kDefaultLease);
    }
    return w;
  };
  for (fs::directory_iterator it(shared.paths().workers(), ignored), end; !ignored && it != end; it.increment(ignored))
    worker(it->path().filename().string());
  const std::vector<bool> published = shared.published();
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    const std::optional<Claim> claim = begun ? shared.claim(i) : std::nullopt;
    if (claim && claim->state == Claim::State::kHeld) {
      SweepStatus::Worker& w = worker(claim->worker);
      ++w.points;
      ++(w.ended ? status.abandoned : status.running);
    } else if (claim && claim->state == Claim::State::kFree) {
      ++status.given_back;
    } else if (published[i]) {
      const auto row = read_point(folder / "points" / (point_name(i) + ".json"), s.points[i].hash);
      ++(row && row->at("status") == "ok" ? status.succeeded : row ? status.failed : status.waiting);
    } else {
      ++(claim ? status.running : status.waiting);  // done, and about to be published
    }
  }
  for (const auto& [name, w] : workers) status.workers.push_back(w);
  return status;
}

std::string text(const SweepStatus& s) {
  std::string out = fmt::format("{}: {} points, {} done, {} failed, {} running, {} waiting", s.name, s.points,
                                s.succeeded, s.failed, s.running, s.waiting + s.given_back);
  if (s.abandoned > 0) out += fmt::format(", {} held by workers that ended", s.abandoned);
  out += s.merged ? " (finished)\n" : "\n";
  for (const SweepStatus::Worker& w : s.workers)
    out += fmt::format("  {}  {} points, {}\n", w.name, w.points,
                       w.ended ? "ended" : fmt::format("last sign of life {:.0f} s ago", std::max(0.0, w.silent_s)));
  const std::size_t published = s.succeeded + s.failed;
  if (!s.merged && published == s.points) out += "all points are there: `harmonia sweep merge` puts them together\n";
  return out;
}

void settle_shards(const fs::path& target, std::size_t points, bool resume) {
  const fs::path partial = partial_of(target);
  std::error_code ignored;
  if (!resume || !fs::exists(partial / "sweep.json", ignored) || !fs::exists(partial / "claims", ignored)) return;
  SharedFolder shared(partial, points);
  for (fs::directory_iterator it(shared.paths().workers(), ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    const std::string worker = it->path().filename().string();
    if (may_live(shared, worker, kDefaultLease))
      throw InputError({partial.string(), 0, 0},
                       fmt::format("is being worked on by {}, whose last sign of life is {:.0f} s old; expected "
                                   "`harmonia sweep merge` when all have ended, or --shard to join them",
                                   worker, silence_s(shared.paths(), worker)));
  }
  for (std::size_t i = 0; i < points; ++i) {
    const std::optional<Claim> claim = shared.claim(i);
    if (claim && claim->state == Claim::State::kDone) shared.publish(i, *claim);
  }
  // Under a name that no worker knows first, so that one that wakes up finds nothing to finish.
  const fs::path old = partial / "work" / "claims-of-ended-workers";
  fs::create_directories(old.parent_path(), ignored);
  fs::remove_all(old, ignored);
  fs::rename(partial / "claims", old, ignored);
  if (ignored) throw RunError("cannot write in " + partial.string() + ": " + ignored.message());
  fs::remove_all(old, ignored);
}

}  // namespace harmonia::testbench
