#include "harmonia/testbench/sweep/sweep.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/sweep/points.h"
#include "harmonia/testbench/sweep/processes.h"
#include "harmonia/testbench/sweep/shard.h"
#include "harmonia/testbench/sweep/sweep_folder.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using Json = SweepJson;

namespace {

constexpr std::size_t kLargestResult = 512U << 20;

/// The tasks that are left to run, and the points that they are of.
struct Work {
  std::vector<Task> tasks;
  std::vector<std::size_t> points;
};

Work work_left(const Sweep& s, const SweepOptions& options, const SweepFolder& folder,
               std::vector<std::optional<Json>>& rows) {
  Work left;
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    if (rows[i]) continue;
    if (s.points[i].failure.empty()) {
      left.tasks.push_back(task_of(s, i, options, folder.work()));
      left.points.push_back(i);
    } else {
      rows[i] = failed_point(s.points[i], s.points[i].failure, 2);
      folder.write_point(i, *rows[i]);
    }
  }
  return left;
}

}  // namespace

SweepOutcome run_sweep(const Sweep& s, const SweepOptions& options) {
  const Library library(options.workloads, options.data, options.allow_unknown);
  fs::path target = fs::absolute(options.output).lexically_normal();
  if (target.filename().empty()) target = target.parent_path();
  const Json now = manifest(s);
  SweepOutcome outcome;
  outcome.points = s.points.size();
  outcome.folder = target.string();

  std::error_code ignored;
  std::vector<std::optional<Json>> rows(s.points.size());
  if (fs::exists(target / "sweep.json", ignored) && options.resume && !SweepFolder::is_unfinished(target)) {
    const std::string why = difference(target, now);
    if (!why.empty())
      throw InputError({target.string()},
                       "is a finished sweep and not this one: " + why + "; expected its own sweep file, or another -o");
    rows = kept_points(s, target / "points");
    if (all_there(rows)) {
      SweepFolder::remove_remains(target);
      outcome.kept = s.points.size();
      outcome.failed = failures(rows);
      outcome.complete = true;
      outcome.csv = config::read_text_file((target / "sweep.csv").string(), kLargestResult);
      return outcome;
    }
  }
  const InterruptGuard guard;
  { const OutputFolder vetted(target.string()); }  // refuses what is no result of ours, before any work
  settle_shards(target, s.points.size(), options.resume);
  SweepFolder folder(target, now, options.resume);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i]) folder.write_point(i, *rows[i]);
  if (options.resume) rows = kept_points(s, folder.points());
  outcome.kept =
      static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [](const auto& r) { return r.has_value(); }));

  const Work left = work_left(s, options, folder, rows);
  {
    Progress progress("points", static_cast<double>(left.tasks.size()));
    run_tasks(
        left.tasks, options.jobs, folder.work().string(),
        [&](std::size_t t, const TaskOutcome& o) {
          const std::size_t i = left.points[t];
          const fs::path result = folder.work() / point_name(i);
          rows[i] =
              o.succeeded ? done_point(s, s.points[i], result, library) : failed_point(s.points[i], o.reason, o.status);
          folder.keep_log(i, o.log);
          folder.write_point(i, *rows[i]);
          fs::remove_all(result, ignored);
          ++outcome.ran;
        },
        [&] { progress.update(static_cast<double>(outcome.ran)); });
  }
  fs::remove_all(folder.work(), ignored);
  outcome.complete = all_there(rows);
  if (!outcome.complete) {
    outcome.folder = folder.path().string();
    return outcome;
  }
  require_unchanged(s);
  outcome.failed = failures(rows);
  std::vector<Json> all;
  for (auto& row : rows) all.push_back(std::move(*row));
  outcome.csv = csv_of(s, all);
  put_in_place(s, target, folder.path(), now, outcome.csv);
  folder.remove();
  return outcome;
}

}  // namespace harmonia::testbench
