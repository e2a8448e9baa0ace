// What this program is: its version, the revision it was built from, and the libraries it was built with.
// Does not model: which libraries the computer has besides (`harmonia doctor`).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// "0.1.0".
std::string program_version();
/// Git revision, with "+" when the tree differed from it; "unknown" of sources without their history.
std::string program_revision();
/// {"SystemC", "2.3.4"}, ...: the compiler and each library with its version.
std::vector<std::pair<std::string, std::string>> library_versions();
/// What `harmonia --version` prints.
std::string version_text();

}  // namespace harmonia::testbench
