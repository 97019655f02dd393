// Picking along one dimension, and adding back.
//
// Where whole rows are picked, as of an embedding's table, they move in words of up to 16 bytes. The way back has no
// floating-point atomics: the labels of each line are sorted, so that those that name the same place stand side by side
// in the order of their positions. The first of them adds up all their gradients, in that order. A line is sorted once,
// however often broadcasting repeats it (an embedding's for all columns).

#include <array>
#include <cstring>

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "packs.cuh"
#include "walk.cuh"

namespace luge::cuda {

namespace {

/// What is walked: source (not along the picked dimension), out and labels.
using Windows = Space<3>;
enum Window : int { kSource, kOut, kLabels };

/// Strides along the picked dimension, apart from the walk over everything.
struct Steps {
  std::int64_t source = 0, source_size = 0;
  std::int64_t out = 0;  ///< where a chain says the position
};

__device__ inline bool exists(std::int64_t label, std::int64_t size) { return label >= 0 && label < size; }

__device__ inline void report(IndexFault* fault, std::int64_t label, std::int64_t size) {
  if (atomicCAS(&fault->reported, 0, 1) != 0) return;
  fault->index = label;
  fault->size = size;
}

/// Words are moved as they are; `missing` is what a label outside the range gives. A thread has several in flight.
template <class Word, class Walk>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Walk walk, const Steps steps, const Word* source, const std::int64_t* labels, Word* out,
                  const Word missing, IndexFault* fault) {
  using Position = typename Walk::Position;
  constexpr int kWords = 4;
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += kWords * threads) {
    typename Walk::Index offsets[kWords][3];
    std::int64_t label[kWords];
    Word words[kWords];
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      const Position ahead = at + w * threads;
      walk.offsets(ahead < count ? ahead : at, offsets[w]);
      label[w] = labels[offsets[w][kLabels]];
    }
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      words[w] = missing;
      if (exists(label[w], steps.source_size)) words[w] = source[offsets[w][kSource] + label[w] * steps.source];
    }
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      if (w > 0 && at + w * threads >= count) break;
      out[offsets[w][kOut]] = words[w];
      if (!exists(label[w], steps.source_size)) report(fault, label[w], steps.source_size);
    }
  }
}

// ---- the way back -------------------------------------------------------------------------------

/// Positions that are read at once behind the first of a chain.
inline constexpr int kAhead = 4;

/// From sorted lines to chains: a position that continues the chain of the one before becomes its complement, which is
/// negative. Behind the last line stand kAhead first ones.
__global__ void __launch_bounds__(kThreads)
    chain_kernel(std::int64_t count, std::int64_t length, const std::int64_t* labels, std::int64_t* positions) {
  for (std::int64_t at = grid_thread(); at < count + kAhead; at += grid_threads()) {
    const bool first = at >= count || at - quick_quotient(at, length) * length == 0 || labels[at] != labels[at - 1];
    if (at >= count)
      positions[at] = 0;
    else if (!first)
      positions[at] = ~positions[at];
  }
}

/// source[.., label, ..] = what the last of a chain gives. Words are moved as they are. Without a chain every label of a
/// line is another one.
template <class Word, class Walk>
__global__ void __launch_bounds__(kThreads)
    scatter_kernel(const Walk walk, const Steps steps, Word* source, const std::int64_t* labels, const Word* out,
                   const std::int64_t* chain, IndexFault* fault) {
  using Position = typename Walk::Position;
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += threads) {
    typename Walk::Index offsets[3];
    walk.offsets(at, offsets);
    std::int64_t position = 0;
    if (chain) {
      if (chain[offsets[kLabels] + 1] < 0) continue;
      position = chain[offsets[kLabels]];
      if (position < 0) position = ~position;
    }
    const std::int64_t label = labels[offsets[kLabels]];
    if (exists(label, steps.source_size))
      source[offsets[kSource] + label * steps.source] = out[offsets[kOut] + position * steps.out];
    else
      report(fault, label, steps.source_size);
  }
}

