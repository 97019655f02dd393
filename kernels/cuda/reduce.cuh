#pragma once
// Reductions. Three kernels walk the tree of tree.cuh: a warp per chunk (rows), a thread per lane group with neighbouring
// outputs side by side (columns), and a thread per output where there are few elements. Each is compiled twice: for
// outputs and elements that each lie in one line, and for any layout, whose walk takes many registers.

#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "blocks.cuh"
#include "launch.h"
#include "reducers.cuh"
#include "tree.cuh"
#include "walk.cuh"

namespace luge::cuda {

inline constexpr int kFew = 32;                         ///< elements that one thread reduces alone
inline constexpr int kLanesPerThread = kWarp / kWarps;  ///< in the columns kernel

/// Positions in a line.
struct Line {
  std::int64_t stride;

  __device__ std::int64_t offset(std::int64_t position) const { return position * stride; }
};

/// The elements as they lie in memory. Index: Line or Walk<1>.
template <class R, class Index>
struct Elements {
  using Value = typename R::Value;

  const Value* data;
  Index kept, reduced;
  std::int64_t count;  ///< per output
  bool aligned;        ///< the reduced elements are neighbours in memory, and every output's runs may be loaded at once

  static constexpr bool kIsLine = std::is_same_v<Index, Line>;
  /// How many runs a lane loads before it includes the first: up to 128 bytes.
  static constexpr int kRunsAtOnce = !kIsLine ? 1 : sizeof(Value) == 8 ? 4 : 8;
  static constexpr std::size_t kRunAlignment = sizeof(Value) * kRun < 16 ? sizeof(Value) * kRun : 16;
  struct alignas(kRunAlignment) Run {
    Value values[kRun];
  };
  __device__ const Value* row(std::int64_t output) const { return data + kept.offset(output); }
  /// Neighbours in a line.
  template <int n>
  __device__ void load_line(const Value* row, std::int64_t position, Value (&values)[n]) const {
    static_assert(kIsLine);
    const Value* at = row + reduced.offset(position);
#pragma unroll
    for (int i = 0; i < n; ++i, at += reduced.stride) values[i] = *at;
  }
  /// The run that starts at `position`, of which `length` elements are there.
  template <bool at_once>
  __device__ Run load_run(const Value* row, std::int64_t position, int length) const {
    if (at_once && length == kRun) return *reinterpret_cast<const Run*>(row + position);
    // Elements that are not there are copied, too, and C++ forbids that of an unset bool. In registers it is harmless,
    // and setting them takes a kernel of columns from 64 to 80.
#ifdef __CUDA_ARCH__
    Run run;
#else
    Run run{};
#endif
    if constexpr (kIsLine) {
      if (length == kRun) {
        load_line(row, position, run.values);
        return run;
      }
    }
#pragma unroll 1
    for (int i = 0; i < length; ++i) {  // one walk in the code, whose result goes to one of four registers
      const Value x = load(row, position + i);
#pragma unroll
      for (int k = 0; k < kRun; ++k)
        if (k == i) run.values[k] = x;
    }
    return run;
  }
  __device__ Value load(const Value* row, std::int64_t position) const { return row[reduced.offset(position)]; }
  __device__ typename R::State include(const R& reducer, const typename R::State& state, Value x,
                                       std::int64_t position) const {
    return reducer.include(state, x, position);
  }
};

// ---- kernels ------------------------------------------------------------------------------------

/// A mean's division of float64 is a function, which takes registers.
template <class R>
inline constexpr bool kDivides = false;
template <class T>
inline constexpr bool kDivides<Sum<T, true>> = true;

/// Blocks that a multiprocessor must have room for. Where states, elements or walks take many registers, more would keep
/// some of them in memory.
template <class R, class Input, class Where>
inline constexpr int kRowBlocks =
    !std::is_same_v<Where, Line> || sizeof(typename Input::Value) + sizeof(typename R::State) > 16 ? 2
    : sizeof(typename Input::Value) == 1 || kDivides<R>                                            ? 3
                                                                                                   : 4;
template <class R, class Index>
inline constexpr int kColumnBlocks = std::is_same_v<Index, Line> && sizeof(typename R::Value) < 8 ? 3 : 2;

/// What a kernel that leaves partials makes of them itself.
enum class Rest : unsigned char {
  Nothing,  ///< there are none, or the host sees to the rest
  Rows,     ///< every output: of kChunk chunks at most
  Total     ///< the one output there is
};

/// A warp per chunk.
template <class R, class Input, class Where>
__global__ void __launch_bounds__(kThreads, kRowBlocks<R, Input, Where>)
    reduce_rows_kernel(const R reducer, const Input input, const Target<R, Where> target, std::int64_t outputs,
                       std::int64_t chunks, std::int64_t share_size, Rest rest, unsigned* finished) {
  const Share share = block_share(outputs * chunks, share_size);
  const std::int64_t unit = share.begin + threadIdx.x / kWarp;
  std::int64_t output = chunks == 1 ? unit : quick_quotient(unit, chunks);
  int chunk = static_cast<int>(unit - output * chunks);  // no memory holds 2^31 chunks
  for (int turns = static_cast<int>(divide_up(share.end - unit, kWarps)); turns > 0; --turns) {
    const typename R::State state = reduce_chunk(reducer, input, input.row(output), chunk);
    if (WarpTeam::rank() == 0) target.write(reducer, output, chunk, chunks, state);
    if (chunks == 1) {
      output += kWarps;
    } else {
      for (chunk += kWarps; chunk >= chunks; chunk -= static_cast<int>(chunks)) ++output;
    }
  }
  if (rest == Rest::Nothing) return;
  const bool total = rest == Rest::Total;
  if (!total || chunks > kChunk)
    finish_groups(finished + 1, outputs * chunks, share_size, total ? kChunk : chunks, [&](std::int64_t group) {
      const Partials<R> partials{target.partials, chunks};
      const auto state = reduce_chunk(reducer, partials, partials.row(total ? 0 : group), total ? group : 0);
      if (WarpTeam::rank() != 0) return;
      if (total)
        target.partials[chunks + group] = state;
      else
        target.finish(reducer, group, state);
    });
  if (total) {
    if (!is_last_block(finished)) return;
    const typename R::State state = reduce_rest(reducer, target.partials, chunks);
    if (threadIdx.x == 0) target.finish(reducer, 0, state);
  }
}

/// Includes up to kRun elements in each of four neighbouring lanes, by one thread: those from `first` on of the `count`
/// that begin at `begin`.
template <bool at_once, class R, class Input>
__device__ inline void include_lanes(const R& reducer, const Input& input, const typename Input::Value* row,
                                     std::int64_t begin, int first, int count, typename R::State (&states)[4]) {
  typename Input::Value values[4 * kRun];
  const auto load_lane = [&](int lane, int length) {
    const auto run = input.template load_run<at_once>(row, begin + first + lane * kRun, length);
#pragma unroll
    for (int i = 0; i < kRun; ++i) values[lane * kRun + i] = run.values[i];
  };
  const auto include = [&](int k) {
    states[k / kRun] = input.include(reducer, states[k / kRun], values[k], begin + first + k);
  };
  if (first + 4 * kRun <= count) {
    if constexpr (!at_once && Input::kIsLine) {
      input.load_line(row, begin + first, values);
    } else {
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) load_lane(lane, kRun);
    }
#pragma unroll
    for (int k = 0; k < 4 * kRun; ++k) include(k);
  } else {
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const int left = count - (first + lane * kRun);
      if (left > 0) load_lane(lane, left < kRun ? left : kRun);
    }
#pragma unroll
    for (int k = 0; k < 4 * kRun; ++k)
      if (first + k < count) include(k);
  }
}

