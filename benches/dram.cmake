harmonia_bench(dram SOURCES dram.cpp LINK harmonia_testbench)
