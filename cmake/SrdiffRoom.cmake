# srdiff_room(NAME SOURCES file... [LINK target...] [PRIVATE_LINK target...] [NO_TORCH]): the library
# srdiff_NAME of the folder that calls it. LINK names the rooms below it; what it does not link it
# cannot call. The test `includes` keeps its includes from going up.
#
# Sources are compiled several in one, since each that includes LibTorch takes 20 seconds to read it.
# Helpers in unnamed namespaces share such a file, so that their names must differ within a room.
set(SRDIFF_UNITY_BATCH 8 CACHE STRING "How many sources of a room are compiled in one (0: all)")

function(srdiff_room name)
  cmake_parse_arguments(ROOM "NO_TORCH" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  set(room "srdiff_${name}")
  add_library(${room} STATIC ${ROOM_SOURCES})
  set_target_properties(${room} PROPERTIES UNITY_BUILD_BATCH_SIZE "${SRDIFF_UNITY_BATCH}")
  target_include_directories(${room}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(${room} PUBLIC cxx_std_${SRDIFF_CXX_STANDARD})
  target_link_libraries(${room}
    PUBLIC ${ROOM_LINK}
    PRIVATE ${ROOM_PRIVATE_LINK} $<BUILD_INTERFACE:srdiff_options>)
  if(ROOM_NO_TORCH)
    return()
  endif()
  target_link_libraries(${room} PUBLIC srdiff_torch)
  # By flag, not as OpenMP::OpenMP_CXX: that names the compiler's libgomp by path, beside which the
  # wheel's copy gives no "safe runtime search path".
  target_compile_options(${room} PRIVATE ${OpenMP_CXX_FLAGS})
  target_link_options(${room} PUBLIC ${OpenMP_CXX_FLAGS})
  if(SRDIFF_SANITIZE AND name MATCHES "^engine")
    # LibTorch hides the type information of a class that its headers for graphs use.
    target_compile_options(${room} PRIVATE -fno-sanitize=vptr)
  endif()
  # LibTorch's headers take longer to read than any file of ours. One room compiles them for all.
  if(TARGET srdiff_precompiled)
    target_precompile_headers(${room} REUSE_FROM srdiff_precompiled)
  else()
    add_library(srdiff_precompiled ALIAS ${room})
    target_precompile_headers(${room} PRIVATE <ATen/ATen.h>)
  endif()
endfunction()
