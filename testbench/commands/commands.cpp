#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

const std::vector<const Command*>& commands() {
  static const std::vector<const Command*> table = {
      &kInitCommand,   &kRunCommand,    &kCompareCommand,    &kSweepCommand,    &kRequireCommand,  &kExploreCommand,
      &kReportCommand, &kViewCommand,   &kDramCommand,       &kLinkCommand,     &kCoverageCommand, &kLogCommand,
      &kInjectCommand, &kRandomCommand, &kInferCommand,      &kQuantizeCommand, &kFormatsCommand,  &kListCommand,
      &kCheckCommand,  &kDoctorCommand, &kCompletionCommand, &kManualCommand,
  };
  return table;
}

const std::vector<ExitStatus>& exit_statuses() {
  static const std::vector<ExitStatus> table = {
      {0, "success"},
      {1, "the run failed: a check failed, the output could not be written, or an interrupt stopped it"},
      {2, "unusable input: wrong arguments, or a file that cannot be used; the message names the place"},
  };
  return table;
}

}  // namespace harmonia::testbench
