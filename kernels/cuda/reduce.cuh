#pragma once
// Reductions. Three kernels walk the tree of tree.cuh: a warp per chunk (rows), a thread per lane group with neighbouring
// outputs side by side (columns), and a thread per output where there are few elements.

#include <cstdint>

#include "blocks.cuh"
#include "launch.h"
#include "reducers.cuh"
#include "tree.cuh"
#include "walk.cuh"

namespace luge::cuda {

inline constexpr int kFew = 32;                         ///< elements that one thread reduces alone
inline constexpr int kLanesPerThread = kWarp / kWarps;  ///< in the columns kernel

/// The elements as they lie in memory.
template <class R>
struct Elements {
  const typename R::Value* data;
  Walk<1> kept, reduced;
  std::int64_t count;  ///< per output
  bool packed;         ///< the reduced elements are neighbours in memory

  struct Row {
    const typename R::Value* data;
    bool aligned;
  };
  __device__ Row row(std::int64_t output) const {
    const typename R::Value* const start = data + kept.offset(output);
    return {start, packed && reinterpret_cast<std::uintptr_t>(start) % kRunAlignment == 0};
  }
  /// The run of up to kRun elements that starts at `position`.
  __device__ typename R::State include_run(const R& reducer, typename R::State state, const Row& row,
                                           std::int64_t position, int length) const {
    if (!row.aligned && reduced.ndim > 1) {
#pragma unroll 1
      for (int i = 0; i < length; ++i)
        state = reducer.include(state, row.data[reduced.offset(position + i)], position + i);
      return state;
    }
    typename R::Value values[kRun] = {};
    if (row.aligned && length == kRun) {
      const Run run = *reinterpret_cast<const Run*>(row.data + position);
#pragma unroll
      for (int i = 0; i < kRun; ++i) values[i] = run.values[i];
    } else {
#pragma unroll
      for (int i = 0; i < kRun; ++i)
        if (i < length) values[i] = row.data[(position + i) * reduced.strides[0][0]];
    }
#pragma unroll
    for (int i = 0; i < kRun; ++i)
      if (i < length) state = reducer.include(state, values[i], position + i);
    return state;
  }

