#pragma once
// Internal: what values are multiplied by so that some are dropped.

#include <luge/ops/create.h>
#include <luge/ops/detail/keyed_random.h>
#include <luge/ops/elementwise.h>

namespace luge {

/// 0 with probability p < 1, else 1 / (1 - p), as x. With sets, x's first dimension, set i has the numbers that set
/// first_set + i of a larger batch has. Not recorded.
inline Tensor drop_factors(const Tensor& x, double p, bool sets, std::int64_t first_set) {
  Shape shape = x.shape();
  if (!sets) shape.insert(0, 1);
  const Tensor uniform = keyed_uniform("dropout", shape, 0, 1, {.first_set = sets ? first_set : 0}, Purpose::Dropout, {.device = x.device()});
  return ((uniform >= p).to(x.dtype()) * (1 / (1 - p))).view(x.shape());
}

}  // namespace luge
