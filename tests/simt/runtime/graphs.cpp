// Streams that capture, and graphs. What the runtime does not let a capturing stream do ends the capture.

#include <algorithm>

#include "simt/runtime/state.h"

namespace simt::runtime {

cudaError_t unless_capturing(cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  for (CUstream_st* const each : state().streams) {
    if (!each->captured || (stream && each != stream)) continue;
    each->captured->valid = false;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return Call::finish(error);
}

}  // namespace simt::runtime

using namespace simt::runtime;

extern "C" {

SIMT_API cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  stream->captured = std::make_unique<Captured>();
  return cudaSuccess;
}

SIMT_API cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *status = !stream->captured         ? cudaStreamCaptureStatusNone
            : stream->captured->valid ? cudaStreamCaptureStatusActive
                                      : cudaStreamCaptureStatusInvalidated;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  // Told to fail, it ends the capture all the same.
  const Call call;
  *graph = nullptr;
  if (!stream->captured) return Call::finish(cudaErrorIllegalState);
  const std::unique_ptr<Captured> captured = std::move(stream->captured);
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (!captured->valid) return Call::finish(cudaErrorStreamCaptureInvalidated);
  ++state().statistics.graphs;
  *graph = new CUgraph_st{std::move(captured->tasks)};
  return cudaSuccess;
}

SIMT_API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  ++state().statistics.graphs;
  *executable = new CUgraphExec_st{graph->tasks};
  return cudaSuccess;
}

SIMT_API cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Call call(cudaErrorLaunchOutOfResources);
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  ++state().statistics.graph_launches;
  for (const Task& task : executable->tasks) queue(stream, task);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Call call;
  --state().statistics.graphs;
  delete graph;
  return call.refusal();
}

SIMT_API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Call call;
  --state().statistics.graphs;
  delete executable;
  return call.refusal();
}

}  // extern "C"
