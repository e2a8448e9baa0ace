#include "harmonia/testbench/sweep/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/process.hpp>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/sweep/shard.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
namespace bp = boost::process;
using config::InputError;
using config::RunError;
using Words = std::vector<std::string>;

namespace {

fs::path target_of(const SweepOptions& options) {
  fs::path target = fs::absolute(options.output).lexically_normal();
  return target.filename().empty() ? target.parent_path() : target;
}

/// Where scripts and logs of the engine are; gone when the sweep is merged.
fs::path engine_folder(const fs::path& target) { return target.string() + ".partial/engine"; }

std::string program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
}

/// A word as a POSIX shell reads it back.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string("_-./=:,@%+").find(static_cast<char>(c)) != std::string::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string line_of(const Words& words) {
  std::string line;
  for (const std::string& w : words) line += (line.empty() ? "" : " ") + quoted(w);
  return line;
}

/// A worker's command, but for its --shard.
Words worker(const std::string& file, const Words& set, const SweepOptions& options, const EngineOptions& engine) {
  Words words = {program(),
                 "sweep",
                 file,
                 "-o",
                 target_of(options).string(),
                 "-j",
                 std::to_string(options.jobs),
                 "--lease",
                 fmt::format("{}", engine.lease_s),
                 "--attempts",
                 std::to_string(engine.attempts)};
  for (const std::string& s : set) words.insert(words.end(), {"--set", s});
  if (!options.data.empty()) words.insert(words.end(), {"--data", fs::absolute(options.data).string()});
  if (!options.workloads.empty()) words.insert(words.end(), {"--workloads", fs::absolute(options.workloads).string()});
  if (options.allow_unknown) words.emplace_back("--allow-unknown");
  if (options.resume) words.emplace_back("--resume");
  return words;
}

Submission slurm(const Words& command, const fs::path& target, const EngineOptions& engine) {
  const fs::path folder = engine_folder(target);
  const std::string name = "harmonia-" + target.filename().string();
  const std::string throttle = engine.throttle > 0 ? fmt::format("%{}", engine.throttle) : "";
  std::string script = "#!/bin/sh\n";
  for (const std::string& option :
       Words{"--job-name=" + name, fmt::format("--array=1-{}{}", engine.workers, throttle), "--requeue",
             "--open-mode=append", "--output=" + (folder / "worker-%a.log").string(),
             "--chdir=" + fs::current_path().string()})
    script += "#SBATCH " + quoted(option) + "\n";
  for (const std::string& option : engine.options) script += "#SBATCH " + option + "\n";
  // The shell hands SIGTERM of a requeue or a time limit on, since the worker takes its place.
  script += "exec " + line_of(command) + " --shard \"$SLURM_ARRAY_TASK_ID/" + std::to_string(engine.workers) + "\"\n";
  Submission s;
  s.files = {{(folder / "workers.sh").string(), script},
             {(folder / "merge.sh").string(),
              "#!/bin/sh\nexec " + line_of({program(), "sweep", "merge", target.string()}) + "\n"}};
  s.steps = {
      {"sbatch", "--parsable", s.files[0].path},
      {"sbatch", "--parsable", "--job-name=" + name + "-merge", "--dependency=afterok:@1", "--kill-on-invalid-dep=yes",
       "--output=" + target.string() + ".merge.log", "--chdir=" + fs::current_path().string(), s.files[1].path}};
  return s;
}

Submission mpi(const Words& command, const EngineOptions& engine) {
  Words words = {"mpirun", "-n", std::to_string(engine.workers)};
  words.insert(words.end(), engine.options.begin(), engine.options.end());
  const std::string as_rank =
      fmt::format("exec \"$0\" \"$@\" --shard $((${{OMPI_COMM_WORLD_RANK:-$PMIX_RANK}} + 1))/{}", engine.workers);
  words.insert(words.end(), {"sh", "-c", as_rank});
  words.insert(words.end(), command.begin(), command.end());
  return {{}, {words}};
}

Submission parallel(const Words& command, const EngineOptions& engine) {
  Words words = {"parallel",
                 "--will-cite",
                 "--quote",
                 "--jobs",
                 std::to_string(engine.workers),
                 "--workdir",
                 fs::current_path().string()};
  words.insert(words.end(), engine.options.begin(), engine.options.end());
  words.insert(words.end(), command.begin(), command.end());
  words.insert(words.end(), {"--shard", fmt::format("{{}}/{}", engine.workers), ":::"});
  for (std::size_t i = 1; i <= engine.workers; ++i) words.push_back(std::to_string(i));
  return {{}, {words}};
}

