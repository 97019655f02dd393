#pragma once
// A tile of a matrix product: a team of threads stages rows of a and columns of b in shared memory and keeps its part
// of c in registers. Every element of c is one chain of fused multiply-adds in the order of k, whatever the tile.

#include <cstdint>

#include <luge/math/dialect.h>

#include "block_size.h"
#include "device.h"
#include "packs.cuh"

namespace luge::cuda {

/// A team computes rows x columns elements, each of its threads down x across of them.
template <class Number, int rows, int columns, int down, int across>
struct TileShape {
  using T = Number;
  static constexpr int kRows = rows, kColumns = columns, kDown = down, kAcross = across;
  static constexpr int kTeam = (rows / down) * (columns / across);
  static constexpr int kTeams = kThreads / kTeam;  ///< of a block
  static constexpr int kPack = 16 / static_cast<int>(sizeof(T));
  static constexpr int kDepth = 4 * kPack;  ///< terms that are staged at once
  /// Of a multiprocessor at once: what there shall be registers for.
  static constexpr int kBlocks = down * across * static_cast<int>(sizeof(T)) <= 32 ? 3 : 2;
  static constexpr int kStaged = kDepth * (rows + columns);
  static_assert(kTeam % kWarp == 0 && kThreads % kTeam == 0);
};

/// a for the rows of a tile, or b for its columns; both are called lines.
template <class T>
struct TileFactor {
  const T* data = nullptr;
  std::int64_t line = 0, term = 0;  ///< strides: from line to line, along k
  std::int64_t step = 0;            ///< from what a thread moves to what it moves next: TileLoader::step()
  bool along_terms = false;         ///< the elements that a thread moves together follow each other along k
};

template <class T>
struct TileResult {
  enum class Packed : unsigned char { Neither, Across, Down };

  T* data = nullptr;
  std::int64_t row = 0, column = 0;
  Packed packed = Packed::Neither;
  bool accumulate = false;
};

/// A staged factor of `width` lines: term after term, the lines of each side by side. Some bits of a place are turned
/// by the term, so that no two lanes meet in a bank, whether a warp writes along the lines or along the terms.
template <class Shape, int width>
struct Staged {
  static constexpr bool kNarrow = width < 8;
  static constexpr int kTurned = kNarrow ? width : 8 * (Shape::kPack - 1);

  __device__ static constexpr int place(int line, int term) {
    const int pack = term / Shape::kPack;
    const int turn = kNarrow ? pack / 2 % 2 * width : 8 * (pack % Shape::kPack);
    return ((term * width) ^ (turn & -width)) + (line ^ (turn & (width - 1)));
  }
  /// Of the `further`-th of the terms that one pack holds, from the place of the first.
  __device__ static constexpr int along(int place, int further) {
    return shifted<width*(Shape::kPack - 1)>(place, further * width);
  }
  /// Of a line `by` further on; `most` is the greatest `by` of the caller.
  template <int most>
  __device__ static constexpr int shifted(int place, int by) {
    return (most & kTurned) == 0 ? place + by : place ^ by;
  }
};

/// Brings one factor of a tile from memory, through registers, to shared memory. `packed`: what a thread moves together
/// is 16 aligned bytes, and never ends within them.
template <class Shape, int width, bool packed>
class TileLoader {
  using T = typename Shape::T;
  using Place = Staged<Shape, width>;
  static constexpr int kPack = Shape::kPack, kTeam = Shape::kTeam;
  static constexpr int kGroup = width < 8 ? width : 8;  // lines whose packs along k a quarter of a warp brings

 public:
  static constexpr int kPacks = width * Shape::kDepth / kPack;
  static constexpr int kSlots = kPacks > kTeam ? kPacks / kTeam : 1;  ///< packs of one thread
  /// How far apart those are, in lines or in terms.
  static constexpr int kLineStep = kTeam / 4, kTermStep = kTeam * kPack / width;

  /// The line and the term of a thread's first pack.
  __device__ static constexpr int first_line(int rank, bool along_terms) {
    return along_terms ? rank % kGroup + rank / (kGroup * 4) * kGroup : rank % (width / kPack) * kPack;
  }
  __device__ static constexpr int first_term(int rank, bool along_terms) {
    return along_terms ? rank / kGroup % 4 * kPack : rank / (width / kPack);
  }

