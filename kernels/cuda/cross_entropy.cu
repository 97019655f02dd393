// Cross entropy of rows of logits against class labels. A label that does not exist gives NaN.

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "rows.cuh"

namespace luge::cuda {

namespace {

template <class Team, class T>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 1, 0>)
    cross_entropy_kernel(const Rows<const T> logits, const Rows<const std::int64_t> target, const Rows<T> lse,
                         const Rows<T> out, std::int64_t rows, std::int64_t columns, bool accumulate) {
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const auto state = sum_exponentials<false>(
        RowBatches<Team, T, 1, 0>({logits.row(r)}, columns, math::scalar::loser<T, true>()));
    if (Team::rank() != 0) continue;
    const T total = LogSumExp<T>::finish(state, columns);
    *lse.row(r) = total;
    put(out.row(r), math::scalar::cross_entropy_loss(logits.row(r), columns, *target.row(r), total), accumulate);
  }
}

template <class Team, class T>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 1, 0>)
    cross_entropy_backward_kernel(const Rows<const T> logits, const Rows<const std::int64_t> target,
                                  const Rows<const T> lse, const Rows<const T> dy, const Rows<T> out, std::int64_t rows,
                                  std::int64_t columns, bool accumulate) {
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const std::int64_t label = *target.row(r);
    const bool exists = label >= 0 && label < columns;
    const T shift = *lse.row(r), gradient = exists ? *dy.row(r) : std::numeric_limits<T>::quiet_NaN();
    const RowBatches<Team, T, 1, 0> row({logits.row(r)}, columns, T(0));
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i)
        values.values[i] = math::scalar::cross_entropy_gradient(gradient, x[0].values[i], shift,
                                                                first + i * Team::kSize == label ? T(1) : T(0));
      values.template store<whole>(out.row(r), first, columns, accumulate);
    });
  }
}

template <class Team, class T>
void cross_entropy(const Context& context, const CrossEntropy& call) {
  const bool accumulate = call.store == Store::Accumulate;
  const Grid grid = row_grid<Team>(context, call.rows);
  const auto target = rows_of<const std::int64_t>(call.target);
  if (call.direction == Direction::Forward)
    launch(context, cross_entropy_kernel<Team, T>, grid, rows_of<const T>(call.logits), target, rows_of<T>(call.lse),
           rows_of<T>(call.out), call.rows, call.columns, accumulate);
  else
    launch(context, cross_entropy_backward_kernel<Team, T>, grid, rows_of<const T>(call.logits), target,
           rows_of<const T>(call.lse), rows_of<const T>(call.dy), rows_of<T>(call.out), call.rows, call.columns,
           accumulate);
}

template <class T>
void cross_entropy_as(const Context& context, const CrossEntropy& call) {
  call.columns <= kShortRow ? cross_entropy<WarpTeam, T>(context, call) : cross_entropy<BlockTeam, T>(context, call);
}

}  // namespace

void run(const Context& context, const CrossEntropy& call) {
  with_floating(call.logits.dtype, [&]<class T>() { return cross_entropy_as<T>(context, call); });
}

}  // namespace luge::cuda
