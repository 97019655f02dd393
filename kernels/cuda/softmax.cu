// Softmax and log-softmax along rows.

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "rows.cuh"

namespace luge::cuda {

namespace {

template <class Team, class T>
__global__ void __launch_bounds__(kThreads) softmax_kernel(const Rows<const T> in, const Rows<T> out, std::int64_t rows,
                                                           std::int64_t columns, bool log, bool accumulate) {
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const T* const x = in.row(r);
    T* const y = out.row(r);
    const auto state = sum_exponentials<Team>(x, columns);
    // The one pass gives no NaN beside an infinity.
    const bool finite = state.largest - state.largest == 0.0;
    const double sum = finite ? state.sum : std::numeric_limits<double>::quiet_NaN();
    const auto row = math::scalar::SoftmaxRow<T>::of(state.largest, sum);
    for (std::int64_t c = Team::rank(); c < columns; c += Team::kSize)
      put(y + c, log ? row.log_softmax(x[c]) : row.softmax(x[c]), accumulate);
  }
}

template <class Team, class T>
__global__ void __launch_bounds__(kThreads)
    softmax_backward_kernel(const Rows<const T> dy, const Rows<const T> y, const Rows<T> dx, std::int64_t rows,
                            std::int64_t columns, bool log, bool accumulate) {
  const Sum<T, false> reducer;
  for (std::int64_t r = Team::first(); r < rows; r += Team::step()) {
    const T *const gradient = dy.row(r), *const result = y.row(r);
    double sum = 0;
    for (std::int64_t c = Team::rank(); c < columns; c += Team::kSize)
      sum += static_cast<double>(gradient[c]) * (log ? 1.0 : static_cast<double>(result[c]));
    const auto total = static_cast<T>(Team::reduce(sum, reducer));
    for (std::int64_t c = Team::rank(); c < columns; c += Team::kSize)
      put(dx.row(r) + c,
          log ? math::scalar::log_softmax_gradient(gradient[c], result[c], total)
              : math::scalar::softmax_gradient(gradient[c], result[c], total),
          accumulate);
  }
}

template <class Team, class T>
void softmax(const Context& context, const Softmax& call) {
  const bool accumulate = call.store == Store::Accumulate;
  const Grid grid = row_grid<Team>(context, call.rows);
  if (call.direction == Direction::Forward)
    launch(context, softmax_kernel<Team, T>, grid, rows_of<const T>(call.in), rows_of<T>(call.out), call.rows,
           call.columns, call.log, accumulate);
  else
    launch(context, softmax_backward_kernel<Team, T>, grid, rows_of<const T>(call.in), rows_of<const T>(call.y),
           rows_of<T>(call.out), call.rows, call.columns, call.log, accumulate);
}

template <class T>
void softmax_as(const Context& context, const Softmax& call) {
  call.columns <= kShortRow ? softmax<WarpTeam, T>(context, call) : softmax<BlockTeam, T>(context, call);
}

}  // namespace

void run(const Context& context, const Softmax& call) {
  with_floating(call.in.dtype, [&]<class T>() { return softmax_as<T>(context, call); });
}

}  // namespace luge::cuda
