#pragma once
// What the normalizations share: by rows (normalization.cu), and over the batch with the gradients of all weights
// (batch_normalization.cu). All sums are in float64.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "index.cuh"
#include "kernels.h"
#include "rows.cuh"
#include "walk.cuh"

namespace luge::cuda::normalization {

struct Pair {
  double first, second;
};
struct AddPairs {
  __device__ static Pair merge(const Pair& a, const Pair& b) { return {a.first + b.first, a.second + b.second}; }
};
struct Add {
  __device__ static double merge(double a, double b) { return a + b; }
};

/// An operand whose sets are `stride` apart; without memory it is absent.
template <class T>
struct BySet {
  T* data = nullptr;
  std::int64_t stride = 0;

  BySet() = default;
  explicit BySet(const Operand& operand)
      : data(operand.is_memory() ? static_cast<T*>(operand.data) : nullptr), stride(operand.is_memory() ? operand.strides[0] : 0) {}
  __device__ T* of(std::int64_t set) const { return data ? data + set * stride : nullptr; }
};

/// A call as its kernels get it.
template <class T>
struct Norm {
  BySet<const T> x, dy, weight, bias, kept_mean, kept_rstd;
  BySet<T> y, mean, rstd, variance, dx, dweight, dbias;
  std::int64_t sets, batch, groups, channels, inner, rows, row_size, weights;
  double eps;
  bool centred, adds_x, adds_weight, adds_bias;
  bool narrow;     ///< columns of a row fit into 32 bits
  Divider planes;  ///< by `inner`, where they do

  explicit Norm(const Normalization& call)
      : x(call.x), dy(call.dy), weight(call.weight), bias(call.bias), kept_mean(call.mean), kept_rstd(call.rstd), y(call.y),
        mean(call.mean), rstd(call.rstd), variance(call.variance), dx(call.dx), dweight(call.dweight), dbias(call.dbias),
        sets(call.sets), batch(call.batch), groups(call.groups), channels(call.channels), inner(call.inner), rows(call.rows()),
        row_size(call.row_size()), weights(call.weights()), eps(call.eps), centred(call.centred),
        adds_x(call.store == Store::Accumulate), adds_weight(call.weight_store == Store::Accumulate),
        adds_bias(call.bias_store == Store::Accumulate),
        narrow(row_size <= std::numeric_limits<int>::max()), planes(narrow ? static_cast<unsigned>(inner) : 1u) {
    narrow = narrow && !any_layout();
  }

  /// Of a row, once its moments are known; by one thread.
  __device__ void keep(std::int64_t set, std::int64_t row, double row_mean, double row_variance, double row_rstd) const {
    if (mean.data) mean.of(set)[row] = static_cast<T>(row_mean);
    if (variance.data) variance.of(set)[row] = static_cast<T>(row_variance);
    if (rstd.data) rstd.of(set)[row] = static_cast<T>(row_rstd);
  }
  __device__ T mean_of(std::int64_t set, std::int64_t row) const { return centred ? kept_mean.of(set)[row] : T(0); }
  __device__ T rstd_of(std::int64_t set, std::int64_t row) const { return kept_rstd.of(set)[row]; }
};

__device__ inline double rstd_from(double variance, double eps) { return 1.0 / math::scalar::sqrt(variance + eps); }

/// Sums of deviations from `mean` and of their squares. Padding behind the row plays no part.
template <class Team, class T, int held>
__device__ inline double square_deviations(const RowBatches<Team, T, 1, held>& row, std::int64_t columns, double mean) {
  double squares = 0;
  row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i)
      if (whole || first + i * Team::kSize < columns) {
        const double d = static_cast<double>(x[0].values[i]) - mean;
        squares += d * d;
      }
  });
  return Team::template reduce<true>(squares, Add{});
}

template <class Team, class T, int held>
__device__ inline double row_total(const RowBatches<Team, T, 1, held>& row) {
  double sum = 0;
  row.each([&](std::int64_t, const Batch<Team, T>(&x)[1], auto) {
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i) sum += static_cast<double>(x[0].values[i]);  // 0 beyond the row
  });
  return Team::template reduce<true>(sum, Add{});
}

/// Adds the gradients of the weights over the images; keeps the totals, (sets, weights), if asked.
template <class T>
void learn(const Context& context, const Norm<T>& norm, bool over_batch, Pair* totals);

template <class T>
void batch_forward(const Context& context, const Norm<T>& norm);
template <class T>
void batch_backward(const Context& context, const Norm<T>& norm);

}  // namespace luge::cuda::normalization
