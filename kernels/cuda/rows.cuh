#pragma once
// Matrices that are worked on row by row: a warp takes a short row, a block a long one. How a row is
// computed depends on the number of its columns alone.

#include <type_traits>

#include <luge/math/rows.h>
#include <luge/seam/call.h>

#include "blocks.cuh"
#include "launch.h"
#include "reducers.cuh"

namespace luge::cuda {

inline constexpr std::int64_t kShortRow = 1024;
/// Elements of a row that a thread loads before it uses the first.
template <class T>
inline constexpr int kBatch = 32 / static_cast<int>(sizeof(T));

/// A matrix whose columns are neighbours, or a vector with one element per row.
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;

  __device__ T* row(std::int64_t r) const { return data + r * stride; }
};

template <class T>
Rows<T> rows_of(const Operand& operand) {
  return {static_cast<T*>(operand.data), operand.strides[0]};
}

template <class Team>
Grid row_grid(const Context& context, std::int64_t rows) {
  return grid_stride(context, rows, Team::kPerBlock);
}

/// Elements of a row that are a thread's: those at `first`, first + Team::kSize and so on.
template <class Team, class T>
struct Batch {
  T values[kBatch<T>];

  __device__ static Batch load(const T* row, std::int64_t first) {
    Batch batch;
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i) batch.values[i] = row[first + i * Team::kSize];
    return batch;
  }
  /// What is not there is `beyond`.
  __device__ static Batch load(const T* row, std::int64_t first, std::int64_t columns, T beyond) {
    const int left = left_of(first, columns);
    Batch batch;
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i) {
      batch.values[i] = beyond;
      if (i * Team::kSize < left) batch.values[i] = row[first + i * Team::kSize];
    }
    return batch;
  }
  /// `whole`: all of them are there.
  template <bool whole>
  __device__ void store(T* row, std::int64_t first, std::int64_t columns, bool accumulate) const {
    const int left = whole ? kAll : left_of(first, columns);
    if (accumulate) {
      const Batch old = whole ? load(row, first) : load(row, first, columns, T(0));
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        if (i * Team::kSize < left) row[first + i * Team::kSize] = old.values[i] + values[i];
    } else {
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        if (i * Team::kSize < left) row[first + i * Team::kSize] = values[i];
    }
  }

 private:
  static constexpr int kAll = kBatch<T> * Team::kSize;

  __device__ static int left_of(std::int64_t first, std::int64_t columns) {
    return columns - first < kAll ? static_cast<int>(columns - first) : kAll;
  }
};

/// The rows of the same number of several operands, batch by batch. Where a thread's part is at most `held` batches,
/// it stays in registers and is read once; with held = 0 every pass reads it.
template <class Team, class T, int operands, int held>
class RowBatches {
 public:
  using Of = Batch<Team, T>;

  __device__ RowBatches(const T* const (&rows)[operands], std::int64_t columns, T beyond)
      : columns_(columns), beyond_(beyond) {
#pragma unroll
    for (int o = 0; o < operands; ++o) rows_[o] = rows[o];
#pragma unroll
    for (int b = 0; b < held; ++b) {
      if (b > 0 && b * kStep >= columns_) break;  // no row is empty
      load(Team::rank() + b * kStep, batches_[b]);
    }
  }

  /// visit(first, batches, whole): this thread's elements from column `first` on, of every operand; all are there if
  /// `whole`, a std::bool_constant, says so.
  template <class Visit>
  __device__ void each(const Visit& visit) const {
    if constexpr (held > 0) {
#pragma unroll
      for (int b = 0; b < held; ++b) {
        if (b > 0 && b * kStep >= columns_) break;  // no row is empty
        visit(Team::rank() + std::int64_t{b} * kStep, batches_[b], std::false_type{});
      }
    } else {
      Of batches[operands];
      std::int64_t first = Team::rank();
#pragma unroll 1
      for (; first + (kStep - Team::kSize) < columns_; first += kStep) {
#pragma unroll
        for (int o = 0; o < operands; ++o) batches[o] = Of::load(rows_[o], first);
        visit(first, batches, std::true_type{});
      }
      if (first >= columns_) return;
      load(first, batches);
      visit(first, batches, std::false_type{});
    }
  }

 private:
  static constexpr int kStep = kBatch<T> * Team::kSize;

  __device__ void load(std::int64_t first, Of (&batches)[operands]) const {
#pragma unroll
    for (int o = 0; o < operands; ++o) batches[o] = Of::load(rows_[o], first, columns_, beyond_);
  }

  const T* rows_[operands];
  std::int64_t columns_;
  T beyond_;
  Of batches_[held > 0 ? held : 1][operands];
};

/// How many batches a thread holds at most: 128 bytes, so that a block's rows are of up to 8192 float32.
inline constexpr int kHeld = 4;

/// Blocks of a kernel that a multiprocessor should have room for: those with few registers hide latency by many warps,
/// those that hold rows by their loads. Left to itself the compiler keeps some float64 in memory to be one block more.
template <class T, int operands, int held>
inline constexpr int kBlocks = sizeof(T) == 8 ? 2 : held == 0 ? 8 : operands == 1 ? 4 : 2;

/// Calls launch_rows.template operator()<Team, held>() with what suits rows of so many elements.
template <class T, class LaunchRows>
void with_team(std::int64_t columns, const LaunchRows& launch_rows) {
  constexpr std::int64_t kByWarp = kHeld * kBatch<T> * WarpTeam::kSize, kByBlock = kHeld * kBatch<T> * BlockTeam::kSize;
  if (columns <= std::min(kShortRow, kByWarp)) return launch_rows.template operator()<WarpTeam, kHeld>();
  if constexpr (kByWarp < kShortRow)
    if (columns <= kShortRow) return launch_rows.template operator()<WarpTeam, 0>();
  columns <= kByBlock ? launch_rows.template operator()<BlockTeam, kHeld>()
                      : launch_rows.template operator()<BlockTeam, 0>();
}

/// The team's log-sum-exp state of a row: known to all of its threads, or to those of its first warp.
template <bool everywhere, class Team, class T, int operands, int held>
__device__ inline typename LogSumExp<T>::State sum_exponentials(const RowBatches<Team, T, operands, held>& row) {
  typename LogSumExp<T>::Pass pass;
  row.each([&](std::int64_t, const Batch<Team, T>(&x)[operands], auto) {
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i) pass.include(x[0].values[i]);  // -inf, beyond the row, adds nothing
  });
  return Team::template reduce<everywhere>(pass.state(), LogSumExp<T>{});
}

template <class T>
__device__ inline void put(T* place, T value, bool accumulate) {
  *place = accumulate ? *place + value : value;
}

}  // namespace luge::cuda
