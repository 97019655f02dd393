#include <algorithm>
#include <charconv>
#include <string_view>

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <luge/base/cuda_status.h>

#include "architectures.h"
#include "cublas.h"

namespace luge {

namespace {

/// 13000 -> "13.0".
std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

/// Whether code for one of the architectures runs on a GPU of this compute capability: binary code
/// does on the same major number from its own minor one on, PTX on everything from its own on.
bool has_code(int major, int minor) {
  std::string_view rest = cuda::architectures();
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    const std::size_t digits = name.find('_') + 1;
    int number = 0;
    std::from_chars(name.data() + digits, name.data() + name.size(), number);
    const bool reached = number <= major * 10 + minor;
    if (reached && (name.starts_with("compute_") || number / 10 == major)) return true;
  }
  return false;
}

/// Fills status.gpus; returns why there are none.
std::string find_gpus(CudaStatus& status, int driver) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    if (driver == 0) return "no driver: no NVIDIA driver is installed on this machine";
    if (error == cudaErrorInsufficientDriver)
      return fmt::format("driver too old: it supports CUDA {}, this build of luge needs {}", status.driver,
                         status.runtime);
    if (error == cudaErrorNoDevice) return "no device: the driver finds no GPU";
    return fmt::format("the driver does not start: {} ({})", cudaGetErrorName(error), cudaGetErrorString(error));
  }
  if (count == 0) return "no device: the driver finds no GPU";
  for (int device = 0; device < count; ++device) {
    CudaStatus::Gpu& gpu = status.gpus.emplace_back();
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
      cudaGetLastError();
      gpu.name = "a GPU that does not answer";
      continue;
    }
    gpu.name = properties.name;
    gpu.major = properties.major;
    gpu.minor = properties.minor;
    gpu.memory = properties.totalGlobalMem;
    gpu.usable = has_code(gpu.major, gpu.minor);
  }
  const auto usable = std::ranges::find_if(status.gpus, &CudaStatus::Gpu::usable);
  if (usable != status.gpus.end()) {
    // Asking opens the GPU, so only the one that will be used anyway is asked.
    std::size_t total = 0;
    if (cudaSetDevice(static_cast<int>(usable - status.gpus.begin())) != cudaSuccess ||
        cudaMemGetInfo(&usable->free_memory, &total) != cudaSuccess)
      cudaGetLastError();
    return {};
  }
  const CudaStatus::Gpu& first = status.gpus.front();
  return fmt::format("architecture not in this binary: {} is sm_{}{}, the binary holds {}", first.name, first.major,
                     first.minor, status.architectures);
}

CudaStatus look_up() {
  CudaStatus status;
  status.built = true;
  status.toolkit = version_text(CUDART_VERSION);
  status.architectures = cuda::architectures();
  int driver = 0, runtime = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
  if (cudaRuntimeGetVersion(&runtime) == cudaSuccess) status.runtime = version_text(runtime);
  cudaGetLastError();
  if (driver > 0) status.driver = version_text(driver);
  status.reason = find_gpus(status, driver);
  status.usable = status.reason.empty();
  if (!status.usable) {
    status.blas = "not opened, as no GPU can be used";
  } else {
    const cuda::Cublas& library = cuda::cublas();
    status.blas = library.error.empty() ? "cuBLAS " + library.version : library.error;
  }
  return status;
}

}  // namespace

std::string_view cuda::architectures() { return LUGE_CUDA_ARCHITECTURES_TEXT; }  // from the build

const CudaStatus& cuda_status() {
  static const CudaStatus status = [] {
    try {
      return look_up();
    } catch (const std::exception& error) {
      CudaStatus failed;
      failed.built = true;
      failed.reason = error.what();
      return failed;
    }
  }();
  return status;
}

}  // namespace luge
