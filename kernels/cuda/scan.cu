// Scans. A line is cut into groups of kGroup elements and chunks of a warp's groups:
//   group   its elements are merged one after the other
//   chunk   the states before its groups are merged one after the other
//   line    the states of its chunks are scanned in turn, as if they were elements; what comes out stands before each chunk
// Either a warp takes a chunk, a lane a group, or a thread takes a chunk, and neighbouring threads neighbouring lines. Both
// merge in the same order, which the length of the line alone determines.

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "index.cuh"
#include "kernels.h"
#include "launch.h"
#include "reducers.cuh"

namespace luge::cuda {

namespace {

constexpr int kGroup = 8;
constexpr int kChunk = kWarp * kGroup;
/// From so many neighbouring lines on a thread takes a chunk: a warp of them reads what lies side by side.
constexpr std::int64_t kSideBySide = 8;

/// (outer, n, inner) in memory; `reverse` counts along n from its end.
struct Lines {
  std::int64_t outer, n, inner;
  bool reverse;

  constexpr std::int64_t chunks() const { return divide_up(n, kChunk); }
  std::int64_t count() const { return outer * inner; }
  __device__ std::int64_t place(std::int64_t i) const { return reverse ? n - 1 - i : i; }
};

/// What a scan of elements reads and writes.
template <class R>
struct Elements {
  using State = typename R::State;

  const typename R::Value* in;
  typename R::Value* out;
  std::int64_t* indices;  ///< null: nobody wants them

  __device__ State load(const R& reducer, std::int64_t at, std::int64_t position) const {
    return reducer.include(reducer.identity(), in[at], position);
  }
  __device__ void store(const R& reducer, std::int64_t at, const State& state) const {
    out[at] = reducer.finish(state, 0);
    if constexpr (requires { state.position; }) indices[at] = state.position;
  }
};

/// The same of the states of chunks, in place.
template <class R>
struct States {
  using State = typename R::State;

  State* data;

  __device__ State load(const R&, std::int64_t at, std::int64_t) const { return data[at]; }
  __device__ void store(const R&, std::int64_t at, const State& state) const { data[at] = state; }
};

/// One chunk of one line.
struct Chunk {
  std::int64_t line, index, first;  ///< `first`: of the line's elements in memory
  int count;

