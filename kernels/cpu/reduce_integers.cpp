// Reductions of bool, int32 and int64: plain loops, compiled for the baseline only.
#include "targets.h"

#include <luge/base/detail/dispatch.h>

#include "reduce_loops.h"

namespace luge::cpu {
namespace {

using namespace HWY_NAMESPACE;

/// Sums and products of integers and bools, modulo 2^64: the order does not matter.
template <class Reducer>
struct IntegerFold : Reducer {
  using Element = typename Reducer::Value;
  using Partial = std::int64_t;

  static HWY_NOINLINE std::int64_t chunk(const Element* x, std::int64_t n, std::int64_t, Element) {
    std::int64_t result = Reducer::identity();
    for (std::int64_t i = 0; i < n; ++i) result = Reducer::include(result, x[i], i);
    return result;
  }
  static HWY_NOINLINE void columns(const Element* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                   std::int64_t, const Element*, std::int64_t* out) {
    std::fill_n(out, n, Reducer::identity());
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t v = 0; v < n; ++v) out[v] = Reducer::include(out[v], x[r * stride + v], r);
  }
};

template <class T>
void reduce_as(const Reduce& call, const ReduceSpace& space) {
  const bool accumulate = call.store == Store::Accumulate;
  const Sink<std::int64_t> numbers{space, static_cast<std::int64_t*>(call.out.data), accumulate};
  const Sink<T> values{space, static_cast<T*>(call.out.data), accumulate};
  const auto value = [&](std::int64_t o, const auto& p) { values(o, p.value); };
  const auto position = [&](std::int64_t o, const auto& p) { numbers(o, p.position); };
  switch (call.op) {
    case ReduceOp::Sum:
      return reduce_with<IntegerFold<scalar_math::Sum<T, false>>>(space, call.in.data, nullptr, numbers);
    case ReduceOp::Prod:
      return reduce_with<IntegerFold<scalar_math::Product<T>>>(space, call.in.data, nullptr, numbers);
    case ReduceOp::Min: return reduce_with<Extreme<T, false, true>>(space, call.in.data, nullptr, value);
    case ReduceOp::Max: return reduce_with<Extreme<T, true, true>>(space, call.in.data, nullptr, value);
    case ReduceOp::ArgMin: return reduce_with<Extreme<T, false, true>>(space, call.in.data, nullptr, position);
    case ReduceOp::ArgMax: return reduce_with<Extreme<T, true, true>>(space, call.in.data, nullptr, position);
    case ReduceOp::Mean:
    case ReduceOp::LogSumExp:
    case ReduceOp::SumSquares: return;  // floating only, as core sees to
  }
}

}  // namespace

void reduce_integers(const Reduce& call, const ReduceSpace& space) {
  with_integral_or_bool(call.in.dtype, [&]<class T>() { reduce_as<T>(call, space); });
}

}  // namespace luge::cpu
