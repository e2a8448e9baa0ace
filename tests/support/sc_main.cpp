// Frame of the SystemC tests. libsystemc has its own main(), which calls this; a Catch2 library with a main must never
// be linked beside it, or no test would run and the program would still exit with 0.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include <systemc>

#include "tests/support/catch.h"

int sc_main(int argc, char* argv[]) {
  // What SystemC calls a warning is a defect here: it becomes an exception, and so a failed test.
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DISPLAY | sc_core::SC_THROW);
  return Catch::Session().run(argc, argv);
}
