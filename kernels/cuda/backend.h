#pragma once

#include "kernels.h"

namespace luge::cuda {

/// One GPU behind the seam; see luge/backend.h for what each function promises.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(int index) : gpu_(index) {}

  Device device() const override { return Device::cuda(gpu_.index()); }

  void* allocate(std::size_t bytes) override;
  void free(void* data, std::size_t bytes) noexcept override;
  void* allocate_host_visible(std::size_t bytes) override;
  void free_host_visible(void* data, std::size_t bytes) noexcept override;
  MemoryStats memory() const override;
  void reset_peak_memory() override;
  void release_cache() override;

  void copy_from_host(void* destination, const void* source, std::size_t bytes) override;
  void copy_to_host(void* destination, const void* source, std::size_t bytes) override;
  void synchronize() override;

  void run(const Elementwise& call) override;
  void run(const Copy& call) override;
  void run(const Reduce& call) override;
  void run(const MatMul& call) override;
  void run(const Softmax& call) override;
  void run(const CrossEntropy& call) override;
  void run(const Gather& call) override;
  void run(const Iota& call) override;
  void run(const Random& call) override;
  void run(const Update& call) override;
  void run(const ClipNorm& call) override;
  void run(const Record& call) override;

 private:
  /// Waits for the stream and reports what went wrong on the device meanwhile.
  void wait(const char* op);

  Gpu gpu_;
};

}  // namespace luge::cuda
