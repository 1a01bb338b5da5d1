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
  list(PREPEND CMAKE_PREFIX_PATH "${SRDIFF_PIP_TORCH}")
endif()
find_package(Torch REQUIRED)

if(NOT TARGET srdiff_torch)
  add_library(srdiff_torch INTERFACE IMPORTED)
  # As system headers: their warnings are not ours.
  set_target_properties(srdiff_torch PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}")
  separate_arguments(SRDIFF_TORCH_FLAGS NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(srdiff_torch INTERFACE ${SRDIFF_TORCH_FLAGS})
  target_link_libraries(srdiff_torch INTERFACE ${TORCH_LIBRARIES})
endif()
