#include "backend.h"

#include <cstring>

#include "kernels.h"
#include "memory.h"
#include "openblas.h"

namespace luge::cpu {

CpuBackend::CpuBackend() { set_up_openblas(); }

void* CpuBackend::allocate(std::size_t bytes) { return cpu::allocate(bytes); }
void CpuBackend::free(void* data, std::size_t bytes) noexcept { cpu::free(data, bytes); }
void* CpuBackend::allocate_host_visible(std::size_t bytes) { return std::memset(cpu::allocate(bytes), 0, bytes); }
void CpuBackend::free_host_visible(void* data, std::size_t bytes) noexcept { cpu::free(data, bytes); }
MemoryStats CpuBackend::memory() const { return cpu::memory_stats(); }
void CpuBackend::reset_peak_memory() { cpu::reset_peak_memory(); }
void CpuBackend::release_cache() { cpu::release_cache(); }

void CpuBackend::copy_from_host(void* destination, const void* source, std::size_t bytes) {
  std::memcpy(destination, source, bytes);
}
void CpuBackend::copy_to_host(void* destination, const void* source, std::size_t bytes) {
  std::memcpy(destination, source, bytes);
}

#define LUGE_CALL(Kind) \
  void CpuBackend::execute(const Kind& call) { cpu::run(call); }
LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

}  // namespace luge::cpu

namespace luge {

Backend& cpu_backend() {
  static cpu::CpuBackend instance;
  return instance;
}

}  // namespace luge
