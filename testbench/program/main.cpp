#include <cstdlib>
#include <systemc>

#include "harmonia/testbench/program/program.h"

namespace {

// libsystemc's main() prints its banner on standard output before it calls sc_main; output that is piped into another
// program must hold only what the command says.
const bool kBannerOff = [] {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  return true;
}();

}  // namespace

int sc_main(int argc, char** argv) {
  static_cast<void>(kBannerOff);
  // "Simulation stopped by user" is how every run ends.
  sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_DO_NOTHING);
  return harmonia::testbench::run_program({argv + 1, argv + argc});
}
