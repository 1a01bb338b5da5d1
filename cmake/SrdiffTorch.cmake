# Finds LibTorch and wraps it as the target srdiff_torch. This file is installed too: the package
# file runs it, so that a consumer finds LibTorch in the same way.
if(SRDIFF_TORCH STREQUAL "pip")
  find_program(SRDIFF_PYTHON NAMES python3 REQUIRED)
  execute_process(
    COMMAND "${SRDIFF_PYTHON}" -c "import torch; print(torch.utils.cmake_prefix_path)"
    OUTPUT_VARIABLE SRDIFF_PIP_TORCH OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE SRDIFF_PIP_TORCH_RESULT)
  if(NOT SRDIFF_PIP_TORCH_RESULT EQUAL 0)
    message(FATAL_ERROR "SRDIFF_TORCH is pip, but ${SRDIFF_PYTHON} cannot import torch: "
                        "activate the environment that has it, or use the default preset")
  endif()
  # The wheel's own folder too: its package file searches libtorch.so by name, and the
  # distribution's must not be the one that is found.
  cmake_path(SET SRDIFF_PIP_TORCH_ROOT NORMALIZE "${SRDIFF_PIP_TORCH}/../..")
  list(PREPEND CMAKE_PREFIX_PATH "${SRDIFF_PIP_TORCH}" "${SRDIFF_PIP_TORCH_ROOT}")

  # The wheel carries headers of its own fmt, another version than spdlog was built with. A folder
  # that holds spdlog's alone goes in front of the wheel's.
  find_package(fmt REQUIRED)
  get_target_property(SRDIFF_FMT_INCLUDE fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt-of-spdlog")
  file(CREATE_LINK "${SRDIFF_FMT_INCLUDE}/fmt" "${CMAKE_BINARY_DIR}/fmt-of-spdlog/fmt" SYMBOLIC)
  set(SRDIFF_FIRST_INCLUDE "${CMAKE_BINARY_DIR}/fmt-of-spdlog")
endif()

# SRDIFF_TORCH_FOR: what is compiled for LibTorch, "CPU" or "CPU and CUDA". The package file of a
# wheel with CUDA ends the configuration where there is no CUDA toolkit. Its libraries for the
# processor do without one, so that they are then named here.
set(SRDIFF_TORCH_FOR "CPU")
set(SRDIFF_WHEEL_CUDA OFF)
if(SRDIFF_TORCH STREQUAL "pip" AND EXISTS "${SRDIFF_PIP_TORCH_ROOT}/lib/libtorch_cuda.so")
  set(SRDIFF_WHEEL_CUDA ON)
  if(SRDIFF_USE_CUDA)
    find_package(CUDAToolkit QUIET)
  endif()
endif()
if(SRDIFF_WHEEL_CUDA AND NOT (SRDIFF_USE_CUDA AND CUDAToolkit_FOUND AND CUDAToolkit_NVCC_EXECUTABLE))
  if(SRDIFF_USE_CUDA)
    string(APPEND SRDIFF_TORCH_FOR " (the wheel has CUDA, but there is no nvcc here)")
  else()
    string(APPEND SRDIFF_TORCH_FOR " (the wheel has CUDA, but SRDIFF_USE_CUDA is OFF)")
  endif()
  set(SRDIFF_TORCH_CUDA OFF)
  foreach(library torch_cpu c10)
    if(NOT TARGET ${library})
      add_library(${library} SHARED IMPORTED GLOBAL)
      set_target_properties(${library} PROPERTIES
        IMPORTED_LOCATION "${SRDIFF_PIP_TORCH_ROOT}/lib/lib${library}.so")
    endif()
  endforeach()
  set(TORCH_LIBRARIES torch_cpu c10)
  set(TORCH_INCLUDE_DIRS "${SRDIFF_PIP_TORCH_ROOT}/include"
                         "${SRDIFF_PIP_TORCH_ROOT}/include/torch/csrc/api/include")
  set(TORCH_CXX_FLAGS "")
else()
  # LibTorch's package file sets CUDA's architectures for the whole build, by default every one that
  # LibTorch knows. A later one compiles the last for itself.
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
    set(TORCH_CUDA_ARCH_LIST "7.5;8.0;9.0+PTX")
  endif()
  find_package(Torch REQUIRED)
  set(SRDIFF_TORCH_CUDA OFF)
  if(TARGET torch_cuda)
    set(SRDIFF_TORCH_CUDA ON)
    set(SRDIFF_TORCH_FOR "CPU and CUDA")
  endif()
endif()

if(NOT TARGET srdiff_torch)
  add_library(srdiff_torch INTERFACE IMPORTED GLOBAL)
  # As system headers: their warnings are not ours.
  set_target_properties(srdiff_torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${SRDIFF_FIRST_INCLUDE};${TORCH_INCLUDE_DIRS}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${SRDIFF_FIRST_INCLUDE};${TORCH_INCLUDE_DIRS}")
  separate_arguments(SRDIFF_TORCH_FLAGS NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(srdiff_torch INTERFACE ${SRDIFF_TORCH_FLAGS})
  target_link_libraries(srdiff_torch INTERFACE ${TORCH_LIBRARIES})
  if(SRDIFF_TORCH STREQUAL "pip")
    # The wheel's libtorch.so exports a std::filesystem of its own that crashes when it answers for
    # the compiler's: libstdc++ must come first in the search order.
    target_link_options(srdiff_torch INTERFACE
      "SHELL:-Wl,--push-state,--no-as-needed -lstdc++ -Wl,--pop-state")
    # LibTorch's CUDA libraries are linked against those of wheels beside it. A CUDA toolkit may hold
    # older ones of the same names (NCCL), which the linker would take first.
    file(GLOB SRDIFF_WHEEL_LIBRARIES "${SRDIFF_PIP_TORCH_ROOT}/../nvidia/*/lib")
    foreach(folder IN LISTS SRDIFF_WHEEL_LIBRARIES)
      target_link_options(srdiff_torch INTERFACE "-Wl,-rpath-link,${folder}")
    endforeach()
  endif()
endif()
