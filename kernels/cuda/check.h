#pragma once
// Every result of the CUDA runtime and of cuBLAS is read here.

#include <cuda_runtime_api.h>

namespace luge::cuda {

/// Throws CudaError naming the operation, the call, CUDA's name of the error and its text. After an
/// error that destroyed the context the message says so; any other one is cleared.
[[noreturn]] void raise_cuda(cudaError_t error, const char* op, const char* call);

/// `op` is what the user asked for, `call` the function of CUDA that gave `error`.
inline void check(cudaError_t error, const char* op, const char* call) {
  if (error != cudaSuccess) [[unlikely]]
    raise_cuda(error, op, call);
}

/// Whether every later CUDA call of this process will fail, too.
bool context_lost(cudaError_t error);

}  // namespace luge::cuda
