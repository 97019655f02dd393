#pragma once
// A stand-in for the CUDA runtime, at link level: kernels/cuda's own host code runs on it unchanged. One
// device, whose memory is host memory that the host may not touch. It is stricter than a driver:
//   - nothing a stream holds runs before something waits for it (or a stream holds kMostQueued tasks);
//     then streams advance in a random interleaving, events being the only order between them;
//   - device memory is of the exact size asked for, holds NaNs at first, and is poisoned for
//     AddressSanitizer except while tasks run, and before and behind its life in stream order;
//   - ranges of copies and fills are checked; errors of kernels stick, as a lost context does;
//   - any call can be made to fail; what is still allocated can be asked for.

#include <cstddef>
#include <cstdint>
#include <functional>

#include <cuda_runtime_api.h>

#include "simt/executor/executor.h"

namespace simt::runtime {

/// cudaLaunchKernel's part. `kernel`: its address, noted when it has run (see SIMT_EXECUTED in record.cpp).
SIMT_API cudaError_t launch(Launch launch, cudaStream_t stream, const void* kernel);

/// Queues any work, as a library such as cuBLAS does.
SIMT_API cudaError_t submit(std::function<void()> task, cudaStream_t stream);

/// Whether [data, data + bytes) lies in one allocation, of device memory or pinned.
SIMT_API bool is_accessible(const void* data, std::size_t bytes);

/// The n-th call from now on (1: the next) fails, with the error that suits it. 0: none will.
SIMT_API void fail_call(std::uint64_t n);

/// Whether the call chosen by fail_call() has been made.
SIMT_API bool has_failed();

/// Ends the stickiness of a kernel's error, which no real device would do. For tests of such errors.
SIMT_API void revive();

/// Seed of the interleaving of streams.
SIMT_API void set_seed(std::uint64_t seed);

/// Device memory there is; 4 GiB at first.
SIMT_API void set_total_memory(std::size_t bytes);

/// How many blocks of a kernel a multiprocessor runs at once, from now on; 0: as many as its threads allow, which is
/// what holds for every kernel at first. Null: of all kernels that nothing is said of.
SIMT_API void set_resident_blocks(const void* kernel, int blocks);

struct Statistics {
  std::uint64_t calls = 0;             ///< of the runtime's functions
  std::uint64_t launches = 0;          ///< kernels queued, one by one or in graphs
  std::uint64_t blocks = 0;            ///< of those kernels' grids, one by one or when captured
  std::uint64_t graph_launches = 0;    ///< graphs queued
  std::uint64_t synchronizations = 0;  ///< calls that waited for a stream, an event or the device
  std::size_t allocations = 0;         ///< of device memory not freed
  std::uint64_t allocations_ever = 0;  ///< of device memory, freed or not
  std::size_t bytes = 0;
  std::size_t host_allocations = 0;  ///< of pinned host memory not freed
  std::size_t graphs = 0;            ///< graphs, and executable ones, not destroyed
};
SIMT_API Statistics statistics();

inline constexpr std::size_t kMostQueued = 1024;

}  // namespace simt::runtime
