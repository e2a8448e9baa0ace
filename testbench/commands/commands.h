// The sub-commands of `harmonia`, each in a file of its own beside this one.
//
// To add a command: define a `const Command` in a file here, declare it below and name it in commands().
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

extern const Command kRunCommand;
extern const Command kDramCommand;
extern const Command kCoverageCommand;
extern const Command kCompareCommand;
extern const Command kSweepCommand;
extern const Command kRequireCommand;
extern const Command kReportCommand;
extern const Command kListCommand;
extern const Command kFormatsCommand;
extern const Command kCheckCommand;
extern const Command kQuantizeCommand;
extern const Command kInferCommand;
extern const Command kLinkCommand;

/// The sub-commands in the order in which the help prints them.
const std::vector<const Command*>& commands();

}  // namespace harmonia::testbench
