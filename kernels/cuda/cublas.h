#pragma once

#include <string>

#include <cublas_v2.h>

namespace luge::cuda {

/// The functions of cuBLAS that luge calls. The library is opened at run time, so that one binary
/// serves machines with and without it.
struct Cublas {
  decltype(&::cublasCreate_v2) create = nullptr;
  decltype(&::cublasSetStream_v2) set_stream = nullptr;
  decltype(&::cublasSetWorkspace_v2) set_workspace = nullptr;
  decltype(&::cublasSetMathMode) set_math_mode = nullptr;
  decltype(&::cublasGetProperty) get_property = nullptr;
  decltype(&::cublasGetStatusString) status_string = nullptr;
  decltype(&::cublasSgemmStridedBatched_64) gemm_float = nullptr;
  decltype(&::cublasDgemmStridedBatched_64) gemm_double = nullptr;

  std::string error;    ///< why it cannot be used; empty if it can
  std::string version;  ///< "13.1.0"
};

/// Opened on first use; never throws.
const Cublas& cublas();

/// The same, or DeviceError with the reason.
const Cublas& usable_cublas(const char* op);

/// Throws CudaError naming the operation, the call and cuBLAS's text.
void check(cublasStatus_t status, const char* op, const char* call);

}  // namespace luge::cuda
