#pragma once
// What the threads of a warp or a block do together.

#include <cstdint>
#include <cstring>

#include "block_size.h"
#include "device.h"

namespace luge::cuda {

inline constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

/// Exchanges any state of whole 32-bit words between lanes.
template <class State>
__device__ inline State shuffle_xor(const State& state, int lane_mask) {
  static_assert(sizeof(State) % sizeof(unsigned) == 0);
  unsigned words[sizeof(State) / sizeof(unsigned)];
  memcpy(words, &state, sizeof(State));
#pragma unroll
  for (unsigned& word : words) word = __shfl_xor_sync(kWholeWarp, word, lane_mask);
  State result;
  memcpy(&result, words, sizeof(State));
  return result;
}

/// Merges the states of all 32 lanes, neighbours first; every lane gets the result, and the same bits,
/// because every merge here is commutative.
template <class State, class Reducer>
__device__ inline State warp_reduce(State state, const Reducer& reducer) {
#pragma unroll
  for (int distance = 1; distance < kWarp; distance *= 2) state = reducer.merge(state, shuffle_xor(state, distance));
  return state;
}

/// The same for a block of kThreads. To be called by all of its threads; all get the result, or those of the first warp.
template <bool everywhere = true, class State, class Reducer>
__device__ inline State block_reduce(State state, const Reducer& reducer) {
  LUGE_SHARED(State, warps, kWarps);
  state = warp_reduce(state, reducer);
  __syncthreads();  // `warps` may still be read on behalf of the call before
  if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = state;
  __syncthreads();
  if (!everywhere && threadIdx.x >= kWarp) return state;
  state = warps[0];
  for (int warp = 1; warp < kWarps; ++warp) state = reducer.merge(state, warps[warp]);
  return state;
}

/// The threads that share a row: a warp, which suits short rows, or a whole block.
struct WarpTeam {
  static constexpr int kSize = kWarp;
  static constexpr int kPerBlock = kWarps;
  __device__ static int rank() { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ static std::int64_t first() {
    return static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  }
  __device__ static std::int64_t step() { return static_cast<std::int64_t>(gridDim.x) * kWarps; }
  /// Known to all of the team or, not `everywhere`, to its first warp at least.
  template <bool everywhere, class State, class Reducer>
  __device__ static State reduce(State state, const Reducer& reducer) {
    return warp_reduce(state, reducer);
  }
};

struct BlockTeam {
  static constexpr int kSize = kThreads;
  static constexpr int kPerBlock = 1;
  __device__ static int rank() { return static_cast<int>(threadIdx.x); }
  __device__ static std::int64_t first() { return blockIdx.x; }
  __device__ static std::int64_t step() { return gridDim.x; }
  template <bool everywhere, class State, class Reducer>
  __device__ static State reduce(State state, const Reducer& reducer) {
    return block_reduce<everywhere>(state, reducer);
  }
};

/// This thread's number in the grid, and how many there are.
__device__ inline std::int64_t grid_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_threads() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

/// True, for all its threads, in the block that gets here last; what the others wrote before is then
/// visible to it. To be called once per launch by all threads; `finished` is zero before and after.
__device__ inline bool is_last_block(unsigned* finished) {
  LUGE_SHARED(unsigned, last, 1);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last[0] = atomicAdd(finished, 1u) == gridDim.x - 1 ? 1u : 0u;
    if (last[0] != 0) atomicExch(finished, 0u);
  }
  __syncthreads();
  if (last[0] == 0) return false;
  __threadfence();
  return true;
}

}  // namespace luge::cuda
