# core/ is an include directory as it stands: <luge/...>. Only version.h is written by the build.

set(LUGE_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${LUGE_INCLUDE_DIR}/luge/version.h @ONLY)
