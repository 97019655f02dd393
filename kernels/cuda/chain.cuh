#pragma once
// What every generated kernel (fused/) consists of beside the formulas of its chain: how warps walk over the
// elements, and in which order their sums are made, that of tree.cuh.

#include <cstdint>

#include "index.cuh"
#include "packs.cuh"
#include "rules.cuh"
#include "summary.cuh"
#include "tree.cuh"

namespace luge::cuda {

namespace formula = math::scalar;

/// That a kernel for many steps takes at once; there are partials of the losses for each of them.
inline constexpr int kMostSteps = 32;

/// Where an element of memory is that is not contiguous. Out of line, for kernels whose body is repeated for each
/// element that a lane holds: there it would be most of the code (723 KB of sm_90's for 32 float64 elements with
/// momentum, against 236, and 15 s of NVRTC against 3).
__attribute__((noinline)) __device__ inline std::int64_t far_offset(const Walk<1>& walk, std::int64_t position) {
  return walk.offset(position);
}

/// The elements of a chain in rows that are reduced, each in chunks.
struct ChainSpace {
  std::int64_t rows, length, chunks;
  int lanes;               ///< that share a row: a power of two; less than a warp only where one lap is all of a row
  std::int64_t share = 0;  ///< of a warp's turns that a block has (share_size); known at launch
};

/// A lane's place among the elements: a chunk of a row, of which it takes runs of kRun neighbours.
template <int chunk_size>
class ChainPlace {
 public:
  __device__ explicit ChainPlace(const ChainSpace& space) : space_(space) {}

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

 protected:
  const ChainSpace& space_;
  std::int64_t row_ = 0, chunk_ = 0;

 private:
  __device__ int lane() const { return WarpTeam::rank() & (space_.lanes - 1); }
};

/// How a warp comes by the elements. Every lane of a warp takes the same turns.
template <int chunk_size>
class ChainWalk : public ChainPlace<chunk_size> {
 public:
  __device__ explicit ChainWalk(const ChainSpace& space)
      : ChainPlace<chunk_size>(space),
        unit_(blockIdx.x * space.share + threadIdx.x / kWarp),
        rows_at_once_(kWarp / space.lanes) {
    enter();
  }

  __device__ bool inside() const {
    const ChainSpace& space = this->space_;
    const std::int64_t units = space.chunks == 1 ? divide_up(space.rows, rows_at_once_) : space.rows * space.chunks;
    return unit_ < block_share(units, space.share).end;
  }
  __device__ void advance() {
    unit_ += kWarps;
    enter();
  }

 private:
  __device__ void enter() {
    const std::int64_t chunks = this->space_.chunks;
    this->row_ = chunks == 1 ? unit_ * rows_at_once_ + WarpTeam::rank() / this->space_.lanes
                             : quick_quotient(unit_, chunks);
    this->chunk_ = chunks == 1 ? 0 : unit_ - this->row_ * chunks;
  }

  std::int64_t unit_;
  int rows_at_once_;
};

/// Parameter sets, of which each has as many lanes of a warp: a power of two.
struct SetSpace {
  std::int64_t sets;
  int lanes;
};

/// How warps come by sets. Every lane of a warp takes the same turns.
class SetWalk {
 public:
  __device__ explicit SetWalk(const SetSpace& space)
      : space_(space), at_once_(kWarp / space.lanes), first_(WarpTeam::first() * at_once_) {}

  __device__ bool inside() const { return first_ < space_.sets; }
  __device__ void advance() { first_ += WarpTeam::step() * at_once_; }
  /// This lane's set; the last warp has lanes without one, behind all sets.
  __device__ std::int64_t set() const { return first_ + WarpTeam::rank() / space_.lanes; }

 private:
  const SetSpace& space_;
  int at_once_;
  std::int64_t first_;
};

/// How the elements of sets lie in memory: a set's in rows of `columns`.
struct SetWindow {
  std::int64_t set, row, column;  ///< strides
  int columns;
  Divider divide;                 ///< by `columns`

  /// Element i of a set; fewer than 2^31.
  __device__ std::int64_t offset(std::int64_t of_set, int i) const {
    const auto at = static_cast<int>(divide.quotient(static_cast<unsigned>(i)));
    return of_set * set + at * row + (i - at * columns) * column;
  }
};

/// Where the sums over rows go.
template <class R>
struct SetTarget {
  typename R::Result* out;
  SetWindow window;  ///< on the rows
  bool accumulate;

  __device__ void write(const R& reducer, std::int64_t set, int row, std::int64_t elements, double state) const {
    typename R::Result* const place = out + window.offset(set, row);
    const typename R::Result result = reducer.finish(state, elements);
    *place = accumulate ? *place + result : result;
  }
};

/// The rows that a chain has in each set, which are no longer than a chunk; one by one.
class SetRows : public ChainPlace<kChunk> {
 public:
  __device__ SetRows(const SetWalk& walk, const ChainSpace& space, int rows)
      : ChainPlace(space), set_(walk.set()), rows_(rows) {
    row_ = set_ * rows;
  }

  __device__ bool inside() const { return row_ < (set_ + 1) * rows_; }
  __device__ void advance() { ++row_; }
  __device__ std::int64_t set() const { return set_; }
  /// The row within the set.
  __device__ int number() const { return static_cast<int>(row_ - set_ * rows_); }

 private:
  std::int64_t set_;
  int rows_;
};

/// One parameter's part of an optimizer step.
template <class Rule>
struct ChainUpdate {
  Rule rule;
  std::int64_t* steps;
  std::int64_t per_set;

  /// Set 0's numbers that count steps, by one thread for its block: the powers are dear. To be called by all threads.
  __device__ typename Rule::AtStep step_numbers(std::int64_t taken) const {
    LUGE_SHARED(typename Rule::AtStep, shared, 1);
    __syncthreads();  // `shared` may still be read on behalf of the call before
    if (threadIdx.x == 0) shared[0] = rule.step_numbers(0, taken);
    __syncthreads();
    return shared[0];
  }
  /// The same for `count` steps from `taken` on, each by a thread of the block. The caller waits for them.
  __device__ void fill_step_numbers(typename Rule::AtStep* filled, std::int64_t taken, int count) const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) filled[i] = rule.step_numbers(0, taken + i);
  }
  /// The set of an element.
  __device__ std::int64_t set(std::int64_t position) const {
    return per_set == 1 ? position : quick_quotient(position, per_set);
  }
};

/// A total of several chunks whose groups are reduced, by all threads of the last block.
template <class R>
__device__ inline void finish_total(const R& reducer, const Target<R>& target, std::int64_t chunks) {
  const typename R::State state = reduce_rest(reducer, target.partials, chunks);
  if (threadIdx.x == 0) target.finish(reducer, 0, state);
}

}  // namespace luge::cuda
