// Which way a batch of matrices is factored. It depends on the sizes of a matrix alone (law 7).

#include <algorithm>
#include <numeric>

#include "../kernels.h"
#include "../threads.h"
#include "lanes.h"
#include "lapack.h"

namespace luge::cpu {

namespace {

/// Pivots as LAPACK counts them, from 1.
void order_rows(const Factorize& call, std::int64_t matrix) {
  const auto* const pivots = static_cast<const std::int32_t*>(call.pivots.data) + matrix * call.pivots.strides[0];
  auto* const order = static_cast<std::int64_t*>(call.order.data) + matrix * call.order.strides[0];
  std::iota(order, order + call.m, std::int64_t{0});
  for (std::int64_t i = 0; i < call.k; ++i)
    if (const std::int64_t other = pivots[i] - 1; other >= 0 && other < call.m) std::swap(order[i], order[other]);
}

}  // namespace

void run(const Factorize& call) {
  if (suits_lanes(call)) return in_lanes(call);
  const auto work = static_cast<std::int64_t>(std::min(call.flops() / static_cast<double>(8 * call.batch), 1e12));
  parallel_for(call.batch, std::max<std::int64_t>(work, call.m), [&](std::int64_t begin, std::int64_t end) {
    if (call.kind != Factorize::Kind::RowOrder) return by_lapack(call, begin, end);
    for (std::int64_t matrix = begin; matrix < end; ++matrix) order_rows(call, matrix);
  });
}

}  // namespace luge::cpu
