#pragma once
// The order of a reduction. Whatever the layout, the elements of one output are combined in the same tree,
// which their number alone determines:
//   chunks of kChunk elements are reduced by themselves; if there are several, their states are
//   reduced in turn, as if they were elements;
//   within a chunk, runs of kRun neighbours are dealt to 32 lanes in turn; a lane includes what it was
//   dealt in order, and the lanes are merged pairwise, neighbours first.

#include <cstdint>

#include "blocks.cuh"
#include "index.cuh"
#include "reducers.cuh"

namespace luge::cuda {

inline constexpr int kRun = 4;
inline constexpr int kLap = kRun * kWarp;  ///< elements dealt in one round
inline constexpr int kChunk = 8 * kLap;

/// The states of the chunks, output after output.
template <class R>
struct Partials {
  using Value = typename R::State;

  const Value* data;
  std::int64_t count;

  static constexpr int kRunsAtOnce = sizeof(Value) > 16 ? 1 : 2;  // more would take the registers of the rest
  struct Run {
    Value values[kRun];
  };
  static constexpr bool aligned = true;

  __device__ const Value* row(std::int64_t output) const { return data + output * count; }
  template <bool>
  __device__ Run load_run(const Value* row, std::int64_t position, int) const {
    Run run;
#pragma unroll
    for (int i = 0; i < kRun; ++i) run.values[i] = row[position + i];
    return run;
  }
  __device__ Value load(const Value* row, std::int64_t position) const { return row[position]; }
  __device__ Value include(const R& reducer, const Value& state, const Value& other, std::int64_t) const {
    return reducer.merge(state, other);
  }
};

/// Where the state of a chunk goes: to the partials, or, finished, to the output.
template <class R, class Where = Walk<1>>
struct Target {
  typename R::State* partials;  ///< null: there is one chunk
  typename R::Result* out;
  Where walk;
  bool accumulate;
  std::int64_t elements;  ///< per output, all in all

