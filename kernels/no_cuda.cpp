// What stands in for kernels/cuda in a build without CUDA.

#include <luge/seam/backend.h>
#include <luge/base/detail/check.h>
#include <luge/base/cuda_status.h>

namespace luge {

namespace {

constexpr const char* kReason =
    "this build of luge has no CUDA support (configured with LUGE_CUDA=OFF or without nvcc)";

}  // namespace

Backend& cuda_backend(int) { raise<DeviceError>("cuda: {}", kReason); }

const CudaStatus& cuda_status() {
  static const CudaStatus status = [] {
    CudaStatus result;
    result.reason = kReason;
    return result;
  }();
  return status;
}

}  // namespace luge
