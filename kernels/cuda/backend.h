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

  std::unique_ptr<Executable> compile(const Plan& plan) override;
  bool fuses() const override;

#define LUGE_CALL(Kind) void execute(const Kind& call) override;
  LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

 private:
  /// Waits for the stream and reports what went wrong on the device meanwhile.
  void wait(const char* op);

  Gpu gpu_;
};

}  // namespace luge::cuda
