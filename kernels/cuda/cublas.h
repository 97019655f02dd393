#pragma once

#include <string>

#include <cublasLt.h>

namespace luge::cuda {

/// The functions of cuBLASLt that luge calls. The library is opened at run time, so that one binary
/// serves machines with and without it.
struct Cublas {
  decltype(&::cublasLtCreate) create = nullptr;
  decltype(&::cublasLtGetVersion) get_version = nullptr;
  decltype(&::cublasLtGetStatusString) status_string = nullptr;
  decltype(&::cublasLtMatmulDescCreate) create_operation = nullptr;
  decltype(&::cublasLtMatmulDescDestroy) destroy_operation = nullptr;
  decltype(&::cublasLtMatmulDescSetAttribute) set_operation = nullptr;
  decltype(&::cublasLtMatrixLayoutCreate) create_layout = nullptr;
  decltype(&::cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
  decltype(&::cublasLtMatrixLayoutSetAttribute) set_layout = nullptr;
  decltype(&::cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) find_algorithms = nullptr;
  decltype(&::cublasLtMatmulAlgoCheck) check_algorithm = nullptr;
  decltype(&::cublasLtMatmul) matmul = nullptr;

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
