// Every sub-command of `harmonia`: one declaration here and one line in commands().
#pragma once

#include "harmonia/testbench/program/program.h"

namespace harmonia::testbench {

extern const Command kRunCommand;       // commands/run.cpp
extern const Command kDramCommand;      // commands/dram.cpp
extern const Command kCompareCommand;   // commands/compare.cpp
extern const Command kSweepCommand;     // commands/sweep.cpp
extern const Command kReportCommand;    // commands/report.cpp
extern const Command kListCommand;      // program/list.cpp
extern const Command kFormatsCommand;   // commands/formats.cpp
extern const Command kCheckCommand;     // program/check.cpp
extern const Command kQuantizeCommand;  // commands/quantize.cpp
extern const Command kInferCommand;     // commands/infer.cpp

}  // namespace harmonia::testbench
