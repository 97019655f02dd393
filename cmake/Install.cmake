# `cmake --install`: library, headers as <luge/...>, program, and what find_package(luge CONFIG) reads.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/luge)
install(TARGETS luge EXPORT luge_targets)
if(TARGET luge_program)
  install(TARGETS luge_program)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/core/luge DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN detail EXCLUDE)
install(FILES ${LUGE_INCLUDE_DIR}/luge/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/luge)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT luge_targets NAMESPACE luge:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/lugeConfig.cmake.in ${PROJECT_BINARY_DIR}/lugeConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lugeConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lugeConfig.cmake ${PROJECT_BINARY_DIR}/lugeConfigVersion.cmake
        DESTINATION ${package_dir})
