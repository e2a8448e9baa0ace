// Where the tests find outside reference data: the folder that HARMONIA_DATA names (reference/, data/, tools/ in it).
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/catch.h"

namespace harmonia::test {

/// The folder, or an empty path when HARMONIA_DATA is not set.
inline std::filesystem::path data_folder() {
  const char* folder = std::getenv("HARMONIA_DATA");
  return folder ? std::filesystem::path(folder) : std::filesystem::path();
}

}  // namespace harmonia::test

/// Ends the test case, saying so, when the outside data is absent; otherwise `folder` is its path.
#define HARMONIA_REQUIRE_DATA(folder)                                              \
  const std::filesystem::path folder = harmonia::test::data_folder();              \
  if (folder.empty()) {                                                            \
    WARN("HARMONIA_DATA is not set: the outside reference data was not compared"); \
    return;                                                                        \
  }                                                                                \
  REQUIRE(std::filesystem::is_directory(folder))
