#include "cublas.h"

#include <luge/base/detail/check.h>

#include "shared_library.h"

namespace luge::cuda {

namespace {

/// 130100 -> "13.1.0"; versions before 11 counted otherwise, and are not opened.
std::string version_text(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

Cublas open() {
  Cublas library;
  // cuBLAS 12 and 13 share the functions used here; the newer one is preferred.
  SharedLibrary file("cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"});
  file.find(library.create, "cublasLtCreate");
  file.find(library.get_version, "cublasLtGetVersion");
  file.find(library.status_string, "cublasLtGetStatusString");
  file.find(library.create_operation, "cublasLtMatmulDescCreate");
  file.find(library.destroy_operation, "cublasLtMatmulDescDestroy");
  file.find(library.set_operation, "cublasLtMatmulDescSetAttribute");
  file.find(library.create_layout, "cublasLtMatrixLayoutCreate");
  file.find(library.destroy_layout, "cublasLtMatrixLayoutDestroy");
  file.find(library.set_layout, "cublasLtMatrixLayoutSetAttribute");
  file.find(library.create_preference, "cublasLtMatmulPreferenceCreate");
  file.find(library.destroy_preference, "cublasLtMatmulPreferenceDestroy");
  file.find(library.set_preference, "cublasLtMatmulPreferenceSetAttribute");
  file.find(library.find_algorithms, "cublasLtMatmulAlgoGetHeuristic");
  file.find(library.check_algorithm, "cublasLtMatmulAlgoCheck");
  file.find(library.matmul, "cublasLtMatmul");
  library.error = file.error();
  if (library.error.empty()) library.version = version_text(library.get_version());
  return library;
}

}  // namespace

const Cublas& cublas() {
  static const Cublas library = open();
  return library;
}

const Cublas& usable_cublas(const char* op) {
  const Cublas& library = cublas();
  LUGE_CHECK(DeviceError, library.error.empty(), "{}: {}", op, library.error);
  return library;
}

void check(cublasStatus_t status, const char* op, const char* call) {
  LUGE_CHECK(CudaError, status == CUBLAS_STATUS_SUCCESS, "{}: {} failed: {}", op, call, cublas().status_string(status));
}

}  // namespace luge::cuda
