// Putting back along one dimension: the way back of picking (gather.cu).
//
// There are no floating-point atomics: the labels of each line are sorted, so that those that name the same place stand
// side by side in the order of their positions, as a chain. The thread of its first one adds up (or multiplies, ...) all
// their gradients; those of a long chain were added in pieces before, all at once. A line is sorted once, however often
// broadcasting repeats it (an embedding's for all columns).

#include "blocks.cuh"
#include "gather.cuh"
#include "kernels.h"
#include "launch.h"
#include "reducers.cuh"

namespace luge::cuda {

namespace {

/// How two folds of parts of a chain become one, `a` before `b`. Floats are carried in float64, integers and bools in
/// int64.
template <class T>
using Carried = math::scalar::Carried<T>;
struct Summing {
  template <class State>
  __device__ State merge(State a, State b) const {
    return a + b;
  }
};
/// As the call says: its kernels wait for memory, not for the choice, which is the same for all threads.
struct Folding {
  Fold fold;

  template <class State>
  __device__ State merge(State a, State b) const {
    switch (fold) {
      case Fold::Sum: return Sum<State, false>::merge(a, b);
      case Fold::Prod: return Product<State>::merge(a, b);
      case Fold::Min: return Extreme<State, false>::merge(a, b);
      case Fold::Max: break;
    }
    return Extreme<State, true>::merge(a, b);
  }
};

/// Entries of a chain whose gradients one thread adds up, one after the other.
inline constexpr int kPiece = 64;
/// Entries that are read at once behind the first of a piece.
inline constexpr int kAhead = 4;

/// An entry of a chain: a position in the line, and how it follows the entry before.
enum class Link : int { Begins = 0, Continues = 1, BeginsPiece = 2 };
__device__ inline std::int64_t entry(std::int64_t position, Link link) { return position * 4 + static_cast<int>(link); }
__device__ inline std::int64_t position_of(std::int64_t entry) { return entry >> 2; }
__device__ inline Link link_of(std::int64_t entry) { return static_cast<Link>(entry & 3); }

/// Sorted labels, line after line, and the chains of their positions; or labels as they are, without chains.
struct Chains {
  const std::int64_t* labels = nullptr;
  const std::int64_t* entries = nullptr;  ///< behind the last one stand kAhead that begin a chain
  std::int64_t count = 0, length = 0;     ///< of all, and of a line
  /// Pieces begin at least kPiece entries apart, but for the first of a chain: so there is one number for each kPiece
  /// entries, that of the one among them at which a piece begins, or -1.
  const std::int64_t* pieces = nullptr;
};

/// From positions to entries.
__global__ void __launch_bounds__(kThreads)
    chain_kernel(const Chains chains, std::int64_t* entries, std::int64_t* pieces) {
  for (std::int64_t at = grid_thread(); at < chains.count + kAhead; at += grid_threads()) {
    if (at >= chains.count) {
      entries[at] = entry(0, Link::Begins);
      continue;
    }
    // The chain begins with the first of the label in its line.
    const std::int64_t label = chains.labels[at];
    std::int64_t low = quick_quotient(at, chains.length) * chains.length, high = at;
    if (at > low && chains.labels[at - 1] != label) low = at;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (chains.labels[middle] < label)
        low = middle + 1;
      else
        high = middle;
    }
    const std::int64_t rank = at - low;
    const Link link = rank == 0 ? Link::Begins : rank % kPiece == 0 ? Link::BeginsPiece : Link::Continues;
    entries[at] = entry(entries[at], link);
    if (link == Link::BeginsPiece) pieces[at / kPiece] = at;
  }
}

/// Long words and walks of any layout take many registers.
template <class Word, class Walk>
[[maybe_unused]] constexpr int kScatterBlocks = sizeof(Word) > 4 || !std::is_same_v<Walk, ShortWalk<3>> ? 2 : 5;

/// source[.., label, ..] = what the last of a chain gives. Words are moved as they are; a thread has several in flight.
/// Without a chain every label of a line is another one.
template <class Word, class Walk>
__global__ void __launch_bounds__(kThreads, kScatterBlocks<Word, Walk>)
    scatter_kernel(const Walk walk, const Steps steps, Word* source, const std::int64_t* labels, const Word* out,
                   const std::int64_t* chain, IndexFault* fault) {
  using Position = typename Walk::Position;
  constexpr int kWords = 4;
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += kWords * threads) {
    typename Walk::Index offsets[kWords][3];
    std::int64_t label[kWords], position[kWords];
    bool is_last[kWords];  // of its chain
    Word words[kWords];
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      const Position ahead = at + w * threads;
      walk.offsets(ahead < count ? ahead : at, offsets[w]);
      const auto place = offsets[w][kLabels];
      label[w] = labels[place];
      position[w] = chain ? position_of(chain[place]) : 0;
      is_last[w] = ahead < count && (!chain || link_of(chain[place + 1]) == Link::Begins);
    }
#pragma unroll
    for (int w = 0; w < kWords; ++w)
      if (is_last[w] && exists(label[w], steps.source_size)) words[w] = out[offsets[w][kOut] + position[w] * steps.out];
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      if (!is_last[w]) continue;
      if (exists(label[w], steps.source_size))
        source[offsets[w][kSource] + label[w] * steps.source] = words[w];
      else
        report(fault, label[w], steps.source_size);
    }
  }
}

