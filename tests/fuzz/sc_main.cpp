// libsystemc, which scenarios bring in, has a main() of its own that refers to sc_main; it is never called here.
extern "C" int sc_main(int, char*[]) { return 1; }
