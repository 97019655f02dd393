// Layer, RMS, group and instance normalization: a warp takes a short row, a block a long one, and holds what fits into
// its registers (rows.cuh).

#include <luge/base/detail/dispatch.h>

#include "normalization.cuh"

namespace luge::cuda {

namespace normalization {

namespace {

/// Which of a row's weights an element is multiplied by. Rows that are held have few elements.
template <bool by_element, int held, class T>
__device__ inline auto channel_of(const Norm<T>& norm, std::int64_t column) {
  if constexpr (by_element)
    return column;
  else if constexpr (held > 0)
    return static_cast<int>(norm.planes.quotient(static_cast<unsigned>(column)));
  else
    return norm.narrow ? std::int64_t{norm.planes.quotient(static_cast<unsigned>(column))} : column / norm.inner;
}

/// Blocks of a kernel by rows that a multiprocessor should have room for: addresses of weights take registers, too.
template <class T, int operands, int held, bool by_element>
[[maybe_unused]] constexpr int kRowBlocks = operands == 1 ? (sizeof(T) == 4 && !by_element ? 3 : 2) : held == 0 ? 3 : sizeof(T) == 4 && by_element ? 2 : 1;

// ---- kernels --------------------------------------------------------------------------------------

template <class Team, class T, int held, bool by_element>
__global__ void __launch_bounds__(kThreads, kRowBlocks<T, 1, held, by_element>) normalize_rows_kernel(const Norm<T> norm) {
  for (std::int64_t at = Team::first(); at < norm.sets * norm.rows; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, norm.rows), r = at - set * norm.rows;
    const RowBatches<Team, T, 1, held> row({norm.x.of(set) + r * norm.row_size}, norm.row_size, T(0));
    const auto n = static_cast<double>(norm.row_size);
    const double mean = norm.centred ? row_total(row) / n : 0.0;
    const double variance = square_deviations(row, norm.row_size, mean) / n, rstd = rstd_from(variance, norm.eps);
    if (Team::rank() == 0) norm.keep(set, r, mean, variance, rstd);
    const std::int64_t channel = (r - quick_quotient(r, norm.groups) * norm.groups) * norm.channels;
    const T *weight = norm.weight.of(set), *bias = norm.bias.of(set);
    if (weight) weight += channel;
    if (bias) bias += channel;
    T* const y = norm.y.of(set) + r * norm.row_size;
    const T level = static_cast<T>(mean), scale = static_cast<T>(rstd);
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        T value = (x[0].values[i] - level) * scale;
        if (weight || bias) {
          const std::int64_t column = first + i * Team::kSize;
          if (whole || column < norm.row_size) {
            const auto c = channel_of<by_element, held>(norm, column);
            if (weight) value *= weight[c];
            if (bias) value += bias[c];
          }
        }
        values.values[i] = value;
      }
      values.template store<whole>(y, first, norm.row_size, false);
    });
  }
}

template <class Team, class T, int held, bool by_element>
__global__ void __launch_bounds__(kThreads, kRowBlocks<T, 2, held, by_element>) rows_backward_kernel(const Norm<T> norm) {
  for (std::int64_t at = Team::first(); at < norm.sets * norm.rows; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, norm.rows), r = at - set * norm.rows, begin = r * norm.row_size;
    const RowBatches<Team, T, 2, held> row({norm.x.of(set) + begin, norm.dy.of(set) + begin}, norm.row_size, T(0));
    const T mean = norm.mean_of(set, r), rstd = norm.rstd_of(set, r);
    const T* weight = norm.weight.of(set);
    if (weight) weight += (r - quick_quotient(r, norm.groups) * norm.groups) * norm.channels;
    const auto weighted = [&](T dy, std::int64_t column) { return weight ? dy * weight[channel_of<by_element, held>(norm, column)] : dy; };
    Pair sums{0, 0};
    row.each([&](std::int64_t first, const Batch<Team, T>(&values)[2], auto whole) {
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        const std::int64_t column = first + i * Team::kSize;
        if (!(whole || column < norm.row_size)) continue;
        const T h = weighted(values[1].values[i], column), d = values[0].values[i] - mean;
        sums.first += static_cast<double>(h);
        sums.second += static_cast<double>(h) * static_cast<double>(d);
      }
    });
    sums = Team::template reduce<true>(sums, AddPairs{});
    const auto n = static_cast<double>(norm.row_size);
    const T shift = norm.centred ? static_cast<T>(sums.first / n) : T(0);
    const T slope = static_cast<T>(sums.second / n * static_cast<double>(rstd) * static_cast<double>(rstd));
    T* const dx = norm.dx.of(set) + begin;
    row.each([&](std::int64_t first, const Batch<Team, T>(&values)[2], auto whole) {
      Batch<Team, T> result;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        const std::int64_t column = first + i * Team::kSize;
        if (!(whole || column < norm.row_size)) continue;
        const T h = weighted(values[1].values[i], column);
        result.values[i] = (h - shift - (values[0].values[i] - mean) * slope) * rstd;
      }
      result.template store<whole>(dx, first, norm.row_size, norm.adds_x);
    });
  }
}

// ---- launches -----------------------------------------------------------------------------------------

template <class T>
void forward(const Context& context, const Norm<T>& norm, bool over_batch) {
  if (over_batch) return batch_forward(context, norm);
  with_team<T>(norm.row_size, [&]<class Team, int held>() {
    launch(context, norm.inner == 1 ? normalize_rows_kernel<Team, T, held, true> : normalize_rows_kernel<Team, T, held, false>,
           row_grid<Team>(context, norm.sets * norm.rows), norm);
  });
}

template <class T>
void backward(const Context& context, const Norm<T>& norm, bool over_batch) {
  if (over_batch) return batch_backward(context, norm);
  if (norm.dx.data)
    with_team<T>(norm.row_size, [&]<class Team, int held>() {
      launch(context, norm.inner == 1 ? rows_backward_kernel<Team, T, held, true> : rows_backward_kernel<Team, T, held, false>,
             row_grid<Team>(context, norm.sets * norm.rows), norm);
    });
  if (norm.dweight.data || norm.dbias.data) learn(context, norm, false, static_cast<Pair*>(nullptr));
}

}  // namespace

}  // namespace normalization

void run(const Context& context, const Normalization& call) {
  with_floating(call.x.dtype, [&]<class T>() {
    const normalization::Norm<T> norm(call);
    return call.direction == Direction::Forward ? normalization::forward<T>(context, norm, call.over_batch)
                                                : normalization::backward<T>(context, norm, call.over_batch);
  });
}

}  // namespace luge::cuda
