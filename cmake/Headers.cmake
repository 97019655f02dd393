# The source tree seen as users include it: core/ is <luge/...>, kernels/math is <luge/math/...>.

set(LUGE_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${LUGE_INCLUDE_DIR}/luge)
file(GLOB public_entries CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE ${PROJECT_SOURCE_DIR}/core
     ${PROJECT_SOURCE_DIR}/core/*)
foreach(entry IN LISTS public_entries)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/core/${entry} OR entry MATCHES "\\.h$")
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/core/${entry} ${LUGE_INCLUDE_DIR}/luge/${entry} SYMBOLIC)
  endif()
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/kernels/math ${LUGE_INCLUDE_DIR}/luge/math SYMBOLIC)
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${LUGE_INCLUDE_DIR}/luge/version.h @ONLY)
