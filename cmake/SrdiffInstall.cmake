include(CMakePackageConfigHelpers)

install(TARGETS srdiff srdiff_base srdiff_engine_graph srdiff_engine_cpu srdiff_engine_cuda
                srdiff_engine srdiff_method srdiff_models srdiff_images srdiff_pipeline
  EXPORT srdiffTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/srdiff DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/srdiff/models COMPONENT models)
install(EXPORT srdiffTargets NAMESPACE srdiff::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/srdiff COMPONENT development)

configure_package_config_file(cmake/srdiffConfig.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/srdiffConfig.cmake"
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/srdiff)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/srdiffConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/srdiffConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/srdiffConfigVersion.cmake"
  cmake/SrdiffTorch.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/srdiff COMPONENT development)
