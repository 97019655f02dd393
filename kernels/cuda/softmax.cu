// Softmax and log-softmax along rows.

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "rows.cuh"

namespace luge::cuda {

namespace {

template <class Team, class T, bool log, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 1, held>)
    softmax_kernel(const Rows<const T> in, const Rows<T> out, std::int64_t rows, std::int64_t columns, bool accumulate) {
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const RowBatches<Team, T, 1, held> row({in.row(r)}, columns, math::scalar::loser<T, true>());
    T* const y = out.row(r);
    const auto state = sum_exponentials<true>(row);
    // The one pass gives no NaN beside an infinity.
    const bool finite = state.largest - state.largest == 0.0;
    const double sum = finite ? state.sum : std::numeric_limits<double>::quiet_NaN();
    const auto result = math::scalar::SoftmaxRow<T>::of(state.largest, sum);
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        values.values[i] = log ? result.log_softmax(x[0].values[i]) : result.softmax(x[0].values[i]);
      values.template store<whole>(y, first, columns, accumulate);
    });
  }
}

template <class Team, class T, bool log, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 2, held>)
    softmax_backward_kernel(const Rows<const T> dy, const Rows<const T> y, const Rows<T> dx, std::int64_t rows,
                            std::int64_t columns, bool accumulate) {
  const Sum<T, false> reducer;
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const RowBatches<Team, T, 2, held> row({dy.row(r), y.row(r)}, columns, T(0));
    double sum = 0;
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[2], auto whole) {
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        if (whole || first + i * Team::kSize < columns)
          sum += static_cast<double>(x[0].values[i]) * (log ? 1.0 : static_cast<double>(x[1].values[i]));
    });
    const auto total = static_cast<T>(Team::template reduce<true>(sum, reducer));
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[2], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        values.values[i] = log ? math::scalar::log_softmax_gradient(x[0].values[i], x[1].values[i], total)
                               : math::scalar::softmax_gradient(x[0].values[i], x[1].values[i], total);
      values.template store<whole>(dx.row(r), first, columns, accumulate);
    });
  }
}

template <class T, bool log>
void softmax(const Context& context, const Softmax& call) {
  const bool accumulate = call.store == Store::Accumulate;
  with_team<T>(call.columns, [&]<class Team, int held>() {
    const Grid grid = row_grid<Team>(context, call.rows);
    if (call.direction == Direction::Forward)
      launch(context, softmax_kernel<Team, T, log, held>, grid, rows_of<const T>(call.in), rows_of<T>(call.out),
             call.rows, call.columns, accumulate);
    else
      launch(context, softmax_backward_kernel<Team, T, log, held>, grid, rows_of<const T>(call.in),
             rows_of<const T>(call.y), rows_of<T>(call.out), call.rows, call.columns, accumulate);
  });
}

}  // namespace

void run(const Context& context, const Softmax& call) {
  with_floating(call.in.dtype, [&]<class T>() {
    return call.log ? softmax<T, true>(context, call) : softmax<T, false>(context, call);
  });
}

}  // namespace luge::cuda
