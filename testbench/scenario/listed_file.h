// Sweeps and studies by their built-in names.
//
// Models: the file that a command line names, in the working directory or among the built-in ones.
// Does not model: models, accelerators, scenarios and links, which files name too (library.h).
#pragma once

#include <filesystem>
#include <string>

#include "harmonia/testbench/scenario/library.h"

namespace harmonia::testbench {

/// The file `name`, or the built-in one of that name of a kind ("sweep" of the folder sweeps, "study" of studies). Throws
/// InputError, which names what is built in.
std::filesystem::path find_listed(const Library& library, const std::string& kind, const std::string& folder,
                                  const std::string& name);

}  // namespace harmonia::testbench
