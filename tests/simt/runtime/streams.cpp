#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "simt/runtime/state.h"

namespace simt::runtime {

namespace {

std::uint64_t random() {
  std::uint64_t& x = state().random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

bool can_advance(const CUstream_st* stream) {
  return !stream->queue.empty() && (!stream->queue.front().waits || stream->queue.front().waits->reached);
}

void advance(CUstream_st* stream) {
  const Task task = std::move(stream->queue.front());
  stream->queue.pop_front();
  State& all = state();
  if (!task.run || all.sticky != cudaSuccess) return;
  try {
    task.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "simt: a kernel was stopped: %s\n", error.what());
    all.failure = error.what();
    all.sticky = cudaErrorLaunchFailure;
  }
}

}  // namespace

cudaError_t run_tasks(const std::function<bool()>& finished) {
  State& all = state();
  const bool outermost = all.running++ == 0;
  if (outermost) open_memory();
  while (!finished()) {
    std::vector<CUstream_st*> ready;
    std::ranges::copy_if(all.streams, std::back_inserter(ready), can_advance);
    if (ready.empty()) {
      std::fprintf(stderr, "simt: the streams wait for events that nothing will record\n");
      std::abort();
    }
    advance(ready[random() % ready.size()]);
  }
  --all.running;
  if (outermost) close_memory();
  return Call::finish(all.sticky);
}

cudaError_t queue(cudaStream_t stream, Task task) {
  if (stream->captured) {
    if (!stream->captured->valid) return Call::finish(cudaErrorStreamCaptureInvalidated);
    stream->captured->tasks.push_back(std::move(task));
    return cudaSuccess;
  }
  state().statistics.launches += task.is_kernel ? 1 : 0;
  stream->queue.push_back(std::move(task));
  // A driver's queue is finite, too: whoever fills it waits.
  if (stream->queue.size() > kMostQueued) run_tasks([&] { return stream->queue.size() <= kMostQueued / 2; });
  return cudaSuccess;
}

cudaError_t submit(std::function<void()> task, cudaStream_t stream) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  return queue(stream, {std::move(task), nullptr, false});
}

cudaError_t launch(Launch launch, cudaStream_t stream, const void* kernel) {
  const Call call(cudaErrorLaunchOutOfResources);
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (!is_possible(launch)) return Call::finish(cudaErrorInvalidConfiguration);
  state().statistics.blocks += std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  return queue(stream, {[work = std::move(launch), kernel] {
                          execute(work);
                          note_executed(kernel);
                        },
                        nullptr, true});
}

void set_seed(std::uint64_t seed) { state().random = seed * 0x9E3779B97F4A7C15u | 1; }

}  // namespace simt::runtime

using namespace simt::runtime;

extern "C" {

SIMT_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  state().streams.push_back(*stream = new CUstream_st);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Call call;
  const cudaError_t error = run_tasks([&] { return stream->queue.empty(); });
  std::erase(state().streams, stream);
  delete stream;
  return call.refusal() != cudaSuccess ? call.refusal() : error;
}

SIMT_API cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  ++state().statistics.synchronizations;
  return run_tasks([&] { return stream->queue.empty(); });
}

SIMT_API cudaError_t cudaDeviceSynchronize() {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(nullptr)) return error;
  ++state().statistics.synchronizations;
  return run_tasks([] { return std::ranges::all_of(state().streams, [](const auto* s) { return s->queue.empty(); }); });
}

SIMT_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  *event = new CUevent_st;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Call call;
  delete event;
  return call.refusal();
}

SIMT_API cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  event->mark = std::make_shared<Mark>();
  queue(stream, {[mark = event->mark] { mark->reached = true; }, nullptr, false});
  return cudaSuccess;
}

SIMT_API cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  if (event->mark) queue(stream, {nullptr, event->mark, false});
  return cudaSuccess;
}

SIMT_API cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  ++state().statistics.synchronizations;
  return run_tasks([mark = event->mark] { return !mark || mark->reached || state().sticky != cudaSuccess; });
}

}  // extern "C"