  __device__ void finish(const R& reducer, std::int64_t output, const typename R::State& state) const {
    typename R::Result* const place = out + walk.offset(output);
    const typename R::Result result = reducer.finish(state, elements);
    if constexpr (kFloating<typename R::Result>)
      *place = accumulate ? *place + result : result;
    else
      *place = result;
  }
  __device__ void write(const R& reducer, std::int64_t output, std::int64_t chunk, std::int64_t chunks,
                        const typename R::State& state) const {
    if (partials)
      partials[output * chunks + chunk] = state;
    else
      finish(reducer, output, state);
  }
};

/// What a lane makes of its whole runs of a chunk.
template <bool at_once, class R, class Input>
__device__ inline typename R::State include_runs(const R& reducer, const Input& input, const typename Input::Value* row,
                                                 std::int64_t begin, int runs) {
  using Run = typename Input::Run;
  constexpr int n = at_once ? Input::kRunsAtOnce : divide_up(Input::kRunsAtOnce, 4);
  typename R::State state = reducer.identity();
#pragma unroll 1
  for (int first = WarpTeam::rank(); first < runs; first += n * kWarp) {
    Run loaded[n];
#pragma unroll
    for (int l = 0; l < n; ++l)
      if (first + l * kWarp < runs)
        loaded[l] = input.template load_run<at_once>(row, begin + (first + l * kWarp) * kRun, kRun);
#pragma unroll
    for (int l = 0; l < n; ++l) {
      if (first + l * kWarp >= runs) break;
#pragma unroll
      for (int i = 0; i < kRun; ++i)
        state = input.include(reducer, state, loaded[l].values[i], begin + (first + l * kWarp) * kRun + i);
    }
  }
  return state;
}

/// The state of one chunk, by a warp; every lane gets it.
template <int size = kChunk, class R, class Input>
__device__ inline typename R::State reduce_chunk(const R& reducer, const Input& input, const typename Input::Value* row,
                                                 std::int64_t chunk) {
  const std::int64_t begin = chunk * size;
  const int count = input.count - begin < size ? static_cast<int>(input.count - begin) : size;
  const int runs = count / kRun;
  typename R::State state = input.aligned ? include_runs<true>(reducer, input, row, begin, runs)
                                        : include_runs<false>(reducer, input, row, begin, runs);
  if (WarpTeam::rank() == runs % kWarp) {  // the lane that is dealt what is less than a run
#pragma unroll 1
    for (std::int64_t at = begin + runs * kRun; at < begin + count; ++at)
      state = input.include(reducer, state, input.load(row, at), at);
  }
  return warp_reduce(state, reducer);
}

/// Reduces the states of `count` chunks (1 or more) of one output to one, by a block, whose threads all call it
/// and all get the result. `more` has room for the states of as many chunks as `count` makes.
template <class R>
__device__ inline typename R::State reduce_partials_in_block(const R& reducer, typename R::State* partials,
                                                             typename R::State* more, std::int64_t count) {
  while (count > 1) {
    const Partials<R> input{partials, count};
    const std::int64_t chunks = divide_up(count, kChunk);
    for (std::int64_t chunk = threadIdx.x / kWarp; chunk < chunks; chunk += kWarps) {
      const typename R::State state = reduce_chunk(reducer, input, input.row(0), chunk);
      if (WarpTeam::rank() == 0) more[chunk] = state;
    }
    __syncthreads();
    typename R::State* const free = partials;
    partials = more;
    more = free;
    count = chunks;
  }
  return partials[0];
}

// ---- the end of a kernel that has left partials -------------------------------------------------

/// The units, chunks of one output after another, that a block's warps take in turns: neighbours, so that few blocks
/// have part in one output.
struct Share {
  std::int64_t begin, end;
};

__device__ inline Share block_share(std::int64_t units, std::int64_t size) {
  const std::int64_t begin = blockIdx.x * size;
  return {begin < units ? begin : units, begin + size < units ? begin + size : units};
}

/// Calls finish(group) for each group of `size` neighbouring units as soon as all of these are done, by a warp of
/// whichever block is last to have part in it; at most kChunk units are a group. To be called by all threads of every
/// block when its share of the units, `share_size` of them, is done. `counters`: a zero for each block of the grid; zeros
/// again afterwards.
template <class Finish>
__device__ inline void finish_groups(unsigned* counters, std::int64_t units, std::int64_t share_size, std::int64_t size,
                                     const Finish& finish) {
  const Share share = block_share(units, share_size);
  __threadfence();
  __syncthreads();
  if (share.begin == share.end) return;
  const std::int64_t last = quick_quotient(share.end - 1, size);
  for (std::int64_t group = quick_quotient(share.begin, size) + threadIdx.x / kWarp; group <= last; group += kWarps) {
    const std::int64_t begin = group * size, end = begin + size < units ? begin + size : units;
    const std::int64_t from = begin > share.begin ? begin : share.begin, to = end < share.end ? end : share.end;
    if (to - from < end - begin) {
      // Of the groups that begin in a block only the last goes beyond it: one counter a block is enough.
      unsigned* const counter = counters + quick_quotient(begin, share_size);
      const auto all = static_cast<unsigned>(end - begin), own = static_cast<unsigned>(to - from);
      unsigned done = 0;
      if (WarpTeam::rank() == 0) {
        done = atomicAdd(counter, own) + own;
        if (done == all) atomicExch(counter, 0u);
      }
      if (__shfl_sync(kWholeWarp, done, 0) != all) continue;
      __threadfence();
    }
    finish(group);
  }
}

/// How many states a total of so many chunks needs room for: those of the chunks, and of their groups.
constexpr std::int64_t total_partials(std::int64_t chunks) { return chunks + divide_up(chunks, kChunk); }

/// Of a total: group number `group` of kChunk chunks, by a warp, for finish_groups.
template <class R>
__device__ inline void reduce_group(const R& reducer, typename R::State* partials, std::int64_t chunks,
                                    std::int64_t group) {
  const Partials<R> input{partials, chunks};
  const typename R::State state = reduce_chunk(reducer, input, input.row(0), group);
  if (WarpTeam::rank() == 0) partials[chunks + group] = state;
}

/// Of a total: what is left, by all threads of the last block. The groups are reduced, if there are several.
template <class R>
__device__ inline typename R::State reduce_rest(const R& reducer, typename R::State* partials, std::int64_t chunks) {
  typename R::State* const groups = partials + chunks;
  return chunks > kChunk ? reduce_partials_in_block(reducer, groups, partials, divide_up(chunks, kChunk))
                         : reduce_partials_in_block(reducer, partials, groups, chunks);
}

}  // namespace luge::cuda
