#include "harmonia/testbench/sweep/processes.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process.hpp>
#include <boost/process/extend.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"

namespace bp = boost::process;

namespace harmonia::testbench {
namespace {

std::string error_file(const std::string& scratch, std::size_t index) {
  return fmt::format("{}/{}.stderr", scratch, index);
}

/// What the child does between fork and exec; only what is safe there.
struct Apart : bp::extend::handler {
  pid_t parent = ::getpid();
  template <class Executor>
  void on_exec_setup(Executor&) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no process would collect the result
    if (::getppid() != parent) ::_exit(127);
    ::setpgid(0, 0);  // an interrupt from the terminal is this program's to handle
  }
};

bp::child start(const Task& task, const std::string& errors) {
  ::unlink(errors.c_str());  // what an earlier try has said
  std::error_code error;
  bp::child child(bp::exe = "/proc/self/exe", bp::args = task.arguments, bp::std_in<bp::null, bp::std_out> bp::null,
                  bp::std_err > errors, Apart{}, error);
  if (error) throw config::RunError("cannot start a process: " + error.message());
  return child;
}

/// Kills a child and waits until it is gone, so that it writes nothing and holds no lock when this returns. Boost's
/// terminate() does not wait: what the child had begun could then not be removed.
void end_now(bp::child& child) {
  const pid_t pid = child.id();
  child.detach();
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

/// The last line that is not blank, without the program's name in front.
std::string last_line(const std::string& file) {
  std::ifstream in(file);
  std::string line, last;
  while (std::getline(in, line))
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  static const std::string prefix = "harmonia: ";
  return last.compare(0, prefix.size(), prefix) == 0 ? last.substr(prefix.size()) : last;
}

/// What a child has printed, its beginning when that is long.
std::string text_of(const std::string& file) {
  constexpr std::size_t kMost = 1U << 20;
  std::string text(kMost, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

TaskOutcome outcome_of(int wait_status, const std::string& errors) {
  TaskOutcome o;
  if (WIFEXITED(wait_status)) {
    o.status = WEXITSTATUS(wait_status);
    o.succeeded = o.status == 0;
    if (!o.succeeded) o.reason = last_line(errors);
    if (!o.succeeded && o.reason.empty()) o.reason = fmt::format("exit status {} without a message", o.status);
  } else {
    const int signal = WTERMSIG(wait_status);
    o.status = 128 + signal;
    o.reason = fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
  }
  if (!o.succeeded) o.log = text_of(errors);
  return o;
}

}  // namespace

void run_tasks(const std::function<NextTask()>& next, std::size_t jobs, const std::string& scratch,
               const std::function<void(std::size_t, const TaskOutcome&)>& done, const std::function<void()>& waiting) {
  std::vector<std::pair<bp::child, std::size_t>> running;
  const auto stop_all = [&] {
    for (auto& [child, index] : running) end_now(child);
    running.clear();
  };
  try {
    bool more = true;
    while ((more || !running.empty()) && !interrupted()) {
      while (more && running.size() < std::max<std::size_t>(jobs, 1)) {
        const NextTask n = next();
        more = n.kind != NextTask::Kind::kEnd;
        if (n.kind != NextTask::Kind::kTask) break;
        running.emplace_back(start(n.task, error_file(scratch, n.index)), n.index);
      }
      bool ended = false;
      for (auto it = running.begin(); it != running.end();) {
        if (it->first.running()) {
          ++it;
          continue;
        }
        const int status = it->first.native_exit_code();
        const std::size_t index = it->second;
        it = running.erase(it);
        ended = true;
        const std::string errors = error_file(scratch, index);
        const TaskOutcome outcome = outcome_of(status, errors);
        ::unlink(errors.c_str());
        done(index, outcome);
      }
      if (waiting) waiting();
      if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  } catch (...) {
    stop_all();
    throw;
  }
  stop_all();
}

void run_tasks(const std::vector<Task>& tasks, std::size_t jobs, const std::string& scratch,
               const std::function<void(std::size_t, const TaskOutcome&)>& done, const std::function<void()>& waiting) {
  std::size_t started = 0;
  const auto next = [&]() -> NextTask {
    if (started == tasks.size()) return {};
    const std::size_t index = started++;
    return {NextTask::Kind::kTask, index, tasks[index]};
  };
  run_tasks(next, jobs, scratch, done, waiting);
}

std::size_t processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace harmonia::testbench
