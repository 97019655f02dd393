#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include <cuda_runtime_api.h>

#include <luge/seam/backend.h>

namespace luge::cuda {

/// The memory of one GPU: the driver's stream-ordered pool, which keeps what is freed, and pinned
/// host memory. The caller has made the GPU current.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// Once, before anything else. Throws DeviceError where the driver has no memory pools.
  void open(int device, cudaStream_t stream);

  /// Throws OutOfMemoryError with the sizes, after giving back everything cached and trying again.
  void* allocate(std::size_t bytes);
  void free(void* data, std::size_t bytes) noexcept;

  /// Pinned and mapped: the host and the GPU use the same address. Zeroed.
  void* allocate_host_visible(std::size_t bytes);
  void free_host_visible(void* data, std::size_t bytes) noexcept;

  /// Queues a copy whose source may be changed as soon as this returns: it goes through pinned buffers. Waits only
  /// where those are full of what is still queued.
  void copy_from_host(void* destination, const void* source, std::size_t bytes);

  MemoryStats stats() const;
  void reset_peak();
  void release_cache();

 private:
  /// Two buffers, so that the host fills one while the GPU reads the other. Each takes many small copies.
  static constexpr std::size_t kStagingBytes = std::size_t(4) << 20, kStagingAlignment = 64;
  struct Staging {
    std::byte* data = nullptr;
    cudaEvent_t free = nullptr;  ///< recorded, when it is full, behind the last copy out of it
  };

  void open_staging();
  void turn_staging();

  int device_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  std::atomic<std::size_t> allocated_{0}, peak_{0};
  std::mutex staging_mutex_;
  Staging staging_[2];
  int current_staging_ = 0;
  std::size_t staged_ = 0;  ///< bytes taken of the current buffer
};

}  // namespace luge::cuda
