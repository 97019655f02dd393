#pragma once
// Runs a kernel: one fiber per CUDA thread, one block at a time, the order of everything chosen by a
// schedule. Single-threaded: whoever executes kernels holds a lock (runtime/).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include <vector_types.h>

#include "simt/executor/api.h"
#include "simt/executor/location.h"
#include "simt/executor/schedule.h"

namespace simt {

/// A kernel did what no kernel may: a divergent barrier, a deadlock, too much shared memory, a launch
/// beyond the limits of the hardware. The text names the source line.
class SIMT_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the running CUDA thread sees as threadIdx, blockIdx, blockDim and gridDim.
struct Coordinates {
  uint3 thread, block;
  dim3 block_size, grid_size;
};
SIMT_API extern Coordinates* current;

/// Where threads meet. The barriers are for a whole block, the others for the lanes of a warp in a mask.
enum class Meeting : unsigned char {
  None,
  Barrier,
  BarrierOr,
  BarrierAnd,
  BarrierCount,
  WarpBarrier,
  ShuffleIndex,
  ShuffleUp,
  ShuffleDown,
  ShuffleXor,
  Ballot,
  Any,
  All,
  MatchAny,
  ReduceAdd,
  ReduceMin,
  ReduceMax
};

/// What a thread brings to a meeting.
struct Arrival {
  Meeting meeting = Meeting::None;
  unsigned mask = 0;        ///< lanes that take part
  std::uint64_t value = 0;  ///< a value of up to eight bytes
  int parameter = 0;        ///< of a shuffle: source lane, distance or lane mask
  int width = 32;           ///< of a shuffle: lanes of a segment
  Location where;
};

/// Waits for everyone the meeting is for and returns this thread's part of the result.
SIMT_API std::uint64_t meet(const Arrival& arrival);

/// A point where another thread may go first: at atomics, so that their interleavings vary.
SIMT_API void yield();

/// __threadfence: orders what this thread wrote before it with what others read behind theirs.
SIMT_API void fence();

/// The object of a declaration in the running block's shared memory.
SIMT_API void* shared_memory(const void* declaration, std::size_t bytes, std::size_t alignment);
SIMT_API void* dynamic_shared_memory();

/// Limits every GPU that luge runs on has in common.
inline constexpr unsigned kMaxThreads = 1024;
inline constexpr std::size_t kMaxStaticShared = 48 * 1024, kMaxDynamicShared = 96 * 1024;

/// A kernel with its arguments.
struct Launch {
  dim3 grid, block;
  std::size_t shared = 0;  ///< bytes of dynamic shared memory
  std::function<void()> thread;
};

/// True if hardware would take it.
SIMT_API bool is_possible(const Launch& launch);

/// Runs all threads to their end. Throws Error, whatever the kernel throws, and leaves the executor ready
/// for another launch.
SIMT_API void execute(const Launch& launch);

/// How execute() orders blocks and threads; the default comes from SIMT_ORDER (see parse_order).
SIMT_API void set_order(Order order);
SIMT_API Order order();

/// Since the process started.
struct Counts {
  std::uint64_t launches = 0, blocks = 0, threads = 0, switches = 0;
};
SIMT_API const Counts& counts();

}  // namespace simt
