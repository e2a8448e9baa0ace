harmonia_bench(infer SOURCES infer.cpp LINK harmonia_testbench SystemC::systemc)
target_include_directories(bench_infer PRIVATE ${PROJECT_SOURCE_DIR})
