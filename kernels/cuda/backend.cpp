#include "backend.h"

#include <memory>
#include <mutex>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/base/cuda_status.h>

#include "check.h"
#include "forked.h"

namespace luge {

namespace cuda {

void* CudaBackend::allocate(std::size_t bytes) {
  const Context context(gpu_, "allocate");
  return gpu_.memory().allocate(bytes);
}

void CudaBackend::free(void* data, std::size_t bytes) noexcept {
  if (is_forked()) return;
  if (cudaSetDevice(gpu_.index()) != cudaSuccess) cudaGetLastError();
  gpu_.memory().free(data, bytes);
}

void* CudaBackend::allocate_host_visible(std::size_t bytes) {
  const Context context(gpu_, "allocate host memory");
  return gpu_.memory().allocate_host_visible(bytes);
}

void CudaBackend::free_host_visible(void* data, std::size_t bytes) noexcept {
  if (is_forked()) return;
  if (cudaSetDevice(gpu_.index()) != cudaSuccess) cudaGetLastError();
  gpu_.memory().free_host_visible(data, bytes);
}

MemoryStats CudaBackend::memory() const {
  check_not_forked(gpu_.index());
  return gpu_.memory().stats();
}

void CudaBackend::reset_peak_memory() { gpu_.memory().reset_peak(); }

void CudaBackend::release_cache() {
  const Context context(gpu_, "release_cache");
  gpu_.memory().release_cache();
}

void CudaBackend::copy_from_host(void* destination, const void* source, std::size_t bytes) {
  const Context context(gpu_, "copy to the GPU");
  gpu_.memory().copy_from_host(destination, source, bytes);
}

void CudaBackend::copy_to_host(void* destination, const void* source, std::size_t bytes) {
  const Context context(gpu_, "copy to the host");
  check(cudaMemcpyAsync(destination, source, bytes, cudaMemcpyDeviceToHost, gpu_.stream()), context.op(),
        "cudaMemcpyAsync");
  wait(context.op());
}

void CudaBackend::synchronize() {
  const Context context(gpu_, "synchronize");
  wait(context.op());
}

void CudaBackend::wait(const char* op) {
  const cudaError_t error = cudaStreamSynchronize(gpu_.stream());
  if (error != cudaSuccess) {
    // A queued copy may still be on its way to the caller's memory, which the exception lets go of.
    cudaStreamSynchronize(gpu_.stream());
    raise_cuda(error, op, "cudaStreamSynchronize");
  }
  IndexFault& fault = *gpu_.fault();
  if (fault.reported == 0) return;
  const IndexFault report = fault;
  fault = {};
  raise<IndexError>("gather: index {} is outside [0, {})", report.index, report.size);
}

#define LUGE_CALL(Kind) \
  void CudaBackend::execute(const Kind& call) { cuda::run(Context(gpu_, call.name()), call); }
LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

}  // namespace cuda

Backend& cuda_backend(int index) {
  // Never destroyed: tensors in static storage may outlive any order of destruction, and the driver
  // takes everything back when the process ends.
  static std::mutex mutex;
  static auto& backends = *new std::vector<std::unique_ptr<cuda::CudaBackend>>;
  const CudaStatus& status = cuda_status();
  LUGE_CHECK(DeviceError, status.usable, "cuda:{}: {}", index, status.reason);
  const auto count = static_cast<int>(status.gpus.size());
  LUGE_CHECK(DeviceError, index >= 0 && index < count, "cuda:{}: there is no such GPU; this machine has {}", index,
             count);
  const auto at = static_cast<std::size_t>(index);
  const CudaStatus::Gpu& gpu = status.gpus[at];
  LUGE_CHECK(DeviceError, gpu.usable, "cuda:{}: {} has architecture sm_{}{}, and this binary holds code for {}", index,
             gpu.name, gpu.major, gpu.minor, status.architectures);
  const std::scoped_lock lock(mutex);
  cuda::check_not_forked(index);
  cuda::watch_forks();
  backends.resize(static_cast<std::size_t>(count));
  if (!backends[at]) backends[at] = std::make_unique<cuda::CudaBackend>(index);
  return *backends[at];
}

}  // namespace luge
