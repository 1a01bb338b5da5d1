#!/usr/bin/env bash
# What the configuration finds out about LibTorch, tried with wheels and libraries that are mere
# names in a folder.
#   configure_test.sh SOURCE_TREE CASE
set -euo pipefail
source=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  cat "$scratch/log" >&2
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# configure OPTION...: a project whose CMakeLists.txt ends with the lines of standard input
configure() {
  mkdir -p "$scratch/project"
  {
    echo 'cmake_minimum_required(VERSION 3.25)'
    echo 'project(configure_test LANGUAGES CXX)'
    cat
  } >"$scratch/project/CMakeLists.txt"
  cmake -S "$scratch/project" -B "$scratch/build" "$@" >"$scratch/log" 2>&1
}

# A wheel with CUDA, whose own package file ends the configuration as the real one does, on a
# machine without a CUDA toolkit.
case_cuda_wheel_without_toolkit() {
  local wheel=$scratch/site/torch
  mkdir -p "$wheel/lib" "$wheel/include/torch/csrc/api/include" "$wheel/share/cmake/Torch"
  touch "$wheel/lib/"lib{torch,torch_cpu,torch_cuda,c10}.so
  echo 'message(FATAL_ERROR "I cannot find the CUDA libraries")' \
    >"$wheel/share/cmake/Torch/TorchConfig.cmake"
  cat >"$wheel/__init__.py" <<'END'
import os.path
class utils:
    cmake_prefix_path = os.path.join(os.path.dirname(__file__), "share", "cmake")
END
  export PYTHONPATH=$scratch/site
  configure -DSRDIFF_TORCH=pip -DSRDIFF_USE_CUDA=ON -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON <<END ||
include("$source/cmake/SrdiffTorch.cmake")
message(STATUS "compiled for \${SRDIFF_TORCH_FOR}, linked to \${TORCH_LIBRARIES}")
END
    fail 'the configuration ends'
  grep -q 'compiled for CPU (the wheel has CUDA, .*no nvcc.*), linked to torch_cpu;c10' \
    "$scratch/log" || fail 'the absence of nvcc is not said'
}

# LibTorch linked to oneDNN 3, and oneDNN installed.
case_newer_onednn() {
  touch "$scratch/libtorch_cpu.so"
  printf '#!/bin/sh\necho "  NEEDED               libdnnl.so.3"\n' >"$scratch/objdump"
  chmod +x "$scratch/objdump"
  configure "-DCMAKE_OBJDUMP=$scratch/objdump" "-DSRDIFF_DNNL=$scratch/libdnnl.so" \
    "-DSRDIFF_DNNL_INCLUDE=$scratch" <<END || fail 'the configuration ends'
add_library(torch_cpu UNKNOWN IMPORTED)
set_target_properties(torch_cpu PROPERTIES IMPORTED_LOCATION "$scratch/libtorch_cpu.so")
include("$source/cmake/SrdiffOneDnn.cmake")
message(STATUS "oneDNN \${SRDIFF_ONEDNN_USE}; \${SRDIFF_ONEDNN}")
END
  grep -q 'oneDNN 3 is left to LibTorch, .*; OFF' "$scratch/log" || fail 'version 3 is not said'
  ! grep -q 'libdnnl-dev' "$scratch/log" || fail 'a package is asked for that is of no use'
}

"case_$2"