/// The gradients of a piece, n neighbours at a time, folded in float64 or int64 and in order: of the entry at `at`, which
/// is given, and of those that continue it.
template <class T, int n, class How>
class Piece {
 public:
  using State = Carried<T>;

  __device__ Piece(How how, const Pack<T, n>* gradients, std::int64_t step, std::int64_t entry)
      : how_(how), gradients_(gradients), step_(step) {
    const Pack<T, n> first = gradients_[position_of(entry) * step_];
#pragma unroll
    for (int k = 0; k < n; ++k) folded.values[k] = static_cast<State>(first.values[k]);
  }

  /// kNext at a time.
  template <int kNext>
  __device__ void add_continuing(const std::int64_t* chain, std::int64_t at) {
    static_assert(kNext <= kAhead);
    for (++at; link_of(chain[at]) == Link::Continues; at += kNext) {
      Pack<T, n> more[kNext];
      bool continues[kNext];
#pragma unroll
      for (int a = 0; a < kNext; ++a) {
        const std::int64_t next = chain[at + a];
        continues[a] = link_of(next) == Link::Continues && (a == 0 || continues[a - 1]);
        if (continues[a]) more[a] = gradients_[position_of(next) * step_];
      }
#pragma unroll
      for (int a = 0; a < kNext; ++a)
        if (continues[a])
#pragma unroll
          for (int k = 0; k < n; ++k)
            folded.values[k] = how_.merge(folded.values[k], static_cast<State>(more[a].values[k]));
      if (!continues[kNext - 1]) break;
    }
  }

  Pack<State, n> folded;

 private:
  How how_;
  const Pack<T, n>* gradients_;
  std::int64_t step_;
};

/// The folds of all pieces that do not begin a chain: folds[i * columns.count + c] for the one at chains.pieces[i].
template <class T, int n, class How>
__global__ void __launch_bounds__(kThreads)
    piece_folds_kernel(const How how, const Chains chains, const Walk<1> lines, const Walk<1> columns, std::int64_t step,
                       const Pack<T, n>* out, Pack<Carried<T>, n>* folds) {
  const std::int64_t units = divide_up(chains.count, kPiece) * columns.count;
  for (std::int64_t unit = grid_thread(); unit < units; unit += grid_threads()) {
    const std::int64_t piece = quick_quotient(unit, columns.count), at = chains.pieces[piece];
    if (at < 0) continue;
    const std::int64_t column = columns.offset(unit - piece * columns.count);
    Piece<T, n, How> of_piece(how, out + lines.offset(quick_quotient(at, chains.length)) + column, step,
                              chains.entries[at]);
    of_piece.template add_continuing<kAhead>(chains.entries, at);
    folds[unit] = of_piece.folded;
  }
}

/// Six blocks have 48 KB in flight. Walks of any layout and folds of integers would keep numbers in memory then.
template <class T, class How, class Walk>
[[maybe_unused]] constexpr int kFoldBlocks = kFloating<T> && std::is_same_v<How, Summing> && std::is_same_v<Walk, ShortWalk<4>> ? 6 : 3;

