// The sub-commands of `harmonia`, each in a file of its own beside this one.
//
// To add a command: define a `const Command` in a file here, declare it below and name it in commands(). Its help, its
// man page, its shell completion and its part of docs/command-reference.md come from the Command and its Arguments.
#pragma once

#include <string>
#include <vector>

namespace harmonia::testbench {

struct Command {
  const char* name;
  const char* synopsis;  // arguments, as in "[SCENARIO] [--set key=value]..."
  const char* summary;   // one line that begins with a capital letter: what the command does
  /// Arguments after the sub-command's name. Returns the exit status; throws config::InputError (2) or any other
  /// std::exception (1). Declares its arguments with Arguments (arguments.h) and returns 0 when parse() is false,
  /// before it does anything else: so the description of every command can be had without running it.
  int (*run)(const std::vector<std::string>& arguments);
  /// A command line that works, whole, as in "harmonia run prefill-2k".
  const char* example = "";
};

extern const Command kRunCommand;
extern const Command kDramCommand;
extern const Command kCoverageCommand;
extern const Command kCompareCommand;
extern const Command kSweepCommand;
extern const Command kRequireCommand;
extern const Command kExploreCommand;
extern const Command kReportCommand;
extern const Command kViewCommand;
extern const Command kListCommand;
extern const Command kFormatsCommand;
extern const Command kCheckCommand;
extern const Command kQuantizeCommand;
extern const Command kInferCommand;
extern const Command kLinkCommand;
extern const Command kInitCommand;
extern const Command kDoctorCommand;
extern const Command kCompletionCommand;
extern const Command kManualCommand;
extern const Command kLogCommand;
extern const Command kInjectCommand;
extern const Command kRandomCommand;

/// The sub-commands in the order in which the help prints them.
const std::vector<const Command*>& commands();

/// What the program's exit status means, for help, man pages and documentation.
struct ExitStatus {
  int status;
  const char* meaning;
};
const std::vector<ExitStatus>& exit_statuses();

}  // namespace harmonia::testbench
