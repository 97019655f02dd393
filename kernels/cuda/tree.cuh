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
  const typename R::State* data;
  std::int64_t count;

  struct Row {
    const typename R::State* data;
  };
  __device__ Row row(std::int64_t output) const { return {data + output * count}; }
  __device__ typename R::State include_run(const R& reducer, typename R::State state, const Row& row,
                                           std::int64_t position, int length) const {
    for (int i = 0; i < length; ++i) state = reducer.merge(state, row.data[position + i]);
    return state;
  }
};

/// Where the state of a chunk goes: to the partials, or, finished, to the output.
template <class R>
struct Target {
  typename R::State* partials;  ///< null: there is one chunk
  typename R::Result* out;
  Walk<1> walk;
  bool accumulate;
  std::int64_t elements;  ///< per output, all in all

  __device__ void write(const R& reducer, std::int64_t output, std::int64_t chunk, std::int64_t chunks,
                        const typename R::State& state) const {
    if (partials) {
      partials[output * chunks + chunk] = state;
      return;
    }
    typename R::Result* const place = out + walk.offset(output);
    const typename R::Result result = reducer.finish(state, elements);
    if constexpr (kFloating<typename R::Result>)
      *place = accumulate ? *place + result : result;
    else
      *place = result;
  }
};

/// The state of one chunk, by a warp; every lane gets it.
template <class R, class Input>
__device__ inline typename R::State reduce_chunk(const R& reducer, const Input& input, const typename Input::Row& row,
                                                 std::int64_t chunk) {
  const std::int64_t end = (chunk + 1) * kChunk < input.count ? (chunk + 1) * kChunk : input.count;
  typename R::State state = reducer.identity();
#pragma unroll 1
  for (std::int64_t at = chunk * kChunk + WarpTeam::rank() * kRun; at < end; at += kLap)
    state = input.include_run(reducer, state, row, at, end - at < kRun ? static_cast<int>(end - at) : kRun);
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

}  // namespace luge::cuda
