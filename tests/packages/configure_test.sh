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

# configure_with_onednn VERSION OPTION...: LibTorch linked to that oneDNN, and oneDNN installed.
configure_with_onednn() {
  touch "$scratch/libtorch_cpu.so"
  printf '#!/bin/sh\necho "  NEEDED               libdnnl.so.%s"\n' "$1" >"$scratch/objdump"
  chmod +x "$scratch/objdump"
  configure "-DCMAKE_OBJDUMP=$scratch/objdump" "-DSRDIFF_DNNL=$scratch/libdnnl.so" \
    "-DSRDIFF_DNNL_INCLUDE=$scratch" "${@:2}" <<END || fail 'the configuration ends'
add_library(torch_cpu UNKNOWN IMPORTED)
set_target_properties(torch_cpu PROPERTIES IMPORTED_LOCATION "$scratch/libtorch_cpu.so")
include("$source/cmake/SrdiffOneDnn.cmake")
message(STATUS "oneDNN \${SRDIFF_ONEDNN_USE}; \${SRDIFF_ONEDNN}")
END
}

case_newer_onednn() {
  configure_with_onednn 3
  grep -q 'oneDNN 3 is left to LibTorch, .*; OFF' "$scratch/log" || fail 'version 3 is not said'
  ! grep -q 'libdnnl-dev' "$scratch/log" || fail 'a package is asked for that is of no use'
}

case_onednn_on_arm() {
  configure_with_onednn 2 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
  grep -q 'oneDNN 2 is left to LibTorch, .* serve aarch64; OFF' "$scratch/log" ||
    fail 'oneDNN is called on ARM'
}

# The toolchain file for ARM without libraries to compile against.
case_toolchain_without_sysroot() {
  unset SRDIFF_SYSROOT
  if configure "-DCMAKE_TOOLCHAIN_FILE=$source/cmake/toolchains/aarch64-linux-gnu.cmake" \
    "-DSRDIFF_SYSROOT=$scratch" </dev/null; then
    fail 'success without a sysroot'
  fi
  tr -s ' \n' ' ' <"$scratch/log" | grep -q "SRDIFF_SYSROOT is \"$scratch\", which has no usr/include" ||
    fail 'what is missing is not said'
}

"case_$2"
