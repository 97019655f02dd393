#include "context.h"

#include <algorithm>

#include <nvtx3/nvToolsExt.h>

#include <luge/base/detail/check.h>

#include "architectures.h"
#include "block_size.h"
#include "check.h"
#include "forked.h"
#include "graph.h"

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
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index), "open", "cudaDeviceGetAttribute");
  blas_workspace_bytes_ = std::size_t(major >= 9 ? 32 : 4) << 20;
  memory_.open(index, stream_);
  fault_ = static_cast<IndexFault*>(memory_.allocate_host_visible(sizeof(IndexFault)));
  finished_blocks_ = static_cast<unsigned*>(memory_.allocate(sizeof(unsigned)));
  check(cudaMemsetAsync(finished_blocks_, 0, sizeof(unsigned), stream_), "open", "cudaMemsetAsync");
  check(cudaStreamSynchronize(stream_), "open", "cudaStreamSynchronize");
}

std::int64_t Gpu::resident_blocks(const char* op, const void* kernel, std::size_t shared) {
  const std::scoped_lock lock(resident_mutex_);
  const auto known = resident_.find({kernel, shared});
  if (known != resident_.end()) return known->second;
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, kThreads, shared), op,
        "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
  return resident_[{kernel, shared}] = std::int64_t{std::max(blocks, 1)} * multiprocessors_;
}

cublasHandle_t Gpu::open_blas(const char* op, cudaStream_t stream) {
  const Cublas& library = usable_cublas(op);
  if (!blas_workspace_) blas_workspace_ = memory_.allocate(blas_workspace_bytes_);
  cublasHandle_t handle = nullptr;
  check(library.create(&handle), op, "cublasCreate");
  check(library.set_stream(handle, stream), op, "cublasSetStream");
  // After the stream, which resets it. Without one cuBLAS would allocate within captures.
  check(library.set_workspace(handle, blas_workspace_, blas_workspace_bytes_), op, "cublasSetWorkspace");
  check(library.set_math_mode(handle, CUBLAS_DEFAULT_MATH), op, "cublasSetMathMode");
  return handle;
}

cublasHandle_t Gpu::blas(const char* op) {
  const std::scoped_lock lock(blas_mutex_);
  cublasHandle_t& handle = stream() == stream_ ? blas_ : recording_blas_;
  if (!handle) handle = open_blas(op, stream());
  return handle;
}

cudaStream_t Gpu::open_recording(const char* op) {
  const std::scoped_lock lock(blas_mutex_);
  if (!recording_stream_)
    check(cudaStreamCreateWithFlags(&recording_stream_, cudaStreamNonBlocking), op, "cudaStreamCreateWithFlags");
  if (blas_ && !recording_blas_) recording_blas_ = open_blas(op, recording_stream_);
  return recording_stream_;
}

Context::Context(Gpu& gpu, const char* op) : gpu_(gpu), op_(op) {
  check_not_forked(gpu.index());
  check(cudaSetDevice(gpu.index()), op, "cudaSetDevice");
  nvtxRangePushA(op);
}

Context::~Context() { nvtxRangePop(); }

Scratch::Scratch(const Context& context, std::int64_t bytes)
    : memory_(context.gpu().memory()), bytes_(static_cast<std::size_t>(bytes)), data_(nullptr) {
  if (bytes_ > 0) data_ = recording ? recording->memory->take(bytes_) : memory_.allocate(bytes_);
}

Scratch::~Scratch() {
  if (!data_) return;
  recording ? recording->memory->give_back(data_) : memory_.free(data_, bytes_);
}

}  // namespace luge::cuda