  __device__ TileLoader(const TileFactor<T>& factor, int rank)
      : factor_(factor),
        rank_(rank),
        line_(first_line(rank, factor.along_terms)),
        term_(first_term(rank, factor.along_terms)) {}

  static std::int64_t step(const TileFactor<T>& factor) {
    return factor.along_terms ? kLineStep * factor.line : kTermStep * factor.term;
  }

  /// Of this thread's first element, from the first one of the tile.
  __device__ std::int64_t offset() const { return line_ * factor_.line + term_ * factor_.term; }

  /// Starts to bring this thread's elements from `from` on. Of the tile `lines` and `terms` are left.
  __device__ void fetch(const T* from, int lines, int terms) {
    const int lines_left = lines - line_, terms_left = terms - term_;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot, from += factor_.step) {
      const int across = factor_.along_terms ? lines_left - slot * kLineStep : terms_left - slot * kTermStep;
      const int along = across > 0 ? (factor_.along_terms ? terms_left : lines_left) : 0;
      Pack<T, kPack>& pack = held_[slot];
      if constexpr (packed) {
        pack = Pack<T, kPack>{};
        if (along > 0) pack = *reinterpret_cast<const Pack<T, kPack>*>(from);
      } else {
        const std::int64_t next = factor_.along_terms ? factor_.term : factor_.line;
#pragma unroll
        for (int i = 0; i < kPack; ++i) pack.values[i] = i < along ? from[i * next] : T(0);
      }
    }
  }

  __device__ void put(T* staged) const {
    if (kPacks < kTeam && rank_ >= kPacks) return;
    if (factor_.along_terms) {
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot) {
        const int place = Place::place(line_ + slot * kLineStep, term_);
#pragma unroll
        for (int i = 0; i < kPack; ++i) staged[Place::along(place, i)] = held_[slot].values[i];
      }
    } else {
      // An index of packs: a compiler that sees the first store of both branches as one takes the 16 bytes apart.
      auto* const packs = reinterpret_cast<Pack<T, kPack>*>(staged);
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot)
        packs[static_cast<unsigned>(Place::place(line_, term_ + slot * kTermStep)) / kPack] = held_[slot];
    }
  }

 private:
  const TileFactor<T>& factor_;
  int rank_, line_, term_;  // the first pack's line and term
  Pack<T, kPack> held_[kSlots];
};

/// The elements of c that one thread computes.
template <class Shape>
class TilePart {
  using T = typename Shape::T;
  static constexpr int kDown = Shape::kDown, kAcross = Shape::kAcross;
  static constexpr int kGroupsAcross = Shape::kColumns / kAcross;
  static constexpr int kLanesAcross = kGroupsAcross < 8 ? kGroupsAcross : 8, kLanesDown = kWarp / kLanesAcross;
  static constexpr int kWarpsAcross = kGroupsAcross / kLanesAcross;

 public:
  /// Neighbours that are read and written at once.
  static constexpr int kUnitDown = kDown < Shape::kPack ? kDown : Shape::kPack;
  static constexpr int kUnitAcross = kAcross < Shape::kPack ? kAcross : Shape::kPack;

  __device__ explicit TilePart(int rank) : row_(first_row(rank)), column_(first_column(rank)) { clear(); }

