#pragma once

#include <luge/backend.h>

namespace luge::cpu {

/// Runs every call at once, on the calling thread and those of threads.h. Stateless: the allocator and
/// the thread pool belong to the process.
class CpuBackend final : public Backend {
 public:
  CpuBackend();

  Device device() const override { return Device::cpu(); }

  void* allocate(std::size_t bytes) override;
  void free(void* data, std::size_t bytes) noexcept override;
  void* allocate_host_visible(std::size_t bytes) override;
  void free_host_visible(void* data, std::size_t bytes) noexcept override;
  MemoryStats memory() const override;
  void reset_peak_memory() override;
  void release_cache() override;

  void copy_from_host(void* destination, const void* source, std::size_t bytes) override;
  void copy_to_host(void* destination, const void* source, std::size_t bytes) override;
  void synchronize() override {}

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
};

}  // namespace luge::cpu
