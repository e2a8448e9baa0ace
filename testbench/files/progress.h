// Progress of a long run: a line on the terminal with an estimate of the time left; silence everywhere else.
#pragma once

#include <chrono>
#include <string>

namespace harmonia::testbench {

class Progress {
 public:
  /// `what` is counted: "steps", "points". Nothing is printed unless standard error is a terminal.
  Progress(std::string what, double total);
  /// Erases the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Reports that `done` of the total is finished. Prints at most ten times a second.
  void update(double done);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  double total_;
  bool terminal_;
  bool printed_ = false;
  Clock::time_point started_, last_;
};

/// "3 s", "4 min 05 s", "2 h 10 min".
std::string duration_text(double seconds);

}  // namespace harmonia::testbench
