// The `harmonia` program as a library: a table of sub-commands and the rules they share (exit status, error output).
//
// To add a command: define a `const Command` in the folder that does the work, and name it in commands.h.
#pragma once

#include <string>
#include <vector>

namespace harmonia::testbench {

struct Command {
  const char* name;
  const char* synopsis;  // arguments, as in "[SCENARIO] [--set key=value]..."
  const char* summary;   // one line
  /// Arguments after the sub-command's name. Returns the exit status; throws config::InputError (2) or any other
  /// std::exception (1). `--help` must print the command's help and return 0: Arguments (arguments.h) does.
  int (*run)(const std::vector<std::string>& arguments);
};

/// The sub-commands in the order in which the help prints them.
const std::vector<const Command*>& commands();

/// Exit status: 0 done, 1 the run failed, 2 unusable input. Never throws.
int run_program(const std::vector<std::string>& arguments);

}  // namespace harmonia::testbench
