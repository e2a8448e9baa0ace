# harmonia_block_rtl(<room> <block> "<files.sv>" <sources>...): library harmonia_<room>_rtl, the RTL twin of a block behind the
# block's core interface, simulated by cycles (--cc) and on pins (--sc). SystemC's sc_clock is not used: every block has a
# clock of its own that runs while there is work. Does nothing when there is no Verilator.
function(harmonia_block_rtl room block files)
  if(NOT HARMONIA_RTL_FOUND)
    return()
  endif()
  harmonia_verilate(${block} TOP ${block} SOURCES ${files})
  harmonia_verilate(${block}_pins TOP ${block} SYSTEMC SOURCES ${files})
  harmonia_library(${room}_rtl SOURCES ${ARGN} LINK PUBLIC harmonia_${room} harmonia_rtl ${block} ${block}_pins)
  foreach(simulated IN ITEMS ${block} ${block}_pins)
    set_target_properties(${simulated} PROPERTIES OUTPUT_NAME harmonia_${simulated}_verilated EXPORT_NAME ${simulated}_verilated)
    install(TARGETS ${simulated} EXPORT harmonia ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  endforeach()
endfunction()
