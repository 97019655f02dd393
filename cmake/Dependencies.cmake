# Everything comes from the system's packages; nothing is downloaded. A missing one is an error that
# names the Debian package.

# The targets found here are links of luge::luge, which a project above this one links too.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

macro(luge_require package debian)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "luge needs ${package}; on Debian: apt-get install ${debian}")
  endif()
endmacro()

luge_require(Threads libc6-dev)
luge_require(fmt libfmt-dev CONFIG)
luge_require(hwy libhwy-dev CONFIG)
luge_require(TBB libtbb-dev CONFIG)
luge_require(ZLIB zlib1g-dev)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  find_path(LUGE_XBYAK xbyak/xbyak.h)
  if(NOT LUGE_XBYAK)
    message(FATAL_ERROR "luge needs Xbyak; on Debian: apt-get install libxbyak-dev")
  endif()
endif()
luge_require(nlohmann_json nlohmann-json3-dev CONFIG)
if(LUGE_BUILD_PROGRAM)
  luge_require(CLI11 libcli11-dev CONFIG)
endif()
if(LUGE_BUILD_TESTS)
  luge_require(GTest libgtest-dev)
endif()
if(LUGE_BUILD_BENCHMARKS)
  luge_require(benchmark libbenchmark-dev CONFIG)
endif()

# OpenBLAS itself, not whatever BLAS the system's alternatives point to: its thread control is used.
luge_require(PkgConfig pkg-config)
pkg_check_modules(OPENBLAS QUIET IMPORTED_TARGET GLOBAL openblas)
if(NOT OPENBLAS_FOUND)
  message(FATAL_ERROR "luge needs OpenBLAS; on Debian: apt-get install libopenblas-dev")
endif()
# libzip's own CMake package wants its command-line tools, which Debian has in a package of their own.
pkg_check_modules(LIBZIP QUIET IMPORTED_TARGET GLOBAL libzip)
if(NOT LIBZIP_FOUND)
  message(FATAL_ERROR "luge needs libzip; on Debian: apt-get install libzip-dev")
endif()