  /// The unit-th of (outer, chunks, inner), as the states of chunks lie.
  __device__ Chunk(const Lines& lines, std::int64_t unit) {
    const std::int64_t row = quick_quotient(unit, lines.inner), column = unit - row * lines.inner;
    const std::int64_t outer = quick_quotient(row, lines.chunks());
    index = row - outer * lines.chunks();
    line = outer * lines.inner + column;
    first = outer * lines.n * lines.inner + column;
    const std::int64_t rest = lines.n - index * kChunk;
    count = rest < kChunk ? static_cast<int>(rest) : kChunk;
  }
};

/// The states of what stands before a chunk: `states` holds those up to each chunk, or is null where there is one chunk.
template <class R>
__device__ inline typename R::State state_before(const R& reducer, const Lines& lines, const Chunk& chunk,
                                                 std::int64_t unit, const typename R::State* states) {
  return states && chunk.index > 0 ? states[unit - lines.inner] : reducer.identity();
}

/// Merges the elements of a group one after the other; returns how many there are.
template <class R, class Source>
__device__ inline int load_group(const R& reducer, const Source& source, const Lines& lines, const Chunk& chunk,
                                 int begin, typename R::State (&states)[kGroup]) {
  const int count = chunk.count - begin < kGroup ? chunk.count - begin : kGroup;
#pragma unroll
  for (int i = 0; i < kGroup; ++i) {
    if (i >= count) continue;
    const std::int64_t position = lines.place(chunk.index * kChunk + begin + i);
    states[i] = source.load(reducer, chunk.first + position * lines.inner, position);
  }
#pragma unroll
  for (int i = 1; i < kGroup; ++i) {
    if (i < count) states[i] = reducer.merge(states[i - 1], states[i]);
  }
  return count < 0 ? 0 : count;
}
template <class R, class Source>
__device__ inline void store_group(const R& reducer, const Source& source, const Lines& lines, const Chunk& chunk,
                                   int begin, int count, const typename R::State& before,
                                   const typename R::State (&states)[kGroup]) {
#pragma unroll
  for (int i = 0; i < kGroup; ++i) {
    if (i >= count) continue;
    const std::int64_t position = lines.place(chunk.index * kChunk + begin + i);
    source.store(reducer, chunk.first + position * lines.inner, reducer.merge(before, states[i]));
  }
}

template <class State>
__device__ inline State from_lane(const State& state, int lane) {
  static_assert(sizeof(State) % sizeof(unsigned) == 0);
  constexpr int kWords = sizeof(State) / sizeof(unsigned);
  unsigned words[kWords];
  memcpy(words, &state, sizeof(State));
#pragma unroll
  for (int i = 0; i < kWords; ++i) words[i] = __shfl_sync(kWholeWarp, words[i], lane);
  State result;
  memcpy(&result, words, sizeof(State));
  return result;
}

/// A warp per chunk. `totals` asks for the chunks' states alone.
template <class R, class Source, bool totals>
__global__ void __launch_bounds__(kThreads)
    scan_rows_kernel(const R reducer, const Source source, const Lines lines, typename R::State* states) {
  using State = typename R::State;
  const std::int64_t units = lines.outer * lines.chunks() * lines.inner;
  for (std::int64_t unit = WarpTeam::first(); unit < units; unit += WarpTeam::step()) {
    const Chunk chunk(lines, unit);
    const int begin = WarpTeam::rank() * kGroup;
    State group[kGroup];
#pragma unroll
    for (int i = 0; i < kGroup; ++i) group[i] = reducer.identity();
    const int count = load_group(reducer, source, lines, chunk, begin, group);
    State own = reducer.identity();
#pragma unroll
    for (int i = 0; i < kGroup; ++i)
      if (i == count - 1) own = group[i];
    State before = totals ? reducer.identity() : state_before(reducer, lines, chunk, unit, states), mine = before;
    const int groups = static_cast<int>(divide_up(chunk.count, kGroup));
    for (int lane = 0; lane < groups; ++lane) {
      if (lane == WarpTeam::rank()) mine = before;
      before = reducer.merge(before, from_lane(own, lane));
    }
    if constexpr (totals) {
      if (WarpTeam::rank() == 0) states[unit] = before;
    } else {
      store_group(reducer, source, lines, chunk, begin, count, mine, group);
    }
  }
}

/// A thread per chunk.
template <class R, class Source, bool totals>
__global__ void __launch_bounds__(kThreads)
    scan_columns_kernel(const R reducer, const Source source, const Lines lines, typename R::State* states) {
  using State = typename R::State;
  const std::int64_t units = lines.outer * lines.chunks() * lines.inner;
  for (std::int64_t unit = grid_thread(); unit < units; unit += grid_threads()) {
    const Chunk chunk(lines, unit);
    State before = totals ? reducer.identity() : state_before(reducer, lines, chunk, unit, states);
    for (int begin = 0; begin < chunk.count; begin += kGroup) {
      State group[kGroup];
#pragma unroll
      for (int i = 0; i < kGroup; ++i) group[i] = reducer.identity();
      const int count = load_group(reducer, source, lines, chunk, begin, group);
      if constexpr (!totals) store_group(reducer, source, lines, chunk, begin, count, before, group);
      State own = reducer.identity();
#pragma unroll
      for (int i = 0; i < kGroup; ++i)
        if (i == count - 1) own = group[i];
      before = reducer.merge(before, own);
    }
    if constexpr (totals) states[unit] = before;
  }
}

// ---- launch -------------------------------------------------------------------------------------

template <bool totals, class R, class Source>
void scan_chunks(const Context& context, const R& reducer, const Source& source, const Lines& lines,
                 typename R::State* states) {
  const std::int64_t units = lines.count() * lines.chunks();
  // States of chunks are few: a warp walks those of several chunks, however many lines lie side by side.
  constexpr bool kStates = std::is_same_v<Source, States<R>>;
  if constexpr (!(kStates && totals))
    if ((!kStates && lines.inner >= kSideBySide) || lines.n <= 2 * kGroup)
      return launch(context, scan_columns_kernel<R, Source, totals>, grid_stride(context, units, kThreads), reducer, source,
                    lines, states);
  launch(context, scan_rows_kernel<R, Source, totals>, grid_stride(context, units, kWarps), reducer, source, lines, states);
}

template <class R, class Source>
void scan_lines(const Context& context, const R& reducer, const Source& source, const Lines& lines) {
  using State = typename R::State;
  const std::int64_t chunks = lines.chunks();
  if (chunks == 1) return scan_chunks<false>(context, reducer, source, lines, static_cast<State*>(nullptr));
  const Scratch memory(context, lines.count() * chunks * static_cast<std::int64_t>(sizeof(State)));
  State* const states = memory.as<State>();
  scan_chunks<true>(context, reducer, source, lines, states);
  scan_lines(context, reducer, States<R>{states}, Lines{lines.outer, chunks, lines.inner, false});
  scan_chunks<false>(context, reducer, source, lines, states);
}

template <class R>
void scan(const Context& context, const Scan& call) {
  using Value = typename R::Value;
  const Elements<R> elements{static_cast<const Value*>(call.in.data), static_cast<Value*>(call.out.data),
                             call.indices.is_memory() ? static_cast<std::int64_t*>(call.indices.data) : nullptr};
  scan_lines(context, R(), elements, Lines{call.outer, call.n, call.inner, call.reverse});
}

template <class T>
void scan_as(const Context& context, const Scan& call) {
  constexpr bool kTotals = kFloating<T> || sizeof(T) == 8;
  switch (call.op) {
    case ScanOp::Sum:
      if constexpr (kTotals) scan<Sum<T, false>>(context, call);
      return;
    case ScanOp::Prod:
      if constexpr (kTotals) scan<Product<T>>(context, call);
      return;
    case ScanOp::Max: return scan<LastExtreme<T, true>>(context, call);
    case ScanOp::Min: return scan<LastExtreme<T, false>>(context, call);
    case ScanOp::LogSumExp:
      if constexpr (kFloating<T>) scan<LogSumExp<T>>(context, call);
      return;
  }
}

}  // namespace

void run(const Context& context, const Scan& call) {
  with_dtype(call.in.dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) scan_as<T>(context, call);
  });
}

}  // namespace luge::cuda
