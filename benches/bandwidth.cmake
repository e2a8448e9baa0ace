harmonia_bench(bandwidth SOURCES bandwidth.cpp LINK harmonia_testbench SystemC::systemc)
target_include_directories(bench_bandwidth PRIVATE ${PROJECT_SOURCE_DIR})
