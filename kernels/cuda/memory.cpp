#include "memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <luge/base/detail/check.h>

#include "check.h"

namespace luge::cuda {

namespace {

std::string megabytes(std::size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576.0); }

}  // namespace

void Memory::open(int device, cudaStream_t stream) {
  device_ = device;
  stream_ = stream;
  int pools = 0;
  check(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, device), "open", "cudaDeviceGetAttribute");
  LUGE_CHECK(DeviceError, pools != 0, "cuda:{}: its driver offers no stream-ordered memory pools, which luge needs",
             device);
  check(cudaDeviceGetDefaultMemPool(&pool_, device), "open", "cudaDeviceGetDefaultMemPool");
  std::uint64_t keep_everything = UINT64_MAX;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_everything), "open",
        "cudaMemPoolSetAttribute");
}

void* Memory::allocate(std::size_t bytes) {
  void* data = nullptr;
  cudaError_t error = cudaMallocAsync(&data, bytes, stream_);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    release_cache();
    error = cudaMallocAsync(&data, bytes, stream_);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t available = 0, total = 0;
    cudaMemGetInfo(&available, &total);
    const MemoryStats now = stats();
    raise<OutOfMemoryError>(
        "allocate: {} bytes ({}) cannot be had on cuda:{}: {} in tensors, {} held by luge, {} of {} free", bytes,
        megabytes(bytes), device_, megabytes(now.allocated), megabytes(now.reserved), megabytes(available),
        megabytes(total));
  }
  check(error, "allocate", "cudaMallocAsync");
  const std::size_t now = allocated_.fetch_add(bytes) + bytes;
  std::size_t peak = peak_.load();
  while (peak < now && !peak_.compare_exchange_weak(peak, now)) {
  }
  return data;
}

void Memory::free(void* data, std::size_t bytes) noexcept {
  // Fails only where the context is lost or the process is ending; there is nobody left to tell.
  if (cudaFreeAsync(data, stream_) != cudaSuccess) cudaGetLastError();
  allocated_.fetch_sub(bytes);
}

void* Memory::allocate_host_visible(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaHostAlloc(&data, bytes, cudaHostAllocMapped | cudaHostAllocPortable);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    raise<OutOfMemoryError>("allocate: {} bytes ({}) of pinned host memory cannot be had", bytes, megabytes(bytes));
  }
  check(error, "allocate", "cudaHostAlloc");
  std::memset(data, 0, bytes);
  return data;
}

void Memory::free_host_visible(void* data, std::size_t) noexcept {
  cudaStreamSynchronize(stream_);  // kernels that write there may still be queued
  if (cudaFreeHost(data) != cudaSuccess) cudaGetLastError();
}

void Memory::open_staging() {
  for (Staging& staging : staging_) {
    if (!staging.free)
      check(cudaEventCreateWithFlags(&staging.free, cudaEventDisableTiming), "copy to the GPU",
            "cudaEventCreateWithFlags");
    if (!staging.data) staging.data = static_cast<std::byte*>(allocate_host_visible(kStagingBytes));
  }
}

/// Goes on to the other buffer, once what was copied out of it has been.
void Memory::turn_staging() {
  check(cudaEventRecord(staging_[current_staging_].free, stream_), "copy to the GPU", "cudaEventRecord");
  check(cudaEventSynchronize(staging_[current_staging_ ^ 1].free), "copy to the GPU", "cudaEventSynchronize");
  current_staging_ ^= 1;
  staged_ = 0;
}

void Memory::copy_from_host(void* destination, const void* source, std::size_t bytes) {
  const std::scoped_lock lock(staging_mutex_);
  open_staging();
  for (std::size_t done = 0; done < bytes;) {
    if (staged_ == kStagingBytes) turn_staging();
    const std::size_t part = std::min(bytes - done, kStagingBytes - staged_);
    std::byte* const place = staging_[current_staging_].data + staged_;
    std::memcpy(place, static_cast<const std::byte*>(source) + done, part);
    check(cudaMemcpyAsync(static_cast<std::byte*>(destination) + done, place, part, cudaMemcpyHostToDevice, stream_),
          "copy to the GPU", "cudaMemcpyAsync");
    staged_ += (part + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment;
    done += part;
  }
}

MemoryStats Memory::stats() const {
  std::uint64_t reserved = 0;
  check(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved), "memory statistics",
        "cudaMemPoolGetAttribute");
  return {.allocated = allocated_.load(), .peak = peak_.load(), .reserved = static_cast<std::size_t>(reserved)};
}

void Memory::reset_peak() { peak_.store(allocated_.load()); }

void Memory::release_cache() {
  check(cudaStreamSynchronize(stream_), "release_cache", "cudaStreamSynchronize");
  check(cudaMemPoolTrimTo(pool_, 0), "release_cache", "cudaMemPoolTrimTo");
}

}  // namespace luge::cuda
