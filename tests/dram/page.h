// Tables of docs/dram.md that tests produce: written anew when scripts/dram-acceptance asks for them, else compared, so
// that the page cannot fall behind the code.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "tests/support/catch.h"

namespace harmonia::test {

/// `variable` names the environment variable with the file that the table is to be appended to. Without it every line
/// of the table must be in the page.
inline void publish(const std::string& table, const char* variable) {
  if (const char* file = std::getenv(variable)) {
    std::ofstream(file, std::ios::app) << table;
    return;
  }
  std::ifstream in(HARMONIA_SOURCE "/docs/dram.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  REQUIRE(!page.empty());
  if (page.find(table) != std::string::npos) return;
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line))
    if (page.find(line) == std::string::npos) break;
  FAIL_CHECK("docs/dram.md is stale, scripts/dram-acceptance brings it up to date; not there or not in its place:\n"
             << line);
}

}  // namespace harmonia::test
