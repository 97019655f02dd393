#include "cublas.h"

#include <dlfcn.h>

#include <luge/check.h>

namespace luge::cuda {

namespace {

// cuBLAS 12 and 13 share the functions used here; the newer one is preferred.
constexpr const char* kLibraries[] = {"libcublas.so.13", "libcublas.so.12"};

template <class Function>
void find(Cublas& library, void* handle, Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (!function && library.error.empty()) library.error = fmt::format("cuBLAS has no function {}", name);
}

Cublas open() {
  Cublas library;
  void* handle = nullptr;
  for (const char* name : kLibraries) {
    handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle) break;
    const char* const why = dlerror();
    library.error += fmt::format("{}{}", library.error.empty() ? "cuBLAS cannot be opened: " : "; ", why ? why : name);
  }
  if (!handle) return library;
  library.error.clear();
  find(library, handle, library.create, "cublasCreate_v2");
  find(library, handle, library.set_stream, "cublasSetStream_v2");
  find(library, handle, library.set_workspace, "cublasSetWorkspace_v2");
  find(library, handle, library.set_math_mode, "cublasSetMathMode");
  find(library, handle, library.get_property, "cublasGetProperty");
  find(library, handle, library.status_string, "cublasGetStatusString");
  find(library, handle, library.gemm_float, "cublasSgemmStridedBatched_64");
  find(library, handle, library.gemm_double, "cublasDgemmStridedBatched_64");
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
