#pragma once

#include <string_view>

#include <cuda_runtime_api.h>

namespace luge::cuda {

/// What this binary was compiled for: "sm_80 sm_90 compute_90".
std::string_view architectures();

/// Asks the runtime for a kernel of this binary on the current GPU: cudaSuccess where there is code
/// for it, cudaErrorNoKernelImageForDevice or cudaErrorInvalidDeviceFunction where there is not.
cudaError_t probe();

}  // namespace luge::cuda
