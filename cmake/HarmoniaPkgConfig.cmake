# harmonia_pkg_config(<name> "<description>"): lib/pkgconfig/harmonia-<name>.pc of library harmonia::<name>, made from what its
# target links: the static libraries of this project in the order that a linker needs, and the pkg-config names of others.

# pkg-config names of libraries that have one, linker words of the rest.
set(harmonia_pc_requires
  SystemC::systemc=systemc fmt::fmt=fmt yaml-cpp=yaml-cpp pugixml::pugixml=pugixml pugixml=pugixml ZLIB::ZLIB=zlib)
set(harmonia_pc_words
  Boost::program_options=-lboost_program_options Boost::iostreams=-lboost_iostreams Boost::filesystem=-lboost_filesystem
  Threads::Threads=-pthread cbor=-lcbor nlohmann_json::nlohmann_json= Boost::headers= Boost::boost=)

# Puts `target` before what it links, in the caller's `order`; what is not of this project into `others`.
function(harmonia_link_order target)
  if(target IN_LIST order)
    return()
  endif()
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  if(NOT links)
    set(links)
  endif()
  foreach(link IN LISTS links)
    # Where a target_link_libraries() stood, and what only the build sees.
    if(link MATCHES "^::@" OR link MATCHES "BUILD_INTERFACE:")
      continue()
    endif()
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" link "${link}")
    set(own FALSE)
    if(TARGET ${link})
      get_target_property(imported ${link} IMPORTED)
      if(NOT imported)
        set(own TRUE)
      endif()
    endif()
    if(own)
      harmonia_link_order(${link})
    else()
      list(APPEND others ${link})
    endif()
  endforeach()
  list(PREPEND order ${target})
  set(order "${order}" PARENT_SCOPE)
  set(others "${others}" PARENT_SCOPE)
endfunction()

function(harmonia_pkg_config name description)
  set(order)
  set(others)
  harmonia_link_order(harmonia_${name})
  set(words)
  set(defines)
  foreach(target IN LISTS order)
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      get_target_property(output ${target} OUTPUT_NAME)
      if(NOT output)
        set(output ${target})
      endif()
      list(APPEND words -l${output})
    endif()
    get_target_property(definitions ${target} INTERFACE_COMPILE_DEFINITIONS)
    if(definitions)
      list(APPEND defines ${definitions})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES defines)
  list(TRANSFORM defines PREPEND -D)
  set(requires)
  set(last)
  list(REMOVE_DUPLICATES others)
  foreach(other IN LISTS others)
    set(known FALSE)
    foreach(pair IN LISTS harmonia_pc_requires harmonia_pc_words)
      string(FIND "${pair}" "=" at)
      string(SUBSTRING "${pair}" 0 ${at} left)
      math(EXPR at "${at} + 1")
      string(SUBSTRING "${pair}" ${at} -1 right)
      if(left STREQUAL other)
        set(known TRUE)
        if(pair IN_LIST harmonia_pc_requires)
          list(APPEND requires ${right})
        elseif(right)
          list(APPEND last ${right})
        endif()
      endif()
    endforeach()
    if(NOT known)
      message(FATAL_ERROR "harmonia-${name}.pc: ${other} has neither a pkg-config name nor a linker word in HarmoniaPkgConfig.cmake")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES requires)
  list(REMOVE_DUPLICATES last)
  string(JOIN " " words ${words} ${last})
  string(JOIN ", " requires ${requires})
  string(JOIN " " defines ${defines})
  file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" up "${up}")
  string(REPLACE "_" "-" file ${name})
  file(WRITE ${PROJECT_BINARY_DIR}/pkgconfig/harmonia-${file}.pc
"prefix=\${pcfiledir}/${up}
libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}
includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}

Name: harmonia-${file}
Description: ${description}
Version: ${PROJECT_VERSION}
Requires: ${requires}
Cflags: -I\${includedir} ${defines}
Libs: -L\${libdir} ${words}
")
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/harmonia-${file}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endfunction()
