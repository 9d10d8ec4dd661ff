# Install rules and the relocatable package: find_package(dermis CONFIG [COMPONENTS core edge dermis]).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dermis)
install(FILES include/dermis_edge.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/dermis DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
foreach(component core edge dermis)  # one export set each: components core and edge must load where there is no LibTorch
  install(TARGETS dermis_${component} EXPORT dermis-${component})
  if(component STREQUAL edge)
    install(TARGETS dermis_edge_c EXPORT dermis-edge)
  endif()
  install(EXPORT dermis-${component} NAMESPACE dermis:: DESTINATION ${package_dir} FILE dermis-${component}-targets.cmake)
endforeach()

configure_package_config_file(cmake/dermis-config.cmake.in dermis-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(dermis-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dermis-config.cmake ${PROJECT_BINARY_DIR}/dermis-config-version.cmake
  DESTINATION ${package_dir})
