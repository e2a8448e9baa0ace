#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

const std::vector<const Command*>& commands() {
  static const std::vector<const Command*> table = {
      &kRunCommand,   &kCompareCommand,  &kSweepCommand, &kRequireCommand, &kReportCommand,
      &kDramCommand,  &kCoverageCommand, &kLinkCommand,  &kListCommand,    &kFormatsCommand,
      &kCheckCommand, &kQuantizeCommand, &kInferCommand,
  };
  return table;
}

}  // namespace harmonia::testbench
