#include "graph.h"

#include <algorithm>

#include "check.h"
#include "forked.h"

namespace luge::cuda {

namespace {

constexpr const char* kOp = "capture";

/// A stream that captures while this lives, in place of the GPU's own for this thread.
class Capturing {
 public:
  Capturing(Gpu& gpu, GraphMemory& memory)
      : lock_(gpu.recording_mutex()), recording_{&gpu, gpu.open_recording(kOp), &memory} {
    // Relaxed: working memory is taken on the GPU's own stream meanwhile.
    check(cudaStreamBeginCapture(recording_.stream, cudaStreamCaptureModeRelaxed), kOp, "cudaStreamBeginCapture");
    recording = &recording_;
  }
  ~Capturing() {
    recording = nullptr;
    if (ended_) return;
    cudaGraph_t part = nullptr;
    if (cudaStreamEndCapture(recording_.stream, &part) != cudaSuccess) cudaGetLastError();
    if (part && cudaGraphDestroy(part) != cudaSuccess) cudaGetLastError();
  }
  Capturing(const Capturing&) = delete;
  Capturing& operator=(const Capturing&) = delete;

  cudaGraph_t end() {
    ended_ = true;
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(recording_.stream, &graph), kOp, "cudaStreamEndCapture");
    return graph;
  }

 private:
  const std::scoped_lock<std::mutex> lock_;
  Recording recording_;
  bool ended_ = false;
};

}  // namespace

// ---- memory -------------------------------------------------------------------------------------

GraphMemory::~GraphMemory() {
  if (is_forked()) return;
  for (const Block& block : blocks_) memory_.free(block.data, block.bytes);
}

void* GraphMemory::take(std::size_t bytes) {
  Block* best = nullptr;
  for (Block& block : blocks_)
    if (!block.taken && block.bytes >= bytes && (!best || block.bytes < best->bytes)) best = &block;
  if (!best) {
    blocks_.reserve(blocks_.size() + 1);  // so that nothing taken can be lost
    blocks_.push_back({memory_.allocate(bytes), bytes, false});
    best = &blocks_.back();
  }
  best->taken = true;
  return best->data;
}

void GraphMemory::give_back(const void* data) noexcept {
  for (Block& block : blocks_)
    if (block.data == data) block.taken = false;
}

// ---- the graph ----------------------------------------------------------------------------------

Graph::Graph(Gpu& gpu, const std::function<void()>& queue) : memory_(gpu.memory()) {
  cudaGraph_t graph = nullptr;
  {
    Capturing capturing(gpu, memory_);
    queue();
    graph = capturing.end();
  }
  const cudaError_t error = cudaGraphInstantiateWithFlags(&executable_, graph, 0);
  if (cudaGraphDestroy(graph) != cudaSuccess) cudaGetLastError();
  check(error, kOp, "cudaGraphInstantiate");
}

/// Launches that are queued finish all the same: the driver keeps what they need.
Graph::~Graph() {
  if (is_forked()) return;
  if (cudaGraphExecDestroy(executable_) != cudaSuccess) cudaGetLastError();
}

void Graph::launch(const Context& context) const {
  check(cudaGraphLaunch(executable_, context.stream()), context.op(), "cudaGraphLaunch");
}

}  // namespace luge::cuda
