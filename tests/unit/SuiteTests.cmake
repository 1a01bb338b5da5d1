# srdiff_suite_tests(TARGET ROOM): a test of ctest for each suite of GoogleTest, unit.ROOM.SUITE.
#
# gtest_discover_tests makes a process of each single test. One spends half a second on loading
# LibTorch, which for 700 of them was most of their time.
function(srdiff_suite_tests target room)
  set(suites "${CMAKE_CURRENT_BINARY_DIR}/${target}_suites.cmake")
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM BYPRODUCTS "${suites}"
    COMMAND "${CMAKE_COMMAND}" "-DTESTS=$<TARGET_FILE:${target}>" "-DROOM=${room}" "-DLIST=${suites}"
            "-DRUNNER=${CMAKE_CURRENT_SOURCE_DIR}/run_suite.sh"
            -P "${CMAKE_CURRENT_SOURCE_DIR}/ListSuites.cmake")
  # As of GoogleTest's own discovery, what is not built is a test that fails.
  set(include "${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake")
  file(WRITE "${include}" "if(EXISTS \"${suites}\")\n  include(\"${suites}\")\nelse()\n"
    "  add_test(${target}_NOT_BUILT ${target}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include}")
endfunction()
