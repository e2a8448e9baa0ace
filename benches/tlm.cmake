harmonia_bench(tlm SOURCES tlm.cpp LINK harmonia_bus)
