// Child processes of this program, several at a time.
//
// Models: one process for each task (SystemC allows one elaboration a process), bounded parallelism, the end of every
//   child when this process ends in whatever way. Does not model: other machines; retries.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace harmonia::testbench {

/// `harmonia ARGUMENTS...`, with nothing to read.
struct Task {
  std::vector<std::string> arguments;
};

struct TaskOutcome {
  bool succeeded = false;
  int status = 0;      // exit status, or 128 + signal
  std::string reason;  // of a failure: what the child said on standard error, one line
  std::string log;     // of a failure: all that it said, its beginning when that is long
};

/// What a source of tasks answers.
struct NextTask {
  enum class Kind { kTask, kLater, kEnd };
  Kind kind = Kind::kEnd;
  std::size_t index = 0;  // of kTask: what `done` is called with
  Task task = {};
};

/// Runs all tasks, `jobs` at a time, in order. `done` is called in this process as each one ends; `waiting` about ten
/// times a second in between. Stops early (killing what runs, reporting nothing of it) when interrupted() is true.
/// `scratch`: an existing folder for what the children print. Throws config::RunError when no process can be started.
/// The tasks come from `next`, which is asked whenever one more can run, until it says kEnd and none runs any more.
void run_tasks(const std::function<NextTask()>& next, std::size_t jobs, const std::string& scratch,
               const std::function<void(std::size_t index, const TaskOutcome&)>& done,
               const std::function<void()>& waiting = {});
/// The same for tasks that are known; `index` counts them.
void run_tasks(const std::vector<Task>& tasks, std::size_t jobs, const std::string& scratch,
               const std::function<void(std::size_t index, const TaskOutcome&)>& done,
               const std::function<void()>& waiting = {});

/// Processors that this process may use.
std::size_t processors();

}  // namespace harmonia::testbench
