harmonia_bench(formats SOURCES formats.cpp ${PROJECT_SOURCE_DIR}/hw/vector/vector_math.cpp LINK harmonia_formats)
# Operations of other parts of the formats library join the same program.
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/formats_kmeans.cpp)
  target_sources(bench_formats PRIVATE formats_kmeans.cpp)
endif()
target_include_directories(bench_formats PRIVATE ${PROJECT_SOURCE_DIR})
