// What the monitor keeps of a step's losses: one launch, whose last block writes the ring.

#include <luge/base/detail/dispatch.h>

#include "finish.h"
#include "kernels.h"
#include "launch.h"
#include "packs.cuh"
#include "summary.cuh"

namespace luge::cuda {

namespace {

/// The losses of a step, as reduce_chunk takes them. Keeps those that are wanted themselves.
template <class T>
struct Losses {
  using Value = T;

  const T* data;
  std::int64_t count;
  bool aligned;  ///< four may be loaded at once
  const Ring& ring;
  std::int64_t step;

  static constexpr int kRunsAtOnce = sizeof(T) == 8 ? 2 : 4;
  using Run = Pack<T, kRun>;

  template <bool at_once>
  __device__ Run load_run(const T* row, std::int64_t position, int) const {
    return cuda::load<kRun>(Source<T>{row, T{}, at_once ? Access::Packed : Access::Single}, position, kRun);
  }
  __device__ T load(const T* row, std::int64_t position) const { return row[position]; }
  __device__ Summary include(const Summarize& reducer, const Summary& summary, T x, std::int64_t position) const {
    const auto loss = static_cast<double>(x);
    ring.keep(step, position, loss);
    return reducer.include(summary, loss);
  }
};

/// What a warp makes of a chunk of n losses.
template <class T>
__device__ inline Summary summarize_chunk(const T* losses, std::int64_t n, std::int64_t chunk, const Ring& ring,
                                          std::int64_t step) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(losses) % alignof(Pack<T, kRun>) == 0;
  return reduce_chunk(Summarize{}, Losses<T>{losses, n, aligned, ring, step}, losses, chunk);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    record_kernel(const T* losses, std::int64_t n, const Ring ring, std::int64_t share_size, unsigned* finished) {
  const std::int64_t step = ring.step(), chunks = divide_up(n, kChunk);
  const Share share = block_share(chunks, share_size);
  for (std::int64_t chunk = share.begin + threadIdx.x / kWarp; chunk < share.end; chunk += kWarps) {
    const Summary summary = summarize_chunk(losses, n, chunk, ring, step);
    if (WarpTeam::rank() == 0) ring.partials[chunk] = summary;
  }
  __threadfence_system();  // the rows are for the host
  if (chunks > kChunk)
    finish_groups(finished + 1, chunks, share_size, kChunk,
                  [&](std::int64_t group) { reduce_group(Summarize{}, ring.partials, chunks, group); });
  if (!is_last_block(finished)) return;
  ring.finish(step, n);
  ring.count(step + 1);
}

/// The chunks of several steps, for reduce_groups_kernel.
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

/// The groups of several steps' chunks, which are done: a warp for each, for finish_records_kernel.
__global__ void __launch_bounds__(kThreads) reduce_groups_kernel(Summary* partials, std::int64_t n, int steps) {
  const std::int64_t chunks = divide_up(n, kChunk), groups = divide_up(chunks, kChunk);
  for (std::int64_t unit = WarpTeam::first(); unit < steps * groups; unit += WarpTeam::step()) {
    const std::int64_t step = quick_quotient(unit, groups);
    reduce_group(Summarize{}, partials + step * summary_partials(n), chunks, unit - step * groups);
  }
}

/// A block for each of several steps, whose groups are done.
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
  const std::int64_t chunks = divide_up(call.n, kChunk);
  const Grid grid = resident_grid(context, record_kernel<T>, divide_up(chunks, kWarps));
  launch(context, record_kernel<T>, grid, static_cast<const T*>(call.losses.data), call.n,
         ring_of(call, partials.as<Summary>()), share_size(chunks, grid.blocks), context.gpu().finished_blocks());
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
  const std::int64_t chunks = divide_up(call.n, kChunk);
  if (chunks > kChunk)
    launch(context, reduce_groups_kernel, grid_stride(context, steps * divide_up(chunks, kChunk), kWarps),
           static_cast<Summary*>(partials), call.n, steps);
  launch(context, finish_records_kernel, Grid{steps}, ring_of(call, partials), call.n, context.gpu().finished_blocks());
}

}  // namespace luge::cuda
