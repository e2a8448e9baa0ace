if(HARMONIA_RTL_FOUND)
  harmonia_bench(rtl SOURCES rtl.cpp LINK harmonia_cosim SystemC::systemc)
endif()
