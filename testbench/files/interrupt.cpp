#include "harmonia/testbench/files/interrupt.h"

#include <csignal>

namespace harmonia::testbench {
namespace {

volatile std::sig_atomic_t flag = 0;
int guards = 0;

extern "C" void note_interrupt(int signal_number) {
  flag = 1;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++ > 0) return;
  flag = 0;
  std::signal(SIGINT, note_interrupt);
  std::signal(SIGTERM, note_interrupt);
}

InterruptGuard::~InterruptGuard() {
  if (--guards > 0) return;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool interrupted() { return guards > 0 && flag != 0; }

}  // namespace harmonia::testbench
