# For 64-bit ARM, compiled on another processor against SRDIFF_SYSROOT: a folder with the system that
# the program is to run on, its libraries and their headers (-DSRDIFF_SYSROOT=FOLDER or the
# environment variable of that name). What is built runs under qemu-user, if that is installed.
# tests/systems/arm64.sh makes such a folder of Debian 12 and builds with this file.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

if(NOT SRDIFF_SYSROOT)
  set(SRDIFF_SYSROOT "$ENV{SRDIFF_SYSROOT}")
endif()
if(NOT IS_DIRECTORY "${SRDIFF_SYSROOT}/usr/include")
  message(FATAL_ERROR "SRDIFF_SYSROOT is \"${SRDIFF_SYSROOT}\", which has no usr/include: give a "
                      "folder with the libraries of an arm64 system; tests/systems/arm64.sh makes one")
endif()
set(SRDIFF_SYSROOT "${SRDIFF_SYSROOT}" CACHE PATH "The arm64 system to compile for")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SRDIFF_SYSROOT)
set(CMAKE_SYSROOT "${SRDIFF_SYSROOT}")

find_program(SRDIFF_CROSS_COMPILER NAMES aarch64-linux-gnu-g++ aarch64-linux-gnu-g++-12 REQUIRED)
set(CMAKE_CXX_COMPILER "${SRDIFF_CROSS_COMPILER}")
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Libraries, headers and packages of that system alone; programs of the one that compiles.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

find_program(SRDIFF_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(SRDIFF_QEMU)
  # A processor of the first generation: what runs there runs on every one.
  set(CMAKE_CROSSCOMPILING_EMULATOR "${SRDIFF_QEMU};-cpu;cortex-a72;-L;${SRDIFF_SYSROOT}")
endif()

# Tests are listed when they are run: emulated, that takes too long for a build.
set(CMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE PRE_TEST)
