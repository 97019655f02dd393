#pragma once
// What every generated kernel (fused/) consists of beside the formulas of its chain: how warps walk over the
// elements, and in which order their sums are made, that of tree.cuh.

#include <cstdint>
#include <cstring>

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

/// What a lambda is told at compile time.
template <bool value>
struct Known {
  static constexpr bool kValue = value;
};

// ---- runs of kRun neighbours --------------------------------------------------------------------

template <class T>
__device__ inline bool is_packed(const Source<T>& source) {
  return source.access == Access::Packed;
}
template <class T>
__device__ inline bool is_packed(const Sink<T>& sink) {
  return sink.access == Access::Packed;
}

template <class T>
__device__ inline void store_packed(T* to, const Pack<T, kRun>& run) {
#if defined(__CUDACC__)
  // An assignment the compiler may take apart, and leave four stores where one is meant.
  if constexpr (sizeof(run) % sizeof(uint4) == 0) {
    uint4 words[sizeof(run) / sizeof(uint4)];
    memcpy(words, &run, sizeof(run));
#pragma unroll
    for (unsigned i = 0; i < sizeof(run) / sizeof(uint4); ++i) __stwb(reinterpret_cast<uint4*>(to) + i, words[i]);
    return;
  }
#endif
  *reinterpret_cast<Pack<T, kRun>*>(to) = run;
}

/// `whole`: there are kRun, and the access is known to be Packed.
template <bool whole, class T>
__device__ inline Pack<T, kRun> load_run(const Source<T>& source, std::int64_t first, int count) {
  if constexpr (whole) return *reinterpret_cast<const Pack<T, kRun>*>(source.data + first);
  return load<kRun>(source, first, count);
}
template <bool whole, class T>
__device__ inline void store_run(const Sink<T>& sink, std::int64_t first, int count, const Pack<T, kRun>& run) {
  if constexpr (whole)
    store_packed(sink.data + first, run);
  else
    store<kRun>(sink, first, count, run);
}

/// Memory that is not contiguous. A run within one line of the last dimension is found at once.
template <class T>
__device__ inline Pack<T, kRun> load_far(const T* data, const Walk<1>& walk, std::int64_t first, int count) {
  Pack<T, kRun> run{};
  const int last = walk.ndim - 1;
  if (((walk.sizes[last] | first) & (kRun - 1)) == 0) {
    const T* const from = data + far_offset(walk, first);
#pragma unroll
    for (int k = 0; k < kRun; ++k)
      if (k < count) run.values[k] = from[k * walk.strides[0][last]];
  } else {
#pragma unroll
    for (int k = 0; k < kRun; ++k)
      if (k < count) run.values[k] = data[far_offset(walk, first + k)];
  }
  return run;
}
template <class T>
__device__ inline void store_far(T* data, const Walk<1>& walk, std::int64_t first, int count,
                                 const Pack<T, kRun>& run) {
#pragma unroll
  for (int k = 0; k < kRun; ++k)
    if (k < count) data[far_offset(walk, first + k)] = run.values[k];
}

// ---- elements in chunks -------------------------------------------------------------------------

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
  /// Whether all 32 lanes have all their runs, one every kLap elements.
  __device__ bool whole() const { return (chunk_ + 1) * chunk_size <= space_.length; }
  /// How many runs this lane has from `at` on, and how many of them lie in the next `most` steps.
  __device__ int runs(std::int64_t at, int most) const {
    const std::int64_t left = end() - at;
    const int step = kRun * space_.lanes;
    if (left >= most * step) return most;
    return left > 0 ? (static_cast<int>(left) + step - 1) / step : 0;
  }

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
  __device__ bool has_set() const { return set() < space_.sets; }

 private:
  const SetSpace& space_;
  int at_once_;
  std::int64_t first_;
};

/// How the elements of sets lie in memory: a set's in rows of `columns`. Within a set, offsets are short.
struct SetWindow {
  std::int64_t set;   ///< strides
  int row, column;
  int columns;
  Divider divide;     ///< by `columns`

  /// Element i of a set, from its first one.
  __device__ int offset(int i) const {
    const auto at = static_cast<int>(divide.quotient(static_cast<unsigned>(i)));
    return at * row + (i - at * columns) * column;
  }
};

/// A run of a set, from its element number `at` on.
template <class T>
__device__ inline void store_far(T* set, const SetWindow& window, int at, int count, const Pack<T, kRun>& run) {
#pragma unroll
  for (int k = 0; k < kRun; ++k)
    if (k < count) set[window.offset(at + k)] = run.values[k];
}

