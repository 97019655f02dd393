# Finds nvcc (LUGE_CUDA = AUTO, ON, OFF) and adds either kernels/cuda or what stands in for it. With
# LUGE_CUDA=SIMT the host's compiler takes kernels/cuda, and the executor in tests/simt runs it.

# "80-real;90" -> "sm_80 sm_90 compute_90"
set(LUGE_CUDA_ARCHITECTURES_TEXT "")
foreach(architecture IN LISTS LUGE_CUDA_ARCHITECTURES)
  if(NOT architecture MATCHES "^([0-9]+[af]?)(-real|-virtual)?$")
    message(FATAL_ERROR "LUGE_CUDA_ARCHITECTURES holds '${architecture}'; allowed are numbers such as 90, 90-real or 90-virtual")
  endif()
  if(NOT CMAKE_MATCH_2 STREQUAL "-virtual")
    string(APPEND LUGE_CUDA_ARCHITECTURES_TEXT " sm_${CMAKE_MATCH_1}")
  endif()
  if(NOT CMAKE_MATCH_2 STREQUAL "-real")
    string(APPEND LUGE_CUDA_ARCHITECTURES_TEXT " compute_${CMAKE_MATCH_1}")
  endif()
endforeach()
string(STRIP "${LUGE_CUDA_ARCHITECTURES_TEXT}" LUGE_CUDA_ARCHITECTURES_TEXT)

set(LUGE_HAS_CUDA OFF)
if(NOT LUGE_CUDA MATCHES "^(AUTO|ON|OFF|SIMT)$")
  message(FATAL_ERROR "LUGE_CUDA is '${LUGE_CUDA}'; allowed are AUTO, ON, OFF and SIMT")
endif()
if(LUGE_CUDA STREQUAL "SIMT")
  set(LUGE_CUDA_ARCHITECTURES_TEXT "sm_90")  # of the executor's device
elseif(NOT LUGE_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  set(CMAKE_CUDA_ARCHITECTURES ${LUGE_CUDA_ARCHITECTURES})
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(LUGE_HAS_CUDA ON)
  elseif(LUGE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "LUGE_CUDA is ON, but nvcc was not found; put it on PATH or set CMAKE_CUDA_COMPILER")
  endif()
endif()

if(LUGE_HAS_CUDA)
  # CMake before 3.25.2 knows no C++20 for recent nvcc and drops the standard without a word.
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
endif()

# What generated kernels include, as text within the library: fused_headers.cpp is written anew when one changes.
function(luge_embed_fused_headers)
  set(cuda_folder ${PROJECT_SOURCE_DIR}/kernels/cuda)
  set(headers ${PROJECT_SOURCE_DIR}/core/luge/seam/loss_summary.h=luge/seam/loss_summary.h)
  foreach(name activations adam_search arithmetic covariance dialect elementwise error_functions fit_losses fit_search formula gamma lbfgs levenberg logic
               losses nelder_mead platform
               reducers transcendental update_table updates)
    list(APPEND headers ${PROJECT_SOURCE_DIR}/core/luge/math/${name}.h=luge/math/${name}.h)
  endforeach()
  foreach(name block_size.h blocks.cuh chain.cuh device.h fit.cuh fit_data.cuh index.cuh matmul_tile.cuh packs.cuh reducers.cuh rules.cuh segment.cuh summary.cuh
               tree.cuh)
    list(APPEND headers ${cuda_folder}/${name}=${name})
  endforeach()
  foreach(name cstdint cstring limits type_traits)
    list(APPEND headers ${cuda_folder}/fused/std/${name}=${name})
  endforeach()
  set(text "// Written by cmake/Cuda.cmake.\n#include \"kernels/cuda/fused/headers.h\"\n\nnamespace luge::cuda {\n\n")
  string(APPEND text "const std::vector<FusedHeader>& fused_headers() {\n  static const std::vector<FusedHeader> all = {\n")
  foreach(header IN LISTS headers)
    string(REGEX MATCH "^(.*)=(.*)$" matched "${header}")
    set(path ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} content)
    string(APPEND text "      {\"${name}\", R\"LUGE_TEXT(${content})LUGE_TEXT\"},\n")
  endforeach()
  string(APPEND text "  };\n  return all;\n}\n\n}  // namespace luge::cuda\n")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/fused_headers.cpp CONTENT "@text@" @ONLY)
