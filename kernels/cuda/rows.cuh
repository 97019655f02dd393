#pragma once
// Matrices that are worked on row by row: a warp takes a short row, a block a long one. How a row is
// computed depends on the number of its columns alone.

#include <luge/math/rows.h>
#include <luge/seam/call.h>

#include "blocks.cuh"
#include "launch.h"
#include "reducers.cuh"

namespace luge::cuda {

inline constexpr std::int64_t kShortRow = 1024;

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

/// The team's log-sum-exp state of a row, known to all of its threads.
template <class Team, class T>
__device__ inline typename LogSumExp<T>::State sum_exponentials(const T* row, std::int64_t columns) {
  const LogSumExp<T> reducer;
  auto state = reducer.identity();
  for (std::int64_t c = Team::rank(); c < columns; c += Team::kSize) state = reducer.include(state, row[c], c);
  return Team::reduce(state, reducer);
}

template <class T>
__device__ inline void put(T* place, T value, bool accumulate) {
  *place = accumulate ? *place + value : value;
}

}  // namespace luge::cuda
