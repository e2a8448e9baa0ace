// `harmonia formats`: what a tensor becomes in a number format. Bits per value, signal-to-noise ratio, largest error,
// and how often each code occurs, for a tensor of a file or a synthetic one.
#pragma once

#include <string>
#include <vector>

#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

/// Arguments after the sub-command's name; returns the exit status. Throws config::InputError.
int formats_command(const std::vector<std::string>& arguments);

extern const Command kFormatsCommand;

}  // namespace harmonia::testbench
