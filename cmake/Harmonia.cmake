# The few build rules that every folder shares.

add_library(harmonia_flags INTERFACE)
# Results must not depend on whether the compiler fuses a multiply with an add.
target_compile_options(harmonia_flags INTERFACE -ffp-contract=off)
# The libraries are position-independent; without this their functions would not be inlined into each other.
target_compile_options(harmonia_flags INTERFACE -fno-semantic-interposition)
target_compile_options(harmonia_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
                       $<$<BOOL:${HARMONIA_WERROR}>:-Werror>)
if(HARMONIA_SANITIZE)
  target_compile_options(harmonia_flags INTERFACE -fsanitize=${HARMONIA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(harmonia_flags INTERFACE -fsanitize=${HARMONIA_SANITIZE})
  # g++'s documentation warns of its false positives beside sanitizers; <regex> gives one in Catch2.
  target_compile_options(harmonia_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(HARMONIA_FUZZ)
  # What libFuzzer steers by, in every library; the fuzz targets alone link its main().
  target_compile_options(harmonia_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HARMONIA_COVERAGE)
  target_compile_options(harmonia_flags INTERFACE --coverage)
  target_link_options(harmonia_flags INTERFACE --coverage)
endif()

# Headers are included as "harmonia/" and their path in the tree. include/harmonia/ holds one committed link for each folder
# of the tree, so that paths resolve before anything is configured, and nothing puts the folder tlm/ itself on a path, where
# it would hide SystemC's <tlm>.
foreach(folder IN ITEMS hw tlm config testbench)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/harmonia/${folder}
          COMPONENT development FILES_MATCHING PATTERN "*.h")
endforeach()

# harmonia_library(formats SOURCES a.cpp b.cpp LINK PUBLIC x PRIVATE y): target harmonia_formats, alias harmonia::formats.
function(harmonia_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(harmonia_${name} STATIC ${ARG_SOURCES})
  add_library(harmonia::${name} ALIAS harmonia_${name})
  target_include_directories(harmonia_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(harmonia_${name} PUBLIC cxx_std_17)
  target_link_libraries(harmonia_${name} PRIVATE $<BUILD_INTERFACE:harmonia_flags> ${ARG_LINK})
  set_target_properties(harmonia_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS harmonia_${name} EXPORT harmonia ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
endfunction()

# harmonia_registered(<library> <template.cpp.in> "<parameter>"): every other C++ file of the folder belongs to the library and
# defines `void NAME(<parameter>)`, NAME being its own. Written from the template: their @declarations@, and @calls@ that
# hand each `found`.
function(harmonia_registered library template parameter)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(SORT files)
  set(declarations "")
  set(calls "")
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    string(APPEND declarations "void ${name}(${parameter});\n")
    string(APPEND calls "    operations::${name}(found);\n")
  endforeach()
  string(REPLACE ".in" "" written ${template})
  configure_file(${template} ${written} @ONLY)
  target_sources(${library} PRIVATE ${files} ${CMAKE_CURRENT_BINARY_DIR}/${written})
endfunction()

# harmonia_test(name LABEL formats SOURCES a.cpp [LINK ...] [SYSTEMC]): every Catch2 test case becomes one ctest test in a
# process of its own, since SystemC allows one elaboration a process. SYSTEMC: the test cases run inside sc_main.
function(harmonia_test name)
  cmake_parse_arguments(ARG "SYSTEMC" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  if(ARG_SYSTEMC)
    set(main harmonia_test_sc_main)
  else()
    set(main harmonia_test_main)
  endif()
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:${main}>)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE harmonia_flags ${ARG_LINK} Catch2::Catch2)
  # Catch2's assertions are half of a test's time of compilation at -O3; what is tested is in the libraries.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(ARG_SYSTEMC)
    target_link_libraries(${name} PRIVATE SystemC::systemc)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
  catch_discover_tests(${name} TEST_PREFIX "${ARG_LABEL}: " PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# harmonia_long_tests(test_x LABEL dram CASES "a case" ...): the same test cases with the counts of `ctest -C long`
# (tests/support/long.h). They are left out of every other configuration.
function(harmonia_long_tests target)
  cmake_parse_arguments(ARG "" "LABEL" "CASES" ${ARGN})
  foreach(case IN LISTS ARG_CASES)
    add_test(NAME "${ARG_LABEL}: long: ${case}" COMMAND ${target} "${case}" CONFIGURATIONS long)
    set_tests_properties("${ARG_LABEL}: long: ${case}" PROPERTIES
      LABELS ${ARG_LABEL} TIMEOUT 7200 ENVIRONMENT "HARMONIA_LONG=1")
  endforeach()
endfunction()

# harmonia_bench(name SOURCES ... LINK ...): one Google Benchmark program, build/bin/bench_<name>.
function(harmonia_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(bench_${name} ${ARG_SOURCES})
  target_link_libraries(bench_${name} PRIVATE harmonia_flags ${ARG_LINK} benchmark::benchmark)
endfunction()
