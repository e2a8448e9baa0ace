harmonia_bench(dram_module SOURCES dram_module.cpp LINK harmonia_hw)
