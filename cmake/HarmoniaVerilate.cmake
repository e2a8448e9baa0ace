# harmonia_verilate(): for the project itself and, installed, for projects that bring RTL of their own.
set(HARMONIA_VERILATE_DIR ${CMAKE_CURRENT_LIST_DIR})
find_program(HARMONIA_VERILATOR verilator HINTS $ENV{VERILATOR_ROOT}/bin)

# harmonia_verilate(<target> TOP <module> SOURCES <a.sv>... [SYSTEMC] [TRACE] [OPTIONS <verilator options>...])
# Static library <target> with the class V<target> in "V<target>.h". The generated files are compiled as one: they are
# many and small, and their names are not known before Verilator has run.
function(harmonia_verilate target)
  cmake_parse_arguments(ARG "SYSTEMC;TRACE" "TOP" "SOURCES;OPTIONS" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.verilated)
  set(prefix V${target})
  set(sources)
  foreach(source IN LISTS ARG_SOURCES)
    get_filename_component(source ${source} ABSOLUTE)
    list(APPEND sources ${source})
  endforeach()
  set(kind --cc)
  if(ARG_SYSTEMC)
    set(kind --sc)
  endif()
  set(trace)
  if(ARG_TRACE)
    set(trace --trace)
  endif()
  add_custom_command(
    OUTPUT ${folder}/${prefix}__all.cpp
    BYPRODUCTS ${folder}/${prefix}.h
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${folder}
    COMMAND ${HARMONIA_VERILATOR} ${kind} ${trace} -O3 --x-assign unique --x-initial unique --top-module ${ARG_TOP}
            --prefix ${prefix} --Mdir ${folder} ${ARG_OPTIONS} ${sources}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DPREFIX=${prefix} -P ${HARMONIA_VERILATE_DIR}/VerilatorUnite.cmake
    DEPENDS ${sources} ${HARMONIA_VERILATE_DIR}/VerilatorUnite.cmake
    COMMENT "Verilating ${target}" VERBATIM)
  add_library(${target} STATIC ${folder}/${prefix}__all.cpp)
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${folder}>)
  target_compile_options(${target} PRIVATE -w -O2)
  target_link_libraries(${target} PUBLIC harmonia_verilated)
endfunction()
