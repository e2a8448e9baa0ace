// The first SIGINT (or SIGTERM) asks a long run to stop and keep what is complete; the second one kills the program.
#pragma once

namespace harmonia::testbench {

/// While one exists, interrupts set a flag instead of killing the program. Nests.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// Whether an interrupt has come while a guard existed that still does. Cheap enough for an inner loop.
bool interrupted();

}  // namespace harmonia::testbench
