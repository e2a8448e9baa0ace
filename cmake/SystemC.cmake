# SystemC::systemc, whatever the distribution ships: a CMake config file (SystemC 3 upstream), a pkg-config file (Debian), or neither.
# Debian's library exports sc_api_version_*_cxx<standard> for exactly one standard; the probe turns the link error that
# a mismatch gives into words.

if(NOT TARGET SystemC::systemc)
  find_package(SystemCLanguage CONFIG QUIET)
endif()
if(NOT TARGET SystemC::systemc)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(HARMONIA_SYSTEMC QUIET systemc)
  endif()
  find_path(HARMONIA_SYSTEMC_INCLUDE systemc HINTS ${HARMONIA_SYSTEMC_INCLUDE_DIRS} $ENV{SYSTEMC_HOME}/include)
  find_library(HARMONIA_SYSTEMC_LIBRARY systemc
               HINTS ${HARMONIA_SYSTEMC_LIBRARY_DIRS} $ENV{SYSTEMC_HOME}/lib $ENV{SYSTEMC_HOME}/lib64 $ENV{SYSTEMC_HOME}/lib-linux64)
  if(NOT HARMONIA_SYSTEMC_INCLUDE OR NOT HARMONIA_SYSTEMC_LIBRARY)
    message(FATAL_ERROR "SystemC was not found. On Debian or Ubuntu: apt install libsystemc-dev (scripts/setup does it); "
                        "elsewhere set SYSTEMC_HOME to its installation.")
  endif()
  add_library(SystemC::systemc UNKNOWN IMPORTED)
  set_target_properties(SystemC::systemc PROPERTIES
    IMPORTED_LOCATION ${HARMONIA_SYSTEMC_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${HARMONIA_SYSTEMC_INCLUDE})
endif()

if(NOT HARMONIA_SYSTEMC_PROBED)
  set(probe_dir ${PROJECT_BINARY_DIR}/CMakeFiles/systemc_probe)
  file(WRITE ${probe_dir}/probe.cpp
       "#include <systemc>\n#include <tlm>\nint sc_main(int, char**) { sc_core::sc_start(); return 0; }\n")
  try_compile(HARMONIA_SYSTEMC_LINKS ${probe_dir}/build ${probe_dir}/probe.cpp
              LINK_LIBRARIES SystemC::systemc
              CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
              OUTPUT_VARIABLE probe_output)
  if(NOT HARMONIA_SYSTEMC_LINKS)
    if(probe_output MATCHES "sc_api_version[_0-9a-z]*cxx([0-9]+)")
      message(FATAL_ERROR "The SystemC library found (${HARMONIA_SYSTEMC_LIBRARY}) was built for another C++ standard than C++17, "
                          "which Harmonia uses: SystemC checks this at link time (missing symbol ${CMAKE_MATCH_0}). "
                          "Use a SystemC built with -std=c++17, such as Debian's libsystemc-dev.")
    endif()
    message(FATAL_ERROR "A one-line SystemC program does not compile and link with ${CMAKE_CXX_COMPILER} and "
                        "${HARMONIA_SYSTEMC_LIBRARY}:\n${probe_output}")
  endif()
  set(HARMONIA_SYSTEMC_PROBED TRUE CACHE INTERNAL "")
endif()
