// The commands for verification engineers (docs/verification.md), as commands.h declares the others.
#pragma once

#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

extern const Command kInjectCommand;
extern const Command kRandomCommand;

}  // namespace harmonia::testbench
