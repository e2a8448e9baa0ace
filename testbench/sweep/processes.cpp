#include "harmonia/testbench/sweep/processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"

namespace harmonia::testbench {
namespace {

std::string error_file(const std::string& scratch, std::size_t index) {
  return fmt::format("{}/{}.stderr", scratch, index);
}

// Only what is safe between fork and exec.
[[noreturn]] void become(const std::vector<char*>& argv, const char* errors, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no process would collect the result
  if (::getppid() != parent) ::_exit(127);
  ::setpgid(0, 0);  // an interrupt from the terminal is this program's to handle
  const int nothing = ::open("/dev/null", O_RDWR);
  const int err = ::open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (nothing < 0 || err < 0) ::_exit(127);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

pid_t start(const Task& task, const std::string& errors) {
  std::vector<std::string> words = {"harmonia"};
  words.insert(words.end(), task.arguments.begin(), task.arguments.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw config::RunError(std::string("cannot start a process: ") + std::strerror(errno));
  if (child == 0) become(argv, errors.c_str(), parent);
  return child;
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
  std::map<pid_t, std::size_t> running;
  const auto stop_all = [&] {
    for (const auto& [pid, index] : running) ::kill(pid, SIGKILL);
    for (const auto& [pid, index] : running) ::waitpid(pid, nullptr, 0);
    running.clear();
  };
  try {
    bool more = true;
    while ((more || !running.empty()) && !interrupted()) {
      while (more && running.size() < std::max<std::size_t>(jobs, 1)) {
        const NextTask n = next();
        more = n.kind != NextTask::Kind::kEnd;
        if (n.kind != NextTask::Kind::kTask) break;
        running[start(n.task, error_file(scratch, n.index))] = n.index;
      }
      bool ended = false;
      for (auto it = running.begin(); it != running.end();) {
        int status = 0;
        if (::waitpid(it->first, &status, WNOHANG) != it->first) {
          ++it;
          continue;
        }
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
