# Run by CPack between staging the components and packing them: what Debian's policy asks beyond an installation.
foreach(pair IN LISTS CPACK_HARMONIA_PACKAGES)
  string(REGEX MATCH "^(.*)=(.*)$" whole ${pair})
  set(package ${CMAKE_MATCH_2})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${CMAKE_MATCH_1})
  if(NOT IS_DIRECTORY ${root}/usr)
    message(FATAL_ERROR "component ${CMAKE_MATCH_1} is not staged in ${root}")
  endif()
  # The licence is in copyright, which names the text of it that every Debian has.
  file(REMOVE ${root}/usr/share/doc/harmonia/LICENSE)
  set(doc ${root}/usr/share/doc/${package})
  file(MAKE_DIRECTORY ${doc})
  file(COPY ${CPACK_HARMONIA_SOURCE}/cmake/packages/copyright DESTINATION ${doc}
       FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  configure_file(${CPACK_HARMONIA_SOURCE}/cmake/packages/changelog ${doc}/changelog.Debian COPYONLY)
  execute_process(COMMAND gzip -9nf ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)

  file(GLOB_RECURSE archives ${root}/usr/lib/*.a)
  if(archives)
    execute_process(COMMAND strip --strip-debug --remove-section=.comment --remove-section=.note --enable-deterministic-archives
                            ${archives} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(GLOB_RECURSE shared ${root}/usr/lib/*.so.*)
  foreach(library IN LISTS shared)
    if(NOT IS_SYMLINK ${library})
      file(CHMOD ${library} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    endif()
  endforeach()
  # Folders without a header.
  execute_process(COMMAND find ${root}/usr -type d -empty -delete COMMAND_ERROR_IS_FATAL ANY)
endforeach()