/// source[.., label, ..] += the chain's gradients, in order and in float64; n neighbours at a time.
template <class T, int n, class Walk>
__global__ void __launch_bounds__(kThreads)
    scatter_add_kernel(const Walk walk, const Steps steps, Pack<T, n>* source, const std::int64_t* labels,
                       const Pack<T, n>* out, const std::int64_t* chain, IndexFault* fault) {
  using Position = typename Walk::Position;
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += threads) {
    typename Walk::Index offsets[3];
    walk.offsets(at, offsets);
    const std::int64_t position = chain ? chain[offsets[kLabels]] : 0;
    const std::int64_t label = labels[offsets[kLabels]];
    if (position < 0) continue;
    if (!exists(label, steps.source_size)) {
      report(fault, label, steps.source_size);
      continue;
    }
    const Pack<T, n>* const gradients = out + offsets[kOut];
    Pack<T, n>* const place = source + (offsets[kSource] + label * steps.source);
    const Pack<T, n> first = gradients[position * steps.out], old = *place;
    double sum[n];
#pragma unroll
    for (int k = 0; k < n; ++k) sum[k] = static_cast<double>(first.values[k]);
    for (std::int64_t next = offsets[kLabels] + 1; chain && chain[next] < 0; next += kAhead) {
      Pack<T, n> more[kAhead];
      bool follows[kAhead];
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        const std::int64_t follower = chain[next + a];
        follows[a] = follower < 0 && (a == 0 || follows[a - 1]);
        if (follows[a]) more[a] = gradients[~follower * steps.out];
      }
#pragma unroll
      for (int a = 0; a < kAhead; ++a)
        if (follows[a])
#pragma unroll
          for (int k = 0; k < n; ++k) sum[k] += static_cast<double>(more[a].values[k]);
      if (!follows[kAhead - 1]) break;
    }
    Pack<T, n> result;
#pragma unroll
    for (int k = 0; k < n; ++k) result.values[k] = static_cast<T>(static_cast<double>(old.values[k]) + sum[k]);
    *place = result;
  }
}

// ---- launch -------------------------------------------------------------------------------------

/// How many neighbours of a row can move at once, up to 16 bytes; 1 where rows are not picked as a whole.
int neighbours(const Windows& windows, const Steps& steps, const Gather& call) {
  const int last = windows.ndim - 1;
  if (windows.strides[kSource][last] != 1 || windows.strides[kOut][last] != 1 || windows.strides[kLabels][last] != 0)
    return 1;
  const auto bytes = static_cast<std::int64_t>(size_of(call.source.dtype));
  for (std::int64_t n = 16 / bytes; n > 1; n /= 2) {
    const auto aligned = [&](const void* data) {
      return reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(n * bytes) == 0;
    };
    bool fits = aligned(call.source.data) && aligned(call.out.data) && windows.sizes[last] % n == 0 &&
                steps.source % n == 0 && steps.out % n == 0;
    for (int d = 0; d < last; ++d)
      fits = fits && windows.strides[kSource][d] % n == 0 && windows.strides[kOut][d] % n == 0;
    if (fits) return static_cast<int>(n);
  }
  return 1;
}

/// The same windows with n neighbours for an element.
void widen(Windows& windows, Steps& steps, int n) {
  const int last = windows.ndim - 1;
  if (n == 1) return;
  windows.sizes[last] /= n;
  for (int d = 0; d < last; ++d) {
    windows.strides[kSource][d] /= n;
    windows.strides[kOut][d] /= n;
  }
  steps.source /= n;
  steps.out /= n;
}

/// use.template operator()<Word>() with words of 1 to 16 bytes.
void with_wide_word(std::size_t bytes, const auto& use) {
  if (bytes == 16) return use.template operator()<Pack<std::uint64_t, 2>>();
  with_word(bytes, use);
}

/// Labels whose lines are sorted, and the chains of positions in them; or labels as they are, without chains.
struct Chains {
  const std::int64_t* labels;
  const std::int64_t* chain;
};

void gather(const Context& context, const Gather& call, Windows windows, Steps steps) {
  const int n = neighbours(windows, steps, call);
  widen(windows, steps, n);
  const std::size_t bytes = size_of(call.source.dtype);
  unsigned char missing[16] = {};
  if (is_floating(call.source.dtype))
    with_element(call.source.dtype, [&]<class T>() {
      const T nan = quiet_nan<T>();
      for (int i = 0; i < n; ++i) std::memcpy(missing + static_cast<std::size_t>(i) * bytes, &nan, sizeof(T));
    });
  with_wide_word(bytes * static_cast<std::size_t>(n), [&]<class Word>() {
    Word word;
    std::memcpy(&word, missing, sizeof(Word));
    with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
      launch(context, gather_kernel<Word, Walk>, grid_stride(context, windows.count(), 4 * kThreads), walk, steps,
             static_cast<const Word*>(call.source.data), static_cast<const std::int64_t*>(call.index.data),
             static_cast<Word*>(call.out.data), word, context.gpu().fault());
    });
  });
}