/// source[.., label, ..] += the chain's gradients, n neighbours at a time.
template <class T, int n, class How, class Walk>
__global__ void __launch_bounds__(kThreads, kFoldBlocks<T, How, Walk>)
    scatter_fold_kernel(const How how, const Walk walk, const Steps steps, Pack<T, n>* source, const Chains chains,
                        const Pack<T, n>* out, const Pack<Carried<T>, n>* folds, std::int64_t columns,
                        IndexFault* fault) {
  using Position = typename Walk::Position;
  using State = Carried<T>;
  constexpr int kNext = n == 1 ? kAhead : 1;  // more do not fit into the registers of six blocks
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += threads) {
    typename Walk::Index offsets[4];
    walk.offsets(at, offsets);
    const std::int64_t first = chains.entries ? chains.entries[offsets[kLabels]] : 0;
    const std::int64_t label = chains.labels[offsets[kLabels]];
    if (link_of(first) != Link::Begins) continue;
    if (!exists(label, steps.source_size)) {
      report(fault, label, steps.source_size);
      continue;
    }
    Pack<T, n>* const place = source + (offsets[kSource] + label * steps.source);
    const Pack<T, n> old = *place;
    Piece<T, n, How> piece(how, out + offsets[kOut], steps.out, first);
    if (chains.entries) {
      piece.template add_continuing<kNext>(chains.entries, offsets[kLabels]);
      std::int64_t next = offsets[kLabels] + kPiece;
      for (; next < chains.count && link_of(chains.entries[next]) == Link::BeginsPiece; next += kPiece) {
        const Pack<State, n> more = folds[next / kPiece * columns + offsets[kColumn]];
#pragma unroll
        for (int k = 0; k < n; ++k) piece.folded.values[k] = how.merge(piece.folded.values[k], more.values[k]);
      }
    }
    Pack<T, n> result;
#pragma unroll
    for (int k = 0; k < n; ++k)
      result.values[k] = static_cast<T>(how.merge(static_cast<State>(old.values[k]), piece.folded.values[k]));
    *place = result;
  }
}

// ---- launch -------------------------------------------------------------------------------------

/// The strides of what is put back. Along the picked dimension that of out is 0 where a chain says the position.
struct PutBack {
  Strides source, out, labels;
  Steps steps;
  Chains chains;
};

/// The dimensions that repeat labels, or the others, but for the picked one.
Extent part_of(const Gather& call, bool repeating) {
  Extent part = call.extent;
  for (int d = 0; d < part.ndim; ++d)
    if (d == call.dim || (call.index.strides[static_cast<std::size_t>(d)] == 0) != repeating)
      part.sizes[static_cast<std::size_t>(d)] = 1;
  return part;
}

template <class T, int n, class How>
void scatter_fold(const Context& context, const Gather& call, const How& how, const PutBack& back, Space<4> windows,
                  Steps steps, std::int64_t columns) {
  widen(windows, steps, n);
  const auto* const out = static_cast<const Pack<T, n>*>(call.out.data);
  const Chains& chains = back.chains;
  const std::int64_t pieces = chains.entries ? divide_up(chains.count, kPiece) : 0;
  const Scratch memory(context, pieces * columns * static_cast<std::int64_t>(sizeof(Carried<T>)) + 1);
  auto* const folds = memory.as<Pack<Carried<T>, n>>();
  if (pieces > 0) {
    const Strides& strides = call.out.strides;
    Space<1> column_space(dims(part_of(call, true)), {strides.data()});
    Space<1> line_space(dims(part_of(call, false)), {strides.data()});
    for (int d = 0; n > 1 && d < column_space.ndim; ++d) {
      if (d < column_space.ndim - 1)
        column_space.strides[0][d] /= n;
      else
        column_space.sizes[d] /= n;
    }
    for (int d = 0; d < line_space.ndim; ++d) line_space.strides[0][d] /= n;
    launch(context, piece_folds_kernel<T, n, How>, grid_stride(context, pieces * (columns / n), kThreads), how, chains,
           make_walk(line_space), make_walk(column_space), steps.out, out, folds);
  }
  with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
    launch(context, scatter_fold_kernel<T, n, How, Walk>, grid_stride(context, windows.count(), kThreads), how, walk,
           steps, static_cast<Pack<T, n>*>(call.source.data), chains, out, folds, columns / n, context.gpu().fault());
  });
}

