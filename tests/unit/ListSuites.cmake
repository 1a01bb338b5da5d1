# Writes the tests of SuiteTests.cmake: TESTS is the program, ROOM its room, LIST the file to write.
execute_process(COMMAND "${TESTS}" --gtest_list_tests
  OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY TIMEOUT 60)
# Suites stand at a line's start and end in a point, their tests are indented; behind the name of a
# suite with parameters there may be a comment.
string(REGEX MATCHALL "[^\n]+" lines "${listed}")
set(text "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([^ ]+)\\.( |$)")
    set(suite "${CMAKE_MATCH_1}")
    set(test "unit.${ROOM}.${suite}")
    string(APPEND text "add_test([=[${test}]=] bash [=[${RUNNER}]=] [=[${TESTS}]=] [=[${suite}]=])\n"
      "set_tests_properties([=[${test}]=] PROPERTIES LABELS unit SKIP_RETURN_CODE 77)\n")
  endif()
endforeach()
if(text STREQUAL "")
  message(FATAL_ERROR "${TESTS}: lists no suite of tests")
endif()
file(WRITE "${LIST}" "${text}")
