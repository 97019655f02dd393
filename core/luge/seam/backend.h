#pragma once
// THE SEAM, second half: what a device can do. It runs the calls of call.h, one by one, or a whole plan of
// them (plan.h).

#include <cstddef>
#include <cstdint>
#include <memory>

#include <luge/seam/call.h>
#include <luge/seam/observer.h>
#include <luge/base/device.h>
#include <luge/seam/widen.h>

namespace luge {

struct Plan;

/// Bytes of a device's memory: in tensors now, the most ever in tensors, and held from the system.
struct MemoryStats {
  std::size_t allocated = 0, peak = 0, reserved = 0;
};

/// A plan that a backend has made ready.
class Executable {
 public:
  virtual ~Executable() = default;
  /// Runs it `steps` (1 or more) times, as if each of its calls had been run: queued in order on the backend's
  /// stream.
  virtual void run(std::int64_t steps) = 0;
};

/// One device. Obtained from backend(Device), lives as long as the process.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual Device device() const = 0;

  /// At least `bytes` (> 0), aligned to 256 bytes, contents undefined. Throws OutOfMemoryError.
  virtual void* allocate(std::size_t bytes) = 0;
  /// Gives memory back in stream order. `bytes` as it was asked for. Never throws.
  virtual void free(void* data, std::size_t bytes) noexcept = 0;
  /// Memory that the device writes and the host reads without a copy (the monitor's ring), zeroed.
  virtual void* allocate_host_visible(std::size_t bytes) = 0;
  virtual void free_host_visible(void* data, std::size_t bytes) noexcept = 0;
  virtual MemoryStats memory() const = 0;
  virtual void reset_peak_memory() = 0;
  /// Gives cached memory back to the system.
  virtual void release_cache() = 0;

  /// Queued copy; the source may be reused when it returns.
  virtual void copy_from_host(void* destination, const void* source, std::size_t bytes) = 0;
  /// Waits for the device and copies.
  virtual void copy_to_host(void* destination, const void* source, std::size_t bytes) = 0;
  /// Waits until everything queued has run and reports errors that came up meanwhile.
  virtual void synchronize() = 0;

  /// Does a call, or queues it: what core calls. While a step is recorded, its observer sees it, too.
  template <class Kind>
  void run(const Kind& call) {
    if (has_storage_only(call)) [[unlikely]]
      return run_widened(*this, call);
    if (observer) [[unlikely]]
      return observer->run(*this, call);
    execute(call);
  }

  /// Whether compile() takes plans with chains.
  virtual bool fuses() const = 0;
  /// Makes a plan ready to be run again and again. The plan and the memory it names must outlive it.
  /// Null: a plan with these chains cannot be made; the same calls without chains can.
  virtual std::unique_ptr<Executable> compile(const Plan& plan) = 0;

#define LUGE_CALL(Kind) virtual void execute(const Kind& call) = 0;
  LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL
};

/// The backend of a device, opened on first use. Throws DeviceError with the true reason where it
/// cannot be used.
Backend& backend(Device device);

/// The CPU backend (kernels/cpu).
Backend& cpu_backend();

/// The i-th GPU's backend (kernels/cuda, or no_cuda.cpp in a build without CUDA, which throws).
Backend& cuda_backend(int index);

}  // namespace luge
