#pragma once

#include "instances.h"
#include "reduce.cuh"

namespace luge::cuda {

/// The reductions of one input type.
template <class T>
void reduce_elements(const Context& context, const Reduce& call) {
  switch (call.op) {
    case ReduceOp::Sum: return reduce<Sum<T, false>>(context, call);
    case ReduceOp::Prod: return reduce<Product<T>>(context, call);
    case ReduceOp::Min: return reduce<Extreme<T, false>>(context, call);
    case ReduceOp::Max: return reduce<Extreme<T, true>>(context, call);
    case ReduceOp::ArgMin: return reduce<ArgExtreme<T, false>>(context, call);
    case ReduceOp::ArgMax: return reduce<ArgExtreme<T, true>>(context, call);
    case ReduceOp::Mean:
      if constexpr (kFloating<T>) return reduce<Sum<T, true>>(context, call);
      break;
    case ReduceOp::LogSumExp:
      if constexpr (kFloating<T>) return reduce<LogSumExp<T>>(context, call);
      break;
    case ReduceOp::SumSquares:
      if constexpr (kFloating<T>) return reduce<SumSquares<T>>(context, call);
      break;
  }
}

}  // namespace luge::cuda
