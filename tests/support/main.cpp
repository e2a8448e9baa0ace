// Frame of the kernel-free tests. The code under test may live in a library that links SystemC, whose own main() refers
// to sc_main; ours is the main() that runs, but the reference has to be met.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "tests/support/catch.h"

int main(int argc, char* argv[]) { return Catch::Session().run(argc, argv); }

extern "C" int sc_main(int, char*[]) { return 1; }
