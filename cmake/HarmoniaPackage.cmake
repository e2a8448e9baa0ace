# `cpack -G DEB` makes the Debian packages, one for each component of HarmoniaInstall.cmake; scripts/package configures a build for
# them (prefix /usr), makes and checks them. What runtime libraries the programs need is what dpkg-shlibdeps finds.
file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/packages/changelog newest LIMIT_COUNT 1)
file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/packages/changelog maintainer REGEX "^ -- " LIMIT_COUNT 1)
if(NOT newest MATCHES "\\(([^-]+)-([^)]+)\\)" OR NOT CMAKE_MATCH_1 STREQUAL PROJECT_VERSION)
  message(FATAL_ERROR "the newest entry of cmake/packages/changelog is '${newest}', expected one of version ${PROJECT_VERSION}")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_2})
string(REGEX REPLACE "^ -- (.*>)  .*" "\\1" CPACK_DEBIAN_PACKAGE_MAINTAINER "${maintainer}")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME harmonia)
set(CPACK_PACKAGE_CONTACT "${CPACK_DEBIAN_PACKAGE_MAINTAINER}")
# The first line of every description; what a package holds is said below it.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "model of an accelerator for language models in SystemC")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/packages/stage.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENTS_ALL program libraries development documentation python)
set(version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME harmonia)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION electronics)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS python3)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "python3-deap, python3-jinja2, python3-matplotlib")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "harmonia-doc, python3-harmonia")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "Simulates, transaction by transaction, an accelerator that runs Llama-style
language models with block-floating-point activations and look-up-table
weights of 1 to 4 bits. Says what a decode step costs in time, bandwidth and
energy and what limits it, and computes the same bits as the hardware would.
.
This package holds the program with its models, accelerators and scenarios.")

set(CPACK_DEBIAN_LIBRARIES_PACKAGE_NAME libharmonia${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARIES_DESCRIPTION "The number formats of the Harmonia accelerator model as functions in C, and
its DRAM channel behind an AXI4 slave for SystemVerilog simulators (DPI-C).")
# CPack's own way to write these two looks at every file of every package, and takes minutes.
set(control ${PROJECT_BINARY_DIR}/packages-control)
string(JOIN "\n" shlibs "libharmonia_golden ${PROJECT_VERSION_MAJOR} libharmonia${PROJECT_VERSION_MAJOR} (>= ${PROJECT_VERSION})"
       "libharmonia_axi_dpi ${PROJECT_VERSION_MAJOR} libharmonia${PROJECT_VERSION_MAJOR} (>= ${PROJECT_VERSION})")
file(WRITE ${control}/shlibs "${shlibs}\n")
file(WRITE ${control}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_CONTROL_EXTRA "${control}/shlibs;${control}/triggers")

# Static libraries of the development package leave their dependencies to whoever links them.
set(needs libsystemc-dev libyaml-cpp-dev libfmt-dev nlohmann-json3-dev libpugixml-dev zlib1g-dev libboost-dev
    libboost-program-options-dev libboost-iostreams-dev libboost-filesystem-dev)
if(HARMONIA_CBOR_LIBRARY)
  list(APPEND needs libcbor-dev)
endif()
list(JOIN needs ", " needs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libharmonia-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libharmonia${PROJECT_VERSION_MAJOR} (= ${version}), ${needs}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "harmonia (= ${version}), harmonia-doc, verilator")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "Static libraries, headers, CMake and pkg-config files of Harmonia: number
formats, TLM-2.0 parts, the blocks of the accelerator as SystemC modules, and
scenarios and results for testbenches of your own.")

set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_NAME harmonia-doc)
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_SECTION doc)
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DOCUMENTATION_DESCRIPTION "Documentation of Harmonia in Markdown: running and comparing scenarios, the
machine, configuration, results, validation; and numbered example programs.")

set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-harmonia)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3:any")
set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS "harmonia (>= ${PROJECT_VERSION}), libharmonia${PROJECT_VERSION_MAJOR} (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS python3-pandas)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/cmake/packages/postinst;${PROJECT_SOURCE_DIR}/cmake/packages/prerm")
set(CPACK_DEBIAN_PYTHON_DESCRIPTION "Runs scenarios and sweeps of Harmonia, loads their results and calls the
golden functions of its number formats.")
set(CPACK_HARMONIA_SOURCE ${PROJECT_SOURCE_DIR})
set(CPACK_HARMONIA_PACKAGES "program=harmonia" "libraries=libharmonia${PROJECT_VERSION_MAJOR}" "development=libharmonia-dev"
    "documentation=harmonia-doc" "python=python3-harmonia")
include(CPack)
