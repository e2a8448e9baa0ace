#include "harmonia/testbench/files/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

namespace harmonia::testbench {

Progress::Progress(std::string what, double total)
    : what_(std::move(what)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      started_(Clock::now()),
      last_(started_) {}

Progress::~Progress() {
  if (printed_) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::update(double done) {
  if (!terminal_) return;
  const auto now = Clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double share = total_ > 0 ? std::clamp(done / total_, 0.0, 1.0) : 0.0;
  char text[160];
  std::snprintf(text, sizeof text, "\r\x1b[K%.0f of %.0f %s (%.0f %%)", done, total_, what_.c_str(), 100 * share);
  std::cerr << text;
  // An estimate from the first moments misleads.
  if (share > 0 && elapsed > 1) std::cerr << ", about " << duration_text(elapsed * (1 - share) / share) << " left";
  std::cerr << std::flush;
  printed_ = true;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<long long>(std::llround(std::max(seconds, 0.0)));
  char text[64];
  if (s < 60) {
    std::snprintf(text, sizeof text, "%lld s", s);
  } else if (s < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", s / 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", s / 3600, s / 60 % 60);
  }
  return text;
}

}  // namespace harmonia::testbench
