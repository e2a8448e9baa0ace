// Errors that the whole project shares: what the user gave is unusable (exit status 2), or a run failed (exit status
// 1).
#pragma once

#include <stdexcept>
#include <string>

namespace harmonia::config {

/// Where in an input something is wrong. line and column count from 1; 0 means "not known" and is left out of messages.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
};

/// Unusable input. what() is "file:line:column: message"; the program prints it and exits with status 2.
class InputError : public std::runtime_error {
 public:
  InputError(const Location& where, const std::string& message);
  explicit InputError(const std::string& message) : std::runtime_error(message) {}
};

/// The input was fine and the run failed all the same (a conservation check, a full disk). Exit status 1.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace harmonia::config
