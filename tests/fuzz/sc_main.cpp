// The SystemC library asks for sc_main. The fuzz targets never elaborate: libFuzzer has their main().
#include <systemc>

int sc_main(int, char**) { return 0; }