 private:
  static constexpr std::size_t kRunAlignment =
      sizeof(typename R::Value) * kRun < 16 ? sizeof(typename R::Value) * kRun : 16;
  struct alignas(kRunAlignment) Run {
    typename R::Value values[kRun];
  };
};

// ---- kernels ------------------------------------------------------------------------------------

/// A warp per chunk.
template <class R, class Input>
__global__ void __launch_bounds__(kThreads)
    reduce_rows_kernel(const R reducer, const Input input, const Target<R> target, std::int64_t outputs,
                       std::int64_t chunks) {
  const int lane = WarpTeam::rank();
  for (std::int64_t unit = WarpTeam::first(); unit < outputs * chunks; unit += WarpTeam::step()) {
    const std::int64_t output = chunks == 1 ? unit : quick_quotient(unit, chunks);
    const std::int64_t chunk = unit - output * chunks;
    const typename R::State state = reduce_chunk(reducer, input, input.row(output), chunk);
    if (lane == 0) target.write(reducer, output, chunk, chunks, state);
  }
}

/// 32 neighbouring outputs per block, one per thread of a warp; each of the kWarps warps plays
/// kLanesPerThread neighbouring lanes of the tree.
template <class R>
__global__ void __launch_bounds__(kThreads)
    reduce_columns_kernel(const R reducer, const Elements<R> input, const Target<R> target, std::int64_t outputs,
                          std::int64_t chunks) {
  static_assert(kLanesPerThread == 4 && kWarps == 8, "the merges below are written out for these");
  LUGE_SHARED(typename R::State, lanes, kThreads);
  const int column = static_cast<int>(threadIdx.x) % kWarp, group = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t tiles = divide_up(outputs, kWarp);
  for (std::int64_t unit = blockIdx.x; unit < tiles * chunks; unit += gridDim.x) {
    const std::int64_t tile = quick_quotient(unit, chunks), chunk = unit - tile * chunks;
    const std::int64_t output = tile * kWarp + column;
    const std::int64_t end = (chunk + 1) * kChunk < input.count ? (chunk + 1) * kChunk : input.count;
    typename R::State state[kLanesPerThread];
#pragma unroll
    for (int j = 0; j < kLanesPerThread; ++j) state[j] = reducer.identity();
    if (output < outputs) {
      const auto row = input.row(output);
#pragma unroll 1
      for (std::int64_t lap = chunk * kChunk; lap < end; lap += kLap) {
#pragma unroll
        for (int j = 0; j < kLanesPerThread; ++j) {
          const std::int64_t at = lap + (group * kLanesPerThread + j) * kRun;
          if (at < end)
            state[j] =
                input.include_run(reducer, state[j], row, at, end - at < kRun ? static_cast<int>(end - at) : kRun);
        }
      }
    }
    lanes[threadIdx.x] = reducer.merge(reducer.merge(state[0], state[1]), reducer.merge(state[2], state[3]));
    __syncthreads();
    if (group == 0 && output < outputs) {
      const auto pair = [&](int first) {
        return reducer.merge(lanes[first * kWarp + column], lanes[(first + 1) * kWarp + column]);
      };
      target.write(reducer, output, chunk, chunks,
                   reducer.merge(reducer.merge(pair(0), pair(2)), reducer.merge(pair(4), pair(6))));
    }
    __syncthreads();
  }
}

/// A thread per output, for up to kFew elements: it plays lane after lane, and merges as soon as both
/// sides are there.
template <class R>
__global__ void __launch_bounds__(kThreads)
    reduce_few_kernel(const R reducer, const Elements<R> input, const Target<R> target, std::int64_t outputs) {
  static_assert(kFew == 8 * kRun, "the merges below are written out for eight lanes");
  const int count = static_cast<int>(input.count);
  const int lanes = count <= kRun ? 1 : count <= 2 * kRun ? 2 : count <= 4 * kRun ? 4 : 8;
  for (std::int64_t output = grid_thread(); output < outputs; output += grid_threads()) {
    const auto row = input.row(output);
    typename R::State one = reducer.identity(), two = one, four = one, state = one;
#pragma unroll 1
    for (int lane = 0; lane < lanes; ++lane) {
      const int left = count - lane * kRun;
      state = reducer.identity();
      if (left > 0) state = input.include_run(reducer, state, row, lane * kRun, left < kRun ? left : kRun);
      if (lane & 1)
        state = reducer.merge(one, state);
      else
        one = state;
      if ((lane & 3) == 3)
        state = reducer.merge(two, state);
      else if (lane & 1)
        two = state;
      if (lane == 7)
        state = reducer.merge(four, state);
      else if (lane == 3)
        four = state;
    }
    target.write(reducer, output, 0, 1, state);
  }
}

// ---- launch -------------------------------------------------------------------------------------

/// Whether neighbouring outputs lie closer together than neighbouring elements of one output.
inline bool outputs_are_closer(const Reduce& call, int kept) {
  if (kept == 0) return false;
  const auto stride = [&](int dim) { return std::abs(call.in.strides[static_cast<std::size_t>(dim)]); };
  return stride(kept - 1) < stride(call.extent.ndim - 1) && call.extent.sizes[static_cast<std::size_t>(kept - 1)] >= 8;
}

/// Reduces the chunks' states until one per output is left, and finishes it.
template <class R>
void reduce_partials(const Context& context, const R& reducer, const typename R::State* partials, std::int64_t outputs,
                     std::int64_t count, Target<R> target) {
  const std::int64_t chunks = divide_up(count, kChunk);
  const Scratch next(context, chunks > 1 ? outputs * chunks * static_cast<std::int64_t>(sizeof(typename R::State)) : 0);
  target.partials = next.as<typename R::State>();
  const Partials<R> input{partials, count};
  launch(context, reduce_rows_kernel<R, Partials<R>>, grid_stride(context, outputs * chunks, kWarps), reducer, input,
         target, outputs, chunks);
  if (chunks > 1) reduce_partials(context, reducer, target.partials, outputs, chunks, target);
}

/// Where a call's results go; no partials yet.
template <class R>
Target<R> target_of(const Reduce& call) {
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  const auto sizes = dims(call.extent);
  Target<R> target{};
  target.out = static_cast<typename R::Result*>(call.out.data);
  target.walk = make_walk<1>(sizes.first(kept), {call.out.strides.data()});
  target.accumulate = call.store == Store::Accumulate;
  target.elements = 1;
  for (const std::int64_t size : sizes.subspan(kept)) target.elements *= size;
  return target;
}

template <class R>
void reduce(const Context& context, const Reduce& call) {
  const R reducer;
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  const auto sizes = dims(call.extent);
  Elements<R> input;
  input.data = static_cast<const typename R::Value*>(call.in.data);
  input.kept = make_walk<1>(sizes.first(kept), {call.in.strides.data()});
  input.reduced = make_walk<1>(sizes.subspan(kept), {call.in.strides.data() + kept});
  input.count = input.reduced.count;
  input.packed = call.reduced == 0 || (call.reduced == 1 && call.in.strides[kept] == 1);
  const std::int64_t outputs = input.kept.count, chunks = divide_up(input.count, kChunk);

  const Scratch partials(context,
                         chunks > 1 ? outputs * chunks * static_cast<std::int64_t>(sizeof(typename R::State)) : 0);
  Target<R> target = target_of<R>(call);
  target.partials = partials.as<typename R::State>();

  if (input.count <= kFew)
    launch(context, reduce_few_kernel<R>, grid_stride(context, outputs, kThreads), reducer, input, target, outputs);
  else if (outputs_are_closer(call, static_cast<int>(kept)))
    launch(context, reduce_columns_kernel<R>, grid_stride(context, divide_up(outputs, kWarp) * chunks, 1), reducer,
           input, target, outputs, chunks);
  else
    launch(context, reduce_rows_kernel<R, Elements<R>>, grid_stride(context, outputs * chunks, kWarps), reducer, input,
           target, outputs, chunks);
  if (chunks > 1) reduce_partials(context, reducer, target.partials, outputs, chunks, target);
}

}  // namespace luge::cuda
