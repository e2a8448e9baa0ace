harmonia_bench(machine SOURCES machine.cpp LINK harmonia_testbench SystemC::systemc)
target_include_directories(bench_machine PRIVATE ${PROJECT_SOURCE_DIR})
