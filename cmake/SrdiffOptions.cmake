# Compiler flags that the project's own targets share: warnings, sanitizers, clang-tidy.
set(SRDIFF_CXX_STANDARD 20)
add_library(srdiff_options INTERFACE)
target_compile_options(srdiff_options INTERFACE -Wall -Wextra -Wpedantic)
if(SRDIFF_WARNINGS_AS_ERRORS)
  target_compile_options(srdiff_options INTERFACE -Werror)
endif()

# For what spends no time of its own, the tool around the library and the tests: -O3 takes half as
# long again to compile.
add_library(srdiff_fast_options INTERFACE)
target_link_libraries(srdiff_fast_options INTERFACE srdiff_options)
target_compile_options(srdiff_fast_options INTERFACE $<$<CONFIG:Release>:-O1>)

if(SRDIFF_SANITIZE)
  # Global: the sanitizers' runtime must be in every object that is linked.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  # GCC 12 takes std::regex for uninitialised once it is instrumented.
  add_compile_options(-Wno-maybe-uninitialized)
  add_link_options(-fsanitize=address,undefined)
endif()

if(SRDIFF_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SRDIFF_FUZZ needs clang: cmake --preset fuzz")
  endif()
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
  # C++17 with two of C++20's features, as clang-tidy reads the sources: clang 14 cannot read
  # LibTorch 1.13 with GCC 12's constexpr vector. What else C++20's library has (starts_with, <bit>)
  # cannot be used in the rooms that the fuzz targets link.
  set(SRDIFF_CXX_STANDARD 17)
  add_compile_options(-gline-tables-only -O1 -Wno-c++20-extensions -Wno-c++20-designator
                      -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
                      -fno-sanitize=vptr)
  add_link_options(-fsanitize=address,undefined)
endif()

if(SRDIFF_TIDY)
  find_program(CLANG_TIDY NAMES clang-tidy clang-tidy-14 REQUIRED)
  # GCC's precompiled headers mean nothing to clang, and GCC's own flags neither.
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
  # Clang 14 cannot read LibTorch 1.13 with GCC 12's constexpr vector, which C++20 switches on; in
  # C++17 it takes the two features of C++20 that are used here as extensions. A unity build's file
  # that includes sources is no mistake.
  set(CMAKE_CXX_CLANG_TIDY "${CLANG_TIDY};--quiet;--extra-arg=-Wno-unknown-warning-option"
      "--extra-arg=-std=gnu++17" "--extra-arg=-Wno-c++20-extensions"
      "--checks=-bugprone-suspicious-include")
endif()
