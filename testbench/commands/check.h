// Recognising and validating input files.
#pragma once

#include <string>
#include <vector>

#include "harmonia/testbench/scenario/library.h"

namespace harmonia::testbench {

/// A kind of line-oriented file (traces). To add one: a line in line_file_kinds() (check.cpp).
struct LineFileKind {
  /// Whether the first line that is not blank looks like this kind.
  bool (*recognises)(const std::string& first_line);
  /// Reads the file; returns what it is, "a request trace: ..."; throws config::InputError.
  std::string (*check)(const std::string& file);
};
const std::vector<LineFileKind>& line_file_kinds();

/// What a file is, in words. Throws config::InputError when it is unusable or of no known kind.
std::string check_file(const std::string& file, const Library& library);

}  // namespace harmonia::testbench
