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
#include "packs.cuh"
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

/// n elements from `at` on, upwards or downwards, that are a thread's. `packed`: they are neighbours, and 16 bytes of them
/// lie aligned.
template <class T, int n>
__device__ inline void read_line(const T* at, std::int64_t step, bool packed, T (&values)[n]) {
  if constexpr (n * sizeof(T) % 16 == 0 && 16 % sizeof(T) == 0) {
    if (packed) {
      constexpr int m = 16 / static_cast<int>(sizeof(T));
      const auto* const packs = reinterpret_cast<const Pack<T, m>*>(step > 0 ? at : at - (n - 1));
      Pack<T, m> read[n / m];
#pragma unroll
      for (int p = 0; p < n / m; ++p) read[p] = packs[p];
#pragma unroll
      for (int i = 0; i < n; ++i)
        values[i] = step > 0 ? read[i / m].values[i % m] : read[(n - 1 - i) / m].values[(n - 1 - i) % m];
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < n; ++i) values[i] = at[i * step];
}
template <class T, int n>
__device__ inline void write_line(T* at, std::int64_t step, bool packed, const T (&values)[n]) {
  if constexpr (n * sizeof(T) % 16 == 0 && 16 % sizeof(T) == 0) {
    if (packed) {
      constexpr int m = 16 / static_cast<int>(sizeof(T));
      auto* const packs = reinterpret_cast<Pack<T, m>*>(step > 0 ? at : at - (n - 1));
#pragma unroll
      for (int p = 0; p < n / m; ++p) {
        Pack<T, m> written;
#pragma unroll
        for (int k = 0; k < m; ++k) written.values[k] = step > 0 ? values[p * m + k] : values[n - 1 - (p * m + k)];
        packs[p] = written;
      }
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < n; ++i) at[i * step] = values[i];
}

/// What a scan of elements reads and writes.
template <class R>
struct Elements {
  using State = typename R::State;
  using Value = typename R::Value;
  static constexpr bool kIndices = requires(State state) { state.position; };

  const Value* in;
  Value* out;
  std::int64_t* indices;  ///< null: nobody wants them
  bool packed;            ///< lines are of neighbours, and begin and end aligned

  __device__ State state(const R& reducer, Value value, std::int64_t position) const {
    return reducer.include(reducer.identity(), value, position);
  }
  template <int n>
  __device__ void store(const R& reducer, std::int64_t at, std::int64_t step, const State (&states)[n]) const {
    Value values[n];
#pragma unroll
    for (int i = 0; i < n; ++i) values[i] = reducer.finish(states[i], 0);
    write_line(out + at, step, packed, values);
    if constexpr (kIndices) {
      std::int64_t places[n];
#pragma unroll
      for (int i = 0; i < n; ++i) places[i] = states[i].position;
      write_line(indices + at, step, packed, places);
    }
  }
  __device__ void store(const R& reducer, std::int64_t at, const State& state) const {
    out[at] = reducer.finish(state, 0);
    if constexpr (kIndices) indices[at] = state.position;
  }
};

/// The same of the states of chunks, in place.
template <class R>
struct States {
  using State = typename R::State;
  using Value = State;

  State* in;
  static constexpr bool packed = false;

  __device__ State state(const R&, const State& state, std::int64_t) const { return state; }
  template <int n>
  __device__ void store(const R&, std::int64_t at, std::int64_t step, const State (&states)[n]) const {
    write_line(in + at, step, packed, states);
  }
  __device__ void store(const R&, std::int64_t at, const State& state) const { in[at] = state; }
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

/// Where the elements of some groups are.
struct Places {
  std::int64_t position, at, step;  ///< of the first one, in its line and in memory
  int count;                        ///< how many there are: none or fewer, too

  __device__ Places(const Lines& lines, const Chunk& chunk, int begin)
      : position(lines.place(chunk.index * kChunk + begin)), at(chunk.first + position * lines.inner),
        step(lines.reverse ? -lines.inner : lines.inner), count(chunk.count - begin) {}
  __device__ std::int64_t position_of(const Lines& lines, int i) const { return lines.reverse ? position - i : position + i; }
};

/// All of them are on their way before the first is used.
template <int n, class R, class Source>
__device__ inline void read(const R& reducer, const Source& source, const Lines& lines, const Places& places,
                            typename R::State (&states)[n]) {
  typename Source::Value values[n];
  if (places.count >= n) {
    read_line(source.in + places.at, places.step, source.packed, values);
  } else {
#pragma unroll
    for (int i = 0; i < n; ++i)
      if (i < places.count) values[i] = source.in[places.at + i * places.step];
  }
#pragma unroll
  for (int i = 0; i < n; ++i)
    states[i] = i < places.count ? source.state(reducer, values[i], places.position_of(lines, i)) : reducer.identity();
}

/// Merges the states of a group one after the other. Behind the last of `count` it is repeated, so that the group's own
/// state stands at a place that the compiler knows.
template <class R>
__device__ inline void merge_group(const R& reducer, typename R::State* states, int count) {
#pragma unroll
  for (int i = 1; i < kGroup; ++i) states[i] = i < count ? reducer.merge(states[i - 1], states[i]) : states[i - 1];
}

template <class R, class Source>
__device__ inline void store_group(const R& reducer, const Source& source, const Places& places, int from,
                                   const typename R::State& before, const typename R::State* states) {
  const std::int64_t at = places.at + from * places.step;
  typename R::State merged[kGroup];
#pragma unroll
  for (int i = 0; i < kGroup; ++i) merged[i] = reducer.merge(before, states[i]);
  if (places.count - from >= kGroup) return source.store(reducer, at, places.step, merged);
#pragma unroll
  for (int i = 0; i < kGroup; ++i)
    if (i < places.count - from) source.store(reducer, at + i * places.step, merged[i]);
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

/// Blocks of rows that a multiprocessor should have room for: one more would keep the float64 of a group in memory.
template <class R, class Source>
[[maybe_unused]] constexpr int kRowBlocks = sizeof(typename R::State) <= 8 && sizeof(typename Source::Value) <= 4 ? 5 : 2;

/// A warp per chunk. `totals` asks for the chunks' states alone.
template <class R, class Source, bool totals>
__global__ void __launch_bounds__(kThreads, kRowBlocks<R, Source>)
    scan_rows_kernel(const R reducer, const Source source, const Lines lines, typename R::State* states) {
  using State = typename R::State;
  const std::int64_t units = lines.outer * lines.chunks() * lines.inner;
  for (std::int64_t unit = WarpTeam::first(); unit < units; unit += WarpTeam::step()) {
    const Chunk chunk(lines, unit);
    const Places places(lines, chunk, WarpTeam::rank() * kGroup);
    State group[kGroup];
    read(reducer, source, lines, places, group);
    merge_group(reducer, group, places.count);
    const State own = group[kGroup - 1];
    State before = totals ? reducer.identity() : state_before(reducer, lines, chunk, unit, states), mine = before;
    const int groups = static_cast<int>(divide_up(chunk.count, kGroup));
    for (int lane = 0; lane < groups; ++lane) {
      if (lane == WarpTeam::rank()) mine = before;
      before = reducer.merge(before, from_lane(own, lane));
    }
    if constexpr (totals) {
      if (WarpTeam::rank() == 0) states[unit] = before;
    } else {
      store_group(reducer, source, places, 0, mine, group);
    }
  }
}

/// A thread per chunk.
template <class R, class Source, bool totals>
__global__ void __launch_bounds__(kThreads)
    scan_columns_kernel(const R reducer, const Source source, const Lines lines, typename R::State* states) {
  using State = typename R::State;
  // Groups that are read at once: of what is in few registers two.
  constexpr int kAhead = sizeof(State) <= 8 && sizeof(typename Source::Value) <= 4 ? 2 : 1;
  const std::int64_t units = lines.outer * lines.chunks() * lines.inner;
  for (std::int64_t unit = grid_thread(); unit < units; unit += grid_threads()) {
    const Chunk chunk(lines, unit);
    State before = totals ? reducer.identity() : state_before(reducer, lines, chunk, unit, states);
    for (int begin = 0; begin < chunk.count; begin += kAhead * kGroup) {
      const Places places(lines, chunk, begin);
      State groups[kAhead * kGroup];
      read(reducer, source, lines, places, groups);
#pragma unroll
      for (int g = 0; g < kAhead; ++g) {
        if (g > 0 && g * kGroup >= places.count) break;
        State* const group = groups + g * kGroup;
        merge_group(reducer, group, places.count - g * kGroup);
        if constexpr (!totals) store_group(reducer, source, places, g * kGroup, before, group);
        before = reducer.merge(before, group[kGroup - 1]);
      }
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
  Elements<R> elements{static_cast<const Value*>(call.in.data), static_cast<Value*>(call.out.data),
                       call.indices.is_memory() ? static_cast<std::int64_t*>(call.indices.data) : nullptr, false};
  const auto is_aligned = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; };
  elements.packed = call.inner == 1 && call.n * static_cast<std::int64_t>(sizeof(Value)) % 16 == 0 && is_aligned(elements.in) &&
                    is_aligned(elements.out) && is_aligned(elements.indices);
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
