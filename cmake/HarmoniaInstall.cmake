include(CMakePackageConfigHelpers)
install(TARGETS harmonia_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY workloads DESTINATION ${CMAKE_INSTALL_DATADIR}/harmonia)
install(PROGRAMS scripts/report scripts/study DESTINATION ${CMAKE_INSTALL_DATADIR}/harmonia/scripts)
install(DIRECTORY scripts/harmonia_report DESTINATION ${CMAKE_INSTALL_DATADIR}/harmonia/scripts PATTERN __pycache__ EXCLUDE)
# `import harmonia` with PREFIX/share/harmonia/python in PYTHONPATH; a component of its own, so that it can be a package of its own.
install(DIRECTORY python DESTINATION ${CMAKE_INSTALL_DATADIR}/harmonia COMPONENT python PATTERN __pycache__ EXCLUDE)
install(EXPORT harmonia NAMESPACE harmonia:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/harmonia)
configure_package_config_file(cmake/harmonia-config.cmake.in ${PROJECT_BINARY_DIR}/harmonia-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/harmonia)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/harmonia-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/harmonia-config.cmake ${PROJECT_BINARY_DIR}/harmonia-config-version.cmake
              cmake/SystemC.cmake cmake/HarmoniaVerilate.cmake cmake/VerilatorUnite.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/harmonia)
