#pragma once
// What the kernel of a segment (fused/segment_text.cu) consists of beside the formulas of its chains. A block takes one
// parameter set after another, each through all parts of the segment, so everything here is what a block does for one
// set. The bits are those of the kernels that do one part each: products are those of matmul_tile.cuh, sums those of
// tree.cuh.

#include <cstdint>

#include "chain.cuh"
#include "matmul_tile.cuh"

namespace luge::cuda {

/// Memory in which sets lie `set` elements apart; 0 where all sets share it.
template <class T>
struct SetMemory {
  T* data;
  std::int64_t set;

  __device__ T* of(std::int64_t number) const { return data + number * set; }
};

/// What is local to the segment lies in the block's own memory, which the next set takes over.
template <class T>
__device__ inline T* in_shared(int offset) {
  LUGE_DYNAMIC_SHARED(unsigned char, shared);
  return reinterpret_cast<T*>(shared + offset);
}

// ---- elements -----------------------------------------------------------------------------------

/// A run of neighbours. `whole`: there are kRun, and they are 16 aligned bytes or less.
template <bool whole, class T>
__device__ inline Pack<T, kRun> load_near(const T* set, int first, int count) {
  if constexpr (whole) return *reinterpret_cast<const Pack<T, kRun>*>(set + first);
  Pack<T, kRun> run{};
#pragma unroll
  for (int k = 0; k < kRun; ++k)
    if (k < count) run.values[k] = set[first + k];
  return run;
}
template <bool whole, bool shared, class T>
__device__ inline void store_near(T* set, int first, int count, const Pack<T, kRun>& run) {
  if constexpr (whole && shared) {
    *reinterpret_cast<Pack<T, kRun>*>(set + first) = run;
  } else if constexpr (whole) {
    store_packed(set + first, run);
  } else {
#pragma unroll
    for (int k = 0; k < kRun; ++k)
      if (k < count) set[first + k] = run.values[k];
  }
}

/// A run of memory that is not contiguous. One within a line is found at once.
template <class T>
__device__ inline Pack<T, kRun> load_window(const T* set, const SetWindow& window, int first, int count) {
  Pack<T, kRun> run{};
  if (((window.columns | first) & (kRun - 1)) == 0) {
    const T* const from = set + window.offset(first);
#pragma unroll
    for (int k = 0; k < kRun; ++k)
      if (k < count) run.values[k] = from[k * window.column];
  } else {
#pragma unroll
    for (int k = 0; k < kRun; ++k)
      if (k < count) run.values[k] = set[window.offset(first + k)];
  }
  return run;
}

// ---- rows ---------------------------------------------------------------------------------------

/// A set's elements in rows that are reduced, each in chunks, as ChainSpace has those of all sets.
struct BlockRows {
  int rows, length, chunks, lanes;
};

/// How the warps of a block come by them. Every lane of a warp takes the same turns.
class BlockWalk {
 public:
  __device__ explicit BlockWalk(const BlockRows& space)
      : space_(space), unit_(static_cast<int>(threadIdx.x) / kWarp), at_once_(kWarp / space.lanes) {
    enter();
  }

  __device__ bool inside() const {
    return space_.chunks == 1 ? unit_ * at_once_ < space_.rows : unit_ < space_.rows * space_.chunks;
  }
  __device__ void advance() {
    unit_ += kWarps;
    enter();
  }
  __device__ int row() const { return row_; }
  __device__ int chunk() const { return chunk_; }
  /// This lane's runs within the row.
  __device__ int begin() const { return chunk_ * kChunk + lane() * kRun; }
  __device__ int end() const {
    if (row_ >= space_.rows) return 0;
    const int end = (chunk_ + 1) * kChunk;
    return end < space_.length ? end : space_.length;
  }
  __device__ int step() const { return kRun * space_.lanes; }

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
    row_ = space_.chunks == 1 ? unit_ * at_once_ + WarpTeam::rank() / space_.lanes : unit_ / space_.chunks;
    chunk_ = space_.chunks == 1 ? 0 : unit_ - row_ * space_.chunks;
  }

