# Writes FOLDER/PREFIX__all.cpp, which includes every C++ file that Verilator has generated in FOLDER.
file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/${PREFIX}*.cpp)
list(SORT files)
set(text "")
foreach(file IN LISTS files)
  string(APPEND text "#include \"${file}\"\n")
endforeach()
file(WRITE ${FOLDER}/${PREFIX}__all.cpp "${text}")
