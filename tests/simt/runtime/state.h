#pragma once
// What the parts of the stand-in share.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "simt/runtime/runtime.h"

namespace simt::runtime {

/// One recording of an event.
struct Mark {
  bool reached = false;
};

struct Task {
  std::function<void()> run;    ///< empty: only waits
  std::shared_ptr<Mark> waits;  ///< runs behind it
  bool is_kernel = false;
};

/// What a stream has captured.
struct Captured {
  std::vector<Task> tasks;
  bool valid = true;  ///< false: something was asked of the stream that no graph can hold
};

}  // namespace simt::runtime

struct CUstream_st {
  std::deque<simt::runtime::Task> queue;
  std::unique_ptr<simt::runtime::Captured> captured;  ///< while it captures
};
struct CUgraph_st {
  std::vector<simt::runtime::Task> tasks;
};
struct CUgraphExec_st {
  std::vector<simt::runtime::Task> tasks;
};
struct CUevent_st {
  std::shared_ptr<simt::runtime::Mark> mark;  ///< null: never recorded
};

namespace simt::runtime {

enum class Life : unsigned char { Queued, Live, Ended };

struct Allocation {
  std::size_t bytes = 0;
  Life life = Life::Queued;  ///< in stream order
  bool device = true;        ///< false: pinned host memory
  bool freed = false;        ///< cudaFreeAsync was called
};

struct State {
  std::recursive_mutex mutex;
  std::vector<CUstream_st*> streams;
  std::map<std::uintptr_t, Allocation> allocations;
  std::size_t total_memory = std::size_t{4} << 30, pool_reserved = 0;
  cudaError_t last = cudaSuccess, sticky = cudaSuccess;
  std::string failure;  ///< what a kernel was stopped for
  std::uint64_t random = 0x9E3779B97F4A7C15u;
  std::uint64_t fail_in = 0;
  bool failed = false;
  std::map<const void*, int> resident_blocks;  ///< of a multiprocessor, by kernel
  int running = 0;    ///< depth of the calls that run tasks
  bool open = false;  ///< whether this process may touch device memory: while tasks run
  Statistics statistics;
};
State& state();

/// What every function of the runtime begins with: takes the lock, counts, and fails if it is its turn or
/// if an error sticks.
class Call {
 public:
  /// `injected`: how this function fails when told to.
  explicit Call(cudaError_t injected = cudaErrorUnknown);
  /// cudaSuccess, or what the function must return at once.
  cudaError_t refusal() const { return refusal_; }
  /// Remembers an error for cudaGetLastError.
  static cudaError_t finish(cudaError_t error);

 private:
  std::scoped_lock<std::recursive_mutex> lock_;
  cudaError_t refusal_ = cudaSuccess;
};

/// Runs queued tasks of randomly chosen streams until `finished` says so. Returns what sticks.
cudaError_t run_tasks(const std::function<bool()>& finished);
/// Fails only where the stream's capture has been ended by a mistake.
cudaError_t queue(cudaStream_t stream, Task task);
/// The error of a call that a capturing stream does not allow, or cudaSuccess; null: of one that none does.
cudaError_t unless_capturing(cudaStream_t stream);

/// Remembers a kernel that has run.
void note_executed(const void* kernel);

/// Opens and closes device memory to the code of this process.
void open_memory();
void close_memory();

/// The allocation [data, data + bytes) lies in; null if none.
Allocation* find_allocation(const void* data, std::size_t bytes);

}  // namespace simt::runtime