  const BlockRows& space_;
  int unit_, at_once_, row_ = 0, chunk_ = 0;
};

/// The sum number `row` of a set, of `length` elements.
template <class R, bool accumulate>
__device__ inline void put_sum(typename R::Result* set, const SetWindow& window, int row, int length, double state) {
  typename R::Result* const place = set + window.offset(row);
  const typename R::Result result = R::finish(state, length);
  *place = accumulate ? *place + result : result;
}

/// The sums of rows of several chunks, whose states are there: row after row.
template <class R, bool accumulate>
__device__ inline void finish_block_rows(const double* states, const BlockRows& space, typename R::Result* set,
                                         const SetWindow& window) {
  for (int row = static_cast<int>(threadIdx.x) / kWarp; row < space.rows; row += kWarps) {
    const Partials<R> input{states, space.chunks};
    const double state = reduce_chunk(R{}, input, input.row(row), 0);
    if (WarpTeam::rank() == 0) put_sum<R, accumulate>(set, window, row, space.length, state);
  }
}

/// What is summed lies further apart than the sums do.
struct BlockColumns {
  int sums, length;   ///< of a chunk at most
  int across, along;  ///< strides: from sum to sum, from one element of it to the next
};

/// A thread per sum, and each warp plays four neighbouring lanes of the tree, as reduce_columns_kernel does. `lanes`: room
/// for a double of each thread, which nobody may still be using. All threads of the block call it, and have arrived at its
/// last barrier when it returns.
template <class R, bool accumulate>
__device__ inline void sum_columns(const BlockColumns& space, const typename R::Value* from, typename R::Result* set,
                                   const SetWindow& window, double* lanes) {
  static_assert(kWarps == 8, "the merges below are written out for these");
  constexpr int kLanes = kWarp / kWarps, kOwn = kLanes * kRun;
  const int column = static_cast<int>(threadIdx.x) % kWarp, group = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll 1
  for (int first = 0; first < space.sums; first += kWarp) {
    const int sum = first + column;
    double states[kLanes] = {};
    if (sum < space.sums) {
      const typename R::Value* at = from + sum * space.across + group * kOwn * space.along;
#pragma unroll 1
      for (int lap = group * kOwn; lap < space.length; lap += kLap, at += kLap * space.along) {
        typename R::Value values[kOwn];
#pragma unroll
        for (int k = 0; k < kOwn; ++k)
          if (lap + k < space.length) values[k] = at[k * space.along];
#pragma unroll
        for (int k = 0; k < kOwn; ++k)
          if (lap + k < space.length) states[k / kRun] = R::include(states[k / kRun], values[k], 0);
      }
    }
    lanes[threadIdx.x] = R::merge(R::merge(states[0], states[1]), R::merge(states[2], states[3]));
    __syncthreads();
    if (group == 0 && sum < space.sums) {
      const auto pair = [&](int warp) { return R::merge(lanes[warp * kWarp + column], lanes[(warp + 1) * kWarp + column]); };
      put_sum<R, accumulate>(set, window, sum, space.length,
                             R::merge(R::merge(pair(0), pair(2)), R::merge(pair(4), pair(6))));
    }
    __syncthreads();
  }
}

// ---- products -----------------------------------------------------------------------------------

/// A product of one set; strides as TileFactor and TileResult have them.
struct BlockProduct {
  int m, n, k;
  int tiles, across;  ///< tiles, and how many of them lie side by side
  Divider by_across;
  int a_line, a_term, b_line, b_term, c_row, c_column;
};

/// The number of this thread, as nobody knows it before the set's part begins: compilers would work out where each thread
/// stages each product once for all sets, and keep hundreds of places in memory that are cheaper made anew. `zero` is in
/// shared memory.
__device__ inline unsigned thread_of_part(const unsigned* zero) {
  return threadIdx.x + *static_cast<const volatile unsigned*>(zero);
}

