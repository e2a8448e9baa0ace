# Verilator, when there is one. Without it every target that needs RTL is left out and the tests say so.
#
#   HARMONIA_RTL=AUTO|ON|OFF   AUTO takes Verilator if it is found; ON insists on it.
#   HARMONIA_RTL_FOUND         set for the rest of the build
#   HARMONIA_<BLOCK>_SV        the SystemVerilog files of a block, top first
#   harmonia_verilate(...)     one SystemVerilog top to one static library, at build time

set(hw ${PROJECT_SOURCE_DIR}/hw)
set(HARMONIA_BFP_CONVERTER_SV ${hw}/converter/bfp_converter.sv ${hw}/converter/bfp_unpack.sv ${hw}/converter/bfp_shift.sv)
set(HARMONIA_LUT_DECODER_SV ${hw}/decoder/lut_decoder.sv ${hw}/decoder/lut_unpack.sv)
set(HARMONIA_PE_SV ${hw}/pe/pe.sv ${hw}/pe/pe_operand.sv ${hw}/pe/pe_lane.sv)
set(HARMONIA_OUTLIER_SMOOTHER_SV ${hw}/smoother/outlier_smoother.sv ${hw}/rtl/fp_add.sv)

set(HARMONIA_RTL AUTO CACHE STRING "Co-simulate the RTL with Verilator: AUTO, ON or OFF")
set(HARMONIA_RTL_FOUND FALSE)
if(HARMONIA_RTL)
  find_program(HARMONIA_VERILATOR verilator HINTS $ENV{VERILATOR_ROOT}/bin)
  if(HARMONIA_VERILATOR)
    execute_process(COMMAND ${HARMONIA_VERILATOR} --getenv VERILATOR_ROOT
                    OUTPUT_VARIABLE HARMONIA_VERILATOR_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND ${HARMONIA_VERILATOR} --version
                    OUTPUT_VARIABLE HARMONIA_VERILATOR_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(EXISTS ${HARMONIA_VERILATOR_ROOT}/include/verilated.cpp AND HARMONIA_VERILATOR_VERSION MATCHES "Verilator ([0-9.]+)"
       AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL 5.0)
      set(HARMONIA_RTL_FOUND TRUE)
    endif()
  endif()
  if(NOT HARMONIA_RTL_FOUND)
    set(message "Verilator 5 or later was not found: RTL co-simulation is left out (scripts/setup --with-rtl installs it)")
    if(HARMONIA_RTL STREQUAL AUTO)
      message(STATUS ${message})
    else()
      message(FATAL_ERROR ${message})
    endif()
  endif()
endif()
if(NOT HARMONIA_RTL_FOUND)
  return()
endif()

# Verilator's own run-time, compiled once. Its headers and all generated code are exempt from our warning flags.
set(runtime ${HARMONIA_VERILATOR_ROOT}/include)
set(runtime_sources verilated.cpp verilated_threads.cpp verilated_dpi.cpp verilated_vcd_c.cpp verilated_vcd_sc.cpp)
list(TRANSFORM runtime_sources PREPEND ${runtime}/)
add_library(harmonia_verilated STATIC ${runtime_sources})
# Whoever uses an installation has the headers of the Verilator there (harmonia-config.cmake.in).
target_include_directories(harmonia_verilated SYSTEM PUBLIC $<BUILD_INTERFACE:${runtime}> $<BUILD_INTERFACE:${runtime}/vltstd>)
target_compile_definitions(harmonia_verilated PUBLIC VM_COVERAGE=0 VM_SC=0 VM_TRACE=1 VM_TRACE_VCD=1 VM_TRACE_FST=0)
target_compile_options(harmonia_verilated PRIVATE -w)
target_link_libraries(harmonia_verilated PUBLIC SystemC::systemc Threads::Threads)

include(${CMAKE_CURRENT_LIST_DIR}/HarmoniaVerilate.cmake)
