#pragma once
// What every generated kernel (fused/) consists of beside the formulas of its chain: how warps walk over the
// elements, and in which order their sums are made, that of tree.cuh.

#include <cstdint>

#include "packs.cuh"
#include "rules.cuh"
#include "summary.cuh"
#include "tree.cuh"

namespace luge::cuda {

namespace formula = math::scalar;

/// That a kernel for many steps takes at once; there are partials of the losses for each of them.
inline constexpr int kMostSteps = 32;

/// The elements of a chain in rows that are reduced, each in chunks.
struct ChainSpace {
  std::int64_t rows, length, chunks;
  int lanes;  ///< that share a row: a power of two; less than a warp only where one lap is all of a row
};

/// How a warp comes by the elements: lane by lane in runs of kRun neighbours. Every lane of a warp takes the same
/// turns.
template <int chunk_size>
class ChainWalk {
 public:
  __device__ explicit ChainWalk(const ChainSpace& space)
      : space_(space), unit_(WarpTeam::first()), rows_at_once_(kWarp / space.lanes) {
    enter();
  }

  __device__ bool inside() const {
    return unit_ < (space_.chunks == 1 ? divide_up(space_.rows, rows_at_once_) : space_.rows * space_.chunks);
  }
  __device__ void advance() {
    unit_ += WarpTeam::step();
    enter();
  }
  __device__ std::int64_t row() const { return row_; }
  __device__ std::int64_t chunk() const { return chunk_; }
  /// This lane's runs within the row.
  __device__ std::int64_t begin() const { return chunk_ * chunk_size + lane() * kRun; }
  __device__ std::int64_t end() const {
    if (row_ >= space_.rows) return 0;
    const std::int64_t end = (chunk_ + 1) * chunk_size;
    return end < space_.length ? end : space_.length;
  }
  __device__ std::int64_t step() const { return std::int64_t{kRun} * space_.lanes; }

  /// Merges the states of the lanes that share a row.
  template <class State, class Reducer>
  __device__ State reduce(State state, const Reducer& reducer) const {
    for (int distance = 1; distance < space_.lanes; distance *= 2)
      state = reducer.merge(state, shuffle_xor(state, distance));
    return state;
  }
  /// The lane that writes what they made.
  __device__ bool leads() const { return lane() == 0 && row_ < space_.rows; }

 private:
  __device__ int lane() const { return WarpTeam::rank() & (space_.lanes - 1); }
  __device__ void enter() {
    row_ = space_.chunks == 1 ? unit_ * rows_at_once_ + WarpTeam::rank() / space_.lanes
                              : quick_quotient(unit_, space_.chunks);
    chunk_ = space_.chunks == 1 ? 0 : unit_ - row_ * space_.chunks;
  }

  const ChainSpace& space_;
  std::int64_t unit_, row_ = 0, chunk_ = 0;
  int rows_at_once_;
};

/// One parameter's part of an optimizer step.
template <class Rule>
struct ChainUpdate {
  Rule rule;
  std::int64_t* steps;
  std::int64_t per_set;

  /// What is derived from the step count for set 0, by one thread for its block: the powers are dear. To be called
  /// by all threads.
  __device__ typename Rule::Biases biases(std::int64_t taken) const {
    LUGE_SHARED(typename Rule::Biases, shared, 1);
    __syncthreads();  // `shared` may still be read on behalf of the call before
    if (threadIdx.x == 0) shared[0] = rule.biases(0, taken);
    __syncthreads();
    return shared[0];
  }
  /// The same for `count` steps from `taken` on, each by a thread of the block. The caller waits for them.
  __device__ void fill_biases(typename Rule::Biases* filled, std::int64_t taken, int count) const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) filled[i] = rule.biases(0, taken + i);
  }
  /// The set of an element.
  __device__ std::int64_t set(std::int64_t position) const {
    return per_set == 1 ? position : quick_quotient(position, per_set);
  }
};

/// A total of several chunks, by all threads of the last block. `chunks` partials, then room for those that they
/// make.
template <class R>
__device__ inline void finish_total(const R& reducer, Target<R> target, std::int64_t chunks) {
  const typename R::State state = reduce_partials_in_block(reducer, target.partials, target.partials + chunks, chunks);
  target.partials = nullptr;
  if (threadIdx.x == 0) target.write(reducer, 0, 0, 1, state);
}

}  // namespace luge::cuda
