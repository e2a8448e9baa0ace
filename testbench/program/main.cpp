#include <systemc>

#include "harmonia/testbench/program/program.h"

int sc_main(int argc, char** argv) { return harmonia::testbench::run_program({argv + 1, argv + argc}); }