struct Answer {
  int status = 0;
  std::string out, err;
};

boost::filesystem::path found(const std::string& name) {
  const boost::filesystem::path path = bp::search_path(name);
  if (path.empty()) throw RunError(name + " is missing: it is not in PATH, and the engine needs it");
  return path;
}

Answer ask(const Words& words) {
  bp::ipstream out, err;
  bp::child child(found(words[0]), bp::args(Words(words.begin() + 1, words.end())),
                  bp::std_in<bp::null, bp::std_out> out, bp::std_err > err);
  Answer a;
  a.out.assign(std::istreambuf_iterator<char>(out), {});
  a.err.assign(std::istreambuf_iterator<char>(err), {});
  child.wait();
  a.status = child.exit_code();
  return a;
}

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return config::printable(text);
}

/// The job number that sbatch --parsable answers, without the cluster behind it.
std::string submit(const Words& words) {
  const Answer a = ask(words);
  const std::string job = a.out.substr(0, a.out.find_first_not_of("0123456789"));
  if (a.status != 0 || job.empty()) throw RunError("sbatch refused: " + one_line(a.err.empty() ? a.out : a.err));
  return job;
}

EngineOutcome start_slurm(const Submission& s) {
  EngineOutcome o;
  for (const Submission::File& f : s.files) {
    std::error_code error;
    fs::create_directories(fs::path(f.path).parent_path(), error);
    write_file(f.path, f.text);
  }
  o.jobs = submit(s.steps[0]);
  Words merge = s.steps[1];
  for (std::string& w : merge)
    if (const std::size_t at = w.find("@1"); at != std::string::npos) w.replace(at, 2, o.jobs);
  try {
    o.job_merge = submit(merge);
  } catch (...) {
    ask({"scancel", o.jobs});
    throw;
  }
  return o;
}

}  // namespace

const std::vector<std::string>& sweep_engine_names() {
  static const std::vector<std::string> names = {"local", "slurm", "mpi", "parallel"};
  return names;
}

Submission submission_of(const std::string& file, const Words& set, const SweepOptions& options,
                         const EngineOptions& engine) {
  const config::Location where{"--engine " + config::printable(engine.name), 0, 0};
  for (const std::string& option : engine.options)
    if (option.find_first_of("\n\r") != std::string::npos)
      throw InputError(where, "an option of it holds a line break, expected one line");
  if (engine.throttle > 0 && engine.name != "slurm")
    throw InputError(where, "takes no --throttle, expected it with slurm; mpi and parallel run all workers at a time");
  const Words command = worker(file, set, options, engine);
  if (engine.name == "slurm") return slurm(command, target_of(options), engine);
  if (engine.name == "mpi") return mpi(command, engine);
  if (engine.name == "parallel") return parallel(command, engine);
  throw InputError(where, "is no engine" + config::nearest_hint(engine.name, sweep_engine_names(), "engine"));
}

std::string text(const Submission& s) {
  std::string out;
  for (const Submission::File& f : s.files) out += "# " + f.path + "\n" + f.text + "\n";
  for (const Words& step : s.steps) out += line_of(step) + "\n";
  return out;
}

EngineOutcome run_with_engine(const std::string& file, const Words& set, const SweepOptions& options,
                              const EngineOptions& engine) {
  const Submission s = submission_of(file, set, options, engine);
  for (const Words& step : s.steps) found(step[0]);
  const fs::path target = target_of(options);
  const bool made = begin_shards(file, set, options);
  if (engine.name == "slurm") {
    try {
      return start_slurm(s);
    } catch (...) {
      if (made) discard_shards(target);
      throw;
    }
  }
  const InterruptGuard guard;
  const Words& words = s.steps[0];
  bp::child child(found(words[0]), bp::args(Words(words.begin() + 1, words.end())),
                  bp::std_in<bp::null, bp::std_out>(engine.output_to_stderr ? stderr : stdout));
  child.wait();
  EngineOutcome o;
  const bool stopped = interrupted();
  if (stopped || child.exit_code() != 0)
    throw RunError(
        fmt::format("{} ended with status {}{}; what is finished is in {}.partial, and the same command with "
                    "--resume goes on",
                    words[0], child.exit_code(), stopped ? " after an interrupt" : "", target.string()));
  o.sweep = merge_sweep(target.string());
  o.merged = true;
  return o;
}

}  // namespace harmonia::testbench
