cmake_minimum_required(VERSION 3.25)
# Writes to LIST the libraries that TOOL is linked to, in the order in which the system makes them
# ready: each after those that it depends on. Left out are LibTorch's own and the GPU's, which look
# each other up in one scope. An empty list makes the program start more slowly, no more.
cmake_path(GET TOOL PARENT_PATH folder)
cmake_path(GET TOOL FILENAME name)
# From its own folder: spaces and colons in LD_PRELOAD part one library from the next.
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LD_DEBUG=files "LD_PRELOAD=./${name}" true
                WORKING_DIRECTORY "${folder}" ERROR_VARIABLE trace OUTPUT_QUIET)
string(REGEX MATCHALL "calling init: [^\n]+" started "${trace}")
list(TRANSFORM started REPLACE "calling init: " "")
if("./${name}" IN_LIST started)
  list(REMOVE_ITEM started "./${name}")
  list(FILTER started EXCLUDE REGEX "/lib(torch|c10)[^/]*$|/torch/lib/|/nvidia/|cuda|/ld-linux")
else()
  message(STATUS "srdiff: the libraries' order is not known here; the program starts more slowly")
  set(started "")
endif()
list(JOIN started "\n" lines)
file(WRITE "${LIST}" "${lines}\n")