/// 32 neighbouring outputs per block, one per thread of a warp; each of the kWarps warps plays
/// kLanesPerThread neighbouring lanes of the tree.
template <class R, class Index>
__global__ void __launch_bounds__(kThreads, kColumnBlocks<R, Index>)
    reduce_columns_kernel(const R reducer, const Elements<R, Index> input, const Target<R, Index> target,
                          std::int64_t outputs, std::int64_t chunks) {
  static_assert(kLanesPerThread == 4 && kWarps == 8, "the merges below are written out for these");
  constexpr int kOwn = kLanesPerThread * kRun;  // neighbouring elements of a lap
  LUGE_SHARED(typename R::State, lanes, kThreads);
  const int column = static_cast<int>(threadIdx.x) % kWarp, group = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t tiles = divide_up(outputs, kWarp);
  for (std::int64_t unit = blockIdx.x; unit < tiles * chunks; unit += gridDim.x) {
    const std::int64_t tile = chunks == 1 ? unit : quick_quotient(unit, chunks), chunk = unit - tile * chunks;
    const std::int64_t output = tile * kWarp + column;
    const std::int64_t begin = chunk * kChunk;
    const int count = input.count - begin < kChunk ? static_cast<int>(input.count - begin) : kChunk;
    typename R::State state[kLanesPerThread];
#pragma unroll
    for (int j = 0; j < kLanesPerThread; ++j) state[j] = reducer.identity();
    if (output < outputs) {
      const auto* const row = input.row(output);
#pragma unroll 1
      for (int lap = group * kOwn; lap < count; lap += kLap)
        include_lanes<false>(reducer, input, row, begin, lap, count, state);
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

/// A thread per output, for up to kFew elements: it plays eight lanes, four at a time.
template <class R, class Index>
__global__ void __launch_bounds__(kThreads, kColumnBlocks<R, Index>)
    reduce_few_kernel(const R reducer, const Elements<R, Index> input, const Target<R, Index> target,
                      std::int64_t outputs) {
  static_assert(kFew == 8 * kRun, "two times four lanes");
  const int count = static_cast<int>(input.count);
  for (std::int64_t output = grid_thread(); output < outputs; output += grid_threads()) {
    const auto* const row = input.row(output);
    typename R::State state = reducer.identity();
#pragma unroll 1
    for (int first = 0; first < count; first += kFew / 2) {
      typename R::State states[4] = {reducer.identity(), reducer.identity(), reducer.identity(), reducer.identity()};
      if (input.aligned)
        include_lanes<true>(reducer, input, row, 0, first, count, states);
      else
        include_lanes<false>(reducer, input, row, 0, first, count, states);
      const auto half = reducer.merge(reducer.merge(states[0], states[1]), reducer.merge(states[2], states[3]));
      state = first == 0 ? half : reducer.merge(state, half);
    }
    target.finish(reducer, output, state);
  }
}

// ---- launch -------------------------------------------------------------------------------------

/// Whether neighbouring outputs lie closer together than neighbouring elements of one output.
inline bool outputs_are_closer(const Reduce& call, int kept) {
  if (kept == 0) return false;
  const auto stride = [&](int dim) { return std::abs(call.in.strides[static_cast<std::size_t>(dim)]); };
  return stride(kept - 1) < stride(call.extent.ndim - 1) && call.extent.sizes[static_cast<std::size_t>(kept - 1)] >= 8;
}

/// Dimensions as one line, if they are.
inline std::optional<Line> line_of(std::span<const std::int64_t> sizes, const std::int64_t* strides) {
  std::optional<Line> line;
  if (any_layout()) return line;
  std::int64_t next = 0;  // the stride that continues the line
  for (std::size_t d = sizes.size(); d-- > 0;) {
    if (sizes[d] == 1) continue;
    if (line && strides[d] != next) return std::nullopt;
    if (!line) line = Line{strides[d]};
    next = strides[d] * sizes[d];
  }
  return line ? line : Line{0};
}

/// What the kernel that leaves an output's partials can do itself.
inline Rest rest_of(std::int64_t outputs, std::int64_t chunks) {
  if (chunks == 1) return Rest::Nothing;
  return outputs == 1 ? Rest::Total : chunks <= kChunk ? Rest::Rows : Rest::Nothing;
}

/// Room for the partials of a reduction.
template <class R>
std::int64_t partial_bytes(std::int64_t outputs, std::int64_t chunks) {
  const std::int64_t states = chunks == 1 ? 0 : outputs == 1 ? total_partials(chunks) : outputs * chunks;
  return states * static_cast<std::int64_t>(sizeof(typename R::State));
}

/// A warp per chunk, whatever the elements are. Returns whether that is all; if not, the partials are left.
template <class R, class Input, class Where>
bool reduce_rows(const Context& context, const R& reducer, const Input& input, const Target<R, Where>& target,
                 std::int64_t outputs, std::int64_t chunks) {
  const Rest rest = rest_of(outputs, chunks);
  const std::int64_t units = outputs * chunks;
  const Grid grid = resident_grid(context, reduce_rows_kernel<R, Input, Where>, divide_up(units, kWarps));
  launch(context, reduce_rows_kernel<R, Input, Where>, grid, reducer, input, target, outputs, chunks,
         share_size(units, grid.blocks), rest, context.gpu().finished_blocks());
  return chunks == 1 || rest != Rest::Nothing;
}

/// Reduces the chunks' states until one per output is left, and finishes it.
template <class R, class Where>
void reduce_partials(const Context& context, const R& reducer, const typename R::State* partials, std::int64_t outputs,
                     std::int64_t count, Target<R, Where> target) {
  const std::int64_t chunks = divide_up(count, kChunk);
  const Scratch next(context, partial_bytes<R>(outputs, chunks));
  target.partials = next.as<typename R::State>();
  if (!reduce_rows(context, reducer, Partials<R>{partials, count}, target, outputs, chunks))
    reduce_partials(context, reducer, target.partials, outputs, chunks, target);
}

/// Where a call's results go; no partials yet.
template <class R, class Where = Walk<1>>
Target<R, Where> target_of(const Reduce& call, const Where& walk) {
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  Target<R, Where> target{};
  target.out = static_cast<typename R::Result*>(call.out.data);
  target.walk = walk;
  target.accumulate = call.store == Store::Accumulate;
  target.elements = 1;
  for (const std::int64_t size : dims(call.extent).subspan(kept)) target.elements *= size;
  return target;
}
template <class R>
Target<R> target_of(const Reduce& call) {
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  return target_of<R>(call, make_walk<1>(dims(call.extent).first(kept), {call.out.strides.data()}));
}

template <class R, class Index>
void reduce(const Context& context, const Reduce& call, const Index& in_kept, const Index& in_reduced,
            const Index& out) {
  const R reducer;
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  Target<R, Index> target = target_of<R>(call, out);
  Elements<R, Index> input{static_cast<const typename R::Value*>(call.in.data), in_kept, in_reduced, target.elements,
                           false};
  const auto lies_aligned = [&](std::int64_t elements) {
    return elements * static_cast<std::int64_t>(sizeof(typename R::Value)) %
               static_cast<std::int64_t>(Elements<R, Index>::kRunAlignment) == 0;
  };
  if constexpr (std::is_same_v<Index, Line>)
    input.aligned = in_reduced.stride == 1 || input.count == 1;
  else
    input.aligned = call.reduced == 0 || (call.reduced == 1 && call.in.strides[kept] == 1);
  input.aligned = input.aligned && reinterpret_cast<std::uintptr_t>(input.data) % Elements<R, Index>::kRunAlignment == 0;
  for (std::size_t d = 0; d < kept; ++d)
    input.aligned = input.aligned && (call.extent.sizes[d] == 1 || lies_aligned(call.in.strides[d]));
  const std::int64_t outputs = call.extent.count() / input.count, chunks = divide_up(input.count, kChunk);
  if (input.count <= kFew)
    return launch(context, reduce_few_kernel<R, Index>, grid_stride(context, outputs, kThreads), reducer, input, target,
                  outputs);

  const Scratch partials(context, partial_bytes<R>(outputs, chunks));
  target.partials = partials.as<typename R::State>();
  if (outputs_are_closer(call, static_cast<int>(kept)))
    launch(context, reduce_columns_kernel<R, Index>, grid_stride(context, divide_up(outputs, kWarp) * chunks, 1),
           reducer, input, target, outputs, chunks);
  else if (reduce_rows(context, reducer, input, target, outputs, chunks))
    return;
  if (chunks > 1) reduce_partials(context, reducer, target.partials, outputs, chunks, target);
}

template <class R>
void reduce(const Context& context, const Reduce& call) {
  const auto kept = static_cast<std::size_t>(call.extent.ndim - call.reduced);
  const auto sizes = dims(call.extent);
  const std::int64_t *const in = call.in.strides.data(), *const out = call.out.strides.data();
  const auto line = [&](bool of_kept, const std::int64_t* strides) {
    return of_kept ? line_of(sizes.first(kept), strides) : line_of(sizes.subspan(kept), strides + kept);
  };
  const auto in_kept = line(true, in), in_reduced = line(false, in), out_kept = line(true, out);
  if (in_kept && in_reduced && out_kept) return reduce<R>(context, call, *in_kept, *in_reduced, *out_kept);
  reduce<R>(context, call, make_walk<1>(sizes.first(kept), {in}), make_walk<1>(sizes.subspan(kept), {in + kept}),
            make_walk<1>(sizes.first(kept), {out}));
}

}  // namespace luge::cuda
