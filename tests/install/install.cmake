# cmake -DBUILD=... -DCONSUMER=... -DWORK=... -DCXX=... -DCC=... -P install.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "failed: ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(READ ${BUILD}/CMakeCache.txt cache)
if(cache MATCHES "HARMONIA_SANITIZE:[A-Z]+=([^\n]+)" AND CMAKE_MATCH_1 AND NOT CMAKE_MATCH_1 STREQUAL "OFF")
  message("SKIPPED: the libraries of a sanitized build need its flags in every consumer")
  return()
endif()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
# Headers come from the installation alone: the sources' own folders are on no path of the consumer.
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${WORK}/prefix
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_C_COMPILER=${CC} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
    "-DCMAKE_EXE_LINKER_FLAGS=${LINK_FLAGS}" -DCMAKE_BUILD_TYPE=)
run(${CMAKE_COMMAND} --build ${WORK}/build)
foreach(program use_formats use_bus use_hw use_testbench use_golden)
  run(${WORK}/build/${program})
  message("${program}: ${output}")
endforeach()
# The installed program finds its built-ins beside itself.
run(${CMAKE_COMMAND} -E env --unset=HARMONIA_WORKLOADS ${WORK}/prefix/bin/harmonia list models)
if(NOT output MATCHES "llama-3-8b")
  message(FATAL_ERROR "the installed program does not list its models:\n${output}")
endif()
file(REMOVE_RECURSE ${WORK})
