#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include <cuda_runtime_api.h>

#include "cublas.h"
#include "memory.h"

namespace luge::cuda {

/// Where a kernel reports an index outside its range; in host-visible memory, read by the next
/// synchronisation. The first report since then wins.
struct IndexFault {
  int reported = 0;
  std::int64_t index = 0, size = 0;
};

class Gpu;
class GraphMemory;

/// What a thread that records a graph (graph.h) works with instead of the GPU's stream and the stream's memory.
struct Recording {
  const Gpu* gpu;
  cudaStream_t stream;
  GraphMemory* memory;
};
inline constinit thread_local const Recording* recording = nullptr;

/// One GPU: everything that lives as long as the process.
class Gpu {
 public:
  /// Opens the index-th GPU. Throws DeviceError where it cannot be used.
  explicit Gpu(int index);
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  int index() const { return index_; }
  /// Where this thread's work goes.
  cudaStream_t stream() const { return recording && recording->gpu == this ? recording->stream : stream_; }
  int multiprocessors() const { return multiprocessors_; }
  /// How many blocks of kThreads of a kernel, with so many bytes of LUGE_DYNAMIC_SHARED, run at once. Asked of the
  /// runtime once.
  std::int64_t resident_blocks(const char* op, const void* kernel, std::size_t shared);
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }
  IndexFault* fault() const { return fault_; }

  /// A zero in device memory with which the blocks of one launch count who finishes last; that block
  /// puts the zero back. One is enough: the stream runs one kernel after another.
  unsigned* finished_blocks() const { return finished_blocks_; }

  /// The handle for stream(), float32 without TF32. Opened on first use.
  cublasHandle_t blas(const char* op);

  /// The stream that captures graphs, for one thread at a time. Opened on first use, and with it, where cuBLAS is
  /// in use, the handle: that allocates, and should not while the stream captures.
  cudaStream_t open_recording(const char* op);
  std::mutex& recording_mutex() { return recording_mutex_; }

 private:
  cublasHandle_t open_blas(const char* op, cudaStream_t stream);

  int index_;
  int multiprocessors_ = 1;
  std::mutex resident_mutex_;
  std::map<std::pair<const void*, std::size_t>, std::int64_t> resident_;
  cudaStream_t stream_ = nullptr;
  Memory memory_;
  IndexFault* fault_ = nullptr;
  unsigned* finished_blocks_ = nullptr;
  std::mutex blas_mutex_, recording_mutex_;
  cublasHandle_t blas_ = nullptr, recording_blas_ = nullptr;
  // One for both handles, as graphs, too, run on stream_; and so of one size: cuBLAS chooses algorithms by it.
  void* blas_workspace_ = nullptr;
  std::size_t blas_workspace_bytes_ = 0;  ///< what NVIDIA recommends
  cudaStream_t recording_stream_ = nullptr;
};

/// What a call runs under: its GPU made current, its name for messages and profilers (an NVTX range).
class Context {
 public:
  Context(Gpu& gpu, const char* op);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Gpu& gpu() const { return gpu_; }
  const char* op() const { return op_; }
  cudaStream_t stream() const { return gpu_.stream(); }

 private:
  Gpu& gpu_;
  const char* op_;
};

/// Device memory for the length of a call; given back in stream order.
class Scratch {
 public:
  Scratch(const Context& context, std::int64_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Memory& memory_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace luge::cuda
