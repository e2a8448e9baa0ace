#include <systemc>
#include "tests/support/catch.h"
TEST_CASE("kernel elaborates and runs") {
  sc_core::sc_start(sc_core::sc_time(5, sc_core::SC_NS));
  REQUIRE(sc_core::sc_time_stamp() == sc_core::sc_time(5, sc_core::SC_NS));
}
