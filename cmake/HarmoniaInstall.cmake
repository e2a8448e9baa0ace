# What `cmake --install` puts where, in components that are packages of their own (HarmoniaPackage.cmake):
#   program        the program with its data, scripts, man pages and shell completion
#   libraries      shared libraries: the golden functions and the AXI4 memory for other languages
#   development    static libraries, headers, SystemVerilog, CMake and pkg-config files
#   documentation  README, docs/ and examples/
#   python         `import harmonia`
# The program finds its data from where it lies itself, so that the prefix may be moved as a whole.
include(CMakePackageConfigHelpers)
include(HarmoniaPkgConfig)
set(data ${CMAKE_INSTALL_DATADIR}/harmonia)
set(config ${CMAKE_INSTALL_LIBDIR}/cmake/harmonia)

install(TARGETS harmonia_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY workloads DESTINATION ${data} COMPONENT program)
install(FILES scripts/report scripts/study scripts/view DESTINATION ${data}/scripts COMPONENT program)
install(DIRECTORY scripts/harmonia_report DESTINATION ${data}/scripts COMPONENT program PATTERN __pycache__ EXCLUDE)
# What makes plots of reports interactive, where scripts/setup --with-web has brought it.
install(DIRECTORY .cache/web/node_modules/uplot/dist/ DESTINATION ${data}/scripts/harmonia_report/uplot COMPONENT program OPTIONAL
        FILES_MATCHING PATTERN uPlot.iife.min.js PATTERN uPlot.min.css)
# `harmonia require` and `explore` are written in Python; they work without the Python package.
install(DIRECTORY python DESTINATION ${data} COMPONENT program PATTERN __pycache__ EXCLUDE)

# Man pages and shell completion are what the program says of itself.
set(pages ${PROJECT_BINARY_DIR}/pages)
set(shells bash zsh fish)
set(completion_bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions harmonia)
set(completion_zsh ${CMAKE_INSTALL_DATADIR}/zsh/site-functions _harmonia)
set(completion_fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d harmonia.fish)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND EXISTS /etc/debian_version)
  # Debian's zsh reads site-functions below /usr/local only.
  set(completion_zsh ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions _harmonia)
endif()
set(completions)
foreach(shell IN LISTS shells)
  list(APPEND completions COMMAND $<TARGET_FILE:harmonia_program> completion ${shell} > ${pages}/harmonia.${shell})
endforeach()
add_custom_command(OUTPUT ${pages}/done
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
  COMMAND $<TARGET_FILE:harmonia_program> manual -o ${pages}/man1
  COMMAND gzip -9nr ${pages}/man1
  ${completions}
  COMMAND ${CMAKE_COMMAND} -E touch ${pages}/done
  DEPENDS harmonia_program COMMENT "Writing man pages and shell completion" VERBATIM)
add_custom_target(harmonia_pages ALL DEPENDS ${pages}/done)
install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
foreach(shell IN LISTS shells)
  list(GET completion_${shell} 0 folder)
  list(GET completion_${shell} 1 name)
  install(FILES ${pages}/harmonia.${shell} DESTINATION ${folder} RENAME ${name} COMPONENT program)
endforeach()

# On Debian's own path of modules when the prefix is /usr; PYTHONPATH names it otherwise.
set(HARMONIA_PYTHON_DIR lib/python3/dist-packages CACHE STRING "Folder of the Python package below the prefix")
install(DIRECTORY python/harmonia DESTINATION ${HARMONIA_PYTHON_DIR} COMPONENT python PATTERN __pycache__ EXCLUDE)

# Laid out as in the tree, so that their links lead somewhere.
install(FILES README.md CONTRIBUTING.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)

install(EXPORT harmonia NAMESPACE harmonia:: DESTINATION ${config} COMPONENT development)
configure_package_config_file(cmake/harmonia-config.cmake.in ${PROJECT_BINARY_DIR}/harmonia-config.cmake
                              INSTALL_DESTINATION ${config})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/harmonia-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/harmonia-config.cmake ${PROJECT_BINARY_DIR}/harmonia-config-version.cmake
              cmake/SystemC.cmake cmake/HarmoniaVerilate.cmake cmake/VerilatorUnite.cmake
        DESTINATION ${config} COMPONENT development)
harmonia_pkg_config(formats "Number formats and weight formats of the accelerator")
harmonia_pkg_config(golden "Golden functions of the number formats, in C")
harmonia_pkg_config(axi_dpi "AXI4 memory and checker for SystemVerilog simulators, over DPI-C")
harmonia_pkg_config(bus "Reusable TLM-2.0 parts: streams, interconnect, monitors, protocol checker")
harmonia_pkg_config(hw "The accelerator's blocks as SystemC modules, functions and times")
harmonia_pkg_config(testbench "Scenarios, workloads, results and the program's commands")