  /// A warp has neighbouring rows and columns of the tile.
  __device__ static constexpr int first_row(int rank) {
    return (rank / kWarp / kWarpsAcross * kLanesDown + rank % kWarp / kLanesAcross) * kUnitDown;
  }
  __device__ static constexpr int first_column(int rank) {
    return (rank / kWarp % kWarpsAcross * kLanesAcross + rank % kWarp % kLanesAcross) * kUnitAcross;
  }
  /// The i-th row and the j-th column, from the thread's first.
  __device__ static constexpr int row(int i) {
    return i / kUnitDown * (Shape::kRows / (kDown / kUnitDown)) + i % kUnitDown;
  }
  __device__ static constexpr int column(int j) {
    return j / kUnitAcross * (Shape::kColumns / (kAcross / kUnitAcross)) + j % kUnitAcross;
  }

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int j = 0; j < kAcross; ++j) sums_[i][j] = T(0);
  }

  /// Adds the staged terms.
  __device__ void multiply(const T* a, const T* b, int terms) {
    if (terms == Shape::kDepth) {
#pragma unroll
      for (int term = 0; term < Shape::kDepth; ++term) multiply_term(a, b, term);
    } else {
#pragma unroll 1
      for (int term = 0; term < terms; ++term) multiply_term(a, b, term);
    }
  }

  /// `origin` is that of the tile; `rows` and `columns` of it are left.
  __device__ void write(const TileResult<T>& c, T* origin, int rows, int columns) const {
    using Packed = typename TileResult<T>::Packed;
    origin += row_ * c.row + column_ * c.column;
    rows -= row_;
    columns -= column_;
    if (c.packed == Packed::Across) {
#pragma unroll
      for (int i = 0; i < kDown; i += kUnitDown)
#pragma unroll
        for (int j = 0; j < kAcross; j += kUnitAcross)
          write_packs<false, kUnitDown, kUnitAcross>(c, origin + row(i) * c.row + column(j), rows - row(i),
                                                     columns - column(j), i, j);
    } else if (c.packed == Packed::Down) {
#pragma unroll
      for (int i = 0; i < kDown; i += kUnitDown)
#pragma unroll
        for (int j = 0; j < kAcross; j += kUnitAcross)
          write_packs<true, kUnitAcross, kUnitDown>(c, origin + row(i) + column(j) * c.column, columns - column(j),
                                                    rows - row(i), i, j);
    } else {
#pragma unroll
      for (int j = 0; j < kAcross; ++j)
#pragma unroll
        for (int i = 0; i < kDown; i += kUnitDown)
          write_packs<false, kUnitDown, 1>(c, origin + row(i) * c.row + column(j) * c.column, rows - row(i),
                                           columns - column(j), i, j);
    }
  }

 private:
  /// `count` packs of `length` neighbours each, side by side, the first at `to`, sums_[i][j]. What they are added to is
  /// on its way before the first is stored.
  template <bool down, int count, int length>
  __device__ void write_packs(const TileResult<T>& c, T* to, int left, int neighbours_left, int i, int j) const {
    using Chunk = Pack<T, length>;
    if (neighbours_left <= 0) return;
    const std::int64_t step = down ? c.column : c.row;
    Chunk packs[count];
#pragma unroll
    for (int n = 0; n < count; ++n)
#pragma unroll
      for (int l = 0; l < length; ++l) packs[n].values[l] = down ? sums_[i + l][j + n] : sums_[i + n][j + l];
    if (c.accumulate) {
      Chunk before[count] = {};
      const T* from = to;
#pragma unroll
      for (int n = 0; n < count; ++n, from += step)
        if (n < left) before[n] = *reinterpret_cast<const Chunk*>(from);
#pragma unroll
      for (int n = 0; n < count; ++n)
#pragma unroll
        for (int l = 0; l < length; ++l) packs[n].values[l] = before[n].values[l] + packs[n].values[l];
    }
#pragma unroll
    for (int n = 0; n < count; ++n, to += step)
      if (n < left) *reinterpret_cast<Chunk*>(to) = packs[n];
  }

  __device__ void multiply_term(const T* a, const T* b, int term) {
    T x[kDown], y[kAcross];
    read<Shape::kRows, kUnitDown>(x, a, row_, term);
    read<Shape::kColumns, kUnitAcross>(y, b, column_, term);
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int j = 0; j < kAcross; ++j) sums_[i][j] = math::scalar::fma(x[i], y[j], sums_[i][j]);
  }

  /// This thread's lines of one staged term, `unit` neighbours at a time.
  template <int width, int unit, int count>
  __device__ static void read(T (&values)[count], const T* staged, int line, int term) {
    constexpr int kUnits = count / unit, kApart = width / kUnits;
    const int first = Staged<Shape, width>::place(line, term);
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const int place = Staged<Shape, width>::template shifted<width - kApart>(first, u * kApart);
      const auto pack = *reinterpret_cast<const Pack<T, unit>*>(staged + place);
#pragma unroll
      for (int l = 0; l < unit; ++l) values[u * unit + l] = pack.values[l];
    }
  }

  int row_, column_;
  T sums_[kDown][kAcross];
};

}  // namespace luge::cuda
