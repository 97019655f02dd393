#include "context.h"

#include <nvtx3/nvToolsExt.h>

#include <luge/check.h>

#include "architectures.h"
#include "check.h"

namespace luge::cuda {

Gpu::Gpu(int index) : index_(index) {
  check(cudaSetDevice(index), "open", "cudaSetDevice");
  const cudaError_t code = probe();
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();
    raise<DeviceError>("cuda:{}: this binary holds no code for its architecture, only for {}", index, architectures());
  }
  check(code, "open", "cudaFuncGetAttributes");
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index), "open",
        "cudaDeviceGetAttribute");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "open", "cudaStreamCreateWithFlags");
  memory_.open(index, stream_);
  fault_ = static_cast<IndexFault*>(memory_.allocate_host_visible(sizeof(IndexFault)));
  finished_blocks_ = static_cast<unsigned*>(memory_.allocate(sizeof(unsigned)));
  check(cudaMemsetAsync(finished_blocks_, 0, sizeof(unsigned), stream_), "open", "cudaMemsetAsync");
  check(cudaStreamSynchronize(stream_), "open", "cudaStreamSynchronize");
}

cublasHandle_t Gpu::blas(const char* op) {
  std::call_once(blas_once_, [&] {
    const Cublas& library = usable_cublas(op);
    cublasHandle_t handle = nullptr;
    check(library.create(&handle), op, "cublasCreate");
    check(library.set_stream(handle, stream_), op, "cublasSetStream");
    check(library.set_math_mode(handle, CUBLAS_DEFAULT_MATH), op, "cublasSetMathMode");
    blas_ = handle;
  });
  return blas_;
}

Context::Context(Gpu& gpu, const char* op) : gpu_(gpu), op_(op) {
  check(cudaSetDevice(gpu.index()), op, "cudaSetDevice");
  nvtxRangePushA(op);
}

Context::~Context() { nvtxRangePop(); }

}  // namespace luge::cuda
