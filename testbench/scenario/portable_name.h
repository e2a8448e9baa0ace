// How results name the files that they were made from: the same on every computer.
#pragma once

#include <filesystem>
#include <string>

namespace harmonia::testbench {

/// "built-in scenarios/default.yaml" of a file in the folder of built-ins; otherwise a path that is relative to the working
/// directory, or as it is when it is no absolute one. Files of /dev and /proc keep their names. `file` may end in ":LINE".
std::string portable_name(const std::string& file, const std::filesystem::path& built_ins = {});

}  // namespace harmonia::testbench
