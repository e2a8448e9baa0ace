harmonia_bench(records SOURCES records.cpp LINK harmonia_hw harmonia_records SystemC::systemc)
target_include_directories(bench_records PRIVATE ${PROJECT_SOURCE_DIR})
