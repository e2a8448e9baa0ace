// The program as a library.
#include <harmonia/testbench/program/program.h>

#include <systemc>

int sc_main(int, char**) { return harmonia::testbench::run_program({"list", "formats"}); }