/// Where the sums over rows go.
template <class R>
struct SetTarget {
  typename R::Result* out;
  SetWindow window;  ///< on the rows
  bool accumulate;

  __device__ void write(const R& reducer, std::int64_t set, int row, std::int64_t elements, double state) const {
    typename R::Result* const place = out + set * window.set + window.offset(row);
    const typename R::Result result = reducer.finish(state, elements);
    *place = accumulate ? *place + result : result;
  }
};

/// The rows that a chain has in each set, which are no longer than a chunk; one by one. Positions are counted from the
/// set's first element. Every lane of a warp takes the same turns; one without a set has no elements.
class SetRows {
 public:
  __device__ SetRows(const SetWalk& walk, const ChainSpace& space, int rows)
      : set_(walk.set()),
        has_set_(walk.has_set()),
        rows_(rows),
        lanes_(space.lanes),
        length_(static_cast<int>(space.length)),
        lane_(WarpTeam::rank() & (space.lanes - 1)) {}

  __device__ bool inside() const { return number_ < rows_; }
  __device__ void advance() { ++number_; }
  __device__ std::int64_t set() const { return set_; }
  /// The row within the set, where it begins, and this lane's runs of it.
  __device__ int number() const { return number_; }
  __device__ int begin() const { return number_ * length_ + lane_ * kRun; }
  __device__ int end() const { return has_set_ ? (number_ + 1) * length_ : 0; }
  __device__ int step() const { return kRun * lanes_; }

  /// Merges the states of the lanes that share a set.
  template <class State, class Reducer>
  __device__ State reduce(State state, const Reducer& reducer) const {
    for (int distance = 1; distance < lanes_; distance *= 2)
      state = reducer.merge(state, shuffle_xor(state, distance));
    return state;
  }
  /// The lane that writes what they made.
  __device__ bool leads() const { return lane_ == 0 && has_set_; }

 private:
  std::int64_t set_;
  bool has_set_;
  int rows_, lanes_, length_, lane_, number_ = 0;
};

/// One parameter's part of an optimizer step.
template <class Rule>
struct ChainUpdate {
  using Value = typename Rule::Value;

  Rule rule;
  std::int64_t* steps;
  std::int64_t per_set;

  /// Set 0's numbers that count steps, for `count` steps from `taken` on, each by a thread of the block. The caller waits
  /// for them.
  __device__ void fill_step_numbers(typename Rule::AtStep* filled, const typename Rule::Hypers& hypers,
                                    std::int64_t taken, int count) const {
    for (int i = static_cast<int>(threadIdx.x); i < Rule::AtStep::kCount * kMostSteps; i += kThreads)
      if (const int step = i % kMostSteps; step < count)
        rule.fill(filled[step], i / kMostSteps, hypers, rule.step(0, taken + step));
  }
  /// The set of an element.
  __device__ std::int64_t set(std::int64_t position) const {
    return per_set == 1 ? position : quick_quotient(position, per_set);
  }
  /// Hyperparameter h of the sets that a run of elements belongs to.
  __device__ Pack<Value, kRun> own_hypers(int h, std::int64_t first, int count) const {
    Pack<Value, kRun> result{};
    std::int64_t at = set(first), left = (at + 1) * per_set - first;
#pragma unroll
    for (int k = 0; k < kRun; ++k) {
      if (k < count) result.values[k] = rule.settings[h].data[at];
      if (--left == 0) ++at, left = per_set;
    }
    return result;
  }
};

/// Where a step's losses go that are kept themselves; null where loss number `first` and all behind it are not.
__device__ inline double* kept_losses(const Ring& ring, std::int64_t step, std::int64_t first) {
  return ring.rows && first < ring.kept ? ring.rows + step % ring.capacity * ring.kept : nullptr;
}

/// A run of them.
__device__ inline void keep_run(double* row, std::int64_t kept, std::int64_t first, int count,
                                const Pack<double, kRun>& losses) {
  if (first >= kept) return;
#pragma unroll
  for (int k = 0; k < kRun; ++k)
    if (k < count && first + k < kept) row[first + k] = losses.values[k];
}

/// A total of several chunks whose groups are reduced, by all threads of the last block.
template <class R>
__device__ inline void finish_total(const R& reducer, const Target<R>& target, std::int64_t chunks) {
  const typename R::State state = reduce_rest(reducer, target.partials, chunks);
  if (threadIdx.x == 0) target.finish(reducer, 0, state);
}

}  // namespace luge::cuda
