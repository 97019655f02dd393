// What the monitor keeps of a step's losses: one launch, whose last block writes the ring.

#include <luge/base/detail/dispatch.h>

#include "finish.h"
#include "kernels.h"
#include "launch.h"
#include "summary.cuh"

namespace luge::cuda {

namespace {

/// What a warp makes of a chunk of n losses. Keeps those that are wanted themselves.
template <class T>
__device__ inline Summary summarize_chunk(const T* losses, std::int64_t n, std::int64_t chunk, const Ring& ring,
                                          std::int64_t step) {
  const Summarize reducer;
  const std::int64_t end = (chunk + 1) * kChunk < n ? (chunk + 1) * kChunk : n;
  Summary summary = reducer.identity();
  for (std::int64_t at = chunk * kChunk + WarpTeam::rank() * kRun; at < end; at += kLap)
    for (std::int64_t i = at; i < end && i < at + kRun; ++i) {
      const auto loss = static_cast<double>(losses[i]);
      summary = reducer.include(summary, loss);
      ring.keep(step, i, loss);
    }
  return warp_reduce(summary, reducer);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    record_kernel(const T* losses, std::int64_t n, const Ring ring, unsigned* finished) {
  const std::int64_t step = ring.step(), chunks = divide_up(n, kChunk);
  for (std::int64_t chunk = WarpTeam::first(); chunk < chunks; chunk += WarpTeam::step()) {
    const Summary summary = summarize_chunk(losses, n, chunk, ring, step);
    if (WarpTeam::rank() == 0) ring.partials[chunk] = summary;
  }
  __threadfence_system();  // the rows are for the host
  if (!is_last_block(finished)) return;
  ring.finish(step, n);
  ring.count(step + 1);
}

/// The chunks of several steps, for finish_records_kernel.
template <class T>
__global__ void __launch_bounds__(kThreads)
    summarize_steps_kernel(const T* losses, std::int64_t n, const Ring ring, int steps) {
  const std::int64_t first = ring.step(), chunks = divide_up(n, kChunk);
  for (std::int64_t unit = WarpTeam::first(); unit < steps * chunks; unit += WarpTeam::step()) {
    const std::int64_t step = quick_quotient(unit, chunks), chunk = unit - step * chunks;
    const Summary summary = summarize_chunk(losses + step * n, n, chunk, ring, first + step);
    if (WarpTeam::rank() == 0) ring.partials[step * summary_partials(n) + chunk] = summary;
  }
  __threadfence_system();  // the rows are for the host
}

/// A block for each of several steps, whose chunks are done.
__global__ void __launch_bounds__(kThreads) finish_records_kernel(Ring ring, std::int64_t n, unsigned* finished) {
  const std::int64_t first = ring.step();
  ring.partials += blockIdx.x * summary_partials(n);
  ring.finish(first + blockIdx.x, n);
  if (is_last_block(finished)) ring.count(first + gridDim.x);
}

Ring ring_of(const Record& call, void* partials) {
  return {call.ring, call.rows, call.kept, call.capacity, call.counter, static_cast<Summary*>(partials)};
}

template <class T>
void record(const Context& context, const Record& call) {
  const Scratch partials(context, summary_partials(call.n) * static_cast<std::int64_t>(sizeof(Summary)));
  launch(context, record_kernel<T>, grid_stride(context, divide_up(call.n, kChunk), kWarps),
         static_cast<const T*>(call.losses.data), call.n, ring_of(call, partials.as<Summary>()),
         context.gpu().finished_blocks());
}

}  // namespace

void run(const Context& context, const Record& call) {
  with_floating(call.losses.dtype, [&]<class T>() { return record<T>(context, call); });
}

void record_steps(const Context& context, const Record& call, const void* losses, void* partials, int steps) {
  with_floating(call.losses.dtype, [&]<class T>() {
    launch(context, summarize_steps_kernel<T>, grid_stride(context, steps * divide_up(call.n, kChunk), kWarps),
           static_cast<const T*>(losses), call.n, ring_of(call, partials), steps);
  });
  finish_records(context, call, partials, steps);
}

void finish_records(const Context& context, const Record& call, void* partials, int steps) {
  launch(context, finish_records_kernel, Grid{steps}, ring_of(call, partials), call.n, context.gpu().finished_blocks());
}

}  // namespace luge::cuda
