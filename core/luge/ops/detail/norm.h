#pragma once
// Internal: the p-norm along a dimension.

#include <luge/tensor/tensor.h>

namespace luge {

/// (sum of |x|^p)^(1/p) along dim; the largest |x| for p = inf, the smallest for -inf, how many are not 0 for p = 0. The
/// gradient of a norm of 0 is 0, as in PyTorch.
Tensor norm_along(const Tensor& x, double p, int dim, bool keepdim);

}  // namespace luge