template <class T>
void scatter_fold(const Context& context, const Gather& call, const PutBack& back) {
  // Columns are numbered over the dimensions that repeat labels, the last one first.
  const Extent repeating = part_of(call, true);
  Strides numbers{};
  std::int64_t columns = 1;
  for (auto d = static_cast<std::size_t>(repeating.ndim); d-- > 0;) {
    numbers[d] = repeating.sizes[d] == 1 ? 0 : columns;
    columns *= repeating.sizes[d];
  }
  const Space<4> windows(dims(call.extent),
                         {back.source.data(), back.out.data(), back.labels.data(), numbers.data()});
  if constexpr (kFloating<T>) {
    // Sums of floats, the gradients of picking, are what has to be quick.
    constexpr int kMost = 16 / sizeof(T);
    if (call.fold == Fold::Sum) {
      if (neighbours(windows, back.steps, call) == kMost)
        return scatter_fold<T, kMost>(context, call, Summing{}, back, windows, back.steps, columns);
      return scatter_fold<T, 1>(context, call, Summing{}, back, windows, back.steps, columns);
    }
  }
  scatter_fold<T, 1>(context, call, Folding{call.fold}, back, windows, back.steps, columns);
}

void scatter(const Context& context, const Gather& call, const PutBack& back) {
  Space<3> windows(dims(call.extent), {back.source.data(), back.out.data(), back.labels.data()});
  Steps steps = back.steps;
  const int n = neighbours(windows, steps, call);
  widen(windows, steps, n);
  with_wide_word(size_of(call.source.dtype) * static_cast<std::size_t>(n), [&]<class Word>() {
    with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
      launch(context, scatter_kernel<Word, Walk>, grid_stride(context, windows.count(), 4 * kThreads), walk, steps,
             static_cast<Word*>(call.source.data), back.chains.labels, static_cast<const Word*>(call.out.data),
             back.chains.entries, context.gpu().fault());
    });
  });
}

void put_back(const Context& context, const Gather& call, const PutBack& back) {
  if (call.store != Store::Accumulate) return scatter(context, call, back);
  with_dtype(call.source.dtype, [&]<class T>() { scatter_fold<T>(context, call, back); });
}

/// Sorts the lines of labels and puts back along their chains.
void put_back_in_order(const Context& context, const Gather& call, PutBack back) {
  const auto dim = static_cast<std::size_t>(call.dim);
  const std::int64_t length = call.extent.sizes[dim];
  // Line after line, over the dimensions along which the labels change.
  Extent lines = part_of(call, false);
  lines.sizes[dim] = length;
  back.labels.fill(0);
  back.labels[dim] = 1;
  std::int64_t count = length;
  bool in_place = call.index.strides[dim] == 1;
  for (auto d = static_cast<std::size_t>(lines.ndim); d-- > 0;) {
    if (d == dim || lines.sizes[d] == 1) continue;
    back.labels[d] = count;
    in_place = in_place && call.index.strides[d] == count;
    count *= lines.sizes[d];
  }
  const std::int64_t pieces = divide_up(count, kPiece);
  const Scratch memory(context, (3 * count + kAhead + pieces) * static_cast<std::int64_t>(sizeof(std::int64_t)));
  auto* const sorted = memory.as<std::int64_t>();
  std::int64_t *const entries = sorted + count, *const begins = entries + count + kAhead, *const copied = begins + pieces;
  const auto lines_at = [&](void* data) {
    Operand operand = call.index;
    operand.data = data;
    operand.strides[0] = length;
    return operand;
  };
  if (!in_place) {
    Copy copy{.extent = lines, .in = call.index, .out = lines_at(copied)};
    copy.out.strides = back.labels;
    run(context, copy);
  }
  Sort sort;
  sort.rows = count / length;
  sort.columns = sort.kept = length;
  sort.in = lines_at(in_place ? call.index.data : copied);
  sort.values = lines_at(sorted);
  sort.indices = lines_at(entries);
  run(context, sort);
  check(cudaMemsetAsync(begins, 0xFF, static_cast<std::size_t>(pieces) * sizeof(std::int64_t), context.stream()),
        context.op(), "cudaMemsetAsync");
  back.chains = {sorted, entries, count, length, begins};
  launch(context, chain_kernel, grid_stride(context, count + kAhead, kThreads), back.chains, entries, begins);
  back.steps.out = back.out[dim];
  back.out[dim] = 0;
  put_back(context, call, back);
}

}  // namespace

void put_back(const Context& context, const Gather& call, const Strides& source, const Steps& steps) {
  const PutBack back{source, call.out.strides, call.index.strides, steps,
                     {.labels = static_cast<const std::int64_t*>(call.index.data)}};
  if (call.distinct || call.extent.sizes[static_cast<std::size_t>(call.dim)] == 1) return put_back(context, call, back);
  put_back_in_order(context, call, back);
}

}  // namespace luge::cuda
