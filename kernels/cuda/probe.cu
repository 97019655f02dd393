#include "architectures.h"
#include "device.h"

namespace luge::cuda {

namespace {

__global__ void probe_kernel() {}

}  // namespace

cudaError_t probe() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&probe_kernel));
}

}  // namespace luge::cuda
