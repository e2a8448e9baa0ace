// The `harmonia` program as a library: it finds the sub-command and holds the rules that all of them share (exit status,
// error output). The sub-commands are in testbench/commands.
#pragma once

#include <string>
#include <vector>

namespace harmonia::testbench {

/// `arguments` without the program's name. Exit status: 0 done, 1 the run failed, 2 unusable input. Never throws.
int run_program(const std::vector<std::string>& arguments);

}  // namespace harmonia::testbench