template <class T>
void scatter_add(const Context& context, const Gather& call, Windows windows, Steps steps, const Chains& chains) {
  constexpr int kMost = 16 / sizeof(T);
  const auto add = [&]<int n>() {
    widen(windows, steps, n);
    with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
      launch(context, scatter_add_kernel<T, n, Walk>, grid_stride(context, windows.count(), kThreads), walk, steps,
             static_cast<Pack<T, n>*>(call.source.data), chains.labels, static_cast<const Pack<T, n>*>(call.out.data),
             chains.chain, context.gpu().fault());
    });
  };
  if (neighbours(windows, steps, call) == kMost)
    add.template operator()<kMost>();
  else
    add.template operator()<1>();
}

void scatter(const Context& context, const Gather& call, Windows windows, Steps steps, const Chains& chains) {
  const int n = neighbours(windows, steps, call);
  widen(windows, steps, n);
  with_wide_word(size_of(call.source.dtype) * static_cast<std::size_t>(n), [&]<class Word>() {
    with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
      launch(context, scatter_kernel<Word, Walk>, grid_stride(context, windows.count(), kThreads), walk, steps,
             static_cast<Word*>(call.source.data), chains.labels, static_cast<const Word*>(call.out.data), chains.chain,
             context.gpu().fault());
    });
  });
}

void put_back(const Context& context, const Gather& call, const Windows& windows, const Steps& steps,
              const Chains& chains) {
  if (call.store != Store::Accumulate) return scatter(context, call, windows, steps, chains);
  with_floating(call.source.dtype, [&]<class T>() { scatter_add<T>(context, call, windows, steps, chains); });
}

using Strides = std::array<std::int64_t, kMaxDims>;

/// Sorts the lines of labels and puts back along their chains.
void put_back_in_order(const Context& context, const Gather& call, const Strides& source_strides, Steps steps) {
  const auto dim = static_cast<std::size_t>(call.dim);
  const std::int64_t length = call.extent.sizes[dim];
  // Line after line, over the dimensions along which the labels change.
  Extent lines = call.extent;
  Strides line_strides{};
  std::int64_t count = length;
  line_strides[dim] = 1;
  bool in_place = call.index.strides[dim] == 1;
  for (auto d = static_cast<std::size_t>(call.extent.ndim); d-- > 0;) {
    if (d == dim) continue;
    if (call.index.strides[d] == 0) lines.sizes[d] = 1;
    if (lines.sizes[d] == 1) continue;
    line_strides[d] = count;
    in_place = in_place && call.index.strides[d] == count;
    count *= lines.sizes[d];
  }
  const Scratch memory(context, (3 * count + kAhead) * static_cast<std::int64_t>(sizeof(std::int64_t)));
  auto* const sorted = memory.as<std::int64_t>();
  std::int64_t *const positions = sorted + count, *const copied = positions + count + kAhead;
  const auto lines_at = [&](void* data) {
    Operand operand = call.index;
    operand.data = data;
    operand.strides[0] = length;
    return operand;
  };
  if (!in_place) {
    Copy copy{.extent = lines, .in = call.index, .out = lines_at(copied)};
    copy.out.strides = line_strides;
    run(context, copy);
  }
  Sort sort;
  sort.rows = count / length;
  sort.columns = sort.kept = length;
  sort.in = lines_at(in_place ? call.index.data : copied);
  sort.values = lines_at(sorted);
  sort.indices = lines_at(positions);
  run(context, sort);
  launch(context, chain_kernel, grid_stride(context, count + kAhead, kThreads), count, length,
         static_cast<const std::int64_t*>(sorted), positions);
  // The chain says where along the dimension.
  Strides out_strides = call.out.strides;
  steps.out = out_strides[dim];
  out_strides[dim] = 0;
  put_back(context, call,
           Windows(dims(call.extent), {source_strides.data(), out_strides.data(), line_strides.data()}), steps,
           {sorted, positions});
}

}  // namespace

void run(const Context& context, const Gather& call) {
  const auto dim = static_cast<std::size_t>(call.dim);
  Strides source_strides = call.source.strides;
  source_strides[dim] = 0;
  const Steps steps{call.source.strides[dim], call.source_size, 0};
  if (call.direction == Direction::Backward && !call.distinct && call.extent.sizes[dim] > 1)
    return put_back_in_order(context, call, source_strides, steps);
  const Windows windows(dims(call.extent),
                        {source_strides.data(), call.out.strides.data(), call.index.strides.data()});
  if (call.direction == Direction::Forward) return gather(context, call, windows, steps);
  put_back(context, call, windows, steps, {static_cast<const std::int64_t*>(call.index.data), nullptr});
}

}  // namespace luge::cuda
