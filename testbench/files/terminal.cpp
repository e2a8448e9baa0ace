#include "harmonia/testbench/files/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

namespace harmonia::testbench {
namespace {

bool forbidden = false;

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kRed = "\x1b[1;31m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kPlain = "\x1b[0m";

const char* style_of(const std::string& line, bool first_of_block) {
  if (line.compare(0, 6, "FAILED") == 0) return kRed;
  if (line.compare(0, 5, "Note:") == 0) return kYellow;
  return first_of_block && !line.empty() && line[0] != ' ' ? kBold : nullptr;
}

}  // namespace

void forbid_colour() { forbidden = true; }

bool colours(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (forbidden || (no_color && *no_color) || (terminal && std::strcmp(terminal, "dumb") == 0)) return false;
  return ::isatty(descriptor) == 1;
}

std::string decorated(const std::string& text) {
  if (!colours(STDOUT_FILENO)) return text;
  std::string out;
  std::istringstream lines(text);
  bool first_of_block = true;
  for (std::string line; std::getline(lines, line);) {
    const char* style = style_of(line, first_of_block);
    out += style ? style + line + kPlain + '\n' : line + '\n';
    first_of_block = line.empty();
  }
  return out;
}

std::string decorated_error(const std::string& message) {
  return colours(STDERR_FILENO) ? kRed + message + kPlain : message;
}

}  // namespace harmonia::testbench
