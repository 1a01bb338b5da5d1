# Writes to LIST the libraries that TOOL is linked to, in the order in which the system makes them
# ready: each after those that it depends on. Left out are LibTorch's own and the GPU's, which look
# each other up in one scope. An empty list makes the program start more slowly, no more.
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LD_DEBUG=files "LD_PRELOAD=${TOOL}" true
                ERROR_VARIABLE trace OUTPUT_QUIET)
string(REGEX MATCHALL "calling init: [^\n]+" started "${trace}")
list(TRANSFORM started REPLACE "calling init: " "")
list(FILTER started EXCLUDE REGEX "/lib(torch|c10)[^/]*$|/torch/lib/|/nvidia/|cuda|/ld-linux")
list(REMOVE_ITEM started "${TOOL}")
if(NOT started)
  message(STATUS "srdiff: the libraries' order is not known here; the program starts more slowly")
endif()
list(JOIN started "\n" lines)
file(WRITE "${LIST}" "${lines}\n")
