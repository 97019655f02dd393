#pragma once

#include <luge/seam/backend.h>

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

  std::unique_ptr<Executable> compile(const Plan& plan) override;
  bool fuses() const override { return true; }

#define LUGE_CALL(Kind) void execute(const Kind& call) override;
  LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL
};

}  // namespace luge::cpu
