#pragma once
// From a generated source to a kernel.

#include <string>

#include <cuda_runtime_api.h>

#include "../context.h"

namespace luge::cuda {

/// Why no source becomes a kernel; empty where NVRTC is there, and LUGE_NVRTC is not 0.
std::string why_not_compiled();

struct GeneratedKernel {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;  ///< null where the source cannot be compiled
  std::string error = {};         ///< then what the compiler says, and the file that holds the source
};

/// The kernel `name` of a source: compiled or found in the cache, loaded once per GPU and kept. Throws CudaError, which
/// names `op`, where its code cannot be loaded.
const GeneratedKernel& generated(const Gpu& gpu, const char* op, const char* name, const std::string& source);

/// How many sources this process has handed to NVRTC.
int compiled_sources();

}  // namespace luge::cuda
