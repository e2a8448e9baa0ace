// Every sub-command of `harmonia`: one declaration here and one line in commands().
#pragma once

#include "harmonia/testbench/program/program.h"

namespace harmonia::testbench {

extern const Command kListCommand;   // program/list.cpp
extern const Command kCheckCommand;  // program/check.cpp

}  // namespace harmonia::testbench
