#include "check.h"

#include <luge/base/detail/check.h>

namespace luge::cuda {

bool context_lost(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorContextIsDestroyed: return true;
    default: return false;
  }
}

void raise_cuda(cudaError_t error, const char* op, const char* call) {
  cudaGetLastError();
  raise<CudaError>("{}: {} failed: {} ({}){}", op, call, cudaGetErrorName(error), cudaGetErrorString(error),
                   context_lost(error)
                       ? "; the CUDA context is lost: tensors on the GPU can no longer be read, and only "
                         "a new process can use it again"
                       : "");
}

}  // namespace luge::cuda
