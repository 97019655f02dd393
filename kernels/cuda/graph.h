#pragma once
// Calls recorded once, by letting a stream capture what they queue, and launched as one graph.

#include <cstddef>
#include <functional>
#include <vector>

#include <cuda_runtime_api.h>

#include "context.h"

namespace luge::cuda {

/// Working memory for the calls of a graph: it lives as long as the graph does. A block that one call has given
/// back serves the next, as the graph runs them one after the other.
class GraphMemory {
 public:
  explicit GraphMemory(Memory& memory) : memory_(memory) {}
  ~GraphMemory();
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

  void* take(std::size_t bytes);
  void give_back(const void* data) noexcept;

 private:
  struct Block {
    void* data;
    std::size_t bytes;
    bool taken;
  };

  Memory& memory_;
  std::vector<Block> blocks_;
};

class Graph {
 public:
  /// Records what `queue` queues on the GPU's stream; nothing of it runs. Throws what `queue` throws, and
  /// CudaError where the driver cannot capture; nothing is left behind then.
  Graph(Gpu& gpu, const std::function<void()>& queue);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Queues one run of it.
  void launch(const Context& context) const;

 private:
  GraphMemory memory_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace luge::cuda