/// The tiles of a product, of which `teams` teams of the block each take one at a time: the loop of tiles_kernel.
/// `thread`: thread_of_part(). `staging`: 2 * teams * Shape::kStaged elements. Nobody may still be reading there; when it
/// returns some threads may, and others may still be writing c.
template <class Shape, int teams, bool packed, bool a_along_terms, bool b_along_terms, bool accumulate>
__device__ inline void multiply_set(unsigned thread, const BlockProduct& p, typename TileResult<typename Shape::T>::Packed c_packed,
                                    const typename Shape::T* a_set, const typename Shape::T* b_set,
                                    typename Shape::T* c_set, typename Shape::T* staging) {
  using T = typename Shape::T;
  constexpr int kBuffer = teams * Shape::kStaged;
  using LoaderA = TileLoader<Shape, Shape::kRows, packed>;
  using LoaderB = TileLoader<Shape, Shape::kColumns, packed>;
  const int a_step = a_along_terms ? LoaderA::kLineStep * p.a_line : LoaderA::kTermStep * p.a_term;
  const int b_step = b_along_terms ? LoaderB::kLineStep * p.b_line : LoaderB::kTermStep * p.b_term;
  const TileFactor<T> a_factor{a_set, p.a_line, p.a_term, a_step, a_along_terms};
  const TileFactor<T> b_factor{b_set, p.b_line, p.b_term, b_step, b_along_terms};
  const TileResult<T> c_result{c_set, p.c_row, p.c_column, c_packed, accumulate};
  const auto team = static_cast<int>(thread / Shape::kTeam), rank = static_cast<int>(thread % Shape::kTeam);
  const bool works = team < teams;
  LoaderA a(a_factor, rank);
  LoaderB b(b_factor, rank);
  TilePart<Shape> part(rank);

  const T *from_a = a_set, *from_b = b_set;
  T* to = c_set;
  int rows = 0, columns = 0;  // that are left from the team's tile on; none where it has no tile
  const auto enter = [&](int first) {
    const int tile = first + team;
    rows = columns = 0;
    if (!works || tile >= p.tiles) return;
    const auto down = static_cast<int>(p.by_across.quotient(static_cast<unsigned>(tile)));
    const int row = down * Shape::kRows, column = (tile - down * p.across) * Shape::kColumns;
    from_a = a_set + (row * p.a_line + static_cast<int>(a.offset()));
    from_b = b_set + (column * p.b_line + static_cast<int>(b.offset()));
    to = c_set + (row * p.c_row + column * p.c_column);
    rows = p.m - row;
    columns = p.n - column;
  };
  int first = 0, terms = p.k;  // terms that are left of this tile
  enter(first);
  a.fetch(from_a, rows, terms);
  b.fetch(from_b, columns, terms);
#pragma unroll 1
  for (int buffer = 0;; buffer ^= 1) {
    T* const staged = staging + (works ? team : 0) * Shape::kStaged + buffer * kBuffer;
    if (works) {
      a.put(staged);
      b.put(staged + Shape::kDepth * Shape::kRows);
    }
    __syncthreads();
    T* const c = to;
    const int own_rows = rows, own_columns = columns;
    const int ready = terms < Shape::kDepth ? terms : Shape::kDepth;
    terms -= ready;
    const bool ends = terms == 0;
    if (ends) {
      first += teams;
      enter(first);
      terms = p.k;
    } else {
      from_a += Shape::kDepth * p.a_term;
      from_b += Shape::kDepth * p.b_term;
    }
    const bool continues = first < p.tiles;
    if (continues) {
      a.fetch(from_a, rows, terms);
      b.fetch(from_b, columns, terms);
    }
    if (own_rows > 0) part.multiply(staged, staged + Shape::kDepth * Shape::kRows, ready);
    if (ends) {
      part.write(c_result, c, own_rows, own_columns);
      part.clear();
      if (!continues) return;
    }
  }
}

}  // namespace luge::cuda
