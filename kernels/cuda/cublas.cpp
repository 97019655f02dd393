#include "cublas.h"

#include <luge/base/detail/check.h>

#include "shared_library.h"

namespace luge::cuda {

namespace {

Cublas open() {
  Cublas library;
  // cuBLAS 12 and 13 share the functions used here; the newer one is preferred.
  SharedLibrary file("cuBLAS", {"libcublas.so.13", "libcublas.so.12"});
  file.find(library.create, "cublasCreate_v2");
  file.find(library.set_stream, "cublasSetStream_v2");
  file.find(library.set_workspace, "cublasSetWorkspace_v2");
  file.find(library.set_math_mode, "cublasSetMathMode");
  file.find(library.get_property, "cublasGetProperty");
  file.find(library.status_string, "cublasGetStatusString");
  file.find(library.gemm_float, "cublasSgemmStridedBatched_64");
  file.find(library.gemm_double, "cublasDgemmStridedBatched_64");
  library.error = file.error();
  if (!library.error.empty()) return library;
  int major = 0, minor = 0, patch = 0;
  library.get_property(MAJOR_VERSION, &major);
  library.get_property(MINOR_VERSION, &minor);
  library.get_property(PATCH_LEVEL, &patch);
  library.version = fmt::format("{}.{}.{}", major, minor, patch);
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