endfunction()

# A source for each element type of a template that kernels/cuda/instances.h declares.
function(luge_instantiate sources function header call)
  foreach(type IN LISTS ARGN)
    string(REGEX REPLACE "std::|_t$" "" name ${type})
    set(path ${PROJECT_BINARY_DIR}/cuda/${function}_${name}.cu)
    file(CONFIGURE OUTPUT ${path} @ONLY CONTENT "// Written by cmake/Cuda.cmake.
#include \"kernels/cuda/${header}\"

namespace luge::cuda {
template void ${function}<${type}>(const Context& context, const ${call}& call);
}  // namespace luge::cuda
")
    list(APPEND ${sources} ${path})
  endforeach()
  set(${sources} ${${sources}} PARENT_SCOPE)
endfunction()

# How every kernel is compiled.
function(luge_device_options target)
  set(device_options -fmad=false --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-ffp-contract=off)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    list(APPEND device_options -Xfatbin=-compress-mode=size)
  endif()
  if(LUGE_WERROR)
    list(APPEND device_options -Werror=all-warnings)
  endif()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${device_options}>")
endfunction()

function(luge_add_cuda_backend target)
  if(NOT LUGE_HAS_CUDA AND NOT LUGE_CUDA STREQUAL "SIMT")
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/kernels/no_cuda.cpp)
    return()
  endif()
  set(cuda_folder ${PROJECT_SOURCE_DIR}/kernels/cuda)
  file(GLOB kernel_sources CONFIGURE_DEPENDS ${cuda_folder}/*.cu ${cuda_folder}/fused/*.cu ${cuda_folder}/fit/*.cu)
  set(floating float double)
  set(elements bool std::int32_t std::int64_t ${floating})
  luge_instantiate(kernel_sources elementwise_forward formulas.cuh Elementwise ${elements})
  luge_instantiate(kernel_sources elementwise_backward formulas.cuh Elementwise ${floating})
  luge_instantiate(kernel_sources reduce_elements reduce_elements.cuh Reduce ${elements})
  file(GLOB host_sources CONFIGURE_DEPENDS ${cuda_folder}/*.cpp ${cuda_folder}/fused/*.cpp)
  target_sources(${target} PRIVATE ${kernel_sources} ${host_sources} ${PROJECT_BINARY_DIR}/fused_headers.cpp)
  luge_embed_fused_headers()
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/cuda/status.cpp PROPERTIES COMPILE_DEFINITIONS
                              LUGE_CUDA_ARCHITECTURES_TEXT="${LUGE_CUDA_ARCHITECTURES_TEXT}")
  if(LUGE_CUDA STREQUAL "SIMT")
    # What nvcc's code does, too: a vector access through a type of its own, integers that wrap around.
    set_source_files_properties(${kernel_sources} PROPERTIES LANGUAGE CXX
                                COMPILE_OPTIONS "-fno-strict-aliasing;-fwrapv;-Wno-unknown-pragmas")
    add_subdirectory(${PROJECT_SOURCE_DIR}/tests/simt/executor ${PROJECT_BINARY_DIR}/simt)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:luge_simt> $<BUILD_INTERFACE:luge_simt_cublas>
                                            $<BUILD_INTERFACE:luge_simt_nvrtc>
                                            ${CMAKE_DL_LIBS})
    return()
  endif()
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${LUGE_CUDA_ARCHITECTURES}" CUDA_RUNTIME_LIBRARY Static)
  luge_device_options(${target})
  # The runtime is linked statically and cuBLAS is opened at run time, so one binary serves machines with
  # and without CUDA.
  target_link_libraries(${target} PRIVATE CUDA::cudart_static $<BUILD_INTERFACE:CUDA::nvtx3> ${CMAKE_DL_LIBS})
endfunction()
