#include "tests/support/catch.h"
TEST_CASE("frame works") { REQUIRE(1 + 1 == 2); }
